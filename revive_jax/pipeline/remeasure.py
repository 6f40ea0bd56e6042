"""Measure again: the restored film, by the shots of the source."""

from collections.abc import Iterable, Sequence
import dataclasses
import itertools
import math

import numpy as np

from revive_jax.pipeline import measure

MOST = 240  # Ten seconds say enough of a shot.
_NUMBERS = ('noise', 'flicker', 'spots', 'scratches', 'cracks', 'edge_width',
            'low', 'high')


def remeasure(
    frames: Iterable[np.ndarray], shots: Sequence[measure.Shot], *,
    frame_rate: float, motion: bool = False, most: int = MOST
) -> list[measure.Shot]:
  """What measure.measure() says of each shot's frames by themselves.

  Args:
    frames: [H, W, 3] RGB, uint8 or uint16, of the restored film.
    shots: of the source.
    frame_rate: frames per second.
    motion: as of measure.measure.
    most: frames of a shot that are measured; the first ones.

  Raises:
    ValueError: there are fewer frames than in shots.
  """
  frames, found = iter(frames), []
  for shot in shots:
    length = shot.stop - shot.start
    parts, count = measure.measure(
        itertools.islice(frames, min(length, most)),
        frame_rate=frame_rate, motion=motion)
    count += sum(1 for _ in itertools.islice(frames, max(length - most, 0)))
    if count != length:
      raise ValueError(f'Shot [{shot.start}, {shot.stop}) has {count} frames.')
    found.append(_joined(parts, shot))
  return found


def _joined(
    parts: Sequence[measure.Shot], shot: measure.Shot
) -> measure.Shot:
  """One shot of parts: a cut that only shows after restoring is none here."""
  counts = np.array([p.stop - p.start for p in parts], np.float64)
  values = {}
  for name in _NUMBERS:
    each = np.array([getattr(p, name) for p in parts], np.float64)
    known = np.isfinite(each)
    values[name] = float(np.average(each[known], weights=counts[known])) if (
        known.any()) else math.nan
  together = lambda name: np.concatenate([getattr(p, name) for p in parts])
  return dataclasses.replace(
      parts[0], start=shot.start, stop=shot.stop, key_frame=shot.key_frame,
      grey=shot.grey, **values, **{
          name: together(name) for name in ('comparisons', 'steps', 'changes')})
