"""What is wrong with a track: clicks, hum, hiss, clipping; and its level."""

from collections.abc import Iterable
import dataclasses

import numpy as np

from revive_jax.audio import blocks, clicks, clipping, hiss, hum, level

_STRETCH = 30  # Seconds that are looked at together.
_MOST_WINDOWS = 128  # Of a track, for hum.
_STANDS_OUT = 10.  # Decibels of sound over noise, for the noise to be noise.


@dataclasses.dataclass(frozen=True)
class Measured:
  """What measure found. Levels in decibels of full scale; -inf is silence."""

  rate: int  # Hz.
  channels: int
  samples: int  # Per channel.
  clicks: int  # In all channels.
  hums: tuple[hum.Hum, ...]  # Of each channel.
  noise: np.ndarray  # [S, channels, F], power; see hiss.repair.
  stretch: int  # Samples that each of the S stands for.
  noise_level: float  # dB, middle of all stretches, of the noisiest channel.
  sound_level: float  # dB, root mean square of the louder moments.
  limits: np.ndarray  # [channels, 2], heights that peaks are cut at, or inf.
  clipped: int  # Peaks cut off.
  peak: float  # Full scale = 1.
  loudness: float  # LUFS.

  @property
  def seconds(self) -> float:
    """How long the track is."""
    return self.samples / self.rate

  @property
  def clicks_per_minute(self) -> float:
    """How often it clicks."""
    return 60 * self.clicks / max(self.seconds, 1.)

  def report(self) -> dict[str, float | int]:
    """Returns the figures, each named with its unit."""
    loudest = max(self.hums, key=lambda h: h.level, default=hum.NONE)
    return {
        'rate_hz': self.rate, 'channels': self.channels,
        'samples': self.samples, 'seconds': self.seconds,
        'clicks': self.clicks, 'clicks_per_minute': self.clicks_per_minute,
        'hum_hz': loudest.frequency, 'hum_partials': len(loudest.partials),
        'hum_dbfs': _decibels(loudest.level),
        'hiss_dbfs': self.noise_level, 'sound_dbfs': self.sound_level,
        'clipped_peaks': self.clipped, 'peak_dbfs': _decibels(self.peak),
        'loudness_lufs': self.loudness}


def _decibels(amplitude):
  return float(20 * np.log10(amplitude)) if amplitude > 0 else -np.inf


def measure(
    samples: Iterable[np.ndarray], rate: int, layout: str = ''
) -> Measured:
  """Returns what is wrong with a track, given as blocks of [n, channels].

  layout: FFmpeg's name of the channel layout, for the loudness; by default
  that of the number of channels. Memory does not grow with the track but for
  12 kB per channel and minute.
  """
  meter, spectra, found = None, _Windows(rate), []
  for stretch in blocks.regroup(samples, _STRETCH * rate):
    channels = stretch.shape[1]
    meter = meter or level.Meter(rate, layout or f'{channels} channels')
    meter.add(stretch)
    spectra.add(stretch)
    if found and len(stretch) < rate:
      found[-1]['samples'] += len(stretch)  # Too short to tell anything.
      continue
    found.append({'samples': len(stretch), **_look(stretch, rate)})
  if not found:
    return _nothing(rate)
  meter.finish()
  hums = spectra.hums()
  noise, noise_level = _noise([f['noise'] for f in found], hums, rate)
  limits, clipped = _limits(np.array([f['limits'] for f in found]),
                            np.array([f['peaks'] for f in found]))
  return Measured(
      rate=rate, channels=len(hums), samples=sum(f['samples'] for f in found),
      clicks=sum(f['clicks'] for f in found), hums=hums, noise=noise,
      stretch=_STRETCH * rate, noise_level=noise_level,
      sound_level=max(f['sound'] for f in found), limits=limits,
      clipped=clipped, peak=meter.peak, loudness=meter.loudness)


def _nothing(rate):
  return Measured(
      rate=rate, channels=0, samples=0, clicks=0, hums=(),
      noise=np.zeros((1, 0, 1), np.float32), stretch=_STRETCH * rate,
      noise_level=-np.inf, sound_level=-np.inf, limits=np.zeros((0, 2)),
      clipped=0, peak=0., loudness=-np.inf)


def _loud(stretch, rate):
  """Returns the power of the louder moments of each channel."""
  size = max(1, rate // 20)
  count = max(1, len(stretch) // size)
  moments = stretch[:count * size].reshape(count, -1, stretch.shape[1])
  return np.quantile(np.mean(np.square(moments, dtype=np.float64), 1), 0.9, 0)


def _look(stretch, rate):
  """Returns what one stretch [n, channels] holds."""
  sound, noises, limits, peaks, count = _loud(stretch, rate), [], [], [], 0
  for wave, power in zip(stretch.T, sound, strict=True):
    noise = hiss.noise_power(wave, rate)
    # What nothing stands out of may be the rain, or a brook.
    if 10 * np.log10(power + 1e-20) < (
        hiss.decibels(noise, rate) + _STANDS_OUT):
      noise[:] = 0
    noises.append(noise)
    limit, cut = clipping.count(wave)
    limits.append(limit)
    peaks.append(cut)
    count += clicks.count(wave, rate)
  return {'noise': noises, 'sound': float(10 * np.log10(sound.max() + 1e-20)),
          'limits': limits, 'peaks': peaks, 'clicks': count}


class _Windows:
  """Spectra for finding hum, evenly over a track of any length."""

  def __init__(self, rate: int):
    self._rate, self._step, self._seen, self._kept = rate, 1, 0, []

  def add(self, stretch):
    """Takes the windows of one stretch [n, channels]."""
    size = hum.window_length(self._rate)
    for start in range(0, len(stretch) - size + 1, size // 2):
      if self._seen % self._step == 0:
        self._kept.append([hum.spectrum(w, self._rate)
                           for w in stretch[start:start + size].T])
      self._seen += 1
      if len(self._kept) > _MOST_WINDOWS:
        self._kept, self._step = self._kept[::2], 2 * self._step
    self._channels = stretch.shape[1]

  def hums(self) -> tuple[hum.Hum, ...]:
    """Returns the hum of each channel."""
    if not self._kept:
      return (hum.NONE,) * self._channels
    return tuple(hum.find(s, self._rate)
                 for s in np.swapaxes(np.array(self._kept), 0, 1))


def _noise(found, hums, rate):
  """Returns the noise [S, channels, F] of a track, gaps filled; its level."""
  noise, loudest = np.array(found), -np.inf
  for channel, its_hum in enumerate(hums):
    rows = noise[:, channel]
    told = np.flatnonzero(rows.any(1))
    if not len(told):
      continue
    if its_hum.partials:
      highest = its_hum.partials[-1] * its_hum.frequency
      for row in told:
        rows[row] = hiss.without_hum(rows[row], rate, highest)
    loudest = max(loudest, float(np.median(
        [hiss.decibels(rows[row], rate) for row in told])))
    for row in range(len(rows)):  # From the nearest that tells.
      rows[row] = rows[told[np.argmin(np.abs(told - row))]]
  return noise, loudest


def _limits(limits, peaks):
  """Returns the limits [channels, 2] of a track, and how many peaks they cut.

  limits, peaks: [S, channels, 2]; a stretch counts if it reaches the limit.
  """
  highest = limits.max(0)
  cut = np.where(limits > 0.999 * highest, peaks, 0).sum(0)
  return np.where(cut > 0, highest, np.inf), int(cut.sum())
