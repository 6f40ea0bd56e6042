"""A passage: the frames of a film from one on, without reading all before it.

What is found is checked against the timestamps of a reading of the whole film,
frame by frame; where they differ, or the file is damaged or its frames are made
of others, it is read from the start, as always.
"""

from collections.abc import Iterator, Sequence
import itertools

import av

from revive_jax.video import deinterlace, formats, probe, reader, sandbox

_NEAR = 64  # Frames: to seek to one that is nearer to the start is no gain.


class OtherFramesError(Exception):
  """What was found is not what a reading of the whole film found."""


def read_from(
    info: probe.VideoInfo, stamps: Sequence[int], *, start: int,
    decision: deinterlace.Decision | None = None,
) -> Iterator[reader.SourceFrame | None]:
  """Yields the frames of a film as reader.read_frames, but None before start.

  (Or frames before it, too, where the film had to be read from its beginning.)

  Args:
    info: of the film.
    stamps: timestamps of all of its frames, from a reading of the whole; none
      if it found a frame that is not as filmed.
    start: the first frame that is wanted.
    decision: what is done with fields.
  """
  whole = reader.read_frames(info, decision=decision)
  as_stored = info.kind == 'video' and (decision is None or not (
      decision.changes or decision.keeps_fields))
  if not len(stamps) or start < _NEAR or not as_stored:
    yield from whole
    return
  count = start
  yield from itertools.repeat(None, start)
  try:
    for frame in reader.coloured(_found(info, stamps, start)):
      yield frame
      count += 1
  except (OtherFramesError, av.FFmpegError):
    yield from itertools.islice(whole, count, None)


def _found(info, stamps, start):
  """The frames from start on, of a worker if nobody vouches for the film."""
  wanted = [int(s) for s in stamps[start:]]
  if not sandbox.covers(info.path):
    yield from _sought(info, wanted, start)
    return
  for frame in sandbox.stream(
      _sought_or_none, info.path, info, wanted, start, warn=lambda _: None):
    if frame is None:
      raise OtherFramesError
    yield frame


def _sought_or_none(info, wanted, start, *, warn):
  """The frames; and None where they are not those that are wanted."""
  del warn  # The reading of the whole film has said it.
  try:
    yield from _sought(info, wanted, start)
  except (OtherFramesError, av.FFmpegError):
    yield None


def _sought(info, wanted, start):
  """Yields the frames of these timestamps; the first is frame start."""
  with probe.open_video(info.path) as container:
    stream = probe.video_stream(container, info.path)
    seek(container, stream, wanted[0])
    stream.thread_type = 'AUTO'
    count = 0
    for frame in container.decode(stream):
      if frame.pts is None or frame.is_corrupt:
        raise OtherFramesError
      if frame.pts < wanted[0]:
        continue
      if count == len(wanted) or frame.pts != wanted[count] or (
          frame.width, frame.height) != (info.width, info.height):
        raise OtherFramesError
      layout = reader.frame_layout(frame, info)
      yield reader.SourceFrame(
          start + count, frame.pts, None, formats.read_planes(frame, layout),
          layout)
      count += 1
  if count < len(wanted):
    raise OtherFramesError


def seek(container, stream, stamp) -> None:
  """Goes to the second key frame before a timestamp.

  One more than is needed: pictures just behind a key frame may be made of
  those before it (open groups of pictures, refresh in steps).
  """
  for _ in range(2):
    container.seek(stamp, stream=stream, backward=True)
    found = next((p.pts if p.dts is None else min(p.pts, p.dts)
                  for p in container.demux(stream) if p.pts is not None), None)
    if found is None:
      raise OtherFramesError
    if found >= stamp or stream.start_time is None or (
        found <= stream.start_time):
      break
    stamp = found - 1
  container.seek(min(stamp, found), stream=stream, backward=True)
