"""Writes what PyAV cannot say into the header of a Matroska file.

The shape of the pixels, and what an HDR film says of its mastering: FFmpeg's
muxer takes them from fields that PyAV does not show. So the track is written
with a placeholder as its name, whose bytes are then given to the missing
elements; no other byte of the file moves. Elements and sizes: RFC 8794 (EBML)
and RFC 9559 (Matroska).
"""

import fractions
import struct

from revive_jax import files

_SEGMENT, _TRACKS, _TRACK = 0x18538067, 0x1654AE6B, 0xAE
_TYPE, _NAME, _VIDEO, _VOID = 0x83, 0x536E, 0xE0, 0xEC
_WIDTH, _HEIGHT, _UNIT = 0x54B0, 0x54BA, 0x54B2
_COLOUR, _ACROSS, _DOWN = 0x55B0, 0x55B7, 0x55B8
_MOST_LIGHT, _MEAN_LIGHT, _MASTERING = 0x55BC, 0x55BD, 0x55D0
_PRIMARIES = 0x55D1  # x and y of red, green, blue and white follow one another.
_MOST, _LEAST = 0x55D9, 0x55DA
# ChromaSitingHorz and ChromaSitingVert by AVChromaLocation.
_SITINGS = {1: (1, 2), 2: (2, 2), 3: (1, 1), 4: (2, 1)}
_PIXELS, _RATIO = 0, 3  # Values of DisplayUnit.
_HEADER = 1 << 20  # The tracks are described in the first bytes.


def placeholder(title: str) -> str:
  """Returns a name that is longer than all that may come in its place."""
  return 'a place held for the header'.ljust(256 + len(title.encode()), '.')


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


def _mastering(static) -> bytes:
  """Returns the elements of Colour that tell of hdr.Static."""
  content = b''.join(
      _element(_PRIMARIES + i, struct.pack('>d', value))
      for i, value in enumerate(static.primaries))
  if static.luminance:
    least, most = static.luminance
    content += _element(_MOST, struct.pack('>d', most))
    content += _element(_LEAST, struct.pack('>d', least))
  light = b''.join(
      _element(element, value.to_bytes(4, 'big')) for element, value in
      zip((_MOST_LIGHT, _MEAN_LIGHT), static.light, strict=False))
  return light + (_element(_MASTERING, content, 2) if content else b'')


def _without(data, start, stop, elements) -> bytes:
  return b''.join(data[a:b] for e, a, _, b in _elements(data, start, stop)
                  if e not in elements)


def _video(data, start, stop, display, extra) -> bytes:
  """Returns the content of the element Video with what is missing."""
  drop = (_WIDTH, _HEIGHT, _UNIT) if display else ()  # Here "unit: unknown".
  replaced = [e for e, *_ in _elements(extra, 0, len(extra))]
  colour = b''
  for element, _, content, end in _elements(data, start, stop):
    if element == _COLOUR:
      colour = _without(data, content, end, replaced)
  result = _without(data, start, stop, (*drop, _COLOUR)) + display
  if colour or extra:
    result += _element(_COLOUR, colour + extra, 2)
  return result


def _track(data, start, stop, display, extra, title) -> bytes:
  """Returns the content of a track, of the same length, completed."""
  result = b''
  for element, first, content, end in _elements(data, start, stop):
    if element == _VIDEO:
      result += _element(
          _VIDEO, _video(data, content, end, display, extra), 2)
    elif element != _NAME:
      result += data[first:end]
  if title:
    result += _element(_NAME, title.encode(), 2)
  room = stop - start - len(result)
  length = 1 if room < 100 else 2
  return result + _element(_VOID, bytes(room - 1 - length), length)


def _pictures(data: bytes) -> tuple[int, int]:
  """Returns where the content of the one video track begins and ends."""
  segment, end = _find(data, _SEGMENT, 0, len(data))
  tracks, end = _find(data, _TRACKS, segment, min(end, len(data)))
  for element, _, start, stop in _elements(data, tracks, end):
    kinds = [data[c] for e, _, c, _ in _elements(data, start, stop)
             if e == _TYPE]
    if element == _TRACK and kinds == [1]:
      return start, stop
  raise ValueError('No video track in the header.')


def complete(
    path,
    width: int,
    height: int,
    shape: fractions.Fraction,
    *,
    static=None,
    siting: int = 0,
    title: str = '',
) -> None:
  """Completes the header of a file with one video track, in place.

  The track must be named placeholder(title), and the file be written without
  CRCs. shape: the sample aspect ratio; static: an hdr.Static, or None; siting:
  AVChromaLocation.
  """
  with files.path(path).open('r+b') as f:
    data = f.read(_HEADER)
    start, stop = _pictures(data)
    display = _display(width, height, shape) if shape != 1 else b''
    extra = b''.join(
        _element(element, bytes([value])) for element, value in
        zip((_ACROSS, _DOWN), _SITINGS.get(siting, ()), strict=False))
    if static:
      extra += _mastering(static)
    f.seek(start)
    f.write(_track(data, start, stop, display, extra, title))


def chroma_siting(data: bytes) -> int:
  """Returns the AVChromaLocation of the video track, 0 where not given."""
  start, stop = _find(data, _VIDEO, *_pictures(data))
  try:
    start, stop = _find(data, _COLOUR, start, stop)
  except ValueError:
    return 0
  found = {e: int.from_bytes(data[c:end], 'big')
           for e, _, c, end in _elements(data, start, stop)}
  places = found.get(_ACROSS), found.get(_DOWN)
  return next((k for k, v in _SITINGS.items() if v == places), 0)
