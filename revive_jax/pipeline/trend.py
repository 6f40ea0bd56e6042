"""Trends: what is slow in a row of numbers that jumps from frame to frame."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

_INTERVAL = 2.5  # Half of a confidence interval, in standard deviations.
_PILOT = 4.0  # Frames: what is faster than this may be jitter.
_NEAR = 16.0  # Frames: of the window that judges how far a trend goes.
# How many times the squared way that jitter explains must be gone. Of jitter
# alone 1.5 leave three quarters of the squared error that 1 does; of true
# trends of its size they cost a seventh.
_DOUBT = 1.5


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
  doi:10.1109/78.782208). So what starts at once, or bends, is kept: a pan, a
  fade.

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


def steadier(
    x: np.ndarray, trend: np.ndarray, *, radius: float, wide: float,
    correlation: float,
) -> np.ndarray:
  """The trend [T] of x, as far from a level as jitter alone would not take it.

  Jitter that is alike from frame to frame makes lines lean, too. The part of
  the squared way from the level that it explains is taken off, and half as
  much again, after James and Stein 1961; where that is all, the level is left.

  Args:
    x: [T].
    trend: [T], lines of the radius or less.
    radius: of the lines' windows, frames.
    wide: radius of the level's window, frames.
    correlation: of the jitter, from frame to frame.
  """
  if len(x) < 5:
    return trend
  level = _mean(x, wide)
  sigma = _jitter(x, correlation)
  away = lambda offset: (
      _line_weights(offset, radius) - _level_weights(offset, wide))
  expected = (sigma * _deviation(len(x), wide, away, correlation)) ** 2
  near = lambda y: ndimage.gaussian_filter1d(y, _NEAR, mode='constant')
  way = near((trend - level) ** 2)
  share = np.maximum(1 - _DOUBT * near(expected) / np.maximum(way, 1e-18), 0)
  return level + share * (trend - level)


def _jitter(x, correlation) -> float:
  """The deviation of jitter on x: of few frames one estimate is too rough."""
  by_line = lambda offset: _line_weights(offset, _PILOT)
  left = lambda offset: (offset == 0) - by_line(offset)
  jitter = np.abs(x - line(x, _PILOT)[0]) / _deviation(
      len(x), _PILOT, left, correlation)
  step = np.diff(x)
  step = np.abs(step - np.median(step)) / np.sqrt(2 * (1 - correlation))
  # Quantiles of a normal distribution; 0.3 as in adaptive.
  return float(np.sqrt(np.mean(np.square([
      np.quantile(jitter, 0.3) / 0.385, np.median(jitter) / 0.674,
      np.median(step) / 0.674]))))


def _mean(x, radius):
  """Local means under a Gaussian window, [T]."""
  sums = lambda y: ndimage.gaussian_filter1d(
      y, radius, mode='constant', truncate=3)
  return sums(np.asarray(x, np.float64)) / sums(np.ones(len(x)))


def _level_weights(offset, radius):
  """What frames at an offset count in a local mean."""
  window = np.exp(-0.5 * (offset / radius) ** 2)
  return window / window.sum()


def _line_weights(offset, radius):
  """What frames at an offset count in a local line, at offset 0."""
  window = np.exp(-0.5 * (offset / radius) ** 2)
  window = window * (np.abs(offset) <= int(3 * radius + 0.5))
  s0, s1, s2 = ((window * offset**n).sum() for n in range(3))
  return window * (s2 - s1 * offset) / max(s0 * s2 - s1**2, 1e-9)


def _deviation(count, radius, weights, correlation):
  """Deviation of weighted sums of correlated noise of deviation 1, [T].

  weights: of offsets; only those within 3 radii count.
  """
  reach = int(3 * radius + 0.5)
  result = np.empty(count)
  for t in range(count):
    if reach < t < count - reach:  # All windows inside are alike.
      result[t] = result[t - 1]
      continue
    offset = np.arange(max(-reach, -t), min(reach, count - 1 - t) + 1.0)
    own = weights(offset)
    products = np.correlate(own, own, 'full')[len(own) - 1:]
    products[1:] *= 2 * correlation ** np.arange(1, len(own))
    result[t] = np.sqrt(max(products.sum(), 1e-12))
  return result
