"""Estimate: the picture so far, carried from frame to frame and made better.

A recursive filter in the form of information: each pixel carries how many
frames it stands for, and a new frame adds one. It is the filter of Kalman
(1960, doi:10.1115/1.3662552) for a picture that only moves, with two numbers
left to the network: how far a pixel of the frame, and what was carried to it,
are to be believed. So grain falls with the number of frames that show the
same, and a hole keeps what was seen there before, for some frames, without
being learned first.
"""

from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.ops import resize, warp

# What is left of the support from frame to frame. What was seen ten frames ago
# is to count little: a window that sees no more ahead then hardly differs.
FADING = 0.75
MOST = 1 / (1 - FADING)  # The support that one believed frame each adds up to.
_LEAST = 1e-3  # With less than this there is no estimate.


class Estimate(NamedTuple):
  """A picture, and the number of frames that each of its pixels stands for."""

  picture: jax.Array  # [B, H, W, 3]
  support: jax.Array  # [B, H, W, 1] in [0, MOST]; 0: nothing is known.

  @property
  def known(self) -> jax.Array:
    """1 where there is an estimate, [B, H, W, 1]."""
    return (self.support > _LEAST).astype(jnp.float32)


def follow(estimate: Estimate, flow: jax.Array, keep: jax.Array) -> Estimate:
  """estimate moved along flow [B, H, W, 2] px, a frame older.

  What is unknown adds nothing; nothing is known beyond the border.
  keep: [B, 1, 1, 1], 0 where it is of another shot.
  """
  # The weights only tell known from unknown: weights by support would pull
  # what lies between two pixels towards the better known one.
  weight = jnp.minimum(estimate.support, 1)
  picture, weight, support = jnp.split(warp.by_flow(jnp.concatenate(
      [estimate.picture * weight, weight, estimate.support], -1), flow),
      [3, 4], -1)
  known = (support > _LEAST).astype(jnp.float32)
  picture = picture / jnp.maximum(weight, _LEAST)
  picture = picture - _softening(picture, known, flow)
  return Estimate(picture, FADING * support * keep * warp.inside(flow))


def _softening(picture, known, flow):
  """What linear interpolation took from picture: f (1 - f) / 2 times its bend.

  f: the fraction of a pixel it was moved by; the leading term of the error.
  From frame to frame it would add up to a blur. Where a neighbour is not known
  nothing is said.
  """
  result = 0.0
  for axis, shift in ((2, flow[..., :1]), (1, flow[..., 1:])):
    fraction = shift - jnp.floor(shift)
    before, after = (_neighbour(picture, step, axis) for step in (-1, 1))
    both = known * _neighbour(known, -1, axis) * _neighbour(known, 1, axis)
    bend = both * (before + after - 2 * picture)
    result = result + 0.5 * fraction * (1 - fraction) * bend
  return result


def _neighbour(x, step, axis):
  """x one pixel before (-1) or after (1) on the axis; 0 beyond the border."""
  size = x.shape[axis]
  part = lambda a, b: jax.lax.slice_in_dim(x, a, b, axis=axis)
  none = jnp.zeros_like(part(0, 1))
  return jnp.concatenate(
      [part(1, size), none] if step > 0 else [none, part(0, size - 1)], axis)


def difference(frame: jax.Array, estimate: Estimate) -> jax.Array:
  """How the estimate differs from frame [B, H, W, 3], and what it stands for.

  [B, H/2, W/2, 13]: 12 differences of 2 x 2 px, and the logarithm of the
  support.
  """
  apart = 6 * (estimate.picture - frame) * jnp.minimum(estimate.support, 1)
  return jnp.concatenate(
      [resize.space_to_depth(apart),
       resize.mean_pool(jnp.log2(1 + estimate.support))], -1)


class Update(nn.Module):
  """The estimate after a frame, from the estimate moved to it."""

  dtype: jnp.dtype

  @nn.compact
  def __call__(
      self, hidden: jax.Array, frame: jax.Array, mask: jax.Array,
      before: Estimate,
  ) -> Estimate:
    """hidden [B, H/2, W/2, F], frame [B, H, W, 3], mask [B, H, W, 1]: marked.
    """
    trust = nn.Dense(8, dtype=self.dtype, name='out',
                     kernel_init=nn.initializers.variance_scaling(
                         0.02, 'fan_in', 'truncated_normal'))(hidden)
    # It starts by believing most of both.
    of_frame, of_before = jnp.split(nn.sigmoid(
        4 * resize.depth_to_space(trust.astype(jnp.float32))
        + jnp.asarray([3.0, 1.0]).reshape(1, 1, 1, 2)), 2, -1)
    new = of_frame * (1 - mask)
    old = of_before * before.support
    total = new + old
    # Where nothing is known the frame stands in, and is not to be used.
    picture = jnp.where(
        total > _LEAST, (frame * new + before.picture * old)
        / jnp.maximum(total, _LEAST), frame)
    return Estimate(picture, total)
