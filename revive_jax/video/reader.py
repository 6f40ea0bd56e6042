"""Frames of a video, a folder of pictures or a picture, one after the other."""

import collections
from collections.abc import Callable, Iterable, Iterator, Sequence
import dataclasses
from typing import Any

import av
import numpy as np

from revive_jax import types
from revive_jax.video import color, formats, images, probe

Warn = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class SourceFrame:
  """One frame as decoded. Its arrays are not to be changed."""

  index: int
  pts: int  # In info.time_base; strictly increasing.
  rgb: np.ndarray  # [H, W, 3] uint8, or uint16 when info.bit_depth > 8.
  planes: tuple[np.ndarray, ...]  # Native, see formats.Layout.
  layout: formats.Layout | None = None  # Of planes; None: that of the info.


class _Timestamps:
  """Makes timestamps strictly increasing, and counts what it had to change."""

  def __init__(self, info: probe.VideoInfo):
    self._step = max(1, round(1 / (info.frame_rate * info.time_base)))
    self._last = None
    self.missing = 0
    self.moved = 0

  def __call__(self, pts: int | None) -> int:
    if pts is None:
      self.missing += 1
      pts = 0 if self._last is None else self._last + self._step
    elif self._last is not None and pts <= self._last:
      self.moved += 1
      pts = self._last + 1
    self._last = pts
    return pts


def _decoded(path: str, warn: Warn) -> Iterator[av.VideoFrame]:
  """Yields the frames that decode; what does not is left out, with a word."""
  errors = 0
  with probe.open_video(path) as container:
    stream = probe.video_stream(container, path)
    stream.thread_type = 'AUTO'
    try:
      for packet in container.demux(stream):
        try:
          frames = packet.decode()
        except av.FFmpegError:
          errors += 1
          continue
        yield from frames
    except av.FFmpegError as e:
      warn(f'{path}: reading stopped early ({e.strerror}).')
  if errors:
    warn(f'{path}: {errors} damaged packets could not be decoded.')


def _frame_layout(frame: av.VideoFrame, info) -> formats.Layout:
  """Returns the layout by the frame's own tags; the file's fill the gaps."""
  matrix, value_range = int(frame.colorspace), int(frame.color_range)
  return formats.layout(
      frame.format.name, info.colorspace if matrix == 2 else matrix,
      value_range or info.color_range, info.height)


def _read_video(info, stop, warn):
  timestamps = _Timestamps(info)
  count = 0
  if formats.has_alpha(info.pix_fmt):
    warn(f'{info.path}: the alpha channel is left out.')
  frames = _decoded(info.path, warn)
  try:
    for frame in frames:
      if stop is not None and count >= stop:
        return
      if (frame.width, frame.height) != (info.width, info.height):
        raise types.BadInput(
            f'{info.path}: frame {count} is {frame.width}x{frame.height}, the '
            f'first was {info.width}x{info.height}; videos that change size '
            'are not supported.')
      layout = _frame_layout(frame, info)
      planes = formats.read_planes(frame, layout)
      yield SourceFrame(count, timestamps(frame.pts),
                        color.to_rgb(planes, layout), planes, layout)
      count += 1
  finally:
    frames.close()
    if timestamps.missing:
      warn(f'{info.path}: {timestamps.missing} frames had no timestamp; '
           f'even spacing at {float(info.frame_rate):g} a second was assumed.')
    if timestamps.moved:
      warn(f'{info.path}: {timestamps.moved} timestamps did not increase '
           'and were moved.')
  if not count:
    raise types.BadInput(f'{info.path}: not one frame could be decoded.')
  if info.frame_count and count < info.frame_count and (
      stop is None or count < stop):
    warn(f'{info.path}: the file promises {info.frame_count} frames, '
         f'{count} could be decoded.')


def _read_images(info, stop, warn):
  paths = ([info.path] if info.kind == 'image'
           else images.list_pictures(info.path))
  had_alpha = False
  deep = info.bit_depth > 8
  for index, path in enumerate(paths[:stop]):
    picture, alpha = images.read_picture(path)
    if picture.shape[:2] != (info.height, info.width):
      raise types.BadInput(
          f'{path}: the picture is {picture.shape[1]}x{picture.shape[0]}, the '
          f'first was {info.width}x{info.height}; all must be of one size.')
    if (picture.dtype == np.uint16) != deep:
      raise types.BadInput(
          f'{path}: 8-bit and 16-bit pictures are mixed in one folder.')
    if alpha and not had_alpha:
      warn(f'{path}: the alpha channel is left out.')
    had_alpha |= alpha
    layout = images.picture_layout(picture)
    planes = (picture,)
    yield SourceFrame(
        index, index, color.to_rgb(planes, layout), planes, layout)


def read_frames(
    info: probe.VideoInfo,
    *,
    stop: int | None = None,
    warn: Warn | None = None,
) -> Iterator[SourceFrame]:
  """Yields the frames in order, one in memory at a time; always the same.

  stop: how many at most. warn: called with a sentence for each kind of damage
  that was worked around (packets that do not decode, a file that ends early,
  timestamps that are missing or do not increase, an alpha channel left out).
  Raises BadInput for a change of size, and if nothing can be decoded.
  """
  if warn is None:
    warn = lambda message: None
  if info.kind == 'video':
    return _read_video(info, stop, warn)
  return _read_images(info, stop, warn)


def windows(
    frames: Iterable[Any], segments: Sequence[tuple[int, int, int, int]]
) -> Iterator[tuple[tuple[int, int, int, int], list[Any]]]:
  """Yields (segment, its frames) for each segment, in order.

  frames: any items in order, the first being number 0. segments: (start, stop,
  core_start, core_stop), half-open, sorted by start, may overlap; the core is
  passed on as it is. Only frames that a segment still needs are kept, so at
  most the longest segment is in memory. Ends early, without an error, if the
  frames do: the caller compares counts.
  """
  frames = iter(frames)
  kept = collections.deque()
  first = 0  # The number of kept[0].
  for segment in segments:
    start, stop = segment[:2]
    if start < first or stop <= start:
      raise ValueError(f'Segments must be sorted and not empty: {segment}.')
    while first < start:
      if kept:
        kept.popleft()
      elif next(frames, kept) is kept:
        return
      first += 1
    while first + len(kept) < stop:
      frame = next(frames, kept)
      if frame is kept:
        break
      kept.append(frame)
    if not kept:
      return
    yield segment, list(kept)[:stop - start]
