"""Grain: measured where it was taken out, and made anew with its own spectrum.

What denoising took out of a shot is its grain, and what little of the picture
it took along. Both are told apart by place: grain is seen in flat areas. It is
kept as a strength for each tone (of Y, Cb and Cr, which after chroma has been
coded coarsely have grain of different sizes) and a power spectrum for luma and
for chroma; grain of that kind is white noise through a filter.
"""

from typing import NamedTuple

import cv2
import numpy as np

BLOCK = 32  # px: grain is measured in blocks of this side.
_LEAST = 8  # Blocks; of fewer nothing is believed.
_TONES = 8  # Levels of luma that have a strength of their own.
_RADIUS = 8  # px: how far grain is correlated, at most.

# Rec. 601, full range: Y, Cb, Cr of R, G, B.
_TO_YCC = np.array([
    [0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5],
    [0.5, -0.418688, -0.081312]], np.float32)
_CHROMA_TO_RGB = np.array([
    [0, 1.402], [-0.344136, -0.714136], [1.772, 0]], np.float32)


class Grain(NamedTuple):
  """What the grain of a shot is like."""

  tones: np.ndarray  # [K] luma that the strengths are of, rising.
  strength: np.ndarray  # [K, 3] standard deviations of Y, Cb, Cr.
  # [2, S, S]: filters that white noise of deviation 1 becomes grain of
  # deviation 1 by, of luma and of chroma.
  kernels: np.ndarray
  # [3, 3], lower triangular: how Y, Cb and Cr go together.
  mixing: np.ndarray

  def scaled(self, factor: float) -> 'Grain':
    """The same grain, so many times as strong."""
    return self._replace(strength=self.strength * np.float32(factor))


def white(sigma: float) -> Grain:
  """Grain without a colour and without correlation, of deviation sigma."""
  point = np.zeros((2 * _RADIUS + 1,) * 2, np.float32)
  point[_RADIUS, _RADIUS] = 1
  return Grain(np.float32([0.5]), np.float32([[sigma, 0, 0]]),
               np.stack([point, point]), np.eye(3, dtype=np.float32))


def measure(
    noisy: np.ndarray, clean: np.ndarray, intact: np.ndarray
) -> Grain | None:
  """The grain that noisy has and clean has not.

  Of the blocks without damage the flatter half is taken; the strength is that
  of their pixels of a tone, without outliers, the spectrum the mean of theirs.

  Args:
    noisy: [T, H, W, 3] RGB in [0, 1].
    clean: the same, denoised.
    intact: [T, H, W] bool; elsewhere the difference is damage.

  Returns:
    The grain; None where too little of the film is intact to tell.
  """
  if min(noisy.shape[1:3]) < BLOCK:
    return None
  parts = [_blocks(*x) for x in zip(noisy, clean, intact, strict=True)]
  removed, tone, activity = (
      np.concatenate(x) for x in zip(*parts, strict=True))
  if len(removed) < _LEAST:
    return None
  # The picture's own flatness, not that of the grain, decides.
  flat = activity <= np.median(activity)
  removed, tone = removed[flat], tone[flat]
  removed = removed - removed.mean((1, 2), keepdims=True)
  tones, strength = _by_tone(tone.reshape(-1), removed.reshape(-1, 3))
  if np.ptp(noisy, axis=-1).max() < 1e-6:  # A grey film.
    strength[:, 1:] = 0
  kernels = np.stack([_kernel(removed[..., :1]), _kernel(removed[..., 1:])])
  return Grain(tones, strength, kernels, _mixing(removed.reshape(-1, 3)))


