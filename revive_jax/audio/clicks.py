"""Clicks: short bursts that nothing around them foretells."""

import numpy as np
from scipy import fft, ndimage

from revive_jax.audio import prediction

_SEED = 8.  # Prediction error of a click, over what is usual there,
_RARE = 5.  # over the third-largest error of the moments around it,
_LOUD = 0.7  # and over the root mean square of the sound there.
_GROW = 4.  # As much error still belongs to a click beside it.
_JOIN = 8  # Samples between two parts of one click.
_EDGE = 2  # Samples added on either side.
_LONGEST = 0.004  # Seconds; what lasts longer is a sound.
_PASSES = 2
_CELLS = 16  # Moments in a hop.


def _hop(rate: int) -> int:
  """Returns the power of two of samples that is nearest to 23 ms."""
  return 2 ** round(np.log2(0.0232 * rate))


def prediction_error(
    wave: np.ndarray, rate: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the error of predicting wave [N], its usual size, a click's least.

  All [N]. The usual size is that of nine in ten samples around.
  """
  hop = _hop(rate)
  count, half = -(-len(wave) // hop), hop // 2
  padded = np.pad(
      wave.astype(np.float64), (half, count * hop - len(wave) + half))
  windows = np.lib.stride_tricks.sliding_window_view(
      padded, 2 * hop)[::hop][:count]
  filters = prediction.coefficients(windows)
  # The filter wraps around, but not into the middle.
  error = fft.irfft(fft.rfft(windows) * fft.rfft(filters, 2 * hop))
  error = np.abs(error[:, half:half + hop])
  usual = np.quantile(error, 0.9, axis=1) / 1.645 + 1e-6
  usual = np.maximum(usual, ndimage.uniform_filter1d(usual, 3, mode='nearest'))
  # Voices have a burst of error in each period, a click is alone.
  around = np.ones(2 * _CELLS + 1, bool)
  around[_CELLS - 1:_CELLS + 2] = False
  peaks = error.reshape(-1, hop // _CELLS).max(1)
  rarer = ndimage.rank_filter(peaks, -3, footprint=around, mode='nearest')
  loud = np.sqrt(np.mean(np.square(windows), 1))
  alone = np.maximum(_RARE * np.repeat(rarer, hop // _CELLS),
                     _LOUD * np.repeat(loud, hop))
  return (error.ravel()[:len(wave)], np.repeat(usual, hop)[:len(wave)],
          alone[:len(wave)])


def find(wave: np.ndarray, rate: int) -> np.ndarray:
  """Returns where clicks are in wave [N]: [N] bool."""
  error, usual, least = prediction_error(wave, rate)
  weak = ndimage.binary_closing(error > _GROW * usual, np.ones(_JOIN + 1))
  labels, count = ndimage.label(weak)
  if not count:
    return weak
  strong = (error > _SEED * usual) & (error > least)
  keep = ((np.bincount(labels, strong, minlength=count + 1) > 0)
          & (np.bincount(labels, minlength=count + 1) <= _LONGEST * rate))
  keep[0] = False
  return ndimage.binary_dilation(keep[labels], np.ones(2 * _EDGE + 1))


def count(wave: np.ndarray, rate: int) -> int:
  """Returns how many clicks are in wave [N]."""
  return int(ndimage.label(find(wave, rate))[1])


def reach(rate: int) -> int:
  """Returns how far, in samples, the repair looks."""
  return 4 * _hop(rate) + 2 * prediction.REACH


def repair(samples: np.ndarray, rate: int, strength: float) -> np.ndarray:
  """Returns samples [N, channels] with the clicks interpolated.

  strength: in [0, 1], the share of the change. Samples outside of clicks stay
  as they are, to the bit.
  """
  if not strength:
    return samples
  result = samples.copy()
  for channel in range(samples.shape[1]):
    wave, found = samples[:, channel], np.zeros(len(samples), bool)
    for _ in range(_PASSES):  # The rest of a click shows without its start.
      more = find(wave, rate)
      if not more.any():
        break
      found |= more
      wave = prediction.fill(samples[:, channel], found).astype(np.float32)
    result[found, channel] += np.float32(strength) * (
        wave - samples[:, channel])[found]
  return result
