"""Frames of a video, a folder of pictures or a picture, one after the other."""

import collections
from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import dataclasses
from typing import Any

import av
import numpy as np

from revive_jax import types
from revive_jax.video import (
  color,
  conceal,
  deinterlace,
  fields,
  formats,
  images,
  interlace,
  probe,
  sandbox,
)

Warn = Callable[[str], None]
_MOST = 0.75  # With fewer frames a packet, two packets make one.
_NAMED = 10  # How many frames are named with their time.


@dataclasses.dataclass(frozen=True)
class SourceFrame:
  """One frame as decoded. Its arrays are not to be changed."""

  index: int
  pts: int  # In info.time_base; strictly increasing.
  # [H, W, 3] uint8, or uint16 when info.bit_depth > 8.
  rgb: np.ndarray | None
  planes: tuple[np.ndarray, ...]  # Native, see formats.Layout.
  layout: formats.Layout | None = None  # Of planes; None: that of the info.
  concealed: str = ''  # Why it is not as filmed: 'repeated', 'damaged', or ''.
  by_field: bool = False  # Interlaced, to be restored field by field.


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
  """Yields a frame for every picture that the file promises, in order.

  What cannot be decoded is filled in; conceal.kind(frame) says so.
  """
  for mended in (False, True):  # Damaged ones alone, where none is good.
    empty = True
    for frame in _attempt(path, mended, warn):
      empty = False
      yield frame
    if not empty:
      return


def _attempt(path, mended, warn):
  with probe.open_video(path) as container:
    stream = probe.video_stream(container, path)
    stream.thread_type = 'AUTO'
    rate = min(filter(None, (stream.average_rate, stream.guessed_rate)),
               default=probe.DEFAULT_RATE)
    promises = conceal.Promises(
        max(1, round(1 / (rate * stream.time_base))),
        ordered=not probe.lacks_pts(container, stream),
        skips='mpeg4' in stream.codec_context.codec.canonical_name)
    notes = []
    yield from conceal.filled(
        _pictures(path, container, stream, promises, notes.append), promises,
        mended=mended)
    for note in notes:
      warn(f'{path}: {note}')
    ending = _ending(container, stream, promises)
    if ending:
      warn(f'{path}: {ending}')


def _ending(container, stream, promises) -> str:
  """Says where a file was cut off; nothing if it is whole."""
  end = float(promises.end * stream.time_base)
  at = f'they end at {conceal.clock(end - promises.start * stream.time_base)}'
  declared = probe.declared_end(container, stream)
  whole = declared is not None and declared - end <= max(
      0.05, 2 * promises.step * stream.time_base)
  frames = probe.indexed_frames(container, stream)
  if whole or promises.count >= (frames or 0) > 0:
    return ''
  if frames:
    return (f'the file promises {frames} frames, {promises.count} could be '
            f'decoded; {at}.')
  if declared is None:
    return ''
  return (f'the file promises {declared - end:.3g} seconds more of pictures '
          f'than it holds; {at}.')


def _in_order(frames, promises):
  """Yields the frames; timestamps that ignore the order of display are left."""
  last = None
  for frame in frames:
    if not promises.ordered:
      frame.pts = (frame.dts if frame.dts is not None or last is None
                   else last + promises.step)
      last = frame.pts
    yield frame


def _pictures(path, container, stream, promises, warn):
  """Yields the frames that decode, those in threads at a broken end too."""
  count, last = 0, None
  for frame in _in_order(
      conceal.pictures(container, stream, promises, warn), promises):
    count, last = count + 1, frame.pts
    yield frame
  by_time = promises.ordered and last is not None
  short = _MOST * promises.count < count < promises.count
  if not (promises.waiting or promises.broken or (short and not by_time)):
    return
  # An error while the decoder is emptied loses what its other threads hold.
  with probe.open_video(path) as container:
    stream = probe.video_stream(container, path)
    stream.codec_context.thread_count = 1
    if by_time:
      with contextlib.suppress(av.FFmpegError):
        container.seek(last, stream=stream)
    again = conceal.Promises(promises.step, ordered=promises.ordered)
    for number, frame in enumerate(_in_order(
        conceal.pictures(container, stream, again, lambda _: None), again)):
      if (frame.pts is not None and frame.pts > last if by_time
          else number >= count):
        yield frame
  promises.errors += max(0, again.failures - promises.failures)


def frame_layout(frame: av.VideoFrame, info) -> formats.Layout:
  """Returns the layout by the frame's own tags; the file's fill the gaps."""
  matrix, value_range = int(frame.colorspace), int(frame.color_range)
  return formats.layout(
      frame.format.name, info.colorspace if matrix == 2 else matrix,
      value_range or info.color_range, info.height, info.chroma_siting)


def _check_size(frame, info, count, seconds):
  if (frame.width, frame.height) != (info.width, info.height):
    raise types.BadInput(
        f'{info.path}: frame {count}, at {conceal.clock(seconds)}, is '
        f'{frame.width}x{frame.height}, the first was '
        f'{info.width}x{info.height}; videos that change size are not '
        'supported, so cut it there and restore the parts one by one.')


class _Notes:
  """The frames that are not as filmed, by what was done, for one sentence."""

  _SENTENCES = {
      conceal.REPEATED: 'could not be decoded; copies of their neighbours '
                        'stand in',
      conceal.DAMAGED: 'are damaged, and kept as the decoder mended them'}

  def __init__(self):
    self._times = {kind: [] for kind in self._SENTENCES}

  def add(self, kind: str, seconds: float) -> None:
    if kind:
      self._times[kind].append(seconds)

  def sentences(self) -> Iterator[str]:
    for kind, times in self._times.items():
      if times:
        named = ', '.join(conceal.clock(t) for t in times[:_NAMED])
        more = len(times) - _NAMED
        yield (f'{len(times)} frames {self._SENTENCES[kind]}: at {named}'
               + (f' and {more} more.' if more > 0 else '.'))


