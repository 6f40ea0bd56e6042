"""Tests of models/vae.py."""

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np

from revive_jax.models import vae


class GaussianTest(absltest.TestCase):

  def test_by_hand(self):
    found = vae.Gaussian.of(jnp.array([[1.0, -2.0, 0.0, np.log(4.0)]]))
    np.testing.assert_allclose(found.mean, [[1, -2]])
    # Deviations 1 and 2.
    np.testing.assert_allclose(
        found.sample(jnp.array([[3.0, -1.0]])), [[4, -4]], rtol=1e-6)

  def test_wild_variances_stay_finite(self):
    found = vae.Gaussian.of(jnp.array([[0.0, 1e6], [0.0, -1e6]]))
    sigma = found.sample(jnp.ones((2, 1)))
    self.assertTrue(np.isfinite(sigma).all())
    self.assertGreater(float(sigma[1, 0]), 0)


if __name__ == '__main__':
  absltest.main()
