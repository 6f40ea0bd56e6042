"""Tests of ops/convolution.py: values and gradients, in loops as well."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import signal

from revive_jax.ops import convolution
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _plain(x, kernel):
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def _inputs(channels=5, features=7, dtype=jnp.float32):
  keys = jax.random.split(jax.random.key(0), 3)
  x = jax.random.normal(keys[0], (2, 6, 9, channels))
  kernel = jax.random.normal(keys[1], (3, 3, channels, features)) / 7
  g = jax.random.normal(keys[2], (2, 6, 9, features))
  return x.astype(dtype), kernel.astype(dtype), g.astype(dtype)


@jax.jit
def _gradients(x, kernel, g):
  """Those that JAX derives, the products, and what is used in training."""
  return (jax.vjp(_plain, x, kernel)[1](g),
          convolution.gradients_as_products(x, kernel, g),
          jax.vjp(convolution.conv3x3, x, kernel)[1](g))


def _looped(convolve):
  """A loss of x and kernel that uses both in a loop, each time changed."""
  def loss(x, kernel):
    def step(carry, scale):
      carry = jnp.tanh(convolve(carry, scale * kernel)) + 0.1 * x
      return carry, (carry**2).mean()
    carry, losses = jax.lax.scan(step, x, jnp.array([1.0, -0.5, 2.0]))
    return losses.sum() + carry.sum()
  return loss


class ConvolutionTest(parameterized.TestCase):

  def test_value_against_scipy(self):
    x, kernel, _ = _inputs()
    found = jax.jit(convolution.conv3x3)(x, kernel)
    wanted = sum(
        signal.correlate2d(x[1, ..., c], kernel[..., c, 4], 'same')
        for c in range(5))
    np.testing.assert_allclose(found[1, ..., 4], wanted, atol=1e-5)

  @parameterized.parameters((5, 7), (4, 1))
  def test_gradients(self, channels, features):
    x, kernel, g = _inputs(channels, features)
    wanted, products, own = _gradients(x, kernel, g)
    for a, b, c in zip(wanted, products, own, strict=True):
      np.testing.assert_allclose(b, a, atol=3e-5)
      np.testing.assert_allclose(c, a, atol=3e-5)

  def test_gradient_by_hand(self):
    # One pixel: only the middle of the kernel ever meets it.
    x, kernel = jnp.full((1, 1, 1, 1), 3.0), jnp.arange(9.0).reshape(3, 3, 1, 1)
    _, (to_x, to_kernel), _ = _gradients(
        x, kernel, jnp.full((1, 1, 1, 1), 2.0))
    self.assertEqual(to_x.item(), 8.0)  # 4, the middle one, times 2.
    self.assertEqual(to_kernel.ravel().tolist(), [0, 0, 0, 0, 6, 0, 0, 0, 0])

  def test_in_a_loop(self):
    x, kernel, _ = _inputs(4, 4)
    value = lambda f: jax.jit(jax.value_and_grad(_looped(f), (0, 1)))(x, kernel)
    wanted, found = value(_plain), value(convolution.conv3x3)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    for a, b in zip(found[1], wanted[1], strict=True):
      np.testing.assert_allclose(a, b, atol=1e-4)

  def test_bfloat16_sums_in_float32(self):
    x, kernel, g = _inputs(dtype=jnp.bfloat16)
    exact, _, _ = _gradients(*(v.astype(jnp.float32) for v in (x, kernel, g)))
    found = jax.jit(convolution.gradients_as_products)(x, kernel, g)
    self.assertEqual({v.dtype for v in found}, {jnp.dtype(jnp.bfloat16)})
    # Of 108 products each: one rounding to 8 bits, not 108 of them.
    np.testing.assert_allclose(
        found[1].astype(jnp.float32), exact[1], rtol=2**-8, atol=1e-3)

  def test_other_channels_are_refused(self):
    x, kernel, _ = _inputs()
    with self.assertRaises((TypeError, ValueError)):
      convolution.conv3x3(x[..., :4], kernel)


if __name__ == '__main__':
  absltest.main()
