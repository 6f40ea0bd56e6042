"""Tests of models/layers.py."""

from absl.testing import absltest
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import layers
from tests import compiling
from tests.models.params import draw


def _input(*shape):
  return jax.random.normal(jax.random.key(1), shape)

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


class LayersTest(absltest.TestCase):

  def test_leaky_by_hand(self):
    np.testing.assert_allclose(
        layers.leaky(jnp.array([-2.0, 0.0, 3.0])), [-0.2, 0, 3])

  def test_conv_is_flax_conv(self):
    x = _input(2, 6, 8, 5)
    variables = {'params': draw(layers.Conv(7), x)}
    np.testing.assert_allclose(
        jax.jit(layers.Conv(7).apply)(variables, x),
        jax.jit(nn.Conv(7, (3, 3)).apply)(variables, x), atol=1e-5)

  def test_joint_is_dense_of_the_concatenation(self):
    inputs = _input(2, 4, 5, 3), _input(2, 4, 5, 6), _input(2, 4, 5, 1)
    variables = {'params': draw(layers.Joint(7), *inputs)}
    np.testing.assert_allclose(
        layers.Joint(7).apply(variables, *inputs),
        nn.Dense(7).apply(variables, jnp.concatenate(inputs, -1)), atol=1e-5)

  def test_first_weights(self):
    # He et al. 2015: variance 2 / fan-in; scale multiplies the deviation.
    params = jax.jit(layers.Conv(64, scale=0.1).init)(
        jax.random.key(0), jnp.zeros((1, 3, 3, 32)))['params']
    self.assertAlmostEqual(
        params['kernel'].std() / (0.1 * np.sqrt(2 / (9 * 32))), 1, delta=0.02)
    self.assertEqual(np.abs(params['bias']).max(), 0)

  def test_a_silent_block_is_the_identity(self):
    x = _input(1, 4, 4, 3)
    block = layers.ResBlock()
    variables = {'params': draw(block, x)}
    apply = jax.jit(block.apply)
    self.assertGreater(np.abs(apply(variables, x) - x).mean(), 0.1)
    zero = jax.tree.map(np.zeros_like, variables)
    np.testing.assert_array_equal(apply(zero, x), x)

  def test_down_sees_four_pixels_and_up_makes_them(self):
    x = _input(1, 4, 6, 3)
    down, up = layers.Down(5), layers.Up(3)
    variables = {'params': draw(down, x)}
    apply = jax.jit(down.apply)
    small = apply(variables, x)
    self.assertEqual(small.shape, (1, 2, 3, 5))
    changed = apply(variables, x.at[0, 1, 1].add(1)) != small
    self.assertEqual(np.argwhere(changed.any(-1)).tolist(), [[0, 0, 0]])
    variables = {'params': draw(up, small)}
    apply = jax.jit(up.apply)
    large = apply(variables, small)
    self.assertEqual(large.shape, (1, 4, 6, 3))
    changed = apply(variables, small.at[0, 0, 0].add(1)) != large
    self.assertEqual(np.argwhere(changed.any(-1)).tolist(),
                     [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]])

  def test_bfloat16_keeps_float32_weights(self):
    for layer in (layers.Conv, layers.Down, layers.Up):
      layer = layer(4, dtype=jnp.bfloat16)
      x = _input(1, 4, 4, 3)
      y, variables = jax.eval_shape(
          layer.init_with_output, jax.random.key(0), x)
      self.assertEqual(y.dtype, jnp.bfloat16)
      self.assertEqual({v.dtype for v in jax.tree.leaves(variables)},
                       {jnp.dtype(jnp.float32)})

  def test_odd_sizes_are_refused(self):
    with self.assertRaises(TypeError):
      draw(layers.Down(4), jnp.zeros((1, 5, 4, 3)))


if __name__ == '__main__':
  absltest.main()
