"""Sound for the tests: speech and music, and what time does to them."""

import numpy as np
from scipy import signal

RATE = 44100


def _syllable(rng, rate):
  """A vowel: pulses of a gliding pitch through three formants."""
  count = int(rng.uniform(0.12, 0.28) * rate)
  pitch = np.linspace(rng.uniform(100, 220), rng.uniform(90, 200), count)
  phase = np.cumsum(pitch) / rate
  wave = np.diff(np.floor(phase), prepend=0.) + rng.normal(0, 0.01, count)
  wave = np.convolve(wave, np.hanning(rate // 500), 'same')  # Lips, not a gate.
  for center in rng.uniform((300, 900, 2200), (800, 2000, 3200)):
    radius = np.exp(-np.pi * 90 / rate)
    wave = signal.lfilter(
        [1 - radius], [1, -2 * radius * np.cos(2 * np.pi * center / rate),
                       radius**2], wave)
  return wave * signal.windows.tukey(count, 0.5)


def _fricative(rng, rate):
  count = int(rng.uniform(0.05, 0.12) * rate)
  band = signal.butter(2, [3000, min(9000, 0.45 * rate)], 'band', fs=rate,
                       output='sos')
  return (0.25 * signal.sosfilt(band, rng.normal(size=count))
          * np.hanning(count))


def speech(seconds=6., rate=RATE, seed=0):
  """Returns [N, 1] float32: syllables, fricatives and pauses, peak 0.5."""
  rng = np.random.default_rng(seed)
  wave, at = np.zeros(int(seconds * rate)), int(0.1 * rate)
  while True:
    vowel = _syllable(rng, rate)
    sound = rng.uniform(0.4, 1) * vowel / np.abs(vowel).max()
    if rng.random() < 0.5:
      sound = np.concatenate([_fricative(rng, rate), sound])
    if at + len(sound) > len(wave):
      break
    wave[at:at + len(sound)] += sound
    at += len(sound) + int(rng.choice([0.01, 0.03, 0.35]) * rate)
  return np.float32(0.5 * wave / np.abs(wave).max())[:, None]


def music(seconds=6., rate=RATE, seed=0):
  """Returns [N, 2] float32: struck chords that ring, peak 0.5."""
  rng = np.random.default_rng(seed)
  wave = np.zeros((int(seconds * rate), 2))
  for start in np.arange(0.05, seconds - 0.3, 0.4):
    for note in rng.choice(25, 3, replace=False):
      time = np.arange(len(wave) - int(start * rate)) / rate
      pitch, place = 110 * 2 ** (note / 12), rng.uniform(0.2, 0.8)
      tone = sum(np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6))
                 * np.exp(-time * (2 + k)) / k for k in range(1, 9))
      tone *= np.minimum(1, time / 0.004)
      wave[-len(time):] += tone[:, None] * [place, 1 - place]
  return np.float32(0.5 * wave / np.abs(wave).max())


def hum(count, rate=RATE, frequency=50., level=0.03):
  """Returns [count, 1]: a fundamental and five harmonics."""
  time = np.arange(count) / rate
  wave = sum(a * np.sin(2 * np.pi * k * frequency * time + k)
             for k, a in ((1, 1), (2, .6), (3, .5), (4, .2), (5, .3), (7, .2)))
  return np.float32(level * wave)[:, None]


def hiss(shape, level=0.01, seed=1):
  """Returns white noise of this standard deviation."""
  return np.float32(np.random.default_rng(seed).normal(0, level, shape))


def clicks(shape, rate=RATE, per_second=5, seed=2):
  """Returns (clicks, where): short decaying bursts, and the samples of them."""
  rng = np.random.default_rng(seed)
  wave, where = np.zeros(shape, np.float32), np.zeros(shape, bool)
  for _ in range(int(per_second * shape[0] / rate)):
    start, length = rng.integers(shape[0] - 60), rng.integers(3, 40)
    burst = rng.uniform(0.2, 0.7) * rng.choice([-1, 1]) * np.exp(
        -np.arange(length) / (length / 3)) * np.cos(
            np.arange(length) * rng.uniform(0, 2))
    channel = rng.integers(shape[1])
    wave[start:start + length, channel] += burst
    where[start:start + length, channel] = True
  return wave, where


def damage(clean, rate=RATE):
  """Returns clean with hum, hiss and clicks."""
  return (clean + hum(len(clean), rate) + hiss(clean.shape)
          + clicks(clean.shape, rate)[0])


def snr(clean, sound):
  """Returns the power of clean over that of the error, in decibels."""
  error = np.float64(sound) - clean
  return 10 * np.log10(np.mean(np.square(np.float64(clean)))
                       / max(np.mean(error**2), 1e-30))