def synthesise(
    grain: Grain, picture: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
  """New grain for picture [H, W, 3], to be added to it: [H, W, 3] float32.

  As strong at each pixel as its tone asks for; without colour (three equal
  channels, exactly) where the film's has none.
  """
  luma = np.ascontiguousarray(picture @ _TO_YCC[0])
  coloured = grain.strength[:, 1:].any()
  fields = np.stack([
      _field(grain.kernels[min(i, 1)], luma.shape, rng)
      for i in range(3 if coloured else 1)], -1)
  if not coloured:
    noise = fields * np.interp(
        luma, grain.tones, grain.strength[:, 0])[..., None]
    return np.repeat(noise.astype(np.float32), 3, -1)
  strength = np.stack([
      np.interp(luma, grain.tones, s) for s in grain.strength.T], -1)
  noise = (fields @ grain.mixing.T * strength).astype(np.float32)
  return noise[..., :1] + noise[..., 1:] @ _CHROMA_TO_RGB.T


def _blocks(noisy, clean, intact):
  """Intact blocks of a frame.

  Returns what was removed, [N, B, B, 3] in Y, Cb, Cr; the luma that is there
  without it, [N, B, B]; and how much there is to see in each, [N].
  """
  cut = lambda x: _cut(x, BLOCK)
  whole = cut(intact).all((1, 2))
  removed = cut((noisy - clean) @ _TO_YCC.T)[whole]
  luma = cut(clean @ _TO_YCC[0])[whole]
  return removed, luma, luma.std((1, 2))


def _cut(x, size):
  """[H, W, ...] to [blocks, size, size, ...]; the rest is left out."""
  rows, columns = x.shape[0] // size, x.shape[1] // size
  x = x[:rows * size, :columns * size]
  x = x.reshape(rows, size, columns, size, *x.shape[2:]).swapaxes(1, 2)
  return x.reshape(rows * columns, size, size, *x.shape[4:])


def _by_tone(tone, removed):
  """Tones [K] and the deviation of the pixels near each, [K, 3].

  tone: [P]; removed: [P, 3] of the same pixels.
  """
  edges = np.quantile(tone, np.linspace(0, 1, _TONES + 1)[1:-1])
  group = np.searchsorted(edges, tone)
  count = np.bincount(group, minlength=_TONES)
  mean = lambda x: np.bincount(group, x, _TONES) / np.maximum(count, 1)
  square = removed.astype(np.float64) ** 2
  limit = 16 * square.mean(0)  # Beyond four deviations: edges, not grain.
  strength = np.sqrt(np.stack([
      mean(np.minimum(square[:, i], limit[i])) for i in range(3)], -1))
  used = count > 0
  return (mean(tone)[used].astype(np.float32),
          strength[used].astype(np.float32))


def _mixing(removed):
  """Cholesky factor [3, 3] of the correlation of Y, Cb, Cr, [P, 3]."""
  deviation = removed.std(0)
  scale = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)
  scaled = (removed * scale).astype(np.float64)
  correlation = 0.999 * scaled.T @ scaled / len(scaled)
  np.fill_diagonal(correlation, 1)
  return np.linalg.cholesky(correlation).astype(np.float32)


def _kernel(removed):
  """The symmetric filter [S, S] whose noise has the spectrum of the blocks.

  removed: [N, B, B, C]. Each block counts alike, however strong its grain.
  """
  power = removed.var((1, 2), keepdims=True)
  seen = power > 1e-12
  if not seen.any():
    return white(1.0).kernels[0]
  spectrum = np.abs(np.fft.fft2(removed, axes=(1, 2))) ** 2
  spectrum = np.where(seen, spectrum / np.maximum(power, 1e-12), 0)
  spectrum = spectrum.sum((0, 3)) / seen.sum()
  # The mean was taken off: the lowest frequency is as its neighbours are.
  spectrum[0, 0] = (spectrum[0, 1] + spectrum[1, 0]) / 2
  kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(spectrum)).real)
  middle = kernel.shape[0] // 2
  near = slice(middle - _RADIUS, middle + _RADIUS + 1)
  kernel = kernel[near, near]
  return (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)


def _field(kernel, shape, rng):
  """Noise [H, W] of deviation 1 through the filter; the same at the borders."""
  margin = kernel.shape[0] // 2
  noise = rng.standard_normal(
      (shape[0] + 2 * margin, shape[1] + 2 * margin), np.float32)
  # A point needs no filter.
  if np.count_nonzero(kernel) > 1:
    noise = cv2.filter2D(noise, -1, kernel, borderType=cv2.BORDER_REFLECT)
  return noise[margin:margin + shape[0], margin:margin + shape[1]]
