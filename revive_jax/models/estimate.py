"""Estimate: the picture so far, carried from frame to frame and made better.

A recursive filter in the form of information: each pixel carries how many
frames it stands for, and a new frame adds one. It is the filter of Kalman
(1960, doi:10.1115/1.3662552) for a picture that only moves, with two numbers
left to the network: how far a pixel of the frame, and what was carried to it,
are to be believed. So grain falls with the number of frames that show the
same, and a hole keeps what was seen there before, without being learned first.
"""

from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.ops import resize, warp

MOST = 6.0  # Frames an estimate stands for at most: as long as training clips.
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
  """estimate moved along flow [B, H, W, 2] px; what is unknown adds nothing.

  keep: [B, 1, 1, 1], 0 where it is of another shot.
  """
  weighted = jnp.concatenate(
      [estimate.picture * estimate.support, estimate.support], -1)
  picture, support = jnp.split(warp.by_flow(weighted, flow), [3], -1)
  moved = Estimate(picture / jnp.maximum(support, _LEAST), support)
  picture = moved.picture - _softening(moved, flow)
  return Estimate(picture, support * keep)


def _softening(moved: Estimate, flow: jax.Array) -> jax.Array:
  """What linear interpolation took from moved: f (1 - f) / 2 times its bend.

  f: the fraction of a pixel it was moved by; the leading term of the error.
  From frame to frame it would add up to a blur.
  """
  result = 0.0
  for axis, shift in ((2, flow[..., :1]), (1, flow[..., 1:])):
    fraction = shift - jnp.floor(shift)
    bend = sum(
        _toward(moved.picture, step, axis) * moved.known
        * _neighbour(moved.known, step, axis) for step in (-1, 1))
    result = result + 0.5 * fraction * (1 - fraction) * bend
  return result


def _neighbour(x, step, axis):
  """x one pixel before (-1) or after (1) along the axis; borders repeat."""
  size = x.shape[axis]
  part = lambda a, b: jax.lax.slice_in_dim(x, a, b, axis=axis)
  pair = ([part(1, size), part(size - 1, size)] if step > 0
          else [part(0, 1), part(0, size - 1)])
  return jnp.concatenate(pair, axis)


def _toward(x, step, axis):
  return _neighbour(x, step, axis) - x


def difference(frame: jax.Array, estimate: Estimate) -> jax.Array:
  """How frame [B, H, W, 3] differs, and the support: [B, H/2, W/2, 13]."""
  difference = 6 * (estimate.picture - frame) * jnp.minimum(estimate.support, 1)
  return jnp.concatenate(
      [resize.space_to_depth(difference),
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
    picture = (frame * (new + _LEAST) + before.picture * old) / (total + _LEAST)
    return Estimate(picture, jnp.minimum(total, MOST))
