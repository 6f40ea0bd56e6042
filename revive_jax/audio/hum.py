"""Hum of the mains: found by measurement, taken away partial by partial."""

from collections.abc import Sequence
import dataclasses

import numpy as np
from scipy import fft

from revive_jax.audio import blocks

_MAINS = (50., 60.)  # Hz.
_OFF = 0.015  # Relative; a tape may run that much too fast or slow.
_HIGHEST = 1500.  # Hz, of the partials looked for.
_WINDOW = 4.  # Seconds of one measurement.
_STANDS_OUT = 10.  # Decibels over the sound beside it, for a partial.
_QUIET = 0.25  # Share of the windows: hum is there also when nothing else is.
_MARGIN = 1.4  # As much over the measured amplitude is still taken as hum.


@dataclasses.dataclass(frozen=True)
class Hum:
  """Hum of one channel."""

  frequency: float  # Hz, of the mains; 0 where none was found.
  partials: tuple[int, ...]  # Multiples of it that are there.
  amplitudes: tuple[float, ...]  # Of each, full scale = 1.

  @property
  def level(self) -> float:
    """The root mean square of all partials, full scale = 1."""
    return float(np.sqrt(np.sum(np.square(self.amplitudes)) / 2))


NONE = Hum(0., (), ())


def window_length(rate: int) -> int:
  """Returns how many samples one measurement takes."""
  return int(_WINDOW * rate)


def spectrum(wave: np.ndarray, rate: int) -> np.ndarray:
  """Returns the amplitudes [F] in one window [window_length] of sound.

  Zero-padded to twice its length: F bins of 1/8 Hz up to a bit over 1.5 kHz.
  """
  taper = np.hanning(len(wave))
  bins = int(_HIGHEST * 1.05 * 2 * _WINDOW)
  return np.abs(fft.rfft(wave * taper, 2 * window_length(rate)))[:bins] * (
      2 / taper.sum())


def _stands_out(quiet, place):
  """Returns peak height around bin place over its surroundings, and the bin."""
  low = max(0, place - 3)
  peak = low + int(np.argmax(quiet[low:place + 4]))
  beside = np.concatenate([quiet[max(0, peak - 60):max(0, peak - 12)],
                           quiet[peak + 13:peak + 61]])
  if not len(beside):
    return 0., peak
  return 20 * np.log10((quiet[peak] + 1e-9) / (np.median(beside) + 1e-9)), peak


def _refined(quiet, peak):
  """Returns the place of a peak between the bins (parabola of logarithms)."""
  if not 0 < peak < len(quiet) - 1:
    return float(peak)
  a, b, c = np.log(quiet[peak - 1:peak + 2] + 1e-12)
  bend = a - 2 * b + c
  return peak + (0.5 * (a - c) / bend if bend else 0.)


def find(spectra: np.ndarray, rate: int) -> Hum:
  """Returns the hum that spectra [M, F], of one channel, have in common.

  A partial counts if it stands out also in the quieter windows; hum is two or
  more of the first four partials of one fundamental near 50 or 60 Hz.
  """
  if not len(spectra):
    return NONE
  quiet = np.quantile(spectra, _QUIET, axis=0)
  per_hertz, best = 2 * _WINDOW, (0., 0.)
  for mains in _MAINS:
    for frequency in np.arange(mains * (1 - _OFF), mains * (1 + _OFF), 0.05):
      places = np.round(np.arange(1, 9) * frequency * per_hertz).astype(int)
      places = places[places < len(quiet) - 61]
      heights = [min(40., max(0., _stands_out(quiet, p)[0])) for p in places]
      best = max(best, (float(np.sum(heights)), frequency))
  return _partials(quiet, best[1], rate)


def _partials(quiet, frequency, rate):
  per_hertz, tolerance = 2 * _WINDOW, 0.3
  highest = min(_HIGHEST, 0.45 * rate)
  for _ in range(2):  # Once with the guess, once with what it led to.
    found = []
    for number in range(1, int(highest / frequency) + 1 if frequency else 0):
      height, peak = _stands_out(quiet, round(number * frequency * per_hertz))
      place = _refined(quiet, peak) / per_hertz
      if height > _STANDS_OUT and (
          abs(place - number * frequency) < tolerance + 0.003 * number):
        found.append((number, place, quiet[peak]))
    if not found:
      return NONE
    numbers, places, amplitudes = map(np.array, zip(*found, strict=True))
    order = np.argsort(places / numbers)  # The median, each by its amplitude.
    total = np.cumsum(amplitudes[order])
    middle = order[np.searchsorted(total, total[-1] / 2)]
    frequency, tolerance = float(places[middle] / numbers[middle]), 0.12
  if np.sum(numbers <= 4) < 2:
    return NONE
  return Hum(frequency, tuple(map(int, numbers)), tuple(map(float, amplitudes)))


def _hop(rate):
  """Returns the power of two of samples nearest to 3/8 of a second."""
  return min(2 ** round(np.log2(0.375 * rate)), blocks.GRID)


def reach(rate: int) -> int:
  """Returns how far, in samples, the repair looks."""
  return 4 * _hop(rate)


def repair(
    samples: np.ndarray, rate: int, strength: float, hums: Sequence[Hum]
) -> np.ndarray:
  """Returns samples [N, channels] without the hum of each channel.

  Each partial is measured in overlapping windows, on a fixed grid, and
  subtracted: a notch without delay. Never more of it than the measured
  amplitude: a note of the same pitch is louder, and stays.
  strength: in [0, 1], the share that is subtracted.
  """
  if not strength or not any(h.partials for h in hums):
    return samples
  result = samples.copy()
  for channel, hum in enumerate(hums):
    if hum.partials:
      result[:, channel] -= np.float32(strength) * _estimate(
          samples[:, channel], rate, hum)
  return result


def _estimate(wave, rate, hum):
  """Returns the hum in wave [N]."""
  hop = _hop(rate)
  length = 4 * hop
  taper = np.hanning(length + 1)[:-1]
  count = -(-len(wave) // hop) + 3
  padded = np.zeros((count + 3) * hop)
  padded[3 * hop:3 * hop + len(wave)] = wave
  windows = np.lib.stride_tricks.sliding_window_view(
      padded, length)[::hop][:count]
  omega = 2 * np.pi * hum.frequency / rate * np.array(hum.partials)
  time = np.arange(length) - length / 2
  waves = np.exp(1j * np.outer(time, omega))  # [length, partials]
  found = (windows @ (waves.conj() * taper[:, None])) * (2 / taper.sum())
  most = _MARGIN * np.array(hum.amplitudes)
  size = np.abs(found)
  found *= np.minimum(1, most / np.maximum(size, 1e-12))
  parts = (found @ waves.T).real * taper / 2  # Four tapers overlap to 2.
  result = np.zeros_like(padded)
  for quarter in range(4):
    for row in range(quarter, count, 4):
      result[row * hop:row * hop + length] += parts[row]
  return result[3 * hop:3 * hop + len(wave)].astype(np.float32)
