"""Tests of metrics/frechet.py."""

from absl.testing import absltest
import numpy as np
from scipy import linalg

from revive_jax.metrics import frechet


class FrechetTest(absltest.TestCase):

  def test_by_hand(self):
    # Means 3 apart; deviations sqrt(2) and 2 sqrt(2): (sqrt(8) - sqrt(2))^2.
    a, b = np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])
    self.assertAlmostEqual(
        frechet.distance(frechet.Moments.of(a), frechet.Moments.of(b)), 9 + 2)

  def test_against_the_matrix_root(self):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((50, 6)) @ rng.standard_normal((6, 6))
    b = 1 + rng.standard_normal((40, 6)) @ rng.standard_normal((6, 6))
    ca, cb = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(
        ca + cb - 2 * linalg.sqrtm(ca @ cb).real)
    found = frechet.distance(frechet.Moments.of(a), frechet.Moments.of(b))
    self.assertAlmostEqual(found, expected, places=6)

  def test_parts_merge(self):
    x = np.random.default_rng(1).standard_normal((30, 4)) + 5
    whole = frechet.Moments.of(x)
    parts = frechet.Moments.of(x[:7]).merge(frechet.Moments.of(x[7:]))
    self.assertEqual(parts.count, 30)
    np.testing.assert_allclose(parts.mean, whole.mean)
    np.testing.assert_allclose(parts.covariance, np.cov(x.T), atol=1e-12)

  def test_same_is_zero_with_fewer_samples_than_features_too(self):
    x = np.random.default_rng(2).standard_normal((5, 9))  # Singular.
    m = frechet.Moments.of(x)
    self.assertAlmostEqual(frechet.distance(m, m), 0, places=6)


if __name__ == '__main__':
  absltest.main()
