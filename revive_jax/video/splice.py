"""Joins what was repaired with the source's own samples, plane by plane."""

import numpy as np

from revive_jax.video import color, formats


def changed_pixels(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
  """Returns where RGB pixels differ, [H, W] bool, or None for nowhere."""
  if before is after:
    return None
  if before.shape != after.shape or before.dtype != after.dtype:
    raise ValueError(
        f'Output {after.shape} {after.dtype}, source {before.shape} '
        f'{before.dtype}: they must agree.')
  differs = before != after
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


def _convert_rows(rgb, planes, layout, changed, chroma_changed):
  """Returns planes with their changed samples converted from rgb."""
  rows = np.flatnonzero(changed.any(1))
  start = rows[0] // layout.sub_y * layout.sub_y
  stop = -(-(rows[-1] + 1) // layout.sub_y) * layout.sub_y
  fresh = color.to_planes(rgb[start:stop], layout)
  result = []
  for i, (old, new) in enumerate(zip(planes, fresh, strict=True)):
    first = start // (layout.sub_y if i else 1)
    part = np.s_[first:first + len(new)]
    where = (chroma_changed if i else changed)[part]
    if old.ndim == 3:
      where = where[..., None]
    merged = old.copy()
    np.copyto(merged[part], new, where=where)
    result.append(merged)
  return tuple(result)


def splice(
    rgb: np.ndarray,
    changed: np.ndarray | None,
    planes: tuple[np.ndarray, ...],
    source: formats.Layout,
    target: formats.Layout,
) -> tuple[tuple[np.ndarray, ...], int]:
  """Returns the planes to write, in target, and how many pixels are untouched.

  rgb: [H, W, 3], the output; changed: [H, W] bool, where it differs from the
  source, or None; planes: the source's, in layout source. Samples of pixels
  that did not change are copied as they are; a chroma sample only if no pixel
  of its block did. If the layouts differ, only the luma can be copied, and
  only if it means the same in both.
  """
  untouched = rgb.shape[0] * rgb.shape[1]
  if changed is not None:
    untouched -= int(np.count_nonzero(changed))
  if source == target:
    if changed is None:
      return planes, untouched
    blocks = _any_of_block(changed, target) if target.kind == 'yuv' else None
    return _convert_rows(rgb, planes, target, changed, blocks), untouched
  fresh = color.to_planes(rgb, target)
  same_luma = (
      source.kind != 'rgb' and target.kind != 'rgb'
      and (source.bits, source.full) == (target.bits, target.full)
      and (source.kind == 'grey' or source.matrix == target.matrix))
  if not same_luma:
    return fresh, 0
  luma = planes[0].copy()
  if changed is not None:
    np.copyto(luma, fresh[0], where=changed)
  return (luma, *fresh[1:]), untouched
