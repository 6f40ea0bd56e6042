"""Light: what a scene's own brightness did, under flicker that is on it.

Nobody knows whether a slow change of brightness is the scene's or the
projector's. So the likely stories are laid side by side: the light is steady,
leans, bows, does both, wanders (a random walk), or bends (an integrated one),
little or far, and the flicker on it is alike from frame to frame, or not. Of
each the mean light is known in closed form, and so is how well it fits; what
is returned is their mean, by how well they do (Bayesian model averaging:
Hoeting et al. 1999, doi:10.1214/ss/1009212519, of evidence made sharper; each
model is a Gaussian process with an unknown level and scale: Rasmussen and
Williams 2006, section 2.7).
"""

import functools
from typing import NamedTuple

import numpy as np

_STEADY = 0.92  # Prior probability that the light is steady.
# The evidence is taken to this power, or a little of every story would be left
# in the mean. Both were chosen by flicker planted on training clips.
_SHARP = 1.5
# How far it goes else, root mean square in deviations of the flicker.
_FAR = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0)
_ALIKE = (0.0, 0.3, 0.6)  # Correlations of flicker from frame to frame.
_LONGEST = 80  # Frames that are looked at together.
_FURTHEST = 20.0  # Logarithms from what is usual; more, and they are not sure.
_LEAST = 1e-3  # Deviation of the flicker, below which numbers are not sure.


class _Stories(NamedTuple):
  """All M stories of T frames in which flicker is as much alike."""

  prior: np.ndarray  # [M], log.
  determinant: np.ndarray  # [M], log of what does not depend on x.
  precision: np.ndarray  # [M, T, T]; x' precision x is what is not explained.
  flicker: np.ndarray  # [T, T]; x - flicker precision x is the light.


def light(x: np.ndarray, floor: float = 0.0) -> np.ndarray:
  """The scene's own light [T] under logarithms of brightness x [T].

  Args:
    x: finite numbers.
    floor: what is added to the brightness, as a share of the usual one: towards
      black a fade has no end in logarithms.
  """
  x = np.asarray(x, np.float64)
  count = len(x)
  if count <= _LONGEST:
    return _light_above(x, floor)
  half = _LONGEST // 2
  starts = [*range(0, count - _LONGEST, half), count - _LONGEST]
  rise = np.arange(1, _LONGEST + 1.0)
  weight = np.minimum(rise, rise[::-1]) ** 2
  total, weights = np.zeros((2, count))
  for start in starts:
    part = np.s_[start:start + _LONGEST]
    total[part] += weight * _light_above(x[part], floor)
    weights[part] += weight
  return total / weights


def _light_above(x, floor) -> np.ndarray:
  """The light of frames that are looked at together."""
  if len(x) < 2:
    return x
  usual = np.median(x)
  if not floor:
    return usual + _light(x - usual)
  bright = np.exp(np.clip(x - usual, -_FURTHEST, _FURTHEST))
  lit = np.exp(_light(np.log(bright + floor))) - floor
  return usual + np.log(np.maximum(lit, 0.1 * bright))


def _light(x) -> np.ndarray:
  stories = _stories(len(x))
  weighted = [s.precision @ x for s in stories]  # [M, T] each.
  evidence = np.array([
      s.determinant - (len(x) - 1) / 2 * np.log(w @ x + len(x) * _LEAST**2)
      for s, w in zip(stories, weighted, strict=True)])
  share = np.exp(_SHARP * (evidence - evidence.max())
                 + [s.prior for s in stories])
  share /= share.sum()
  return x - sum(s.flicker @ (p @ w) for s, p, w in zip(
      stories, share, weighted, strict=True))


@functools.lru_cache(maxsize=4)
def _stories(count: int) -> list[_Stories]:
  """All stories of so many frames."""
  frame = np.arange(count)
  lean, bow = (np.cos(np.pi * k * (frame[:, None] + 0.5) / count)
               for k in (1, 2))
  walk = np.tril(np.ones((count, count)))
  paths = (lean, bow, np.hstack([lean, bow]), walk, walk @ walk)
  centre = np.eye(count) - 1 / count
  prior, lights = [_STEADY], [np.zeros((count, count))]
  for path in paths:
    kernel = centre @ path @ path.T @ centre
    kernel *= count / np.trace(kernel)
    lights += [far**2 * kernel for far in _FAR]
    prior += [(1 - _STEADY) / len(paths) / len(_FAR)] * len(_FAR)
  apart = np.abs(np.subtract.outer(frame, frame))
  return [_Stories(np.log(prior), *_unexplained(np.array(lights), flicker),
                   flicker) for flicker in (a**apart for a in _ALIKE)]


def _unexplained(lights, flicker):
  """Determinants [M] and precisions [M, T, T] with the level integrated out.

  Of lights of covariances [M, T, T], and flicker of another, [T, T].
  """
  inverse = np.linalg.inv(lights + flicker)
  to_level = inverse.sum(1)
  size = to_level.sum(1)
  precision = inverse - (
      to_level[:, :, None] * to_level[:, None] / size[:, None, None])
  _, log_det = np.linalg.slogdet(inverse)
  return 0.5 * (log_det - np.log(size)), precision
