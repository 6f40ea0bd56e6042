"""Filling holes of one picture from its surroundings. INPAINT by name."""

import cv2
import numpy as np


def _by_opencv(picture: np.ndarray, holes: np.ndarray, method: int):
  """OpenCV's inpainting on the bounding box of the holes; 8 bit inside."""
  rows, columns = np.flatnonzero(holes.any(1)), np.flatnonzero(holes.any(0))
  box = (slice(max(0, rows[0] - 8), rows[-1] + 9),
         slice(max(0, columns[0] - 8), columns[-1] + 9))
  eight = np.round(picture[box] * 255).astype(np.uint8)
  filled = cv2.inpaint(eight, holes[box].astype(np.uint8), 3, method)
  result = picture.copy()
  result[box][holes[box]] = filled[holes[box]].astype(np.float32) / 255
  return result


def telea(picture: np.ndarray, holes: np.ndarray) -> np.ndarray:
  """Fast marching (Telea 2004). picture [H, W, 3] in [0, 1], holes [H, W]."""
  return _by_opencv(picture, holes, cv2.INPAINT_TELEA)


def navier_stokes(picture: np.ndarray, holes: np.ndarray) -> np.ndarray:
  """Isophotes carried in like a fluid (Bertalmio et al. 2001)."""
  return _by_opencv(picture, holes, cv2.INPAINT_NS)


def _along(picture, holes, interpolate):
  """Interpolates across the holes along rows and columns, nearer ends first.

  interpolate(positions known, values known [n, 3], positions wanted).
  """
  result = picture.copy()
  total = np.zeros(picture.shape, np.float32)
  weight = np.zeros(picture.shape[:2], np.float32)
  for axis in (0, 1):
    turned = np.moveaxis(picture, axis, 0)
    marks = np.moveaxis(holes, axis, 0)
    for line, gaps, out, w in zip(
        np.moveaxis(turned, 1, 0), marks.T, np.moveaxis(
            np.moveaxis(total, axis, 0), 1, 0),
        np.moveaxis(weight, axis, 0).T, strict=True):
      known, wanted = np.flatnonzero(~gaps), np.flatnonzero(gaps)
      if not len(wanted) or not len(known):
        continue
      near = np.abs(wanted - known[np.clip(
          np.searchsorted(known, wanted), 0, len(known) - 1)]) + np.abs(
              wanted - known[np.clip(
                  np.searchsorted(known, wanted) - 1, 0, len(known) - 1)])
      share = 1 / near.astype(np.float32) ** 2
      out[wanted] += share[:, None] * interpolate(known, line[known], wanted)
      w[wanted] += share
  done = holes & (weight > 0)
  result[done] = total[done] / weight[done][:, None]
  left = holes & ~done
  if left.any() and done.any():  # Where a whole row meets a whole column.
    return _along(result, left, interpolate)
  if left.any() and (~holes).any():
    result[left] = picture[~holes].mean(0)
  return result


def bilinear(picture: np.ndarray, holes: np.ndarray) -> np.ndarray:
  """Linear interpolation along rows and columns; shorter gaps count more."""
  def linear(known, values, wanted):
    return np.stack([
        np.interp(wanted, known, values[:, c]) for c in range(3)], -1)
  return _along(picture, holes, linear)


def bicubic(picture: np.ndarray, holes: np.ndarray) -> np.ndarray:
  """Cubic Hermite interpolation (Catmull-Rom tangents), as bilinear.

  The tangents at both ends of a gap are the slopes of the two pixels beyond.
  """
  def cubic(known, values, wanted):
    right = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    if len(known) < 4:
      return np.stack([
          np.interp(wanted, known, values[:, c]) for c in range(3)], -1)
    left = right - 1
    x0, x1 = known[left], known[right]
    gap = (x1 - x0).astype(np.float32)
    s = np.clip((wanted - x0) / gap, 0, 1).astype(np.float32)[:, None]
    gap = gap[:, None]
    before, after = np.maximum(left - 1, 0), np.minimum(right + 1,
                                                        len(known) - 1)
    def slope(i, j):
      step = np.maximum(known[j] - known[i], 1)[:, None]
      return (values[j] - values[i]) / step
    m0, m1 = slope(before, left) * gap, slope(right, after) * gap
    return np.clip(
        (2 * s**3 - 3 * s**2 + 1) * values[left] + (s**3 - 2 * s**2 + s) * m0
        + (3 * s**2 - 2 * s**3) * values[right] + (s**3 - s**2) * m1, 0, 1)
  return _along(picture, holes, cubic)


INPAINT = {
    'telea': telea,
    'navier_stokes': navier_stokes,
    'bilinear': bilinear,
    'bicubic': bicubic,
}
