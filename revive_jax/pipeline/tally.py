"""What a restore has done to pixels: counted on their way to the writer."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from revive_jax import types
from revive_jax.explain import origin
from revive_jax.ops import windows
from revive_jax.pipeline import output, run
from revive_jax.video import writer

COUNTED = ('pixels', 'changed', 'damaged', 'moved', 'invented', 'spared')
SEGMENT = 48  # Frames after which a run could go on, at least.


def grouped(
    found: Sequence[windows.Segment], least: int | None = None
) -> list[list[windows.Segment]]:
  """Windows in groups of SEGMENT frames (or least), or up to a window more."""
  groups = [[]]
  for window in found:
    groups[-1].append(window)
    if sum(w.core_stop - w.core_start for w in groups[-1]) >= (
        least or SEGMENT):
      groups.append([])
  return [g for g in groups if g]


def output_frames(
    window: run.Window, tally: dict[str, int], *, is_deep: bool,
    layered: bool = False,
) -> Iterator[writer.OutputFrame]:
  """The frames of a window for the writer; counts what was done in tally.

  is_deep: whether they have 16 bits, whatever the source has. layered: whether
  they say what was done at each pixel.
  """
  clip = window.clip
  dtype = np.uint16 if is_deep else np.uint8
  for t, source in enumerate(window.frames):
    rgb = np.rint(clip.output[t] * np.float32(np.iinfo(dtype).max)).astype(
        dtype)
    before = source.rgb
    if before.dtype != dtype:
      before = before.astype(np.uint16) * 257
    tally['pixels'] += rgb[..., 0].size
    tally['changed'] += int(np.count_nonzero(output.differ(rgb, before)))
    if clip.hidden is not None:  # No map may show what was there.
      before = np.where(clip.hidden[t], 0, before).astype(dtype)
    if clip.damage is not None:
      tally['damaged'] += int(np.count_nonzero(clip.damage[t] > 0.5))
    if clip.damage_kind is not None:
      tally['spared'] += int(np.count_nonzero(
          clip.damage_kind[t] == types.DamageKind.MOVING))
    if clip.origin is not None:
      for name in ('moved', 'invented'):
        value = types.Origin[name.upper()]
        tally[name] += int(np.count_nonzero(clip.origin[t] == value))
    yield writer.OutputFrame(
        source, rgb, _shared(origin.layers(clip, t, before, rgb), source)
        if layered else None, before)


def _shared(found, source):
  """Layers of a frame as it will be written: chroma is shared by pixels."""
  if source.layout is None:
    return found
  grid = source.layout.sub_x, source.layout.sub_y
  if not source.by_field:
    return origin.shared(found, *grid)
  for first in (0, 1):  # Chroma is of each field by itself.
    rows = origin.shared({k: v[first::2] for k, v in found.items()}, *grid)
    for name, layer in rows.items():
      found[name][first::2] = layer
  return found


def drawn(
    frame: writer.OutputFrame, rgb: np.ndarray, counts: dict[str, int]
) -> writer.OutputFrame:
  """The frame with what was drawn into it: rgb, as its own.

  counts: of output_frames, as in all that changes what it counted.
  """
  _recount(frame, rgb, counts)
  return dataclasses.replace(
      frame, rgb=rgb, layers=origin.drawn(frame.layers, frame.rgb, rgb))


def marked(
    frame: writer.OutputFrame, rgb: np.ndarray, counts: dict[str, int]
) -> writer.OutputFrame:
  """The frame with an invisible mark in its light: rgb.

  What was the source's own stays so, a little lighter or darker; the change
  says by how much.
  """
  _recount(frame, rgb, counts)
  found = frame.layers
  if found is not None and frame.before is not None:
    found = {**found, 'change': _shared(
        {'change': origin.change(frame.before, rgb),
         'origin': found['origin'].copy()}, frame.source)['change']}
  return dataclasses.replace(frame, rgb=rgb, layers=found)


def _recount(frame, rgb, counts) -> None:
  """Counts what differs from the source in rgb, not in the frame's own."""
  if frame.before is not None:  # Else it was made: all of it is changed.
    for sign, picture in ((1, rgb), (-1, frame.rgb)):
      counts['changed'] += sign * int(
          np.count_nonzero(output.differ(picture, frame.before)))


def summed(
    notes: Sequence[Mapping[str, Any]], num_shots: int
) -> list[dict[str, int]]:
  """The tallies of all segments, by shot; notes: of pipeline.segments."""
  total = [dict.fromkeys(COUNTED, 0) for _ in range(num_shots)]
  for note in notes:
    for shot, counts in note['tallies'].items():
      for key, value in counts.items():
        total[int(shot)][key] += value
  return total
