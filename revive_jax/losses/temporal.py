"""Losses over time: what a flow must explain."""

import chex
import jax
import jax.numpy as jnp

from revive_jax.ops import warp


def photometric(
    frames: jax.Array, others: jax.Array, flow: jax.Array, valid: jax.Array,
    *, epsilon: float = 1e-2,
) -> jax.Array:
  """Charbonnier distance of frames to others moved along flow, [N].

  frames, others: [N, H, W, C]; flow: [N, H, W, 2] px from frames to others;
  valid: [N], 0 where the two are not of one shot. What the flow takes beyond
  the border does not count. Yu et al. 2016, arXiv:1608.05842.
  """
  chex.assert_equal_shape([frames, others])
  moved = warp.by_flow(others, flow)
  error = jnp.sqrt((frames - moved) ** 2 + epsilon**2) - epsilon
  weight = jax.lax.stop_gradient(warp.inside(flow)) * valid[
      :, None, None, None]
  return (error.mean(-1, keepdims=True) * weight).mean((1, 2, 3))


def roughness(
    flow: jax.Array, frames: jax.Array, *, edge: float = 10.0
) -> jax.Array:
  """Mean |gradient of flow|, less where frames have edges, [N].

  flow [N, H, W, 2] px, frames [N, H, W, C]; weight exp(-edge |gradient of
  frames|). Wang et al. 2018, arXiv:1711.05890, first order.
  """
  total = jnp.zeros(flow.shape[0])
  for axis in (1, 2):
    step = jnp.abs(jnp.diff(flow, axis=axis)).sum(-1)
    contrast = jnp.abs(jnp.diff(frames, axis=axis)).mean(-1)
    total += (step * jnp.exp(-edge * contrast)).mean((1, 2))
  return total


def warping(
    frames: jax.Array, others: jax.Array, clean: jax.Array,
    clean_others: jax.Array, flow: jax.Array, valid: jax.Array, *,
    alpha: float = 50.0,
) -> jax.Array:
  """How far frames change otherwise than they move, [N].

  Mean |frames - others moved along flow|, by exp(-alpha |the same of the clean
  ones|^2): where the clean pictures do not fit either, the flow is wrong or
  something is hidden. Lai et al. 2018, arXiv:1808.00449, equations 3 and 4.

  frames, others, clean, clean_others: [N, H, W, C]; flow: [N, H, W, 2] px from
  frames to others, held still; valid: [N], 0 where the two are not of one shot.
  """
  chex.assert_equal_shape([frames, others, clean, clean_others])
  flow = jax.lax.stop_gradient(flow)
  apart = lambda a, b: a - warp.by_flow(b, flow)
  trusted = jnp.exp(-alpha * (apart(clean, clean_others) ** 2).sum(
      -1, keepdims=True))
  weight = warp.inside(flow) * valid[:, None, None, None] * trusted
  return (jnp.abs(apart(frames, others)) * weight).mean((1, 2, 3))
