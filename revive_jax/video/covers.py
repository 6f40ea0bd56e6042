"""Cover pictures without what cameras write into them: EXIF, XMP, IPTC.

A telephone's picture says where it was taken, and holds a small copy of itself
from before it was cropped. What is shown stays bit for bit.
"""

from collections.abc import Iterator
import struct

_JPEG, _PNG, _BMP = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'BM'
# What of a PNG says how its pixels are to be shown.
_SHOWN = (b'IHDR', b'PLTE', b'IDAT', b'IEND', b'tRNS', b'gAMA', b'cHRM',
          b'sRGB', b'iCCP', b'pHYs', b'sBIT', b'bKGD', b'cICP')
_ALONE = (0x01, *range(0xd0, 0xd8))  # Markers of JPEG without a length.
_START_OF_SCAN, _END, _COMMENT = 0xda, 0xd9, 0xfe
# Of a JPEG: where its pixels are shown from; all else of APP0 to 15 goes.
_KEPT = {0xe0: b'JFIF\0', 0xe2: b'ICC_PROFILE\0', 0xee: b'Adobe'}


def is_picture(data: bytes) -> bool:
  """Whether data is a JPEG or a PNG."""
  return data.startswith((_JPEG, _PNG))


def stripped(data: bytes) -> bytes | None:
  """A picture without EXIF, XMP, IPTC, comments, and what is behind its end.

  Returns:
    The file, whose pixels are the same; None: it is no JPEG, PNG or BMP, or is
    damaged, so that nobody knows what it says.
  """
  if data.startswith(_BMP):
    return data  # Has no place for any.
  try:
    if data.startswith(_PNG):
      return _PNG + b''.join(
          piece for name, piece in _chunks(data) if name in _SHOWN)
    if data.startswith(_JPEG):
      return _JPEG[:2] + b''.join(
          piece for marker, piece in _segments(data) if _stays(marker, piece))
  except (IndexError, struct.error, ValueError):
    pass
  return None


def _stays(marker, piece) -> bool:
  if marker == _COMMENT:
    return False
  return not 0xe0 <= marker <= 0xef or (
      marker in _KEPT and piece[4:].startswith(_KEPT[marker]))


def _chunks(data) -> Iterator[tuple[bytes, bytes]]:
  """The chunks of a PNG with their names, to its end."""
  at, name = len(_PNG), b''
  while name != b'IEND':
    length, name = struct.unpack_from('>I4s', data, at)
    stop = at + 12 + length
    if stop > len(data):
      raise ValueError('a chunk is cut off')
    yield name, data[at:stop]
    at = stop


def _segments(data) -> Iterator[tuple[int, bytes]]:
  """The segments of a JPEG with their markers, to its end."""
  at, marker = 2, None
  while marker != _END:
    if data[at] != 0xff:
      raise ValueError('no marker where one must be')
    marker, start = data[at + 1], at
    if marker == 0xff:  # Padding.
      at, marker = at + 1, None
      continue
    at += 2
    if marker not in _ALONE and marker != _END:
      length, = struct.unpack_from('>H', data, at)
      at += length
    if marker == _START_OF_SCAN:
      at = _end_of_scan(data, at)
    if at > len(data):
      raise ValueError('a segment is cut off')
    yield marker, data[start:at]


def _end_of_scan(data, at) -> int:
  """Where the next marker is, behind coded pixels."""
  while True:
    at = data.index(b'\xff', at)
    following = data[at + 1]
    if following and following not in _ALONE:
      return at
    at += 2
