"""Trends: what is slow in a row of numbers that jumps from frame to frame."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

_INTERVAL = 2.5  # Half of a confidence interval, in standard deviations.
_PILOT = 4.0  # Frames: what is faster than this may be jitter.


def line(x: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
  """Local straight lines under a Gaussian window, and their error; [T] each.

  Cleveland 1979, doi:10.1080/01621459.1979.10481038, with Gaussian weights.

  Args:
    x: [T].
    radius: standard deviation of the window, frames.

  Returns:
    The lines' values, and their standard deviation for white noise of
    deviation 1 on x.
  """
  reach = int(3 * radius + 0.5)
  offset = np.arange(-reach, reach + 1.0)
  window = np.exp(-0.5 * (offset / radius) ** 2)
  correlate = lambda y, k: ndimage.correlate1d(y, k, mode='constant')
  ones = np.ones(len(x))
  s0, s1, s2 = (correlate(ones, window * offset**n) for n in range(3))
  square = [correlate(ones, window**2 * offset**n) for n in range(3)]
  det = np.maximum(s0 * s2 - s1**2, 1e-9)
  a, b = s2 / det, -s1 / det  # Weights are window * (a + b offset).
  value = a * correlate(x, window) + b * correlate(x, window * offset)
  variance = a**2 * square[0] + 2 * a * b * square[1] + b**2 * square[2]
  return value, np.sqrt(variance)


def adaptive(x: np.ndarray, radii: Sequence[float]) -> np.ndarray:
  """x [T] without the jitter that is on it everywhere.

  Each value is a local line over as many frames as jitter alone can explain
  (intersection of confidence intervals; Katkovnik 1999,
  doi:10.1109/78.782208). So what starts at once, or bends, is kept: a pan.

  Args:
    x: [T].
    radii: of the windows, rising, frames.
  """
  if len(x) < 5:
    return x
  value, _ = line(x, _PILOT)
  # By the quieter frames: what bends away from its line is no jitter. Of a
  # normal distribution 30 % lie within 0.385; the line itself takes 7 %.
  sigma = np.quantile(np.abs(x - value), 0.3) / 0.385 / 0.93
  low, high = x - _INTERVAL * sigma, x + _INTERVAL * sigma
  best, open_ = np.array(x, np.float64), np.ones(len(x), bool)
  for radius in radii:
    value, error = line(x, radius)
    half = _INTERVAL * sigma * error
    low, high = np.maximum(low, value - half), np.minimum(high, value + half)
    open_ &= low <= high
    best[open_] = value[open_]
  return best
