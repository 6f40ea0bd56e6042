"""Durations: how long each frame of a film is shown, by its timestamps."""

from collections.abc import Sequence
import statistics

from revive_jax.video import probe


def of(
    stamps: Sequence[int], info: probe.VideoInfo | None = None
) -> dict[int, int]:
  """How long the frame of each timestamp is shown, by timestamp.

  Until the next one. The last is shown until the source ends, where its header
  says when; but no longer than any other, for headers of damaged files lie.

  Args:
    stamps: of all frames, each once, in any order; in the source's time base.
    info: of the source, if there is one.
  """
  ordered = sorted(stamps)
  steps = [b - a for a, b in zip(ordered[:-1], ordered[1:], strict=True)]
  usual = statistics.median_low(steps) if steps else (
      max(1, round(1 / (info.frame_rate * info.time_base))) if info else 1)
  last = _end(info) - ordered[-1] if info and ordered else 0
  if not 0 < last <= max(steps, default=usual):
    last = usual
  return dict(zip(ordered, [*steps, last], strict=False))


def _end(info) -> int:
  """When the source ends, in its time base; 0: nobody knows."""
  if info.kind != 'video' or not info.path:
    return 0
  with probe.open_video(info.path) as container:
    end = probe.declared_end(container, container.streams.video[0])
  return round(end / info.time_base) if end else 0
