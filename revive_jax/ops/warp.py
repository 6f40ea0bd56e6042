"""Geometric changes of frames."""

import jax

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
