"""Joins what was repaired with the source's own samples, plane by plane."""

import numpy as np

from revive_jax.video import color, formats


def changed_pixels(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
  """Returns where RGB pixels differ, [H, W] bool, or None for nowhere.

  after may be uint16 where before is uint8; 257 is then the step.
  """
  if before is after:
    return None
  deeper = (before.dtype, after.dtype) == (np.uint8, np.uint16)
  if before.shape != after.shape or (
      before.dtype != after.dtype and not deeper):
    raise ValueError(
        f'Output {after.shape} {after.dtype}, source {before.shape} '
        f'{before.dtype}: they must agree.')
  differs = (before * np.uint16(257) if deeper else before) != after
  if not differs.any():
    return None
  return differs[..., 0] | differs[..., 1] | differs[..., 2]


def _any_of_block(mask: np.ndarray, layout: formats.Layout) -> np.ndarray:
  """Returns [ceil(H / sub_y), ceil(W / sub_x)]: is any pixel of it marked."""
  height, width = mask.shape
  sub_y, sub_x = layout.sub_y, layout.sub_x
  mask = np.pad(mask, ((0, -height % sub_y), (0, -width % sub_x)))
  rows = np.logical_or.reduce([mask[i::sub_y] for i in range(sub_y)])
  return np.logical_or.reduce([rows[:, i::sub_x] for i in range(sub_x)])


def _convert_rows(rgb, planes, layout, changed, noise):
  """Returns planes with their changed samples converted from rgb."""
  blocks = _any_of_block(changed, layout) if layout.kind == 'yuv' else None
  rows = np.flatnonzero(changed.any(1))
  start = rows[0] // layout.sub_y * layout.sub_y
  stop = -(-(rows[-1] + 1) // layout.sub_y) * layout.sub_y
  # Chroma between rows is a mean over the blocks above and below, too.
  above = min(start, layout.sub_y) if layout.siting else 0
  below = layout.sub_y if layout.siting else 0
  height = len(rgb)
  start, stop = start - above, stop + below
  stop = min(stop, height)
  steps = [(start, stop)] + [
      (start // layout.sub_y, -(-stop // layout.sub_y))] * 2
  if noise is not None:
    noise = tuple(None if n is None else n[first:last] for n, (first, last) in
                  zip(noise, steps, strict=False))
  fresh = color.to_planes(rgb[start:stop], layout, noise)
  result = []
  for i, (old, new) in enumerate(zip(planes, fresh, strict=True)):
    part = np.s_[steps[i][0]:steps[i][0] + len(new)]
    where = (blocks if i else changed)[part]
    if old.ndim == 3:
      where = where[..., None]
    merged = old.copy()
    np.copyto(merged[part], new, where=where)
    result.append(merged)
  return tuple(result)


def _is_exact(source: formats.Layout, target: formats.Layout) -> bool:
  """Returns whether the luma of target says the same, and all of it."""
  if source.full != target.full:
    return False
  return source.bits == target.bits or (
      source.bits < target.bits and not source.full)


def splice(
    rgb: np.ndarray,
    changed: np.ndarray | None,
    planes: tuple[np.ndarray, ...],
    source: formats.Layout,
    target: formats.Layout,
    noise: tuple[np.ndarray | None, ...] | None = None,
) -> tuple[tuple[np.ndarray, ...], int]:
  """Returns the planes to write, in target, and how many pixels are untouched.

  rgb: [H, W, 3], the output; changed: [H, W] bool, where it differs from the
  source, or None; planes: the source's, in layout source. Samples of pixels
  that did not change are copied as they are; a chroma sample only if no pixel
  of its block did. If the layouts differ they are converted from the planes,
  not over RGB, where that can be. noise: as of color.to_planes, or None; added
  where bits are dropped.
  """
  untouched = rgb.shape[0] * rgb.shape[1]
  if changed is not None:
    untouched -= int(np.count_nonzero(changed))
  if source != target:
    planes = color.convert(
        planes, source, target, noise if target.bits < source.bits else None)
    if planes is None:
      return color.to_planes(rgb, target, noise), 0
    if not _is_exact(source, target):
      untouched = 0
  if changed is None:
    return planes, untouched
  return _convert_rows(rgb, planes, target, changed, noise), untouched
