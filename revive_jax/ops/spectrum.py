"""What is best seen in frequencies."""

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec


def phase_correlation(this: jax.Array, other: jax.Array) -> jax.Array:
  """The one shift that planes [N, H, W] are most of them moved by, [N, 2] px.

  (dx, dy), to about a pixel: other[y + dy, x + dx] shows what this shows at
  [y, x].
  Kuglin and Hines 1975; the planes are windowed, so that their borders do not
  count, and a shift of more than half of a plane is not found.
  """
  number, height, width = this.shape
  this, other = _whole(this), _whole(other)
  forth, back = jnp.fft.rfft2, jnp.fft.irfft2
  if jax.export.is_symbolic_dim(height) or jax.export.is_symbolic_dim(width):
    forth, back = rfft2_as_products, irfft2_as_products
  window = (_hanning(height)[:, None] * _hanning(width)[None])[None]
  spectrum = lambda x: forth((x - x.mean((1, 2), keepdims=True)) * window)
  cross = spectrum(other) * jnp.conj(spectrum(this))
  cross = cross / (jnp.abs(cross) + 1e-6)
  found = back(cross, s=(height, width))
  best = found.reshape(number, -1).argmax(-1)
  signed = lambda i, size: jnp.where(i > size // 2, i - size, i)
  return jnp.stack([signed(best % width, width), signed(best // width, height)],
                   -1).astype(jnp.float32)


def _whole(planes):
  """Planes [N, H, W], each whole on one device: XLA transforms no parts."""
  if jax.sharding.get_abstract_mesh().empty:
    return planes
  return jax.lax.with_sharding_constraint(
      planes, PartitionSpec(PartitionSpec.UNCONSTRAINED, None, None))


def _hanning(size):
  if not jax.export.is_symbolic_dim(size):
    return jnp.hanning(size)
  angle = 2 * jnp.pi * jnp.arange(size, dtype=jnp.float32) / (size - 1)
  return 0.5 - 0.5 * jnp.cos(angle)


def rfft2_as_products(x: jax.Array) -> jax.Array:
  """jnp.fft.rfft2 of planes [N, H, W] whose size is left open (jax.export)."""
  _, height, width = x.shape
  across = _waves(width, -1)[:, :width // 2 + 1]
  rows = jax.lax.complex(_product(x, across.real), _product(x, across.imag))
  return _product(_waves(height, -1)[None], rows)


def irfft2_as_products(
    x: jax.Array, *, s: tuple[int, int]
) -> jax.Array:
  """jnp.fft.irfft2 [N, H, W], s = (H, W), of [N, H, W // 2 + 1]."""
  height, width = s
  rows = _product(_waves(height, 1)[None], x)
  number = jnp.arange(width // 2 + 1)
  # The half that is not stored is the conjugate of the one that is.
  twice = jnp.where((number == 0) | (2 * number == width), 1.0, 2.0)
  across = _waves(width, 1)[:width // 2 + 1] * twice[:, None]
  plane = _product(rows.real, across.real) - _product(rows.imag, across.imag)
  return plane / (height * width)


def _waves(size, sign):
  """exp(2 pi i sign j k / size) [size, size]."""
  index = jnp.arange(size, dtype=jnp.int32)
  # Whole turns are taken off while numbers are exact.
  turn = (index[:, None] * index[None]) % size
  angle = sign * 2 * jnp.pi * turn.astype(jnp.float32) / size
  return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))


def _product(a, b):
  return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
