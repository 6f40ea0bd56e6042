"""Changes of resolution."""

import jax
import jax.numpy as jnp


def space_to_depth(x: jax.Array, block: int = 2) -> jax.Array:
  """[..., H, W, C] to [..., H / block, W / block, block^2 C], rows first."""
  *lead, height, width, channels = x.shape
  x = x.reshape(
      *lead, height // block, block, width // block, block, channels)
  x = jnp.moveaxis(x, -4, -3)
  return x.reshape(
      *lead, height // block, width // block, block * block * channels)


def depth_to_space(x: jax.Array, block: int = 2) -> jax.Array:
  """The inverse of space_to_depth."""
  *lead, height, width, channels = x.shape
  channels //= block * block
  x = x.reshape(*lead, height, width, block, block, channels)
  x = jnp.moveaxis(x, -3, -4)
  return x.reshape(*lead, height * block, width * block, channels)


def mean_pool(x: jax.Array, block: int = 2) -> jax.Array:
  """Mean over blocks of pixels: [..., H, W, C] to [..., H / b, W / b, C]."""
  *lead, height, width, channels = x.shape
  x = x.reshape(
      *lead, height // block, block, width // block, block, channels)
  return x.mean((-4, -2))


def double(x: jax.Array) -> jax.Array:
  """[N, H, W, C] to [N, 2 H, 2 W, C]: linear, pixel centres kept; edges repeat.

  Written as sums of shifted copies, which costs less than a general resize.
  """
  for axis in (1, 2):
    before = jnp.concatenate(
        [jax.lax.slice_in_dim(x, 0, 1, axis=axis),
         jax.lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis)], axis)
    after = jnp.concatenate(
        [jax.lax.slice_in_dim(x, 1, x.shape[axis], axis=axis),
         jax.lax.slice_in_dim(x, x.shape[axis] - 1, x.shape[axis], axis=axis)],
        axis)
    pair = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after],
                     axis + 1)
    shape = list(x.shape)
    shape[axis] *= 2
    x = pair.reshape(shape)
  return x


def pad_to_multiple(x: jax.Array, block: int) -> jax.Array:
  """Pads [..., H, W, C] at the bottom and right, by repeating its edge."""
  height, width = x.shape[-3:-1]
  pads = [(0, 0)] * (x.ndim - 3)
  pads += [(0, -height % block), (0, -width % block), (0, 0)]
  return jnp.pad(x, pads, mode='edge')
