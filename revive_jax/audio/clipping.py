"""Clipping: peaks cut off at one height, drawn again from what is left."""

import numpy as np
from scipy import ndimage

from revive_jax.audio import prediction

_SHORTEST = 3  # Samples in a row at the limit.
_TOLERANCE = 1e-4  # Relative; samples at the limit differ by no more,
_STEP = 1 / 32768  # or by one step of 16 bits.
# A rounded peak leaves its tolerance slowly, a cut one at once.
_DROP = 8.
_WEAK = 0.02  # Full scale; peaks under it are no limit of a recorder.
_HIGHEST = 4.  # Times the limit; no peak is drawn higher.


def _tolerance(limit):
  return np.maximum(_TOLERANCE * limit, 1.01 * _STEP)


def _runs(wave, limit):
  """Returns the slices of wave [N] that stay at limit, and leave it at once."""
  tolerance = _tolerance(limit)
  labels, _ = ndimage.label(wave >= limit - tolerance)
  found = []
  for (run,) in ndimage.find_objects(labels):
    if run.stop - run.start < _SHORTEST:
      continue
    sides = [wave[i] for i in (run.start - 1, run.stop) if 0 <= i < len(wave)]
    if sides and limit - max(sides) > _DROP * tolerance:
      found.append(run)
  return found


def count(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the limits [2] of a stretch [N], and how many peaks they cut.

  The limit upwards and the one downwards, both positive.
  """
  limits = np.array([max(0., float(side.max(initial=0)))
                     for side in (wave, -wave)])
  peaks = np.array([
      len(_runs(side, limit)) if limit > _WEAK else 0
      for side, limit in zip((wave, -wave), limits, strict=True)])
  return limits, peaks


def reach() -> int:
  """Returns how far, in samples, the repair looks."""
  return prediction.REACH


def repair(
    samples: np.ndarray, strength: float, limits: np.ndarray
) -> np.ndarray:
  """Returns samples [N, channels] with clipped peaks interpolated.

  limits: [channels, 2], the heights that peaks are cut at, upwards and
  downwards; inf for none. The result may be louder than full scale.
  strength: in [0, 1], the share of the change.
  """
  if not strength or not np.isfinite(limits).any():
    return samples
  result = samples.copy()
  for channel in range(samples.shape[1]):
    wave = samples[:, channel]
    cut = np.zeros((2, len(wave)), bool)
    for side, sign, limit in zip(cut, (1, -1), limits[channel], strict=True):
      if np.isfinite(limit):
        for run in _runs(sign * wave, limit):
          side[run] = True
    drawn = prediction.fill(wave.astype(np.float64), cut[0] | cut[1])
    for side, sign, limit in zip(cut, (1, -1), limits[channel], strict=True):
      higher = np.clip(sign * drawn[side], limit, _HIGHEST * limit)
      result[side, channel] += np.float32(strength) * np.float32(
          sign * higher - wave[side])
  return result
