"""Tests of metrics/niqe.py, and of the pristine model that ships."""

from absl.testing import absltest, parameterized
import numpy as np
from scipy import ndimage, stats
from skimage import data, transform

from revive_jax.metrics import niqe
from revive_jax.models import weights


class FitTest(parameterized.TestCase):

  @parameterized.parameters((1, 2.0), (2, 0.5))
  def test_ggd_against_scipy(self, shape, scale):
    drawn = stats.gennorm.rvs(
        shape, scale=scale, size=(2, 100_000), random_state=0)
    shapes, scales = niqe.fit_ggd(drawn)
    np.testing.assert_allclose(shapes, shape, rtol=0.02)
    np.testing.assert_allclose(scales, scale, rtol=0.02)

  @parameterized.parameters(
      (1.0, 2.0, 0.5), (2.0, 0.5, 1.5), (0.7, 1.0, 1.0))
  def test_aggd_of_two_halves(self, shape, left, right):
    # Left of 0 a half with one scale and right of it one with another, each
    # as often as it is wide: the density does not jump at 0.
    drawn = np.abs(stats.gennorm.rvs(shape, size=200_000, random_state=1))
    side = np.random.default_rng(1).random(len(drawn)) < left / (left + right)
    found = niqe.fit_aggd(np.where(side, -left, right) * drawn)
    mean = np.where(side, -left, right) @ drawn / len(drawn)
    np.testing.assert_allclose(
        found, [shape, mean, left, right], rtol=0.03, atol=0.02)

  def test_aggd_of_equal_sides_is_ggd(self):
    half = np.random.default_rng(2).exponential(size=1000)
    both = np.concatenate([half, -half])
    shape, mean, left, right = niqe.fit_aggd(both)
    np.testing.assert_allclose([shape, left], niqe.fit_ggd(both))
    self.assertAlmostEqual(mean, 0)
    self.assertAlmostEqual(left, right)

  def test_one_side_and_nothing_are_finite(self):
    for x in (np.arange(1.0, 9.0), -np.arange(1.0, 9.0), np.zeros(8)):
      self.assertTrue(np.isfinite([*niqe.fit_ggd(x), *niqe.fit_aggd(x)]).all())


class FeaturesTest(absltest.TestCase):

  def test_luma_by_hand(self):
    frames = np.array([[[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]]])
    np.testing.assert_allclose(niqe.luma(frames), [[[76.245, 178.755]]])

  def test_mscn_of_a_constant_is_zero(self):
    found, deviation = niqe.mscn(np.full((20, 30), 123.4))
    np.testing.assert_allclose(found, 0, atol=1e-9)
    np.testing.assert_allclose(deviation, 0, atol=1e-4)

  def test_mscn_by_hand(self):
    picture = np.zeros((15, 15))
    picture[7, 7] = 100
    window = np.exp(-0.5 * (np.arange(-3, 4) * 6 / 7) ** 2)
    centre = (window[3] / window.sum()) ** 2  # Weight of the middle.
    found, deviation = niqe.mscn(picture)
    self.assertAlmostEqual(
        deviation[7, 7], 100 * np.sqrt(centre * (1 - centre)))
    self.assertAlmostEqual(
        found[7, 7], 100 * (1 - centre) / (deviation[7, 7] + 1))
    self.assertEqual(abs(found[7, 11:]).max().round(9), 0)  # Of 7 px.

  def test_patches_side_by_side(self):
    picture = data.camera().astype(float)[:200, :300]
    whole = niqe.features(picture)
    self.assertEqual(whole.shape, (2 * 3, 36))
    sharp = niqe.features(picture, sharpness=0.75)
    self.assertBetween(len(sharp), 1, 5)
    for row in sharp:
      self.assertIn(row, whole)
    self.assertEqual(niqe.features(picture, patch=64).shape, (3 * 4, 36))

  def test_flat_patches_are_left_out(self):
    picture = np.full((96, 288), 100.3)
    picture[:, :192] = data.camera()[200:296, 200:392]
    self.assertLen(niqe.features(picture), 3)  # The edge is within reach.
    picture[:, 192:] = picture[0, 191] = 100.3
    picture[:, 92:192] = 100.3
    self.assertLen(niqe.features(picture), 1)

  def test_too_small_is_refused(self):
    self.assertEqual(niqe.features(np.zeros((96, 192))).shape, (0, 36))
    for shape in ((95, 300), (190, 191)):
      with self.assertRaisesRegex(ValueError, 'px is too small for NIQE'):
        niqe.features(np.zeros(shape))


