"""Hiss: steady noise, measured where little else sounds, then held down."""

import numpy as np
from scipy import fft, ndimage

from revive_jax.audio import blocks

_AVERAGE = 9  # Windows that a level is averaged over.
_STEADY = 1.5  # Decibels between the quietest 5 % and 15 % of a band.
_MOST = 0.5  # Share of the bands that must be steady.
_CAUTION = 1.5  # Noise is taken to be this much stronger than measured.
MOST = 24.  # Decibels that strength 1 holds noise down by, at most.


def _hop(rate: int) -> int:
  """Returns the power of two of samples nearest to 12 ms."""
  return max(32, min(2 ** round(np.log2(0.0116 * rate)), blocks.GRID))


def reach(rate: int) -> int:
  """Returns how far, in samples, the repair looks."""
  return 16 * _hop(rate)


def _transform(wave, hop):
  """Returns the spectra [M, F] of windows of 4 hops; the first ends after 1."""
  count = -(-len(wave) // hop) + 3
  padded = np.zeros((count + 3) * hop, np.float32)
  padded[3 * hop:3 * hop + len(wave)] = wave
  windows = np.lib.stride_tricks.sliding_window_view(
      padded, 4 * hop)[::hop][:count]
  return fft.rfft(windows * _taper(hop))


def _taper(hop):
  """Returns a window whose square, added up over hops, is 1."""
  hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4 * hop) / (4 * hop))
  return np.sqrt(hann / 2).astype(np.float32)


def _inverse(spectra, hop, length):
  parts = fft.irfft(spectra, 4 * hop) * _taper(hop)
  count = len(parts)
  result = np.zeros((count + 3, hop), np.float32)
  for quarter in range(4):
    result[quarter:quarter + count] += parts[
        :, quarter * hop:(quarter + 1) * hop]
  return result.ravel()[3 * hop:3 * hop + length]


def _power(spectra):
  return np.square(spectra.real) + np.square(spectra.imag)


def _bands(count: int) -> np.ndarray:
  """Returns the borders of bands in bins: a third of an octave, or 8 bins."""
  borders = [2]
  while borders[-1] < count - 8:
    borders.append(max(borders[-1] + 8, round(borders[-1] * 1.26)))
  borders[-1] = count - 1
  return np.array(borders)


def noise_power(wave: np.ndarray, rate: int) -> np.ndarray:
  """Returns the power [F] of the steady noise in a stretch of sound [N].

  Per bin of the repair's transform; 0 where none can be told from the sound.
  Noise is what a band falls back to: its quietest moments are alike. In bands
  that are never quiet it is taken to be that of the next higher steady one.
  Windows without any sound (below -100 dB of full scale) do not count.
  """
  hop = _hop(rate)
  power = _power(_transform(wave, hop))[3:-3]
  heard = power.mean(1) > 1e-10 * hop
  none = np.zeros(power.shape[1], np.float32)
  if np.sum(heard) < 40:
    return none
  power = power[heard]
  borders = _bands(power.shape[1])
  levels = np.add.reduceat(power[:, :borders[-1]], borders[:-1], axis=1)
  levels = ndimage.uniform_filter1d(
      levels / np.diff(borders), _AVERAGE, axis=0, mode='nearest')
  low, high = np.quantile(levels, (0.05, 0.15), axis=0)
  steady = high < low * 10 ** (_STEADY / 10)
  if np.mean(steady) < _MOST:
    return none
  floor = np.array([row[row < 1.6 * quiet].mean()
                    for row, quiet in zip(levels.T, low, strict=True)])
  middles = np.sqrt(borders[:-1] * borders[1:])
  logs = np.log(np.maximum(floor, 1e-20))
  places = np.flatnonzero(steady)
  above = np.minimum(np.searchsorted(places, np.arange(len(floor))),
                     len(places) - 1)
  logs = np.minimum(logs, logs[places[above]])
  return np.exp(np.interp(
      np.log(np.maximum(1, np.arange(len(none)))), np.log(middles), logs)
  ).astype(np.float32)


def gains(power: np.ndarray, noise: np.ndarray, strength: float) -> np.ndarray:
  """Returns what to multiply spectra of this power [M, F] by, [M, F].

  noise: [M or 1, F]. A Wiener filter in two rounds, the second with the first
  one's idea of the clean sound; never below the floor of this strength.
  """
  least = 10 ** (-MOST * strength / 20)
  noise = _CAUTION * noise + 1e-20
  smooth = ndimage.uniform_filter(power, 5, mode='nearest')
  first = np.maximum(1 - noise / np.maximum(smooth, 1e-20), 0.)
  clean = ndimage.uniform_filter(first**2 * power, (3, 3), mode='nearest')
  gain = clean / (clean + noise)
  return np.maximum(gain, least)


def repair(
    samples: np.ndarray, rate: int, strength: float, noise: np.ndarray,
    start: int = 0, stretch: int | None = None
) -> np.ndarray:
  """Returns samples [N, channels] with noise of this power held down.

  strength: in [0, 1], of at most 24 dB; noise: [S, channels, F], the power in
  each stretch of so many samples of the track, between whose middles it
  changes evenly; start: the place of the first sample in the track.
  """
  if not strength or not noise.any():
    return samples
  hop, result = _hop(rate), samples.copy()
  for channel in range(samples.shape[1]):
    spectra = _transform(samples[:, channel], hop)
    middles = start + (np.arange(len(spectra)) - 1) * hop
    spectra *= gains(_power(spectra), _between(
        noise[:, channel], middles, stretch), strength)
    result[:, channel] = _inverse(spectra, hop, len(samples))
  return result


def _between(noise, places, stretch):
  """Returns the noise [M, F] at places [M], from that of stretches [S, F]."""
  if len(noise) == 1:
    return noise
  place = np.clip(places / stretch - 0.5, 0, len(noise) - 1)
  low = np.minimum(place.astype(int), len(noise) - 2)
  part = np.float32(place - low)[:, None]
  return noise[low] * (1 - part) + noise[low + 1] * part


def decibels(noise: np.ndarray, rate: int) -> float:
  """Returns the level of noise of this power [F], over full scale."""
  power = noise.sum() / len(noise) / _hop(rate)
  return float(10 * np.log10(max(power, 1e-20)))


def without_hum(noise: np.ndarray, rate: int, highest: float) -> np.ndarray:
  """Returns noise [F] without what hum up to highest (Hz) adds to it."""
  first = int(np.ceil((highest + 100) * 4 * _hop(rate) / rate))
  result = noise.copy()
  if first < len(noise):
    result[:first] = np.minimum(noise[:first], noise[first])
  return result
