"""Linear prediction: what a sample should be, given those around it."""

import numpy as np
from scipy import fft, linalg

ORDER = 32
_SIZE = 1024  # Samples per window of fill,
_CONTEXT = 1024  # and what it sees on either side.
REACH = _SIZE + _CONTEXT


def autocorrelation(windows: np.ndarray, order: int = ORDER) -> np.ndarray:
  """Returns [M, order + 1] of windows [M, L], tapered by a Hann window."""
  length = windows.shape[-1]
  room = fft.next_fast_len(length + order, real=True)
  spectrum = fft.rfft(windows * np.hanning(length), room)
  power = np.square(spectrum.real) + np.square(spectrum.imag)
  return fft.irfft(power, room)[:, :order + 1]


def coefficients(windows: np.ndarray, order: int = ORDER) -> np.ndarray:
  """Returns the prediction error filters [M, order + 1] of windows [M, L].

  The first coefficient is 1. A little white noise (-80 dB) is assumed, so that
  silence and pure tones have a solution.
  """
  lags = autocorrelation(windows, order)
  lags[:, 0] = lags[:, 0] * (1 + 1e-8) + 1e-12
  index = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
  solved = np.linalg.solve(lags[:, index], -lags[:, 1:, None])[..., 0]
  return np.concatenate([np.ones((len(solved), 1)), solved], 1)


def interpolate(
    wave: np.ndarray, missing: np.ndarray, *, rounds: int = 3
) -> np.ndarray:
  """Returns wave [L] with its missing [L] samples as their surroundings say.

  Least squares of the prediction error (Janssen, Veldhuis and Vries 1986); the
  filter is estimated anew in each round. Start values are those in wave.
  """
  wave, order = wave.astype(np.float64), ORDER
  places = np.flatnonzero(missing)
  for _ in range(rounds):
    error_filter = coefficients(wave[None])[0]
    taps = np.convolve(error_filter, error_filter[::-1])  # Lags -order..order.
    known = np.where(missing, 0., wave)
    right = -np.convolve(known, taps, 'same')[places]
    # Symmetric, and zero beyond order places off the diagonal.
    bands = np.zeros((min(order, len(places) - 1) + 1, len(places)))
    for band in range(len(bands)):
      lag = places[band:] - places[:len(places) - band]
      bands[band, :len(lag)] = np.where(
          lag <= order, taps[np.minimum(order + lag, 2 * order)], 0.)
    bands[0] += 1e-9 * taps[order]
    wave[places] = linalg.solveh_banded(bands, right, lower=True)
  return wave


def fill(
    wave: np.ndarray, missing: np.ndarray, *, rounds: int = 3
) -> np.ndarray:
  """Returns wave [N] with its missing [N] samples interpolated.

  In windows on a fixed grid, each with some context on both sides.
  """
  result = wave.copy()
  for start in np.unique(np.flatnonzero(missing) // _SIZE) * _SIZE:
    low, high = max(0, start - _CONTEXT), start + _SIZE + _CONTEXT
    filled = interpolate(wave[low:high], missing[low:high], rounds=rounds)
    core = slice(start, min(start + _SIZE, len(wave)))
    inside = missing[core]
    result[core][inside] = filled[start - low:][:core.stop - start][inside]
  return result
