"""Separable linear filters as matrices, which may depend on traced values.

A blur, a change of size and a translation of a frame are each one matrix for
the rows and one for the columns. Two matrix products are faster on CPU than
shifted additions up to about 500 pixels a side, compile at once, and take a
width or a shift that is only known on the device.
"""

import jax
import jax.numpy as jnp


def apply_separable(
    frames: jax.Array, rows: jax.Array, columns: jax.Array
) -> jax.Array:
  """Filters frames [..., H, W, C] with rows [H', H] and columns [W', W].

  Returns [..., H', W', C]. Channels are moved to the front meanwhile: a
  product over W with only C columns would be slow.
  """
  x = jnp.moveaxis(frames, -1, -3)
  high = jax.lax.Precision.HIGHEST  # Not TF32: records are to be exact.
  x = jnp.einsum('ij,...jk->...ik', rows, x, precision=high)
  x = jnp.einsum('...jk,lk->...jl', x, columns, precision=high)
  return jnp.moveaxis(x, -3, -1)


def gaussian_matrix(size: int, sigma: jax.Array) -> jax.Array:
  """Gaussian blur of sigma pixels as a matrix [size, size].

  Rows sum to one; what falls outside counts for the nearest sample inside
  (replicated edges). sigma = 0 gives the identity.
  """
  position = jnp.arange(size)
  weight = _gaussian(position, jnp.arange(-size, 2 * size), sigma)
  inside = weight[:, size : 2 * size]
  before = weight[:, :size].sum(1)
  after = weight[:, 2 * size :].sum(1)
  inside = inside.at[:, 0].add(before).at[:, -1].add(after)
  return inside / inside.sum(1, keepdims=True)


def noise_matrix(size: int, sigma: jax.Array) -> jax.Array:
  """Like gaussian_matrix, but white noise keeps its variance: rows of norm 1.

  The filtered noise has the correlation exp(-d^2 / (4 sigma^2)) at distance d.
  """
  position = jnp.arange(size)
  weight = _gaussian(position, position, sigma)
  return weight / jnp.sqrt((weight**2).sum(1, keepdims=True))


def resize_matrix(size: int, factor: jax.Array, kernel: jax.Array) -> jax.Array:
  """Reduction by factor >= 1 and enlargement back, as [size, size].

  The size between is round(size / factor), at least 1. The reduction is
  antialiased (triangle filter); kernel chooses the enlargement: 0 nearest,
  1 linear, 2 cubic (Keys 1981, a = -0.5, doi:10.1109/TASSP.1981.1163711).
  """
  small = jnp.maximum(jnp.round(size / factor), 1.0)
  step = size / small
  full = jnp.arange(size, dtype=jnp.float32)
  centre = (full + 0.5) * step - 0.5  # Of each small sample, in full pixels.
  down = _triangle((full[None, :] - centre[:, None]) / step)
  down = down * (full < small)[:, None]
  down = down / jnp.maximum(down.sum(1, keepdims=True), 1e-6)
  source = (full + 0.5) / step - 0.5  # Of each full pixel, in small samples.
  distance = source[:, None] - full[None, :]
  nearest = jnp.round(jnp.clip(source, 0, small - 1))
  up = jnp.where(
      kernel == 0,
      (nearest[:, None] == full[None, :]).astype(jnp.float32),
      jnp.where(kernel == 1, _triangle(distance), cubic(distance)),
  )
  up = up * (full < small)[None, :]
  up = up / up.sum(1, keepdims=True)
  return jnp.matmul(up, down, precision=jax.lax.Precision.HIGHEST)


def shift_matrix(size: int, shift: jax.Array, *, linear: bool) -> jax.Array:
  """Translation as [size, size]: output[i] = input[i - shift], edges repeat.

  Cubic interpolation (Keys, a = -0.5), or linear, which keeps masks in [0, 1].
  """
  full = jnp.arange(size, dtype=jnp.float32)
  source = jnp.clip(full - shift, 0, size - 1)
  distance = source[:, None] - full[None, :]
  weight = _triangle(distance) if linear else cubic(distance)
  return weight / weight.sum(1, keepdims=True)


def cubic(distance: jax.Array) -> jax.Array:
  """Keys' cubic kernel with a = -0.5 (Catmull-Rom)."""
  d = jnp.abs(distance)
  near = (1.5 * d - 2.5) * d**2 + 1
  far = ((-0.5 * d + 2.5) * d - 4) * d + 2
  return jnp.where(d < 1, near, jnp.where(d < 2, far, 0.0))


def _triangle(distance: jax.Array) -> jax.Array:
  return jnp.maximum(1 - jnp.abs(distance), 0.0)


def _gaussian(rows: jax.Array, columns: jax.Array, sigma: jax.Array):
  distance = (rows[:, None] - columns[None, :]).astype(jnp.float32)
  return jnp.exp(-0.5 * (distance / jnp.maximum(sigma, 1e-2)) ** 2)
