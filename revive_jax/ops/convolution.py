"""A 3x3 convolution whose gradients are fast everywhere."""

import jax
import jax.numpy as jnp


def _convolve(x, kernel):
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


@jax.custom_vjp
def conv3x3(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """x [N, H, W, C] with kernel [3, 3, C, F], zeros beyond the border.

  Inside a loop (lax.scan) XLA for CPUs turns the derived gradients into plain
  single-threaded loops, 20 times slower than the convolution: there they are
  written as a convolution and three matrix products (docs/restorer.md).
  """
  return _convolve(x, kernel)


def _forward(x, kernel):
  return _convolve(x, kernel), (x, kernel)


def _backward(saved, g):
  x, kernel = saved
  derived = lambda x, kernel, g: jax.vjp(_convolve, x, kernel)[1](g)
  return jax.lax.platform_dependent(
      x, kernel, g, cpu=gradients_as_products, default=derived)


def gradients_as_products(
    x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The gradients of conv3x3 for x and kernel, given that of its result g."""
  height, width, channels = x.shape[1:]
  to_x = _convolve(g, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
  padded = jnp.pad(g, ((0, 0), (1, 1), (1, 1), (0, 0)))
  # The three columns of the kernel at once: a wider product runs faster.
  moved = jnp.concatenate(
      [padded[:, :, 2 - j:2 - j + width] for j in range(3)], -1)
  rows = [jnp.einsum('nhwi,nhwo->io', x, moved[:, 2 - i:2 - i + height],
                     preferred_element_type=jnp.float32) for i in range(3)]
  to_kernel = jnp.stack([
      row.reshape(channels, 3, -1).swapaxes(0, 1) for row in rows])
  return to_x, to_kernel.astype(kernel.dtype)


conv3x3.defvjp(_forward, _backward)
