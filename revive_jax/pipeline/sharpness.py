"""Sharpness: how wide edges are, and an unsharp mask that fits them."""

import math

import cv2
import numpy as np

_STRONGEST = 97  # Percentile of pixels that are looked at: where detail is.
_AROUND = 7  # Side of what is around a pixel.
_SEEN = 1.0 / 255  # Weaker detail than this says nothing.
_EDGE = 1 / 7  # Of height and width at each side: bars are as wide.
# What ratio() says of a step edge under a Gaussian of so many px.
_WIDTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6)
_RATIOS = (-0.03, -0.28, -0.55, -0.80, -1.03, -1.24, -1.42, -1.57, -1.70, -1.92,
           -2.07, -2.19)
_WIDE = 1.15  # px; wider edges are measured on a smaller picture.
# Edges of good pictures are narrower than the first, px; those as wide as the
# second are sharpened with full strength, an unsharp mask of this gain. After a
# Gaussian more would be closer (benchmarks/sharpness.py), after what a lens or
# a hand does it would not.
SOFT, GAIN = (0.7, 1.45), 4.5


def softened(x: np.ndarray, step: int = 1) -> np.ndarray:
  """x [H, W] or [H, W, C] under (1, 2, 1) / 4 both ways, taps `step` px apart.
  """
  kernel = np.zeros(2 * step + 1, np.float32)
  kernel[[0, -1]], kernel[step] = 0.25, 0.5
  return cv2.sepFilter2D(x, -1, kernel, kernel,
                         borderType=cv2.BORDER_REFLECT_101)


def ratio(luma: np.ndarray) -> float:
  """Log energy of the finest detail to the next finer, where that is strongest.

  Bands of the pyramid of Burt and Adelson (1983) without its decimation, of
  luma [H, W] in [0, 1]; energies are means around a pixel, and the median over
  the pixels that have most of the second, so that some sharp specks on a soft
  picture do not speak for it. Blur takes the finest first, and there is none of
  it in what is plain: so the scene says less than how sharp it is shown. What
  lies at the edges of the frame is left out: bars, titles, the lines of a
  tape's heads. NaN where there is too little detail.
  """
  first = softened(luma)
  around = lambda x: cv2.blur(x * x, (_AROUND, _AROUND))
  fine, next_ = around(luma - first), around(first - softened(first, 2))
  y, x = (int(n * _EDGE) for n in luma.shape)
  middle = np.s_[y:luma.shape[0] - y, x:luma.shape[1] - x]
  fine, next_ = fine[middle], next_[middle]
  strong = next_ >= np.percentile(next_, _STRONGEST)
  if next_[strong].mean() < _SEEN**2:
    return math.nan
  return float(np.median(np.log(fine[strong] + 1e-9) - np.log(next_[strong])))


def edge_width(luma: np.ndarray) -> float:
  """Gaussian sigma, px, of a step edge that is as soft as [H, W] is, or NaN."""
  found = ratio(luma)
  if math.isnan(found):
    return found
  width = float(np.interp(-found, np.negative(_RATIOS), _WIDTHS))
  if width < _WIDE or min(luma.shape) < 32:
    return width
  # The smaller picture was softened once more, by a variance of 1/2 px^2.
  smaller = edge_width(np.ascontiguousarray(softened(luma)[::2, ::2]))
  if math.isnan(smaller):
    return width
  return math.sqrt(max(4 * smaller**2 - 0.5, _WIDE**2))


def sharpen(frame: np.ndarray, strength: float, sigma: float) -> np.ndarray:
  """Unsharp mask of [H, W, C] in [0, 1].

  It leaves the range of the 3x3 pixels around by a quarter of that range at
  most: so far an edge may overshoot.

  Args:
    frame: the picture.
    strength: in [0, 1].
    sigma: noise of the source; what is below it is not lifted.
  """
  detail = frame - softened(frame)
  floor = np.float32(max(sigma, 0.5 / 255))
  detail *= detail**2 / (detail**2 + floor**2)
  return within(frame + np.float32(GAIN * strength) * detail, frame)


def within(sharp: np.ndarray, frame: np.ndarray) -> np.ndarray:
  """Sharp [H, W, C], kept near the 3x3 pixels around in frame, and in [0, 1].
  """
  kernel = np.ones((3, 3), np.uint8)
  low, high = cv2.erode(frame, kernel), cv2.dilate(frame, kernel)
  more = 0.25 * (high - low)
  return np.clip(sharp, np.maximum(low - more, 0), np.minimum(high + more, 1))
