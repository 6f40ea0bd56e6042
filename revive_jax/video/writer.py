"""Frames to a video with the source's sound, to a folder, or to a picture."""

import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import fractions
import itertools
import os

import numpy as np

from revive_jax import files
from revive_jax.video import (
  atomic,
  color,
  dither,
  fields,
  formats,
  images,
  mux,
  probe,
  reader,
  splice,
)
from revive_jax.video import checksums as checksums_lib
from revive_jax.video import extras as extras_lib
from revive_jax.video import target as target_lib

check_output = target_lib.check_output


@dataclasses.dataclass(frozen=True)
class OutputFrame:
  """A frame to write, with the one it was made from."""

  source: reader.SourceFrame
  # [H, W, 3], as source.rgb, or uint16 where that is uint8; or twice the size.
  rgb: np.ndarray
  # What was done at each pixel, [H, W] uint8 by name: video/layers.py.
  layers: Mapping[str, np.ndarray] | None = None
  # The source's values that changes are counted from; None: it has none.
  before: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Written:
  """What was written, as read back from the file."""

  path: str  # Or a path of a vault: see files.py.
  num_frames: int
  codec: str
  pix_fmt: str
  kept_fraction: float  # Share of luma samples (pixels) passed on untouched.
  max_timestamp_error: float  # Seconds, over all frames.
  audio_tracks: int
  warnings: tuple[str, ...]


class Tally:
  """Counts, over the frames that pass, what Written reports."""

  def __init__(self):
    # A list would take five times as much, which counts over two hours.
    self.stamps = array.array('q')
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


def _noise(frame, source, target, seed, *, grey):
  """Returns the noise for the planes of a frame, or None: no bits dropped."""
  deep = source.bits if frame.rgb.dtype == frame.source.rgb.dtype else 16
  if target.bits >= deep:
    return None
  return tuple(
      None if grey and plane else dither.triangular(
          shape, seed=seed, frame=frame.source.index, plane=plane)
      for plane, shape in enumerate(
          target.plane_shapes(*frame.rgb.shape[:2])))


def _is_enlarged(frame: OutputFrame) -> bool:
  """Whether it is twice as large: no sample can be the source's."""
  height, width, channels = frame.source.rgb.shape
  return frame.rgb.shape == (2 * height, 2 * width, channels)


def without_color(frame, source) -> tuple[np.ndarray, np.ndarray | None, bool]:
  """Returns RGB, where it differs from the source, and if the film is grey.

  What is put into a picture without colour gets none, either.
  """
  grey = color.is_grey(frame.source.planes, source)
  rgb = frame.rgb
  if _is_enlarged(frame):
    return color.grey_rgb(rgb) if grey else rgb, np.ones(
        rgb.shape[:2], bool), grey
  changed = splice.changed_pixels(frame.source.rgb, rgb)
  if grey and changed is not None:
    rgb = color.grey_rgb(rgb)
    changed = splice.changed_pixels(frame.source.rgb, rgb)
  return rgb, changed, grey


def _planes(frame: OutputFrame, target, info, tally, seed):
  """Returns the planes to write for a frame, in the target's layout."""
  layout = frame.source.layout or info.layout
  if layout != info.layout:
    tally.relabelled += 1
  rgb, changed, grey = without_color(frame, layout)
  wanted = target.layout
  noise = _noise(frame, layout, wanted, seed, grey=grey)
  if _is_enlarged(frame):
    tally.add(frame, 0)
    return color.to_planes(rgb, wanted, noise)
  if layout.pix_fmt == 'rgb48le' and wanted.pix_fmt == 'gbrp16le':
    layout = wanted  # The same samples, only ordered differently.
  join = fields.join if frame.source.by_field else splice.splice
  planes, kept = join(
      rgb, changed, frame.source.planes, layout, wanted, noise)
  tally.add(frame, kept)
  return planes


