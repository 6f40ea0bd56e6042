"""Borders: the black margins of a scan, which are no scratches."""

from collections.abc import Sequence

import cv2
import numpy as np

from revive_jax import types

NONE = (0, 0, 0, 0)
_MOST = 4  # A border is at most 1 / so much of the height or width.
_DARK, _EVEN = 0.09, 0.1  # Median, and how far 9 of 10 pixels may be above it.
_STEP = 0.05  # The picture is brighter by so much...
_BEHIND = 3  # ...so many px behind the border.
_SOFT = 2  # px of the picture that its blurred edge covers.
_ALONG = 31  # px that are averaged along a border.


def of_frame(luma: np.ndarray) -> list[float]:
  """Black rows above and below, columns left and right, of [H, W] in [0, 1].

  NaN where the picture beside them is too dark to tell.
  """
  return [_side(lines) for lines in (
      luma, luma[::-1], luma.T, luma.T[::-1])]


def _side(lines):
  """Dark lines at the beginning of lines [N, M]."""
  most = len(lines) // _MOST
  thin = lines[:most + 1 + _BEHIND, ::max(1, lines.shape[1] // 256)]
  count = thin.shape[1]
  ordered = np.sort(thin, axis=1)
  middle, high = ordered[:, count // 2], ordered[:, count * 9 // 10]
  light = np.flatnonzero((middle > _DARK) | (high > middle + _EVEN))
  count = light[0] if len(light) else len(thin)
  if not count:
    return 0.0
  if count > most:
    return np.nan
  inside = middle[min(count + _BEHIND, len(middle) - 1)]
  return float(count) if inside > middle[:count].mean() + _STEP else np.nan


def of_shot(found: np.ndarray) -> tuple[int, int, int, int]:
  """The borders that all frames of a shot have; found: [T, 4] of of_frame.

  Where less than half of the frames could tell, there are none.
  """
  if not len(found):
    return NONE
  told = np.isfinite(found)
  least = np.where(told, found, np.inf).min(0)
  return tuple(int(n) if known >= 0.5 else 0
               for n, known in zip(least, told.mean(0), strict=True))


def boxes(widths: Sequence[int], beyond: int = _SOFT) -> list[tuple]:
  """Indices of [H, W] for the borders that are there, and px beyond them."""
  top, bottom, left, right = (
      width + beyond if width else 0 for width in widths)
  return [box for box, width in (
      (np.s_[:top, :], top), (np.s_[-bottom:, :], bottom),
      (np.s_[:, :left], left), (np.s_[:, -right:], right)) if width]


def within(
    size: Sequence[int], widths: Sequence[int]
) -> tuple[slice, slice]:
  """The rectangle of (H, W, ...) inside borders and their blurred edges."""
  top, bottom, left, right = (
      width + _SOFT if width else 0 for width in widths)
  return np.s_[top:size[0] - bottom, left:size[1] - right]


def places(
    size: tuple[int, int], widths: Sequence[int]
) -> np.ndarray:
  """Where borders and their blurred edges are, bool of size (H, W)."""
  mask = np.zeros(size, bool)
  for box in boxes(widths):
    mask[box] = True
  return mask


def undamaged(clip: types.Clip, widths: Sequence[int]) -> types.Clip:
  """The clip without damage in its borders, but for what the user marked."""
  if not any(widths) or clip.damage is None:
    return clip
  free = np.broadcast_to(
      places(clip.source.shape[1:3], widths)[..., None], clip.damage.shape)
  if clip.user_mask is not None:
    free = free & (clip.user_mask < 0.5)
  no = lambda x, value: None if x is None else np.where(
      free, np.asarray(value, x.dtype), x)
  return clip.replace(
      damage=no(clip.damage, 0),
      damage_kind=no(clip.damage_kind, types.DamageKind.NONE),
      origin=no(clip.origin, types.Origin.DENOISED))


def evened(frame: np.ndarray, widths: Sequence[int]) -> np.ndarray:
  """[H, W, C] of any type, its borders averaged along themselves."""
  result = frame.copy()
  for box in boxes(widths, beyond=0):
    upright = box[0] == slice(None)
    result[box] = cv2.blur(
        np.ascontiguousarray(frame[box]),
        (1, _ALONG) if upright else (_ALONG, 1))
  return result
