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
  window = (jnp.hanning(height)[:, None] * jnp.hanning(width)[None])[None]
  spectrum = lambda x: jnp.fft.rfft2(
      (x - x.mean((1, 2), keepdims=True)) * window)
  cross = spectrum(other) * jnp.conj(spectrum(this))
  cross = cross / (jnp.abs(cross) + 1e-6)
  found = jnp.fft.irfft2(cross, s=(height, width))
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
