"""Tests of the checksums of FFV1."""

import os
import zlib

from absl.testing import absltest
import av

from revive_jax.video import ffv1
from tests.video import clips


def _packets(path):
  with av.open(path) as container:
    return [bytes(p) for p in container.demux(video=0) if p.size]


class Ffv1Test(absltest.TestCase):

  def _film(self, **options):
    path = os.path.join(self.create_tempdir().full_path, 'a.mkv')
    return _packets(clips.write(
        path, clips.pictures(3), codec='ffv1',
        options={'level': '3', 'slices': '4', **options}))

  def test_remainder_by_hand(self):
    # CRC-32/MPEG-2 of '123456789' is 0376E6E7 (from all ones). From zero, the
    # remainder of one byte 01 is the polynomial, 04C11DB7.
    reverse = int(f'{0x04C11DB7:032b}'[::-1], 2)
    self.assertEqual(ffv1._remainder(b'\x01'), reverse)
    self.assertEqual(reverse, 0xEDB88320)
    self.assertEqual(zlib.crc32(b'123456789'), 0xCBF43926)

  def test_what_ffmpeg_wrote_holds(self):
    for packet in self._film(slicecrc='1'):
      self.assertTrue(ffv1.checksums_hold(packet))

  def test_every_flipped_bit_is_noticed(self):
    packet = self._film(slicecrc='1')[1]
    for place in range(0, len(packet), 7):
      broken = bytearray(packet)
      broken[place] ^= 1 << place % 8
      self.assertFalse(ffv1.checksums_hold(bytes(broken)), place)

  def test_cut_empty_and_without_checksums(self):
    packet = self._film(slicecrc='1')[0]
    for data in (packet[:-1], packet[1:], b'', b'\0' * 7):
      self.assertFalse(ffv1.checksums_hold(data))
    for packet in self._film(slicecrc='0'):
      self.assertFalse(ffv1.checksums_hold(packet))


if __name__ == '__main__':
  absltest.main()
