"""Tests of metrics/."""

from absl.testing import absltest
import numpy as np
from skimage import metrics as oracle

from revive_jax.metrics import detection, fidelity, temporal


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
    self.assertAlmostEqual(float(fidelity.ssim(a, b)[0]), wanted, delta=2e-3)

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


if __name__ == '__main__':
  absltest.main()
