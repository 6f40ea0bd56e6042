"""Tests of pipeline/light.py."""

from absl.testing import absltest
import numpy as np
from scipy import stats

from revive_jax.pipeline import light


def _alike(rng, count, correlation=0.5):
  """Noise of deviation 1 that is alike from frame to frame, [count]."""
  x = rng.standard_normal(count)
  for t in range(1, count):
    x[t] = correlation * x[t - 1] + np.sqrt(1 - correlation**2) * x[t]
  return x


class LightTest(absltest.TestCase):

  def test_a_steady_level_is_found_under_what_leans_by_itself(self):
    rng, left = np.random.default_rng(0), []
    for _ in range(20):
      x = _alike(rng, 64)
      left.append(light.light(x).std() / x.std())
    self.assertLess(np.median(left), 1 / 6)

  def test_what_goes_further_than_jitter_stays(self):
    rng, t = np.random.default_rng(0), np.arange(48)
    wanted = 0.05 * t
    found = light.light(wanted + 0.1 * _alike(rng, 48))
    self.assertLess(np.abs(found - wanted).max(), 0.25)
    np.testing.assert_allclose(light.light(wanted), wanted, atol=1e-3)

  def test_a_fade_in_a_long_shot_stays_where_it_is(self):
    t = np.arange(300)
    wanted = -np.clip((t - 250) / 30, 0, 1)
    jitter = 0.03 * _alike(np.random.default_rng(0), 300)
    error = light.light(wanted + jitter) - wanted
    self.assertLess(error.std(), 0.025)
    self.assertLess(np.abs(np.diff(error)).max(), 0.03)  # Windows meet.

  def test_level_and_scale_are_of_no_matter(self):
    x = _alike(np.random.default_rng(1), 20)
    found = light.light(x)
    np.testing.assert_allclose(light.light(3 + 2 * x), 3 + 2 * found, atol=1e-4)
    np.testing.assert_allclose(light.light(500 + x), 500 + found, atol=1e-9)

  def test_what_drifts_far_is_looked_at_near_by(self):
    # Flashes that are not followed up, but down again, add up in the chain.
    x = np.cumsum(np.where(np.arange(2000) % 8 < 4, -0.2, 0.0))
    x += 0.01 * np.random.default_rng(0).standard_normal(2000)
    found = light.light(x, floor=0.1)
    self.assertLess(np.abs(found - x).max(), 0.6)
    far = light.light(np.linspace(0, -2000, 50), floor=0.1)
    self.assertTrue(np.isfinite(far).all())

  def test_few_frames(self):
    for count in range(5):
      self.assertLen(light.light(np.ones(count), floor=0.1), count)
      np.testing.assert_allclose(light.light(np.ones(count)), 1)

  def test_evidence_is_the_integral_over_level_and_scale(self):
    x = np.array([0.3, -0.2, 1.1])
    kernels = np.array(
        [np.zeros((3, 3)), np.ones((3, 3)) + np.diag([0.5, 1.0, 2.0])])
    determinants, precisions = light._unexplained(kernels, np.eye(3))
    told = [np.exp(d) / (x @ p @ x)
            for d, p in zip(determinants, precisions, strict=True)]
    level, log_scale = np.linspace(-30, 30, 1001), np.linspace(-3, 4, 141)
    by_sum = [sum(
        stats.multivariate_normal.pdf(
            x - level[:, None], cov=np.exp(2 * u) * (k + np.eye(3))).sum()
        for u in log_scale) for k in kernels]
    self.assertAlmostEqual(
        told[0] / told[1], by_sum[0] / by_sum[1], delta=0.01)


if __name__ == '__main__':
  absltest.main()
