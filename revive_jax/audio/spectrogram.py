"""Pictures of a track: what sounded when, before and after."""

from collections.abc import Iterable

import cv2
import numpy as np
from scipy import fft

_FLOOR = -100.  # dB of full scale, drawn black.
_WINDOW = 0.046  # Seconds.
_GAP = 6  # Rows between two pictures.


class Columns:
  """Spectra of a track, gathered evenly over its length. Feed it with add."""

  def __init__(self, rate: int, width: int):
    self._size = 2 ** max(6, round(np.log2(_WINDOW * rate)))
    self._most, self._step = 2 * width, 1
    self._seen, self._kept, self._rest = 0, [], None

  def add(self, samples: np.ndarray) -> None:
    """Takes [N, channels] more; the channels are averaged."""
    wave = samples.mean(1)
    if self._rest is not None:
      wave = np.concatenate([self._rest, wave])
    count = len(wave) // self._size
    self._rest = wave[count * self._size:]
    for window in wave[:count * self._size].reshape(-1, self._size):
      if self._seen % self._step == 0:
        self._kept.append(window)
      self._seen += 1
      if len(self._kept) > self._most:
        self._kept, self._step = self._kept[::2], 2 * self._step

  def levels(self) -> np.ndarray:
    """Returns levels [F, M], dB of full scale, the highest pitch first."""
    windows = np.array(self._kept or [np.zeros(self._size)])
    taper = np.hanning(self._size)
    size = np.abs(fft.rfft(windows * taper)) * (2 / taper.sum())
    return 20 * np.log10(np.maximum(size.T[::-1], 1e-10))


def picture(levels: np.ndarray, width: int, height: int) -> np.ndarray:
  """Returns levels [F, M], in dB, as a picture [height, width, 3] uint8 RGB."""
  grey = np.uint8(np.clip(255 * (1 - levels / _FLOOR), 0, 255))
  grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
  return cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1]


def before_after(
    before: Iterable[np.ndarray], after: Iterable[np.ndarray], rate: int, *,
    width: int = 960, height: int = 240
) -> np.ndarray:
  """Returns the spectrograms of two tracks, one above the other, uint8 RGB.

  before, after: blocks of [n, channels]; rate: Hz. Time runs to the right,
  pitch upwards from 0 to half of rate; black is -100 dB of full scale, bright
  is 0 dB. The size is [2 * height + 6, width, 3]; memory does not grow with
  the tracks.
  """
  pictures = []
  for blocks in (before, after):
    columns = Columns(rate, width)
    for block in blocks:
      columns.add(block)
    pictures.append(picture(columns.levels(), width, height))
  gap = np.full((_GAP, width, 3), 255, np.uint8)
  return np.concatenate([pictures[0], gap, pictures[1]])
