"""The upscaler: frames of twice the size that hold nothing against the source.

Every pixel of the source becomes four whose mean it is, exactly: what is
invented is only how they differ. Within that, a small residual network adds to
Lanczos's enlargement (as EDSR, arXiv:1707.02921, with sub-pixel convolution,
arXiv:1609.05158).
"""

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import layers
from revive_jax.ops import resize

_LOBES = 3  # Of Lanczos's kernel: it sees so many pixels to either side.


class Upscaler(nn.Module):
  """Frames [..., H, W, 3] in [0, 1] to [..., 2 H, 2 W, 3], each by itself.

  Of any size. No layer mixes a whole picture: reach() pixels decide.
  """

  features: int = 32
  num_blocks: int = 4
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frames: jax.Array) -> jax.Array:
    x = frames.reshape(-1, *frames.shape[-3:]).astype(jnp.float32)
    y = layers.Conv(self.features, dtype=self.dtype)(bands(x))
    for _ in range(self.num_blocks):
      y = layers.ResBlock(dtype=self.dtype)(y)
    # It begins as Lanczos's enlargement.
    y = nn.Dense(12, kernel_init=nn.initializers.zeros, dtype=self.dtype,
                 name='out')(layers.leaky(y))
    detail = 0.1 * resize.depth_to_space(y.astype(jnp.float32))
    result = kept_means(enlarge(x) + detail, x)
    return result.reshape(*frames.shape[:-3], *result.shape[1:])

  def reach(self) -> int:
    """How many pixels away the source still matters."""
    return max(2 * self.num_blocks + 1 + 2, _LOBES)


def bands(x: jax.Array) -> jax.Array:
  """x [N, H, W, 3] in [0, 1] as 9 channels of like strength, see layers.bands.

  What pixels add to the mean of 3 x 3, that to the mean around it, and that.
  """
  near = _blurred(x)
  wide = _blurred(near)
  return jnp.concatenate(
      [6 * (x - near), 4 * (near - wide), 2 * (wide - 0.5)], -1)


def _blurred(x):
  height, width = x.shape[1:3]
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='edge')
  rows = sum(padded[:, i:i + height] for i in range(3)) / 3
  return sum(rows[:, :, i:i + width] for i in range(3)) / 3


def lanczos_taps() -> np.ndarray:
  """[6]: weights of the pixels from i - 3 to i + 2 for the place i - 1/4."""
  away = np.arange(-_LOBES, _LOBES) + 0.25
  taps = np.sinc(away) * np.sinc(away / _LOBES)
  return (taps / taps.sum()).astype(np.float32)


def enlarge(x: jax.Array) -> jax.Array:
  """[N, H, W, C] to [N, 2 H, 2 W, C] with Lanczos's kernel; edges repeat."""
  return _doubled(_doubled(x, 1), 2)


def _doubled(x, axis):
  taps, length = lanczos_taps(), x.shape[axis]
  pads = [(0, 0)] * 4
  pads[axis] = (_LOBES, _LOBES)
  padded = jnp.pad(x, pads, mode='edge')
  part = lambda i: jax.lax.slice_in_dim(padded, i, i + length, axis=axis)
  # A quarter of a pixel before each, and after it.
  first = sum(w * part(i) for i, w in enumerate(taps))
  second = sum(w * part(i + 1) for i, w in enumerate(taps[::-1]))
  shape = list(x.shape)
  shape[axis] *= 2
  return jnp.stack([first, second], axis + 1).reshape(shape)


def kept_means(y: jax.Array, x: jax.Array) -> jax.Array:
  """y [N, 2 H, 2 W, C] moved so that each 2 x 2 has the mean that x says.

  Within [0, 1], as x [N, H, W, C] is: where the four would leave that, they
  differ less, rather than being cut off, which would change their mean.
  """
  detail = resize.space_to_depth(y)
  count = x.shape[-1]
  detail = detail.reshape(*x.shape[:-1], 4, count)
  detail = detail - detail.mean(-2, keepdims=True)
  room = jnp.where(detail > 0, 1 - x[..., None, :], x[..., None, :])
  share = jnp.min(room / jnp.maximum(jnp.abs(detail), 1e-6), -2, keepdims=True)
  detail = detail * jnp.clip(share, 0, 1)
  return resize.depth_to_space(
      (x[..., None, :] + detail).reshape(*x.shape[:-1], 4 * count))
