"""How sizes and counts follow the frame: lengths are given for 480x272."""

import math

DIAGONAL = math.hypot(480, 272)  # px: the frame that lengths are given for.


def scale(shape: tuple[int, ...], diagonal: float | None) -> float:
  """Pixels of a clip [T, H, W, C] per pixel of a 480x272 frame.

  diagonal: of the film the clip was cut from; None if it is the whole frame.
  """
  return (diagonal or math.hypot(*shape[1:3])) / DIAGONAL


def area_share(shape: tuple[int, ...], diagonal: float | None) -> float:
  """Area of the clip by the area of the 480x272 frame at the same scale."""
  return shape[1] * shape[2] / (480 * 272 * scale(shape, diagonal) ** 2)


def width_share(shape: tuple[int, ...], diagonal: float | None) -> float:
  """Width of the clip by the width of the 480x272 frame at the same scale."""
  return shape[2] / (480 * scale(shape, diagonal))


def slots(mean: float) -> int:
  """How many objects are kept for a mean count at severity 1.

  Each is alive with probability mean * severity / slots, so the count is
  binomial; severities above 2.5 saturate.
  """
  return max(1, math.ceil(2.5 * mean))
