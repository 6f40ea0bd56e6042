"""Tests of covers.py: pictures without what cameras write into them."""

import struct
import zlib

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax.video import covers

_SECRET = b'48.8577 N'


def picture(suffix, **options):
  """A picture of noise, coded, as one finds them without a camera's words."""
  rgb = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)
  return cv2.imencode(suffix, rgb, list(options.get('flags', ())))[1].tobytes()


def segment(marker, data):
  """A segment of a JPEG, by the format's rules."""
  return struct.pack('>BBH', 0xff, marker, 2 + len(data)) + data


def chunk(name, data):
  """A chunk of a PNG, by the format's rules."""
  return struct.pack('>I', len(data)) + name + data + struct.pack(
      '>I', zlib.crc32(name + data))


def private_jpeg(plain):
  """A JPEG with all places where something may be said."""
  said = (segment(0xe1, b'Exif\0\0' + _SECRET) + b'\xff'  # And padding.
          + segment(0xe1, b'http://ns.adobe.com/xap/1.0/\0' + _SECRET)
          + segment(0xe2, b'MPF\0' + _SECRET) + segment(0xfe, _SECRET)
          + segment(0xed, b'Photoshop 3.0\0' + _SECRET)
          + segment(0xe0, b'JFXX\0' + _SECRET))
  return plain[:2] + said + plain[2:] + plain + _SECRET


class CoversTest(parameterized.TestCase):

  @parameterized.parameters(
      (), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1))
  def test_jpeg(self, *flags):
    plain = picture('.jpg', flags=flags)
    # Bit for bit what it was before anybody wrote into it.
    self.assertEqual(covers.stripped(private_jpeg(plain)), plain)
    self.assertEqual(covers.stripped(plain), plain)

  def test_png(self):
    plain = picture('.png')
    gamma, end = chunk(b'gAMA', struct.pack('>I', 45455)), plain[-12:]
    said = b''.join(chunk(name, _SECRET) for name in (
        b'eXIf', b'tEXt', b'zTXt', b'iTXt', b'prVt'))
    found = covers.stripped(
        plain[:33] + gamma + said + plain[33:-12] + said + end + _SECRET)
    self.assertEqual(found, plain[:33] + gamma + plain[33:])

  def test_colour_profiles_stay(self):
    plain = picture('.jpg')
    profile = segment(0xe2, b'ICC_PROFILE\0\1\1' + b'x' * 9)
    coloured = plain[:2] + profile + plain[2:]
    self.assertEqual(covers.stripped(coloured), coloured)

  @parameterized.parameters('.jpg', '.png')
  def test_what_is_damaged_is_no_picture(self, suffix):
    whole = picture(suffix)
    for length in range(4, len(whole), 7):
      self.assertIsNone(covers.stripped(whole[:length]))
    self.assertIsNone(covers.stripped(whole[:2] + b'\0' + whole[3:]))

  def test_other_kinds(self):
    self.assertIsNone(covers.stripped(b'RIFF    WEBP'))
    self.assertFalse(covers.is_picture(b'RIFF    WEBP'))
    self.assertIsNone(covers.stripped(b''))
    bitmap = picture('.bmp')
    self.assertEqual(covers.stripped(bitmap), bitmap)


if __name__ == '__main__':
  absltest.main()
