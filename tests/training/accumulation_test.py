"""Tests of training/accumulation.py."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.training import accumulation


def _batch():
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=(8, 3)), jnp.float32)
  return {'x': x, 'weight': jnp.arange(8.0)}


def _loss(whole, parts):
  """A mean over the examples, and one weighted by what is very uneven."""
  def loss_of(w, batch):
    y = batch['x'] @ w
    here = batch['weight'].sum()
    weighted = (batch['weight'] * y**2).sum() / jnp.maximum(here, 1e-9)
    weighted *= accumulation.portion(here, whole, parts)
    return (y**2).mean() + weighted, (y, {'weighted': weighted})
  return loss_of


class AccumulationTest(parameterized.TestCase):

  def test_split_and_join(self):
    x = jnp.arange(6)
    np.testing.assert_array_equal(
        accumulation.split(x, 2), [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(
        accumulation.join(accumulation.split(x, 3)), x)

  @parameterized.parameters(1, 2, 4, 8)
  def test_parts_give_what_the_whole_gives(self, parts):
    batch, w = _batch(), jnp.array([1.0, -2.0, 0.5])
    (loss, (each, terms)), grads = jax.jit(
        lambda w, b: accumulation.value_and_grad(
            _loss(28.0, parts), w, b, parts=parts))(w, batch)
    x, weight = np.float64(batch['x']), np.arange(8.0)
    y = x @ np.float64(w)
    np.testing.assert_allclose(each, y, rtol=1e-5)
    weighted = (weight * y**2).sum() / 28
    np.testing.assert_allclose(terms['weighted'], weighted, rtol=1e-5)
    np.testing.assert_allclose(loss, (y**2).mean() + weighted, rtol=1e-5)
    by_hand = 2 * x.T @ (y / 8 + weight * y / 28)
    np.testing.assert_allclose(grads, by_hand, rtol=1e-5)

  def test_memory_is_that_of_one_part(self):
    def loss_of(w, x):
      y = x
      for _ in range(4):
        y = jnp.tanh(y @ w)
      return (y**2).mean(), ((), {})

    def temporary(parts):
      step = jax.jit(lambda w, x: accumulation.value_and_grad(
          loss_of, w, x, parts=parts)[1])
      memory = step.lower(
          jnp.zeros((64, 64)), jnp.zeros((4096, 64))).compile(
          ).memory_analysis()
      return memory.temp_size_in_bytes

    # The batch is laid out anew for the parts; its activations are not kept.
    self.assertLess(temporary(8), 0.5 * temporary(1))

  def test_nothing_weighs_nothing(self):
    self.assertEqual(float(accumulation.portion(
        jnp.zeros(()), jnp.zeros(()), 4)), 0)


if __name__ == '__main__':
  absltest.main()
