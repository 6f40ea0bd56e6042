"""Durations: how long each frame of a film is shown, by its timestamps."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from revive_jax.video import probe, sandbox


class Durations(Mapping):
  """How long the frame of each timestamp is shown, in order of time.

  Two numbers a frame: a dictionary takes ten times as much, which counts over
  two hours.
  """

  def __init__(self, stamps: np.ndarray, lengths: np.ndarray):
    """stamps: [N] int64, in order; lengths: [N] int64."""
    self._stamps, self._lengths = stamps, lengths

  def __getitem__(self, stamp: int) -> int:
    place = int(np.searchsorted(self._stamps, stamp))
    if place == len(self._stamps) or self._stamps[place] != stamp:
      raise KeyError(stamp)
    return int(self._lengths[place])

  def __iter__(self) -> Iterator[int]:
    return map(int, self._stamps)

  def __len__(self) -> int:
    return len(self._stamps)

  @property
  def stamps(self) -> np.ndarray:
    """[N], in order."""
    return self._stamps


def of(
    stamps: Sequence[int], info: probe.VideoInfo | None = None
) -> Durations:
  """How long the frame of each timestamp is shown.

  Until the next one. The last is shown until the source ends, where its header
  says when; but no longer than any other, for headers of damaged files lie.

  Args:
    stamps: of all frames, each once, in any order; in the source's time base.
    info: of the source, if there is one.
  """
  ordered = np.sort(np.asarray(stamps, np.int64))
  steps = np.diff(ordered)
  usual = _median_low(steps) if len(steps) else (
      max(1, round(1 / (info.frame_rate * info.time_base))) if info else 1)
  last = _end(info) - int(ordered[-1]) if info and len(ordered) else 0
  if not 0 < last <= (steps.max() if len(steps) else usual):
    last = usual
  return Durations(ordered, np.append(steps, last)[:len(ordered)])


def _median_low(values):
  middle = (len(values) - 1) // 2
  return int(np.partition(values, middle)[middle])


def _end(info) -> int:
  """When the source ends, in its time base; 0: nobody knows."""
  if info.kind != 'video' or not info.path:
    return 0
  if sandbox.covers(info.path):
    return sandbox.call(_end, info.path, info)
  with probe.open_video(info.path) as container:
    end = probe.declared_end(container, container.streams.video[0])
  return round(end / info.time_base) if end else 0
