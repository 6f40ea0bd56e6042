"""Heads of the restorer: what one frame becomes, and what is said of it."""

from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.models import layers
from revive_jax.ops import resize

_CHANNELS = 16  # 3 change, 3 made up, 1 damage, 1 log-variance, 8 sources.


class Neighbour(NamedTuple):
  """The frame before or after, moved to this one."""

  picture: jax.Array  # [B, H, W, 3]
  known: jax.Array  # [B, 1, 1, 1], 0 where there is none in this shot.
  marked: jax.Array  # [B, H, W, 1], 1 where the user marked it.


class Heads(nn.Module):
  """Output, damage and log-variance of one frame, [B, H, W, C].

  A pixel is a weighted mean of the frame, of its two neighbours where they
  show the same, each as it is and softened, and of what the network makes up,
  plus a small change: a soft choice among sources, as the visibility maps of
  frame interpolation (Jiang et al. 2018, arXiv:1712.00080) and, coarser, the
  kernels of kernel prediction (Mildenhall et al. 2018, arXiv:1712.02327). So
  grain is averaged out and a hole is filled from where it can be seen before
  anything has to be invented, and a training of a few thousand steps learns
  that (docs/restorer.md).
  """

  features: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(
      self, encoded: jax.Array, forward: jax.Array, backward: jax.Array,
      frame: jax.Array, mask: jax.Array, previous: Neighbour, next_: Neighbour,
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """One frame: features and states [B, H/2, W/2, F], frame [B, H, W, 3].

    mask: [B, H, W, 1], 1 where the user marked damage.
    """
    differences = jnp.concatenate(
        [*_difference(frame, previous), *_difference(frame, next_)], -1)
    x = layers.leaky(layers.Joint(self.features, dtype=self.dtype)(
        encoded, forward, backward, differences))
    x = layers.ResBlock(dtype=self.dtype)(x)
    out = nn.Dense(
        4 * _CHANNELS, dtype=self.dtype, name='out',
        kernel_init=nn.initializers.variance_scaling(
            0.02, 'fan_in', 'truncated_normal'))
    apart = lambda x: jnp.split(
        resize.depth_to_space(out(x).astype(jnp.float32)), (3, 6, 7, 8), -1)
    change, made_up, damage, _, sources = apart(x)
    # How sure it is must not shape what it sees: the likelihood of a few wild
    # errors would drown the picture (docs/restorer.md). XLA merges the two.
    log_variance = apart(jax.lax.stop_gradient(x))[3]
    weight = _weights(sources, mask, previous, next_)
    soft = softened(frame, 1)
    pictures = (
        frame, soft, softened(soft, 2),
        previous.picture, softened(previous.picture, 1),
        next_.picture, softened(next_.picture, 1), 0.5 + made_up)
    output = 0.3 * change
    for i, picture in enumerate(pictures):
      output = output + weight[..., i:i + 1] * picture
    damage = jnp.maximum(nn.sigmoid(4 * damage - 2), mask)
    return output, damage, 6 * jnp.tanh(log_variance / 1.5) - 5


def softened(x: jax.Array, step: int) -> jax.Array:
  """x [B, H, W, C] under (1, 2, 1) / 4 across and down, `step` px apart.

  Borders repeat. Rows are handled as one line of numbers, which CPUs add fast.
  """
  batch, height, width, channels = x.shape
  pad = lambda x, axis: jnp.pad(
      x, [(step, step) if i == axis else (0, 0) for i in range(x.ndim)],
      mode='edge')
  rows = pad(x, 2).reshape(batch, height, -1)
  size, far = width * channels, step * channels
  rows = (0.25 * (rows[..., :size] + rows[..., 2 * far:])
          + 0.5 * rows[..., far:far + size])
  rows = pad(rows, 1)
  rows = (0.25 * (rows[:, :height] + rows[:, 2 * step:])
          + 0.5 * rows[:, step:step + height])
  return rows.reshape(x.shape)


def _difference(frame, neighbour):
  """How a neighbour differs, and whether there is one: at half resolution."""
  ones = jnp.ones((*frame.shape[:-1], 1), jnp.float32)
  yield resize.space_to_depth(6 * (neighbour.picture - frame) * neighbour.known)
  yield resize.mean_pool(ones * neighbour.known)


def _weights(sources, mask, *neighbours):
  """Softmax [B, H, W, 8] over sources; none of what cannot be used."""
  hidden = [jnp.maximum(n.marked, 1 - n.known) for n in neighbours]
  unusable = jnp.concatenate(
      [mask] * 3 + [x for x in hidden for _ in range(2)]
      + [jnp.zeros_like(mask)], -1)
  # It starts with the frame as it is.
  first = jnp.asarray([3.0] + [0.0] * 7).reshape(1, 1, 1, 8)
  return jax.nn.softmax(4 * sources + first - 1e4 * unusable, -1)
