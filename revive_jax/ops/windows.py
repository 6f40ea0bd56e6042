"""Cutting a film into windows and a frame into tiles, and joining them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Segment(NamedTuple):
  """Frames [start, stop) are read, [core_start, core_stop) are kept."""

  start: int
  stop: int
  core_start: int
  core_stop: int


def cut_segments(
    shots: Sequence[tuple[int, int]], *, window: int, context: int
) -> list[Segment]:
  """Cuts shots into windows that overlap by context, never across a shot.

  The cuts depend on the shots and the two lengths alone, so that a run that
  was interrupted, or shared among machines, computes the same windows.

  Args:
    shots: frame ranges [start, stop), in order, without gaps.
    window: frames kept of each segment, at most.
    context: frames read before and after those, where the shot has them.
  """
  if window < 1 or context < 0:
    raise ValueError(f'window={window} < 1 or context={context} < 0.')
  segments = []
  for first, last in shots:
    for core in range(first, last, window):
      core_stop = min(core + window, last)
      segments.append(Segment(
          max(first, core - context), min(last, core_stop + context),
          core, core_stop))
  return segments


def tile_size(length: int, tile: int, overlap: int) -> int:
  """Pixels of each of the fewest tiles that cover length, as few as can be.

  Whole sixteens, of which networks need no padding, where tile allows that.

  Args:
    length: to be covered, px.
    tile: the most pixels of a tile; a shorter length is one tile.
    overlap: the least that neighbours have in common, px.
  """
  if not 0 <= overlap < tile:
    raise ValueError(f'overlap={overlap} is not in [0, tile={tile}).')
  if length <= tile:
    return length
  count = _count(length, tile, overlap)
  least = -(-(length + (count - 1) * overlap) // count)
  return min(-(-least // 16) * 16, tile)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
  """First pixels of the tiles of tile_size() that cover length, evenly."""
  rest = length - tile_size(length, tile, overlap)
  if not rest:
    return [0]
  last = _count(length, tile, overlap) - 1
  return [rest * i // last for i in range(last + 1)]


def _count(length, tile, overlap) -> int:
  return -(-(length - overlap) // (tile - overlap))


def _ramp(length: int, before: int, after: int) -> np.ndarray:
  """Weights [length]: rises over the first pixels, falls over the last."""
  up = (np.arange(length) + 1) / (before + 1) if before else np.ones(length)
  down = (np.arange(length) + 1) / (after + 1) if after else np.ones(length)
  return np.minimum(np.minimum(up, down[::-1]), 1).astype(np.float32)


def _axis_weights(length: int, tile: int, overlap: int) -> list[np.ndarray]:
  """One ramp per tile; at every pixel the ramps of all tiles sum to one."""
  starts = tile_starts(length, tile, overlap)
  size = tile_size(length, tile, overlap)
  ramps = []
  for i, start in enumerate(starts):
    before = starts[i - 1] + size - start if i else 0
    after = start + size - starts[i + 1] if i + 1 < len(starts) else 0
    ramps.append(_ramp(size, before, after))
  total = np.zeros(length, np.float32)
  for start, ramp in zip(starts, ramps, strict=True):
    total[start:start + size] += ramp
  return [r / total[s:s + size] for s, r in zip(starts, ramps, strict=True)]


def map_tiles(
    function: Callable[[int, int, int, int], dict[str, np.ndarray]],
    height: int, width: int, *, tile: int, overlap: int,
) -> dict[str, np.ndarray]:
  """Calls function on overlapping tiles and blends what it returns.

  Args:
    function: (top, bottom, left, right) to arrays [T, bottom - top,
      right - left, ...]. Float arrays are blended with weights that sum to
      one; of integer arrays the tile with the largest weight is taken.
    height: of the frame, px.
    width: of the frame, px.
    tile: longest side of a tile, px; a frame that fits into one is not cut.
    overlap: of neighbouring tiles, px, at least.

  Returns:
    The same names as function returns, with arrays [T, height, width, ...].
  """
  if max(height, width) <= tile:
    return function(0, height, 0, width)
  rows = zip(tile_starts(height, tile, overlap),
             _axis_weights(height, tile, overlap), strict=True)
  columns = list(zip(tile_starts(width, tile, overlap),
                     _axis_weights(width, tile, overlap), strict=True))
  result, best = {}, np.zeros((height, width), np.float32)
  for top, row in rows:
    for left, column in columns:
      weight = row[:, None] * column
      box = (slice(top, top + row.size), slice(left, left + column.size))
      values = function(top, top + row.size, left, left + column.size)
      wins = weight > best[box]
      best[box] = np.maximum(best[box], weight)
      for name, value in values.items():
        _place(result, name, value, box, weight, wins, (height, width))
  return result


def _place(result, name, value, box, weight, wins, size):
  """Adds one tile of the array called name to result."""
  if name not in result:
    result[name] = np.zeros((value.shape[0], *size, *value.shape[3:]),
                            value.dtype)
  target = result[name][:, box[0], box[1]]
  extra = (1,) * (value.ndim - 3)
  if np.issubdtype(value.dtype, np.floating):
    weight = weight.reshape(*weight.shape, *extra)
    for result, part in zip(target, value, strict=True):
      result += part * weight
  else:
    np.copyto(target, value, where=wins.reshape(1, *wins.shape, *extra))