def _picture(frame: OutputFrame, target, info, tally, seed) -> np.ndarray:
  """Returns the picture to write, [H, W, 3], or [H, W] for a grey source."""
  source = frame.source.layout or info.layout
  rgb, changed, grey = without_color(frame, source)
  height, width = rgb.shape[:2]
  tally.add(frame, height * width - int(
      0 if changed is None else np.count_nonzero(changed)))
  layout = target.layout
  if source.kind == 'grey':
    layout = formats.Layout('gray', 'grey', layout.bits)
    rgb = color.grey_rgb(rgb)
  noise = _noise(frame, source, layout, seed, grey=grey)
  if noise is None:
    return color.to_planes(rgb, layout)[0]
  if grey and layout.kind == 'rgb':
    noise = (noise[0][..., :1],)
  return color.to_planes(rgb, layout, noise)[0]


def check_written(part, tally: Tally, info: probe.VideoInfo) -> float:
  """Returns the largest error of a timestamp, in seconds; counts frames."""
  stamps, time_base = mux.written_timestamps(part)
  if len(stamps) != len(tally.stamps):
    raise RuntimeError(
        f'{len(tally.stamps)} frames went in, {len(stamps)} came out.')
  errors = (abs(a * time_base - b * info.time_base)
            for a, b in zip(stamps, tally.stamps, strict=True))
  return float(max(errors, default=0))


def written(target, tally: Tally, info: probe.VideoInfo, error: float,
            sound_tracks: int, warnings: Sequence[str]) -> Written:
  """Returns what is to be said of a finished file."""
  warnings = list(warnings)
  if tally.relabelled:
    warnings.append(
        f'{tally.relabelled} frames have other colour tags than the first, '
        'and were converted to its.')
  if target.kind != 'video' and info.audio:
    warnings.append('Pictures have no sound: the sound track is left out.')
  return Written(
      files.name(target.path), len(tally.stamps), target.codec, target.pix_fmt,
      tally.kept_fraction, error, sound_tracks, tuple(warnings))


def write_coded(part, target, frames, info, *, seed=0, expected=None,
                file_tracks=None, **options) -> Tally:
  """Codes frames into a new file at part.

  options: of mux.VideoFile. file_tracks: called with the number of sound
  tracks when the file is whole, or None.
  """
  tally = Tally()
  options.setdefault('warn', lambda message: None)
  with mux.VideoFile(part, target, info, **options) as file:
    for frame in frames:
      file.write(_planes(frame, target, info, tally, seed), frame.source.pts)
    check_count(tally, expected)
    file.finish()
    if file_tracks is not None:
      file_tracks(file.sound_tracks)
  return tally


def join_coded(part, target, template, packets, info, warn, **options) -> int:
  """Joins coded frames in a new file, with the source's other tracks.

  template: a file with frames of the kind; packets: in info.time_base;
  options: of mux.VideoFile. Returns the number of sound tracks.
  """
  with mux.VideoFile(
      part, target, info, warn=warn, template=template, **options) as file:
    file.join(packets)
    file.finish()
    return file.sound_tracks


def write_pictures(
    part, target, frames, info, *, seed=0, expected=None) -> Tally:
  """Writes frames into a new folder at part, or one as the picture part."""
  tally = Tally()
  folder = target.kind == 'images'
  sealed = files.SEALED if files.is_sealed(part) else ''
  for index, frame in enumerate(frames):
    if index and not folder:
      raise RuntimeError('More than one frame for one picture.')
    images.write_picture(
        part / f'{index:06d}{target.suffix}{sealed}' if folder else part,
        _picture(frame, target, info, tally, seed))
  check_count(tally, expected)
  count = len(os.listdir(part)) if folder else 1
  if count != len(tally.stamps):
    raise RuntimeError(
        f'{len(tally.stamps)} frames went in, {count} came out.')
  return tally


