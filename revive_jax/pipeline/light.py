"""Light: what a scene's own brightness did, under flicker that is on it.

Nobody knows whether a slow change of brightness is the scene's or the
projector's. So the likely stories are laid side by side: the light is steady,
leans, bows, does both, wanders (a random walk), or bends (an integrated one),
little or far, and the flicker on it is alike from frame to frame, or not. Of
each the mean light is known in closed form, and so is how well it fits; what
is returned is their mean, by how well they do (Bayesian model averaging:
Hoeting et al. 1999, doi:10.1214/ss/1009212519; each model is a Gaussian process
with an unknown level and scale: Rasmussen and Williams 2006, section 2.7).
"""

import functools
from typing import NamedTuple

import numpy as np

_STEADY = 0.6  # Prior probability that the light is steady.
# What the evidence counts: with 1, a little of every story is left in the mean.
_SHARP = 1.5
# How far it goes else, root mean square in deviations of the flicker.
_FAR = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0)
_ALIKE = (0.0, 0.3, 0.6)  # Correlations of flicker from frame to frame.
_LONGEST = 80  # Frames that are looked at together.
_LEAST = 1e-3  # Deviation of the flicker, below which numbers are not sure.


class _Model(NamedTuple):
  """A story of T frames: how likely it is, and its mean."""

  prior: float  # Log, with all of the evidence that is not of x.
  precision: np.ndarray  # [T, T]; x' precision x is what it does not explain.
  mean: np.ndarray  # [T, T]; mean x is the light.


def light(x: np.ndarray) -> np.ndarray:
  """The scene's own light [T] under logarithms of brightness x [T]."""
  x = np.asarray(x, np.float64)
  count = len(x)
  if count <= _LONGEST:
    return _light(x)
  half = _LONGEST // 2
  starts = [*range(0, count - _LONGEST, half), count - _LONGEST]
  rise = np.arange(1, _LONGEST + 1.0)
  weight = np.minimum(rise, rise[::-1]) ** 2
  total, weights = np.zeros((2, count))
  for start in starts:
    part = np.s_[start:start + _LONGEST]
    total[part] += weight * _light(x[part])
    weights[part] += weight
  return total / weights


def _light(x) -> np.ndarray:
  models = _models(len(x))
  unexplained = np.array([x @ m.precision @ x for m in models])
  evidence = np.array([m.prior for m in models]) - (len(x) - 1) / 2 * np.log(
      unexplained + len(x) * _LEAST**2)
  share = np.exp(_SHARP * (evidence - evidence.max()))
  share /= share.sum()
  return sum(s * (m.mean @ x) for s, m in zip(share, models, strict=True)
             if s > 1e-6)


@functools.lru_cache(maxsize=16)
def _models(count: int) -> list[_Model]:
  """All stories of so many frames."""
  frame = np.arange(count)
  lean, bow = (np.cos(np.pi * k * (frame[:, None] + 0.5) / count)
               for k in (1, 2))
  walk = np.tril(np.ones((count, count)))
  paths = (lean, bow, np.hstack([lean, bow]), walk, walk @ walk)
  centre = np.eye(count) - 1 / count
  lights = [(_STEADY, np.zeros((count, count)))]
  for path in paths:
    kernel = centre @ path @ path.T @ centre
    kernel *= count / np.trace(kernel)
    lights += [((1 - _STEADY) / len(paths) / len(_FAR), far**2 * kernel)
               for far in _FAR]
  apart = np.abs(np.subtract.outer(frame, frame))
  return [_model(prior, kernel, alike**apart)
          for alike in _ALIKE for prior, kernel in lights]


def _model(prior, kernel, flicker) -> _Model:
  """Of light of a covariance and flicker of another, both [T, T]."""
  inverse = np.linalg.inv(kernel + flicker)
  to_level = inverse.sum(0)
  size = to_level.sum()
  precision = inverse - np.outer(to_level, to_level) / size
  _, log_det = np.linalg.slogdet(inverse)
  return _Model(
      np.log(prior) + 0.5 * log_det - 0.5 * np.log(size), precision,
      to_level / size + kernel @ precision)
