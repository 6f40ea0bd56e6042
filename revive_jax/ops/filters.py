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
  """Gaussian blur of sigma pixels as a matrix [size, size]; edges mirror.

  The discrete Gaussian exp(-t) I_n(t), t = sigma^2 (Lindeberg 1990,
  doi:10.1109/34.49051): its variance is sigma^2 for any sigma, while that of a
  sampled Gaussian of 0.4 px is half of it. Made from its eigenvectors, the
  DCT-II basis, and eigenvalues exp(-t (1 - cos k)).
  """
  k = jnp.arange(size, dtype=jnp.float32) * (jnp.pi / size)
  basis = jnp.cos(k[:, None] * (jnp.arange(size)[None, :] + 0.5))
  basis = basis * jnp.sqrt(2 / size)
  basis = basis.at[0].set(1 / jnp.sqrt(size))
  response = jnp.exp(-(sigma**2) * (1 - jnp.cos(k)))
  high = jax.lax.Precision.HIGHEST
  return jnp.matmul(basis.T * response[None, :], basis, precision=high)


def noise_matrix(size: int, sigma: jax.Array) -> jax.Array:
  """Like gaussian_matrix, but white noise keeps its variance: rows of norm 1.

  The filtered noise has the correlation I_n(2 t) / I_0(2 t), t = sigma^2, at
  a distance of n pixels: about exp(-n^2 / (4 sigma^2)).
  """
  weight = gaussian_matrix(size, sigma)
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
