"""Tests of pipeline/trend.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.pipeline import trend


def _alike(rng, count, correlation=0.5):
  """Noise of deviation 1 that is alike from frame to frame, [count]."""
  x = rng.standard_normal(count)
  for t in range(1, count):
    x[t] = correlation * x[t - 1] + np.sqrt(1 - correlation**2) * x[t]
  return x


class TrendTest(absltest.TestCase):

  def test_lines_are_lines_to_the_ends(self):
    x = 3 + 0.5 * np.arange(20.0)
    value, error = trend.line(x, 4.0)
    np.testing.assert_allclose(value, x)
    # By hand: in the middle of many values, a Gaussian mean of white noise.
    _, error = trend.line(np.zeros(101), 4.0)
    self.assertAlmostEqual(
        error[50], 1 / np.sqrt(2 * np.sqrt(np.pi) * 4), places=3)

  def test_bends_stay_and_jitter_goes(self):
    bend = np.abs(np.arange(60.0) - 30)
    np.testing.assert_allclose(
        trend.adaptive(bend, (1, 2, 3, 5, 8)), bend, atol=0.05)
    jitter = np.random.default_rng(0).standard_normal(60)
    left = trend.adaptive(jitter, (1, 2, 3, 5, 8))
    self.assertLess(np.diff(left).std(), 0.1 * np.diff(jitter).std())

  def test_few_values_stay(self):
    x = np.array([1.0, 5.0, 2.0])
    np.testing.assert_array_equal(trend.adaptive(x, (1, 2)), x)

  def test_a_steady_level_is_found_under_what_leans_by_itself(self):
    rng, left, by_lines = np.random.default_rng(0), [], []
    for _ in range(20):
      x = _alike(rng, 64)
      lines = trend.adaptive(x, (1, 2, 3, 5, 8))
      level = trend.steadier(x, lines, radius=8, wide=32, correlation=0.5)
      by_lines.append(lines.std() / x.std())
      left.append(level.std() / x.std())
    self.assertLess(np.mean(left), 0.7 * np.mean(by_lines))
    self.assertLess(np.median(left), 1 / 6)

  def test_what_goes_further_than_jitter_stays(self):
    rng, t = np.random.default_rng(0), np.arange(48)
    wanted = 0.05 * t
    x = wanted + 0.1 * _alike(rng, 48)
    lines = trend.adaptive(x, (1, 2, 3, 5, 8))
    level = trend.steadier(x, lines, radius=8, wide=32, correlation=0.5)
    np.testing.assert_allclose(level, lines, atol=0.02)
    self.assertLess(np.abs(level - wanted).max(), 0.25)
    exact = trend.steadier(
        wanted, wanted, radius=8, wide=32, correlation=0.5)
    np.testing.assert_allclose(exact, wanted, atol=1e-6)


if __name__ == '__main__':
  absltest.main()