class NiqeTest(absltest.TestCase):

  def test_by_hand(self):
    # Mean (1, 2), variances 2 and 8, to 0 and 1: variances of the mean of both.
    found = np.array([[0.0, 0.0], [2.0, 4.0], [0.0, 4.0], [2.0, 0.0]])
    pristine = niqe.Pristine(np.zeros(2), np.diag([2 / 3, 8 / 3]))
    # Variances are 4 / 3 and 16 / 3; with the pristine ones 1 and 4.
    self.assertAlmostEqual(niqe.niqe(found, pristine), np.sqrt(1 / 1 + 4 / 4))

  def test_the_same_moments_are_zero(self):
    x = np.random.default_rng(0).standard_normal((50, 36))
    pristine = niqe.fit([x[:20], x[20:]])
    np.testing.assert_allclose(pristine.mean, x.mean(0))
    np.testing.assert_allclose(pristine.covariance, np.cov(x.T))
    self.assertAlmostEqual(niqe.niqe(x, pristine), 0)

  def test_less_than_two_patches_are_refused(self):
    pristine = niqe.Pristine(np.zeros(36), np.eye(36))
    for count in (0, 1):
      with self.assertRaisesRegex(ValueError, f'the frame has {count}'):
        niqe.niqe(np.zeros((count, 36)), pristine)
      with self.assertRaisesRegex(ValueError, 'two patches'):
        niqe.fit([np.zeros((count, 36)), np.zeros((0, 36))])


class ShippedTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    found = weights.read_weights('niqe')
    cls.pristine = niqe.Pristine(**found.params)
    cls.settings = found.config['settings']

  def _of(self, *frames):
    return niqe.of_clip(np.stack(frames), self.pristine, **self.settings)

  def test_it_restores_nothing(self):
    self.assertNotIn('niqe', weights.shipped())

  def test_a_covariance(self):
    covariance = np.float64(self.pristine.covariance)
    self.assertEqual(covariance.shape, (36, 36))
    np.testing.assert_array_equal(covariance, covariance.T)
    self.assertGreater(np.linalg.eigvalsh(covariance)[0], 0)

  def test_damage_raises_it(self):
    rng = np.random.default_rng(0)
    for clean in (data.astronaut(), data.chelsea(), data.coffee()):
      # At the size that the model was fitted at.
      half = transform.downscale_local_mean(clean / 255, (2, 2, 1))
      blurred, strongly = (
          ndimage.gaussian_filter(half, (s, s, 0)) for s in (1, 2))
      noise = rng.standard_normal(half.shape)
      noisy, noisier = (np.clip(half + s * noise, 0, 1) for s in (0.04, 0.1))
      value = self._of(half)
      self.assertLess(value, 8)
      self.assertLess(value + 1, self._of(blurred))
      self.assertLess(self._of(blurred), self._of(strongly))
      self.assertLess(value + 1, self._of(noisy))
      self.assertLess(self._of(noisy), self._of(noisier))

  def test_a_clip_is_the_mean_of_its_frames(self):
    a = data.astronaut()[:200, :200] / 255
    b = a[::-1]
    self.assertAlmostEqual(
        self._of(a, b), (self._of(a) + self._of(b)) / 2)
    black = np.zeros_like(a)
    self.assertAlmostEqual(self._of(a, black), self._of(a))
    with self.assertRaisesRegex(ValueError, 'no frame has them'):
      self._of(black)
    with self.assertRaisesRegex(ValueError, 'too small'):
      self._of(a[:95])


if __name__ == '__main__':
  absltest.main()
