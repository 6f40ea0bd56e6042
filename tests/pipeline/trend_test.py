"""Tests of pipeline/trend.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.pipeline import trend


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


if __name__ == '__main__':
  absltest.main()
