"""Measures over time."""

import chex
import jax
import jax.numpy as jnp

from revive_jax.ops import warp


def flicker(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Standard deviation over time of the mean error, [B] from [B, T, H, W, C].

  0 where the brightness of all frames is off by the same; in units of the
  pictures.
  """
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32)
  return jnp.std(error.mean(axis=(2, 3, 4)), axis=1)


def warping_error(
    frames: jax.Array, flow: jax.Array, visible: jax.Array
) -> jax.Array:
  """Mean change from frame to frame along the motion, [B].

  mean |frames[t] - frames[t - 1] moved along the flow|, over the pixels that
  are visible in both and all channels; 0 if there are none. Lai et al. 2018,
  arXiv:1808.00449, section 4.1, with absolute in place of squared differences.

  Args:
    frames: [B, T, H, W, C].
    flow: [B, T - 1, H, W, 2] px (dx, dy), of the clean clip, from frames 1, 2,
      ... to the one before each.
    visible: [B, T - 1, H, W, 1] in {0, 1}, see consistent.
  """
  chex.assert_equal_shape_prefix([frames[:, 1:], flow, visible], 4)
  flat = lambda x: x.reshape(-1, *x.shape[2:])
  after = frames[:, 1:]
  moved = warp.by_flow(flat(frames[:, :-1]), flat(flow)).reshape(after.shape)
  change = jnp.abs(after - moved).astype(jnp.float32).mean(-1, keepdims=True)
  axes = tuple(range(1, 5))
  count = jnp.sum(visible, axis=axes, dtype=jnp.float32)
  total = jnp.sum(change * visible, axis=axes, dtype=jnp.float32)
  return total / jnp.maximum(count, 1)


def consistent(flow: jax.Array, back: jax.Array) -> jax.Array:
  """1 where flow and the flow back agree, [N, H, W, 1]; else it is occluded.

  Sundaram et al. 2010, doi:10.1007/978-3-642-15549-9_32, eq. 5; what leaves the
  picture is occluded, too.

  Args:
    flow: [N, H, W, 2] px (dx, dy), from a frame to another.
    back: [N, H, W, 2] px, from that one to the first.
  """
  chex.assert_equal_shape([flow, back])
  returned = warp.by_flow(back, flow)
  square = lambda x: jnp.sum(x**2, axis=-1, keepdims=True)
  allowed = 0.01 * (square(flow) + square(returned)) + 0.5
  agrees = square(flow + returned) < allowed
  return agrees.astype(jnp.float32) * warp.inside(flow)
