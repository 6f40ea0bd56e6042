"""Heads of the restorer: what one frame becomes, and what is said of it."""

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.models import estimate as estimate_lib
from revive_jax.models import layers
from revive_jax.ops import resize

# 3 change, 3 made up, 1 damage, 1 log-variance, 1 sharpening, 6 sources.
_CHANNELS = 15


class Heads(nn.Module):
  """Output, damage and log-variance of one frame, [B, H, W, C].

  A pixel is a weighted mean of the frame (as it is, softened, softened more),
  of what the frames before it and those after it say (models/estimate.py), and
  of what the network makes up, then sharpened (an unsharp mask of learned
  strength: blur outweighs grain) and changed a little: a soft choice among
  sources, as the visibility maps of frame interpolation (Jiang et al. 2018,
  arXiv:1712.00080) and, coarser, the kernels of kernel prediction (Mildenhall
  et al. 2018, arXiv:1712.02327). So grain is averaged out and a hole is filled
  from where it can be seen before anything has to be invented, and a training
  of a few thousand steps learns that (docs/restorer.md).
  """

  features: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(
      self, encoded: jax.Array, forward: jax.Array, backward: jax.Array,
      frame: jax.Array, mask: jax.Array, previous: estimate_lib.Estimate,
      next_: estimate_lib.Estimate, noise: jax.Array | None = None,
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """One frame: features and states [B, H/2, W/2, F], frame [B, H, W, 3].

    mask: [B, H, W, 1], 1 where the user marked damage. noise: [B, H/2, W/2, N]
    or None, of which texture is made where damage is found, and nowhere else.
    """
    x = layers.leaky(layers.Joint(self.features, dtype=self.dtype)(
        encoded, forward, backward, estimate_lib.difference(frame, previous),
        estimate_lib.difference(frame, next_)))
    x = layers.ResBlock(dtype=self.dtype)(x)
    out = nn.Dense(
        4 * _CHANNELS, dtype=self.dtype, name='out',
        kernel_init=nn.initializers.variance_scaling(
            0.02, 'fan_in', 'truncated_normal'))
    apart = lambda x: jnp.split(
        resize.depth_to_space(out(x).astype(jnp.float32)), (3, 6, 7, 8, 9), -1)
    change, made_up, damage, _, sharp, sources = apart(x)
    # How sure it is must not shape what it sees: the likelihood of a few wild
    # errors would drown the picture (docs/restorer.md). XLA merges the two.
    log_variance = apart(jax.lax.stop_gradient(x))[3]
    weight = _weights(sources, mask, previous, next_)
    soft = softened(frame, 1)
    pictures = (frame, soft, softened(soft, 2), previous.picture,
                next_.picture, 0.5 + made_up)
    mean = sum(weight[..., i:i + 1] * x for i, x in enumerate(pictures))
    output = mean + 2 * sharp * (mean - softened(mean, 1)) + 0.3 * change
    damage = jnp.maximum(nn.sigmoid(4 * damage - 2), mask)
    if noise is not None:
      output += jnp.where(damage > 0.5, self._texture(x, noise), 0)
    return output, damage, 6 * jnp.tanh(log_variance / 1.5) - 5

  def _texture(self, x, noise):
    """What the noise makes of features x, [B, H, W, 3]; at first nothing."""
    texture = layers.leaky(layers.Joint(
        16, dtype=self.dtype, name='texture')(x, noise.astype(self.dtype)))
    texture = nn.Dense(12, dtype=self.dtype, name='texture_out',
                       kernel_init=nn.initializers.zeros)(texture)
    return 0.3 * resize.depth_to_space(texture.astype(jnp.float32))


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


def _weights(sources, mask, *neighbours):
  """Softmax [B, H, W, 6] over sources; none of what cannot be used.

  Unless it learns otherwise, an estimate weighs as many frames as it stands
  for: so independent noise of equal strength is best averaged.
  """
  number = [jnp.where(n.known > 0, jnp.log(jnp.maximum(n.support, 1e-6)), -1e4)
            for n in neighbours]
  given = jnp.concatenate(
      [3 - 1e4 * mask] + [-1e4 * mask] * 2 + number + [jnp.zeros_like(mask)],
      -1)
  return jax.nn.softmax(4 * sources + given, -1)
