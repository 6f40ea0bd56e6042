"""Tests of losses/perceptual.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.losses import perceptual


def _features(x):
  """Two layers: the pixels, and their means with the channels turned."""
  return [x, x.mean((1, 2), keepdims=True)[..., ::-1]]


class DistanceTest(absltest.TestCase):

  def test_by_hand(self):
    a = jnp.zeros((2, 1, 1, 3)).at[:, :, :, 0].set(0.5)
    b = a.at[1].set(jnp.array([0.0, 2.0, 0.0]))
    # Equal, and at a right angle: |(1, 0, 0) - (0, 1, 0)|^2 in both layers.
    np.testing.assert_allclose(
        perceptual.distance(a, b, features=_features), [0, 2], atol=1e-6)

  def test_weight_by_hand(self):
    a = jnp.zeros((1, 2, 2, 3)).at[..., 0].set(0.5)
    b = a.at[:, 0, 0].set(jnp.array([0.0, 0.5, 0.0]))
    layer = lambda x: [x]
    where = jnp.zeros((1, 2, 2, 1)).at[:, 0].set(1)  # The upper row: 2 and 0.
    at = lambda w: perceptual.distance(a, b, w, features=layer)[0]
    self.assertAlmostEqual(float(at(where)), 1, places=5)
    self.assertAlmostEqual(float(at(None)), 0.5, places=5)
    self.assertEqual(float(at(0 * where)), 0)

  def test_contrast_alone_does_not_count(self):
    x = np.random.default_rng(0).uniform(0.1, 0.5, (2, 4, 4, 3))
    x = x.astype(np.float32)
    np.testing.assert_allclose(
        perceptual.distance(x, 2 * x, features=_features), 0, atol=1e-6)

  def test_finite_where_features_are_silent(self):
    x = jnp.zeros((1, 4, 4, 3))
    slope = jax.grad(lambda x: perceptual.distance(
        x, jnp.ones_like(x), features=_features).sum())(x)
    self.assertTrue(np.isfinite(slope).all())


if __name__ == '__main__':
  absltest.main()
