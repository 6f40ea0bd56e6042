"""Geometric changes of frames."""

import jax
import jax.numpy as jnp

from revive_jax.ops import filters


def translate(
    frame: jax.Array, shift: jax.Array, *, linear: bool = False
) -> jax.Array:
  """Moves frame [H, W, C] by shift [2] = (dy, dx) px; borders repeat.

  output[y, x] = frame[y - dy, x - dx]; cubic interpolation, or linear (which
  does not overshoot).
  """
  height, width, _ = frame.shape
  rows = filters.shift_matrix(height, shift[0], linear=linear)
  columns = filters.shift_matrix(width, shift[1], linear=linear)
  return filters.apply_separable(frame, rows, columns)


def by_flow(frames: jax.Array, flow: jax.Array) -> jax.Array:
  """Samples frames [N, H, W, C] along flow [N, H, W, 2], bilinearly.

  output[y, x] = frame[y + dy, x + dx] for flow (dx, dy) in px; beyond the
  border its nearest pixel. As gathers of whole rows of channels: cheap on CPUs
  as well (docs/restorer.md).
  """
  return jax.vmap(_one_by_flow)(frames, flow.astype(jnp.float32))


def _one_by_flow(frame, flow):
  """by_flow of frame [H, W, C]; one by one, a batch can lie on many devices."""
  height, width, channels = frame.shape
  column = jnp.arange(width, dtype=jnp.float32)[None, :]
  row = jnp.arange(height, dtype=jnp.float32)[:, None]
  x = jnp.clip(column + flow[..., 0], 0, width - 1)
  y = jnp.clip(row + flow[..., 1], 0, height - 1)
  left, top = jnp.floor(x), jnp.floor(y)
  across = (x - left)[..., None].astype(frame.dtype)
  down = (y - top)[..., None].astype(frame.dtype)
  left, top = left.astype(jnp.int32), top.astype(jnp.int32)
  right = jnp.minimum(left + 1, width - 1)
  bottom = jnp.minimum(top + 1, height - 1)
  pixels = frame.reshape(height * width, channels)

  def at(i, j):
    return jnp.take(
        pixels, (i * width + j).reshape(-1), axis=0, mode='clip',
    ).reshape(height, width, channels)

  upper = at(top, left) * (1 - across) + at(top, right) * across
  lower = at(bottom, left) * (1 - across) + at(bottom, right) * across
  return upper * (1 - down) + lower * down


def inside(flow: jax.Array) -> jax.Array:
  """1 where flow [N, H, W, 2] (dx, dy) px stays in the picture, [N, H, W, 1].

  Half a pixel beyond the border counts as inside.
  """
  _, height, width, _ = flow.shape
  x = jnp.arange(width, dtype=jnp.float32)[None, None, :] + flow[..., 0]
  y = jnp.arange(height, dtype=jnp.float32)[None, :, None] + flow[..., 1]
  good = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
  return good[..., None].astype(jnp.float32)
