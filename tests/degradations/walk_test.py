"""Tests of the random walks."""

from absl.testing import absltest
import jax
import numpy as np

from revive_jax.degradations import walk


class WalkTest(absltest.TestCase):

  def test_deviation_and_correlation_are_as_declared(self):
    x = np.asarray(
        walk.ornstein_uhlenbeck(
            jax.random.key(0), 40, (4000,), correlation=0.5, deviation=0.08
        )
    )
    # Of every step, the first included: the walk is stationary.
    np.testing.assert_allclose(x.std(1), 0.08, rtol=0.06)
    for lag, expected in ((1, 0.5), (2, 0.25), (3, 0.125)):
      found = (x[lag:] * x[:-lag]).mean() / (x**2).mean()
      self.assertAlmostEqual(found, expected, delta=0.02)

  def test_without_correlation_steps_are_independent(self):
    x = walk.ornstein_uhlenbeck(
        jax.random.key(1), 10, (5000,), correlation=0.0
    )
    self.assertLess(abs(np.mean(x[1:] * x[:-1])), 0.02)

  def test_drift_starts_at_zero_with_the_declared_speed(self):
    x = np.asarray(walk.drift(jax.random.key(2), 20, (4000,), speed=0.7))
    np.testing.assert_allclose(x[0], 0, atol=1e-6)
    speed = np.sqrt((np.diff(x, axis=0) ** 2).mean())
    self.assertAlmostEqual(speed, 0.7, delta=0.03)


if __name__ == '__main__':
  absltest.main()