def _write_video(target, frames, info, expected, seed, warnings, options):
  extras = extras_lib.read(info.path if info.kind == 'video' else '')
  sounds = []
  with atomic.replacing(target.path) as part:
    tally = write_coded(
        part, target, frames, info, seed=seed, expected=expected,
        extras=extras, file_tracks=sounds.append, warn=warnings.append,
        **options)
    error = check_written(part, tally, info)
    if info.kind == 'video' and info.path:
      warnings += mux.lost(part, info, target, extras)
  return written(target, tally, info, error, sounds[0], warnings)


def _write_images(target, frames, info, expected, seed, warnings):
  with atomic.replacing(target.path, folder=target.kind == 'images') as part:
    tally = write_pictures(
        part, target, frames, info, seed=seed, expected=expected)
  return written(target, tally, info, 0.0, 0, warnings)


class FramesError(Exception):
  """Carries an error of the system out of frames: the disk is not at fault."""


def guarded(frames: Iterable[OutputFrame]) -> Iterator[OutputFrame]:
  """Passes frames on; errors of the system become FramesError."""
  try:
    yield from frames
  except OSError as e:
    raise FramesError from e


def check_count(tally: Tally, expected: int | None) -> None:
  """Raises RuntimeError unless there are frames, and as many as expected."""
  count = len(tally.stamps)
  if not count or expected not in (None, count):
    raise RuntimeError(
        f'{count} frames were handed over, {expected or "some"} expected.')


def _write(target, frames, info, expected, seed, options) -> Written:
  warnings = target_lib.warnings(target, info)
  frames = guarded(frames)
  try:
    if target.kind == 'dicom':
      from revive_jax.video import dicom_writer  # It imports this file.

      return dicom_writer.write(
          target.path, frames, info, expected_frames=expected)
    if target.kind == 'video':
      return _write_video(
          target, frames, info, expected, seed, warnings, options)
    return _write_images(target, frames, info, expected, seed, warnings)
  except FramesError as e:
    raise e.__cause__ from None
  finally:
    frames.close()


def write_video(
    path: str | os.PathLike,
    frames: Iterable[OutputFrame],
    info: probe.VideoInfo,
    *,
    codec: str = 'auto',
    crf: float = 16,
    preset: str = 'veryfast',
    bits: int | str = 'auto',
    seed: int = 0,
    expected_frames: int | None = None,
    sound: Mapping[int, str] | None = None,
    checksums: bool = False,
) -> Written:
  """Writes the frames with the timing, tags and other tracks of the source.

  Samples of pixels that equal the source's are copied, not converted.

  Args:
    path: .mp4 (H.264), .mkv (FFV1), .mov (ProRes), a folder for PNG frames, or
      for a picture another picture. Appears whole or not at all.
    frames: in order; taken one by one.
    info: of the source.
    codec: 'auto', or 'h264', 'h265', 'av1', 'ffv1', 'prores', for a folder
      'png' or 'tiff', where the file can hold it.
    crf: quality of H.264, H.265 and AV1, counted as x264 does.
    preset: speed of them, as x264 calls it.
    bits: of a sample: 8, 10, 12, 16, or 'auto', as the source has or as near
      as the codec can. Where bits are dropped, seeded noise is added.
    seed: of that noise.
    expected_frames: how many there must be.
    sound: files whose first sound track takes the place of one of the source,
      by its number in info.audio; it starts when that one did.
    checksums: also write path.framemd5, see checksums.py.

  Raises:
    types.BadInput: as check_output does, and for a full disk.
    RuntimeError: a frame got lost, which would be a bug.
  """
  check_output(path, info, codec=codec, bits=bits, sound=sound)
  target = target_lib.choose(path, info, codec, bits)
  result = _write(target, frames, info, expected_frames, seed,
                  dict(crf=crf, preset=preset, sound=sound))
  if checksums:
    checksums_lib.write(target.path, info.frame_rate)
  return result


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
