"""A stretch: a few frames of a film whose fields become frames, read alone.

What deinterlaces looks at a frame and its neighbours, so that some frames of
the file around a stretch are enough. Telecined film is not read so: its cadence
is followed from its start.
"""

import bisect
from collections.abc import Iterator, Sequence
import dataclasses
import itertools
from typing import NamedTuple

import av

from revive_jax.video import (
    deinterlace,
    formats,
    interlace,
    passage,
    probe,
    reader,
    sandbox,
)

_AROUND = 2  # Frames before and after that a filter is given.
_ONLY_SEEN = 'only looked at'  # An action that gives frames as they are.


class _Part(NamedTuple):
  """What of the file is read for a stretch."""

  stamps: list[int]  # Of the frames of the file.
  decision: deinterlace.Decision  # As if the file had no others.
  first: int  # Number of the first frame that they become.


def read(
    info: probe.VideoInfo, stamps: Sequence[int], start: int, stop: int, *,
    decision: deinterlace.Decision
) -> list[reader.SourceFrame] | None:
  """Frames [start, stop) of a film, as reader.read_frames gives them.

  Args:
    info: of the film, as probed.
    stamps: timestamps of all of its frames, as read with this decision.
    start: the first frame that is wanted.
    stop: the one after the last.
    decision: of reader.decide_interlace.

  Returns:
    The frames; None where they cannot be had without those before them.
  """
  part = info.kind == 'video' and _part(stamps, start, stop, decision)
  if not part:
    return None
  wanted = [int(s) for s in stamps[start:stop]]
  options = dict(start=start, part=list(part.stamps), first=part.first,
                 decision=part.decision)
  try:
    if sandbox.covers(info.path):
      found = sandbox.stream(_read, info.path, info, wanted,
                             warn=lambda said: None, **options)
    else:
      found = _read(info, wanted, warn=None, **options)
    frames = [dataclasses.replace(f, by_field=decision.by_field(f.index))
              for f in found]
  except (passage.OtherFramesError, av.FFmpegError):
    return None
  if [f.pts for f in frames] != wanted:
    return None
  return list(reader.coloured(f for f in frames))


def _part(stamps, start, stop, decision) -> _Part | None:
  """What is to be read; None: a cadence, or a border, is in it."""
  ends = list(itertools.accumulate(decision.counts, initial=0))
  number = bisect.bisect_right(ends, start) - 1
  if number >= len(decision.segments) or stop > ends[number + 1]:
    return None
  segment, action = decision.segments[number], decision.actions[number]
  offset, count = ends[number], decision.counts[number]
  each = count // len(segment)
  if segment.kind == interlace.TELECINED or each * len(segment) != count:
    return None
  place = lambda t: segment.start + (t - offset) // each
  begin = max(0, place(start) - _AROUND)
  end = min(decision.frames_in, place(stop - 1) + 1 + _AROUND)
  first, last = max(begin, segment.start), min(end, segment.stop)
  found = [_stamp(stamps, decision, i) for i in range(begin, end)]
  if None in found:
    return None
  parts = [
      (dataclasses.replace(segment, start=0, stop=b - a), act, k)
      for a, b, act, k in ((begin, first, _ONLY_SEEN, 1),
                           (first, last, action, each),
                           (last, end, _ONLY_SEEN, 1)) if b > a]
  return _Part(found, deinterlace.Decision(
      decision.mode, tuple(p for p, _, _ in parts),
      tuple(a for _, a, _ in parts), tuple(k * len(p) for p, _, k in parts),
      decision.factor), offset + each * (first - segment.start) - (
          first - begin))


def _stamp(stamps, decision, number) -> int | None:
  """The timestamp of a frame of the file, by those of what it becomes."""
  offset = 0
  for segment, count in zip(decision.segments, decision.counts, strict=True):
    if segment.start <= number < segment.stop:
      each = count // len(segment)
      if segment.kind == interlace.TELECINED or each * len(segment) != count:
        return None
      stamp, rest = divmod(
          int(stamps[offset + each * (number - segment.start)]),
          decision.factor)
      return None if rest else stamp
    offset += count
  return None


def _read(info, wanted, *, warn, start, part, first, decision
          ) -> Iterator[reader.SourceFrame]:
  """Yields the frames from number start on, without their RGB.

  wanted: their timestamps. part, first, decision: see _Part.
  """
  del warn  # The reading of the whole film has said it.
  made = deinterlace.apply(_decoded(info, part), decision)
  for number, frame in enumerate(made, first):
    if number < start:
      continue
    if number == start + len(wanted):
      return
    layout = reader.frame_layout(frame, info)
    yield reader.SourceFrame(
        number, frame.pts, None, formats.read_planes(frame, layout), layout)


def _decoded(info, stamps) -> Iterator[av.VideoFrame]:
  """Yields the frames of the file with these timestamps, one after another."""
  count = 0
  with probe.open_video(info.path) as container:
    stream = probe.video_stream(container, info.path)
    passage.seek(container, stream, stamps[0])
    stream.thread_type = 'AUTO'
    for frame in container.decode(stream):
      if frame.pts is None or frame.is_corrupt:
        raise passage.OtherFramesError
      if frame.pts < stamps[0]:
        continue
      if frame.pts != stamps[count]:
        raise passage.OtherFramesError
      frame.time_base = info.time_base
      yield frame
      count += 1
      if count == len(stamps):
        return
  raise passage.OtherFramesError
