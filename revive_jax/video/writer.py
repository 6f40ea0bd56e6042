"""Frames to a video with the source's sound, to a folder, or to a picture."""

from collections.abc import Iterable, Iterator
import dataclasses
import fractions
import itertools
import os

import numpy as np

from revive_jax.video import atomic, color, images, mux, probe, reader, splice
from revive_jax.video import target as target_lib

check_output = target_lib.check_output


@dataclasses.dataclass(frozen=True)
class OutputFrame:
  """A frame to write, with the one it was made from."""

  source: reader.SourceFrame
  rgb: np.ndarray  # [H, W, 3], of the type of source.rgb.


@dataclasses.dataclass(frozen=True)
class Written:
  """What was written, as read back from the file."""

  path: str
  num_frames: int
  codec: str
  pix_fmt: str
  kept_fraction: float  # Share of luma samples (pixels) passed on untouched.
  max_timestamp_error: float  # Seconds, over all frames.
  audio_tracks: int
  warnings: tuple[str, ...]


class _Tally:
  """Counts, over the frames that pass, what Written reports."""

  def __init__(self):
    self.stamps = []
    self.kept = 0
    self.pixels = 0
    self.relabelled = 0

  @property
  def kept_fraction(self) -> float:
    """The share of pixels untouched."""
    return self.kept / self.pixels if self.pixels else 0.0

  def add(self, frame: OutputFrame, kept: int):
    """Counts a frame of which so many pixels were kept."""
    self.stamps.append(frame.source.pts)
    self.kept += kept
    self.pixels += frame.rgb.shape[0] * frame.rgb.shape[1]


def _planes(frame: OutputFrame, target, info, tally):
  """Returns the planes to write for a frame, in the target's layout."""
  source = frame.source
  layout = source.layout or info.layout
  if layout != info.layout:
    tally.relabelled += 1
  wanted = target.layout
  if layout.pix_fmt == 'rgb48le' and wanted.pix_fmt == 'gbrp16le':
    layout = wanted  # The same samples, only ordered differently.
  changed = splice.changed_pixels(source.rgb, frame.rgb)
  planes, kept = splice.splice(
      frame.rgb, changed, source.planes, layout, wanted)
  tally.add(frame, kept)
  return planes


def _check_written(part, tally, info) -> float:
  """Returns the largest error of a timestamp, in seconds; counts frames."""
  stamps, time_base = mux.written_timestamps(part)
  if len(stamps) != len(tally.stamps):
    raise RuntimeError(
        f'{len(tally.stamps)} frames went in, {len(stamps)} came out.')
  errors = (abs(a * time_base - b * info.time_base)
            for a, b in zip(stamps, tally.stamps, strict=True))
  return float(max(errors, default=0))


def _write_video(target, frames, info, crf, preset, expected, warn) -> Written:
  tally = _Tally()
  with atomic.replacing(target.path) as part:
    with mux.VideoFile(
        part, target, info, crf=crf, preset=preset, warn=warn) as file:
      for frame in frames:
        file.write(_planes(frame, target, info, tally), frame.source.pts)
      _check_count(tally, expected)
      file.finish()
    error = _check_written(part, tally, info)
  if tally.relabelled:
    warn(f'{tally.relabelled} frames have other colour tags than the first, '
         'and were converted to its.')
  return Written(
      str(target.path), len(tally.stamps), target.codec, target.pix_fmt,
      tally.kept_fraction, error, file.sound_tracks, ())


def _write_images(target, frames, info, expected, warn) -> Written:
  tally = _Tally()
  folder = target.kind == 'images'
  with atomic.replacing(target.path, folder=folder) as part:
    for index, frame in enumerate(frames):
      if index and not folder:
        raise RuntimeError('More than one frame for one picture.')
      changed = splice.changed_pixels(frame.source.rgb, frame.rgb)
      height, width = frame.rgb.shape[:2]
      tally.add(frame, height * width - int(
          0 if changed is None else np.count_nonzero(changed)))
      layout = frame.source.layout or info.layout
      images.write_picture(
          str(part / f'{index:06d}.png' if folder else part), frame.rgb,
          grey=layout.kind == 'grey')
    _check_count(tally, expected)
    count = len(os.listdir(part)) if folder else 1
    if count != len(tally.stamps):
      raise RuntimeError(
          f'{len(tally.stamps)} frames went in, {count} came out.')
  if info.audio:
    warn('Pictures have no sound: the sound track is left out.')
  return Written(str(target.path), count, target.codec, target.pix_fmt,
                 tally.kept_fraction, 0.0, 0, ())


