"""A long track in pieces: blocks of one length, and work with overlap."""

from collections.abc import Callable, Iterable, Iterator
import itertools

import numpy as np

# Repairs lay their windows on this grid, counted from the first sample of the
# track: so a result does not depend on where the borders of the blocks are.
GRID = 32768


def regroup(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
  """Yields the samples of blocks, [n, channels], by size; the last is less."""
  waiting, count = [], 0
  for block in blocks:
    waiting.append(block)
    count += len(block)
    while count >= size:
      joined = np.concatenate(waiting)
      yield joined[:size]
      waiting = [joined[size:]]
      count -= size
  if count:
    yield np.concatenate(waiting)


def overlapped(
    blocks: Iterable[np.ndarray],
    change: Callable[[np.ndarray, int], np.ndarray],
    *,
    size: int,
    reach: int,
) -> Iterator[np.ndarray]:
  """Yields change(samples), piece by piece; the length stays.

  change: takes [n, channels] and the index of their first sample in the track;
  returns as many. What it makes of a sample may depend on reach samples on
  either side and no more. size: samples per piece; like reach a multiple of
  GRID. Memory: some multiple of size + 2 * reach samples.
  """
  if size % GRID or reach % GRID or size <= 0 or reach < 0:
    raise ValueError(f'size={size}, reach={reach}: multiples of {GRID} wanted.')
  before, start = None, 0  # The samples before the next piece to yield.
  held = None
  for block in itertools.chain(regroup(blocks, size), [None]):
    if block is not None:
      held = block if held is None else np.concatenate([held, block])
    least = 1 if block is None else size + reach  # At the end all goes.
    while held is not None and len(held) >= least:
      before = held[:0] if before is None else before
      yield _core(change, before, held[:size + reach], start, size)
      before = np.concatenate([before, held[:size]])[-reach:] if reach else (
          held[:0])
      held = held[size:]
      start += size


def _core(change, before, rest, start, size):
  result = change(np.concatenate([before, rest]), start - len(before))
  return result[len(before):][:size]