def _stamped(frames, info, timestamps):
  """Yields the frames, checked, with timestamps that increase."""
  start = None
  for count, frame in enumerate(frames):
    frame.pts, frame.time_base = timestamps(frame.pts), info.time_base
    start = frame.pts if start is None else start
    _check_size(frame, info, count,
                float((frame.pts - start) * info.time_base))
    yield frame


def decide_interlace(
    info: probe.VideoInfo, mode: str, *, warn: Warn | None = None,
    shown: Callable[[Iterator[Any]], Iterator[Any]] = iter,
) -> deinterlace.Decision:
  """Measures a film in a pass of its own, and returns what to do with it.

  mode: one of deinterlace.MODES. Pictures are taken as progressive. shown: the
  frames go through it, for progress.
  """
  if mode == 'off' or info.kind != 'video':
    return deinterlace.decide((), mode)
  decision = (_decided_apart if sandbox.covers(info.path) else _decided)(
      info, mode, shown)
  for sentence in deinterlace.warnings(decision) if warn else ():
    warn(f'{info.path}: {sentence}')
  return decision


def _decided(info, mode, shown):
  frames = shown(_decoded(info.path, lambda message: None))
  return deinterlace.decide(interlace.measure(frames), mode)


def _decided_and_said(info, mode, *, warn):
  """Calls warn after each frame."""
  def counted(frames):
    for frame in frames:
      yield frame
      warn()

  return _decided(info, mode, counted)


def _decided_apart(info, mode, shown):
  found = [None]

  def frames():
    for kind, found[0] in sandbox.run(
        _decided_and_said, info.path, info, mode, says=True):
      if kind == 'said':
        yield None

  for _ in shown(frames()):
    pass
  return found[0]


def _read_video(info, stop, warn, decision):
  timestamps, notes = _Timestamps(info), _Notes()
  count, start, unit = 0, None, info.time_base
  if formats.has_alpha(info.pix_fmt):
    warn(f'{info.path}: the alpha channel is left out.')
  endings = []  # Said last: where the file ends.
  frames = _decoded(info.path, endings.append)
  shown = _stamped(frames, info, timestamps)
  if decision is not None and decision.changes:
    shown = deinterlace.apply(shown, decision)
    unit /= decision.factor
  try:
    for frame in shown:
      if stop is not None and count >= stop:
        return
      start = frame.pts if start is None else start
      seconds = float((frame.pts - start) * unit)
      concealed = conceal.kind(frame)
      notes.add(concealed, seconds)
      layout = frame_layout(frame, info)
      planes = formats.read_planes(frame, layout)
      by_field = decision is not None and decision.by_field(count)
      yield SourceFrame(
          count, frame.pts, None, planes, layout, concealed, by_field)
      count += 1
  finally:
    shown.close()
    frames.close()
    for sentence in notes.sentences():
      warn(f'{info.path}: {sentence}')
    if timestamps.missing:
      warn(f'{info.path}: {timestamps.missing} frames had no timestamp; '
           f'even spacing at {float(info.frame_rate):g} a second was assumed.')
    if timestamps.moved:
      warn(f'{info.path}: {timestamps.moved} timestamps did not increase '
           'and were moved.')
    for sentence in dict.fromkeys(endings):
      warn(sentence)
  if not count:
    conceal.check_memory()
    raise types.BadInput(f'{info.path}: not one frame could be decoded.')


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
    yield SourceFrame(index, index, None, planes, layout)


def _read(info, stop, decision, *, warn):
  """Yields the frames as they are stored: rgb is None, but for DICOM."""
  if info.kind == 'video':
    return _read_video(info, stop, warn, decision)
  if info.kind == 'dicom':
    from revive_jax.video import dicom  # It imports this file.

    return dicom.read_frames(info, stop=stop, warn=warn)
  return _read_images(info, stop, warn)


def coloured(frames):
  """Yields frames as they are stored with their RGB, and closes them."""
  with contextlib.closing(frames):
    for frame in frames:
      if frame.rgb is None:
        space = fields if frame.by_field else color
        frame = dataclasses.replace(
            frame, rgb=space.to_rgb(frame.planes, frame.layout))
      yield frame


def read_frames(
    info: probe.VideoInfo,
    *,
    stop: int | None = None,
    warn: Warn | None = None,
    decision: deinterlace.Decision | None = None,
) -> Iterator[SourceFrame]:
  """Yields the frames in order, one in memory at a time.

  Always the same, but where H.264 is damaged: see docs/video.md.

  info: of the source, as probed. decision: of decide_interlace, or None; the
  frames are then those of deinterlace.retimed(info, decision).
  stop: how many at most. warn: called with a sentence for each kind of damage
  that was worked around (frames that are lost or damaged, with their times,
  timestamps that are missing or do not increase, an alpha channel left out, a
  file that ends early).
  Raises BadInput for a change of size, and if nothing can be decoded.
  """
  if warn is None:
    warn = lambda message: None
  if sandbox.covers(info.path):
    return coloured(sandbox.stream(
        _read, info.path, info, stop, decision, warn=warn))
  return coloured(_read(info, stop, decision, warn=warn))


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
