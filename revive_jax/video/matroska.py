"""Writes the shape of the pixels into the header of a Matroska file.

FFmpeg's muxer takes it from a field that PyAV cannot set. So the track is
written with a placeholder as its name, whose bytes are then given to the
elements DisplayWidth and DisplayHeight; no other byte of the file moves.
Elements and sizes: RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

import fractions

PLACEHOLDER = 'pixel shape: place held for it'  # Longer than what replaces it.

_SEGMENT, _TRACKS, _TRACK = 0x18538067, 0x1654AE6B, 0xAE
_TYPE, _NAME, _VIDEO, _VOID = 0x83, 0x536E, 0xE0, 0xEC
_WIDTH, _HEIGHT, _UNIT = 0x54B0, 0x54BA, 0x54B2
_PIXELS, _RATIO = 0, 3  # Values of DisplayUnit.
_HEADER = 1 << 16  # The tracks are described in the first bytes.


def _number(data: bytes, at: int, *, is_id: bool) -> tuple[int, int]:
  """Returns the number of variable length at a place, and where it ends."""
  length = 9 - data[at].bit_length()
  value = int.from_bytes(data[at:at + length], 'big')
  if not is_id:
    value &= (1 << 7 * length) - 1
  return value, at + length


def _elements(data: bytes, start: int, stop: int):
  """Yields (id, start, start of the content, stop) of the elements there."""
  while start < stop:
    element, at = _number(data, start, is_id=True)
    size, content = _number(data, at, is_id=False)
    yield element, start, content, min(content + size, stop)
    start = content + size


def _element(element: int, content: bytes, size_length: int = 1) -> bytes:
  """Returns an element; its size takes size_length bytes."""
  size = (1 << 7 * size_length | len(content)).to_bytes(size_length, 'big')
  return element.to_bytes((element.bit_length() + 7) // 8, 'big') + size + (
      content)


def _find(data, wanted, start, stop):
  for element, _, content, end in _elements(data, start, stop):
    if element == wanted:
      return content, end
  raise ValueError(f'No element {wanted:#x}.')


def _display(width, height, shape: fractions.Fraction) -> bytes:
  """Returns the elements that say how the picture is to be shown."""
  shown = width * shape
  if shown.denominator == 1:
    wide, high, unit = int(shown), height, _PIXELS
  else:
    ratio = fractions.Fraction(width, height) * shape
    wide, high, unit = ratio.numerator, ratio.denominator, _RATIO
  return (_element(_WIDTH, wide.to_bytes(4, 'big'))
          + _element(_HEIGHT, high.to_bytes(4, 'big'))
          + _element(_UNIT, bytes([unit])))


def _with_shape(data: bytes, start: int, stop: int, display: bytes) -> bytes:
  """Returns the content of a track, of the same length, with display in it."""
  result = b''
  for element, first, content, end in _elements(data, start, stop):
    if element == _VIDEO:
      other = b''.join(
          data[a:b] for e, a, _, b in _elements(data, content, end)
          if e not in (_WIDTH, _HEIGHT, _UNIT))  # Here "unit: unknown".
      result += _element(_VIDEO, other + display, 2)
    elif element != _NAME:
      result += data[first:end]
  room = stop - start - len(result)
  return result + _element(_VOID, bytes(room - 2))


def set_pixel_shape(
    path, width: int, height: int, shape: fractions.Fraction
) -> None:
  """Sets the sample aspect ratio of the one video track of a file, in place.

  The track must be named PLACEHOLDER, and the file be written without CRCs.
  """
  with open(path, 'r+b') as f:
    data = f.read(_HEADER)
    segment, end = _find(data, _SEGMENT, 0, len(data))
    tracks, end = _find(data, _TRACKS, segment, min(end, len(data)))
    for element, _, start, stop in _elements(data, tracks, end):
      kinds = [data[c] for e, _, c, _ in _elements(data, start, stop)
               if e == _TYPE]
      if element == _TRACK and kinds == [1]:
        f.seek(start)
        f.write(_with_shape(
            data, start, stop, _display(width, height, shape)))
        return
  raise ValueError(f'{path}: no video track in the header.')
