"""Checksums of FFV1, the archive's codec: FFmpeg checks them but does not tell.

A slice of version 3 ends with its size (3 bytes), a status (1) and a CRC-32 (4)
that makes the remainder of the whole slice zero (RFC 9043, 4.5).
"""

import zlib

_REVERSED = bytes(int(f'{i:08b}'[::-1], 2) for i in range(256))
_FOOTER = 8


def _remainder(data: bytes) -> int:
  """CRC-32, highest bit first and from zero, its bits in reversed order.

  zlib's is lowest bit first, and inverted before and after.
  """
  return zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF


def checksums_hold(packet: bytes) -> bool:
  """Returns whether the packet is made of slices with right checksums."""
  end = len(packet)
  while end > 0:
    size = int.from_bytes(packet[end - _FOOTER:end - _FOOTER + 3]) + _FOOTER
    if end < _FOOTER or size > end or _remainder(packet[end - size:end]):
      return False
    end -= size
  return len(packet) > 0
