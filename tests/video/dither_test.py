"""Tests of video/dither.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.video import color, dither, formats


class DitherTest(absltest.TestCase):

  def test_triangular(self):
    noise = dither.triangular((400, 500), seed=1, frame=2, plane=0)
    self.assertEqual(noise.dtype, np.float32)
    self.assertLess(np.abs(noise).max(), 1)
    self.assertAlmostEqual(noise.mean(), 0, delta=0.005)
    # The variance of the difference of two uniform numbers is 2 / 12.
    self.assertAlmostEqual(noise.var(), 1 / 6, delta=0.002)
    # Half of a triangle's area lies within 1 - sqrt(1/2) of its middle.
    self.assertAlmostEqual(
        (np.abs(noise) < 1 - 0.5**0.5).mean(), 0.5, delta=0.005)

  def test_same_seed_same_noise(self):
    first = dither.triangular((9, 9), seed=1, frame=2, plane=0)
    np.testing.assert_array_equal(
        first, dither.triangular((9, 9), seed=1, frame=2, plane=0))
    for other in (
        dict(seed=2, frame=2, plane=0), dict(seed=1, frame=3, plane=0),
        dict(seed=1, frame=2, plane=1)):
      self.assertTrue((first != dither.triangular((9, 9), **other)).any())

  def test_keeps_what_lies_between_two_steps(self):
    # Ten bits as eight: a quarter of a step is still there in the mean.
    high, low = (formats.layout(f'gray{b}', 2, 1, 100) for b in ('10le', ''))
    plane = np.full((300, 300), 401, np.uint16)
    noise = (dither.triangular(plane.shape, seed=0, frame=0, plane=0),)
    plain, = color.convert((plane,), high, low)
    dithered, = color.convert((plane,), high, low, noise)
    np.testing.assert_array_equal(plain, 100)
    self.assertAlmostEqual(dithered.mean(), 401 / 4, delta=0.01)


if __name__ == '__main__':
  absltest.main()
