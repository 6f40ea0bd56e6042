"""Tests of metrics/."""

from absl.testing import absltest
import jax
import numpy as np
from scipy import ndimage
from skimage import metrics as oracle

from revive_jax.metrics import detection, fidelity, temporal

_ssim, _ms_ssim = jax.jit(fidelity.ssim), jax.jit(fidelity.ms_ssim)


class FidelityTest(absltest.TestCase):

  def test_psnr_by_hand(self):
    a = np.zeros((2, 4, 4, 3), np.float32)
    b = a + np.float32([0.1, 0.0])[:, None, None, None]
    np.testing.assert_allclose(fidelity.psnr(a, b), [20.0, 100.0], rtol=1e-5)

  def test_against_scikit_image(self):
    rng = np.random.default_rng(0)
    a = rng.random((1, 32, 40, 3), np.float32)
    b = np.clip(a + 0.1 * rng.standard_normal(a.shape), 0, 1).astype('f')
    self.assertAlmostEqual(
        float(fidelity.psnr(a, b)[0]),
        oracle.peak_signal_noise_ratio(a[0], b[0], data_range=1), delta=1e-3)
    wanted = oracle.structural_similarity(
        a[0], b[0], data_range=1, channel_axis=-1, gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False)
    self.assertAlmostEqual(float(_ssim(a, b)[0]), wanted, delta=2e-3)

  def test_wrong_shape_is_refused(self):
    with self.assertRaises(AssertionError):
      fidelity.psnr(np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4, 1)))


class TemporalTest(absltest.TestCase):

  def test_flicker_by_hand(self):
    clean = np.zeros((1, 4, 2, 2, 3), np.float32)
    clip = clean + np.float32([1, 3, 1, 3])[None, :, None, None, None]
    np.testing.assert_allclose(temporal.flicker(clip, clean), [1.0])


class DetectionTest(absltest.TestCase):

  def test_by_hand(self):
    found = np.array([[1, 1, 0, 0, 1.0]])
    true = np.array([[1, 0, 1, 0, 1.0]])
    scores = detection.precision_recall(detection.counts(found, true))
    for name in ('precision', 'recall', 'f1'):
      self.assertAlmostEqual(float(scores[name][0]), 2 / 3, places=6)

  def test_nothing_to_find(self):
    zero = np.zeros((1, 4))
    scores = detection.precision_recall(detection.counts(zero, zero))
    self.assertEqual(float(scores['f1'][0]), 1.0)


class MsSsimTest(absltest.TestCase):

  def _pictures(self, height=192, width=208):
    rng = np.random.default_rng(0)
    clean = ndimage.gaussian_filter(
        rng.random((2, height, width, 3)), (0, 2, 2, 0))
    clean = (clean - clean.min()) / np.ptp(clean)
    noisy = clean + 0.05 * rng.standard_normal(clean.shape)
    return clean.astype(np.float32), np.clip(noisy, 0, 1).astype(np.float32)

  def test_against_scikit_image_scale_by_scale(self):
    clean, noisy = self._pictures()
    exponents = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    expected = []
    for a, b in zip(np.float64(clean), np.float64(noisy), strict=True):
      product = np.ones(3)
      for scale, exponent in enumerate(exponents):
        # Without its brightness SSIM is that of pictures of equal local means;
        # as sums of what scikit-image computes:
        options = dict(gaussian_weights=True, sigma=1.5, data_range=1.0,
                       use_sample_covariance=False, channel_axis=-1)
        _, whole = oracle.structural_similarity(a, b, full=True, **options)
        blur = lambda x: ndimage.gaussian_filter(
            x, (1.5, 1.5, 0), truncate=3.5)
        light = (2 * blur(a) * blur(b) + 1e-4) / (
            blur(a)**2 + blur(b)**2 + 1e-4)
        inner = (slice(5, -5), slice(5, -5))
        chosen = whole if scale == 4 else whole / light
        product *= chosen[inner].mean((0, 1)) ** exponent
        a, b = (x[:x.shape[0] // 2 * 2, :x.shape[1] // 2 * 2].reshape(
            x.shape[0] // 2, 2, x.shape[1] // 2, 2, 3).mean((1, 3))
                for x in (a, b))
      expected.append(product.mean())
    np.testing.assert_allclose(
        _ms_ssim(clean, noisy), expected, rtol=1e-3)

  def test_equal_is_one_and_small_pictures_work(self):
    for size in (11, 40, 176):
      clean, noisy = self._pictures(size, size + 3)
      np.testing.assert_allclose(
          _ms_ssim(clean, clean), 1, rtol=1e-5)
      self.assertTrue((_ms_ssim(clean, noisy) < 0.999).all())

  def test_one_scale_is_ssim(self):
    clean, noisy = self._pictures(16, 20)
    np.testing.assert_allclose(
        _ms_ssim(clean, noisy), _ssim(clean, noisy), rtol=1e-3)


if __name__ == '__main__':
  absltest.main()
