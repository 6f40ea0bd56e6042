"""Tests of provenance/watermark.py."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from benchmarks import watermark as benchmark
from revive_jax import types
from revive_jax.provenance import watermark

_ID = benchmark._ID


def _film(count=12, width=320):
  return benchmark._made(count, width)


def _marked(film, run_id=_ID):
  mark = watermark.Writer(run_id)
  return [mark(frame) for frame in film]


class CodeTest(parameterized.TestCase):

  def test_the_checksum(self):
    """The check value of CRC-24/OPENPGP in catalogues of checksums."""
    self.assertEqual(watermark.crc24(b'123456789'), 0x21CF02)

  @parameterized.parameters(0, _ID, 2**40 - 1)
  def test_there_and_back(self, run_id):
    soft = 1.0 - 2 * watermark.code(run_id)
    self.assertEqual(watermark.decoded(soft), run_id)
    soft[[3, 60]] *= -0.1  # Wrong, and not certain.
    self.assertEqual(watermark.decoded(soft), run_id)
    soft[[3, 60]] *= 10
    self.assertIsNone(watermark.decoded(soft))

  def test_ids_differ(self):
    self.assertLen({watermark.id_of(str(i)) for i in range(1000)}, 1000)
    self.assertEqual(watermark.id_of('a'), 0xca978112ca)  # Of SHA-256 of a.


class WatermarkTest(parameterized.TestCase):

  def test_cost(self):
    film = _film()
    for before, after in zip(film, _marked(film), strict=True):
      error = np.mean((before.astype(float) - after) ** 2)
      self.assertGreater(10 * np.log10(255**2 / error), 42)
      self.assertLess(np.abs(before.astype(int) - after).max(), 20)

  @parameterized.parameters((23, 1.0), (28, 1.0), (23, 0.5))
  def test_survives_coding(self, crf, scale):
    marked = _marked(_film(16, 480))
    self.assertEqual(watermark.read(benchmark.coded(marked, crf, scale)), _ID)

  def test_single_frames_of_any_size(self):
    frame, = _marked(_film(1, 320))
    for size in ((320, 180), (640, 360), (100, 100)):
      resized = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
      self.assertEqual(watermark.read([resized]), _ID)

  def test_unmarked_films_have_none(self):
    self.assertIsNone(watermark.read(_film()))
    self.assertIsNone(watermark.read([]))
    for value in (0, 128, 255):
      flat = np.full((90, 160, 3), value, np.uint8)
      self.assertIsNone(watermark.read([flat] * 3))

  def test_false_alarms_are_rare(self):
    """One in 2^24 / 16 random words would pass."""
    rng = np.random.default_rng(0)
    found = [watermark.decoded(soft) for soft in rng.normal(size=(2000, 64))]
    self.assertEqual(found, [None] * 2000)

  def test_16_bits(self):
    film = [f.astype(np.uint16) * 257 for f in _film(2)]
    marked = _marked(film)
    self.assertEqual(marked[0].dtype, np.uint16)
    self.assertEqual(watermark.read(marked), _ID)

  def test_grey_stays_grey(self):
    grey = [np.repeat(f[..., :1], 3, -1) for f in _film(2)]
    for frame in _marked(grey):
      np.testing.assert_array_equal(frame[..., 0], frame[..., 1])
      np.testing.assert_array_equal(frame[..., 0], frame[..., 2])

  def test_black_and_white_frames_stay(self):
    for value in (0, 255):
      flat = np.full((90, 160, 3), value, np.uint8)
      np.testing.assert_array_equal(_marked([flat])[0], flat)

  def test_a_film_with_black_bars(self):
    film = _film(4)
    for frame in film:
      frame[:40] = frame[-40:] = 0
    self.assertEqual(watermark.read(_marked(film)), _ID)

  def test_a_still_is_marked_alike_in_every_frame(self):
    marked = _marked(_film(1) * 3)
    np.testing.assert_array_equal(marked[0], marked[1])
    np.testing.assert_array_equal(marked[0], marked[2])

  def test_small_frames_are_refused(self):
    with self.assertRaisesRegex(types.BadInput, '40x40 are too small'):
      watermark.Writer(1)(np.zeros((40, 40, 3), np.uint8))


if __name__ == '__main__':
  absltest.main()
