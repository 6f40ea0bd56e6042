"""Tests of models/dense.py: the sizes of the article's example."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import dense


def _count(model, *inputs):
  shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)['params']
  return sum(x.size for x in jax.tree.leaves(shapes))


class DenseTest(absltest.TestCase):

  def test_generator_is_the_articles(self):
    # 100 -> 128 -> 256 -> 512 -> 1024 -> 784, each with biases.
    self.assertEqual(
        _count(dense.Generator(), jnp.zeros((2, 100))),
        101 * 128 + 129 * 256 + 257 * 512 + 513 * 1024 + 1025 * 784)

  def test_discriminator_is_the_articles(self):
    # 784 -> 1024 -> 512 -> 256 -> 1.
    self.assertEqual(
        _count(dense.Discriminator(), jnp.zeros((2, 28, 28, 1))),
        785 * 1024 + 1025 * 512 + 513 * 256 + 257)

  def test_generator_by_hand(self):
    model = dense.Generator(hidden=(1,), shape=(1, 2, 1), latent=2)
    params = {
        'Dense_0': {'kernel': jnp.array([[1.0], [2.0]]),
                    'bias': jnp.array([-1.0])},
        'out': {'kernel': jnp.array([[0.5, -0.5]]),
                'bias': jnp.array([0.1, 0.0])}}
    x = model.apply({'params': params}, jnp.array([[1.0, 1.0], [0.0, 0.0]]))
    # The first is 1 + 2 - 1 = 2 before, the second -1, which ReLU takes away.
    np.testing.assert_allclose(
        x.reshape(2, 2), [[np.tanh(1.1), np.tanh(-1.0)], [np.tanh(0.1), 0]],
        rtol=1e-6)

  def test_vae_shapes_and_noise(self):
    model = dense.Vae(hidden=(8,), shape=(4, 5, 1), latent=3)
    x = jnp.asarray(np.random.default_rng(0).random((2, 4, 5, 1)), 'float32')
    self.assertEqual(model.noise_shape(x.shape), (2, 3))
    params = model.init(jax.random.key(0), x, jnp.zeros((2, 3)))
    coded = model.apply(params, x, jnp.zeros((2, 3)))
    self.assertEqual(coded.output.shape, x.shape)
    self.assertEqual(coded.latent.mean.shape, (2, 3))
    # Without noise it is the mean that is decoded.
    np.testing.assert_allclose(
        coded.output, model.apply(params, coded.latent.mean, method='decode'))
    moved = model.apply(params, x, jnp.ones((2, 3)))
    np.testing.assert_allclose(
        moved.output, model.apply(
            params, coded.latent.mean + jnp.exp(coded.latent.log_variance / 2),
            method='decode'), rtol=1e-5)


if __name__ == '__main__':
  absltest.main()