class _FramesError(Exception):
  """Carries an error of the system out of frames: the disk is not at fault."""


def _guarded(frames: Iterable[OutputFrame]) -> Iterator[OutputFrame]:
  try:
    yield from frames
  except OSError as e:
    raise _FramesError from e


def _check_count(tally: _Tally, expected: int | None) -> None:
  count = len(tally.stamps)
  if not count or expected not in (None, count):
    raise RuntimeError(
        f'{count} frames were handed over, {expected or "some"} expected.')


def write_video(
    path: str | os.PathLike,
    frames: Iterable[OutputFrame],
    info: probe.VideoInfo,
    *,
    codec: str = 'auto',
    crf: float = 16,
    preset: str = 'veryfast',
    expected_frames: int | None = None,
) -> Written:
  """Writes the frames with the timing, tags and sound of the source, info.

  path: .mp4 (H.264), .mkv (FFV1; H.264 if codec is 'h264'), a folder for PNG
  frames, or for a picture another picture. Appears whole or not at all.
  expected_frames: how many there must be. Samples of pixels that equal the
  source's are copied, not converted. Raises BadInput as check_output does and
  for a full disk; RuntimeError if a frame got lost, which would be a bug.
  """
  check_output(path, info, codec=codec)
  target = target_lib.choose(path, info, codec)
  warnings = []
  if info.interlaced and target.kind == 'video':
    warnings.append('The source is interlaced; the output is not marked so.')
  frames = _guarded(frames)
  try:
    if target.kind == 'video':
      written = _write_video(target, frames, info, crf, preset,
                             expected_frames, warnings.append)
    else:
      written = _write_images(
          target, frames, info, expected_frames, warnings.append)
  except _FramesError as e:
    raise e.__cause__ from None
  finally:
    frames.close()
  return dataclasses.replace(written, warnings=tuple(warnings))


def _made_info(frame: np.ndarray, frame_rate, pix_fmt: str) -> probe.VideoInfo:
  """Returns the info of frames that come from no file."""
  rate = fractions.Fraction(frame_rate).limit_denominator(1001)
  height, width = frame.shape[:2]
  return probe.VideoInfo(
      path='', kind='images', width=width, height=height, frame_rate=rate,
      time_base=1 / rate, frame_count=None, duration=None, codec='',
      pix_fmt=pix_fmt, bit_depth=8, colorspace=2, color_range=0,
      color_primaries=2, color_trc=2,
      sample_aspect_ratio=fractions.Fraction(1), rotation=0, interlaced=False,
      audio=(), container='')


def _made_frames(frames, info) -> Iterator[OutputFrame]:
  layout = info.layout
  for index, frame in enumerate(frames):
    rgb = color.to_rgb((frame,), layout)
    yield OutputFrame(
        reader.SourceFrame(index, index, rgb, (frame,), layout), rgb)


def _write_made(path, frames, frame_rate, crf, pix_fmt) -> Written:
  frames = iter(frames)
  first = next(frames, None)
  if first is None:
    raise ValueError('No frames to write.')
  info = _made_info(first, frame_rate, pix_fmt)
  return write_video(
      path, _made_frames(itertools.chain([first], frames), info), info, crf=crf)


def write_rgb(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    *,
    frame_rate,
    crf: float = 16,
) -> Written:
  """Writes [H, W, 3] uint8 RGB frames that come from no file, without sound.

  .mkv keeps them exactly (FFV1), a folder too (PNG); .mp4 is H.264.
  """
  return _write_made(path, frames, frame_rate, crf, 'rgb24')


def write_grey(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    *,
    frame_rate,
    crf: float = 16,
) -> Written:
  """Writes [H, W] uint8 frames, or bool masks as 0 and 255; as write_rgb."""
  frames = (f.astype(np.uint8) * 255 if f.dtype == bool else f for f in frames)
  return _write_made(path, frames, frame_rate, crf, 'gray')
