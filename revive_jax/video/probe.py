"""What is in a file: size, rate, pixel format, colour tags, sound tracks."""

import dataclasses
import fractions
import os
import re

import av

from revive_jax import files, types
from revive_jax.video import conceal, formats, images, sandbox, siting

# Text, and lists of other files: FFmpeg would read them, we do not.
_NOT_VIDEO = {'tty', 'hls', 'concat', 'sdp', 'lavfi', 'ffmetadata', 'srt',
              'ass', 'webvtt', 'dash', 'imf', 'rtsp', 'lrc', 'microdvd'}
_UNREADABLE = (av.FFmpegError, OSError, ValueError)
DEFAULT_RATE = fractions.Fraction(25)


@dataclasses.dataclass(frozen=True)
class AudioInfo:
  """One sound track."""

  codec: str
  sample_rate: int  # Hz.
  channels: int


@dataclasses.dataclass(frozen=True)
class VideoInfo:
  """What probe found. Sizes are as coded, before rotation."""

  path: str  # Or a path of a vault: see files.py.
  kind: str  # 'video', 'images' (a folder), 'image' (one file) or 'dicom'.
  width: int
  height: int
  frame_rate: fractions.Fraction  # Per second; the mean if it varies.
  time_base: fractions.Fraction  # Seconds per unit of a timestamp.
  frame_count: int | None  # As declared; None if unknown.
  duration: float | None  # Seconds.
  codec: str
  pix_fmt: str  # As decoded.
  bit_depth: int
  colorspace: int  # The matrix; this and the next three: FFmpeg's numbers.
  color_range: int
  color_primaries: int
  color_trc: int
  sample_aspect_ratio: fractions.Fraction
  rotation: int  # Degrees, counter-clockwise, that a player is to turn it by.
  interlaced: bool  # As the file says.
  audio: tuple[AudioInfo, ...]
  container: str
  field_order: int = 0  # To be written: 0 progressive, 2 top, 3 bottom first.
  chroma_siting: int = 0  # AVChromaLocation; 0: not known.

  @property
  def layout(self) -> formats.Layout:
    """How the planes of its frames are to be read."""
    return formats.layout(
        self.pix_fmt, self.colorspace, self.color_range, self.height,
        self.chroma_siting)


# Tags in an old encoding must not keep a film from opening. PyAV 19 took the
# argument away.
_TOLERANT = ({'metadata_errors': 'replace'}
             if int(av.__version__.split('.')[0]) < 19 else {})


def open_video(
    path: str | os.PathLike, *, copies: bool = False
) -> av.container.InputContainer:
  """Opens a media file for reading. Never a network.

  Args:
    path: of the file.
    copies: it is opened to pass on its packets, and, where nobody vouches for
      it, a worker has been through it: opening alone may run its decoders.

  Raises:
    types.BadInput: it cannot be read.
    RuntimeError: only a worker may open it (sandbox.py): a bug.
  """
  if sandbox.covers(path) and not copies:
    raise RuntimeError(f'{path}: opened outside of the sandbox.')
  try:
    if os.path.getsize(path) == 0:
      raise types.BadInput(f'{path}: the file is empty (0 bytes).')
    container = av.open(
        files.media(path), options={'protocol_whitelist': 'file'},
        **_TOLERANT)
  except types.BadInput:
    raise
  except PermissionError:
    raise types.BadInput(f'{path}: no permission to read this file.') from None
  except _UNREADABLE as e:
    conceal.check_memory(e)
    raise types.BadInput(
        f'{path}: not a video or picture that can be read, or its beginning '
        f'or index is missing ({getattr(e, "strerror", None) or e}).') from e
  if set(container.format.name.split(',')) & _NOT_VIDEO:
    container.close()
    raise types.BadInput(f'{path}: this is text, not a video.')
  return container


def video_stream(container, path: str | os.PathLike) -> av.VideoStream:
  """Returns the first video stream that is no cover picture, or raises."""
  streams = [s for s in container.streams.video
             if not s.disposition & av.stream.Disposition.attached_pic]
  if not streams:
    what = 'sound but no picture' if container.streams.audio else (
        'no picture, or was cut off before its index')
    raise types.BadInput(f'{path}: the file holds {what}.')
  if streams[0].codec_context is None:
    raise types.BadInput(
        f'{path}: the video is coded in a way that cannot be decoded.')
  return streams[0]


def _first_frame(container, stream, path):
  """Returns the first frame that decodes, or raises BadInput."""
  promises, notes = conceal.Promises(1), []
  for frame in conceal.pictures(container, stream, promises, notes.append):
    return frame
  conceal.check_memory()
  reason = promises.reason and f' ({promises.reason})'
  raise types.BadInput(
      f'{path}: not one frame could be decoded{reason}.')


def lacks_pts(container, stream: av.VideoStream) -> bool:
  """Returns whether timestamps of the container ignore the order of display."""
  return (container.format.name == 'avi' and
          stream.codec_context.codec.canonical_name in ('h264', 'hevc'))


def declared_end(container, stream: av.VideoStream) -> float | None:
  """Returns when the pictures end by the header of the file, in seconds.

  None where the header does not say so: FFmpeg would guess.
  """
  start = stream.start_time or 0
  if container.format.name == 'avi' and stream.frames:  # A frame a tick.
    return float((start + stream.frames) * stream.time_base)
  if container.format.name.startswith('mov') and stream.duration:
    return float((start + stream.duration) * stream.time_base)
  if not container.format.name.startswith('matroska'):
    return None
  clock = re.fullmatch(r'(\d+):(\d+):(\d+(?:\.\d+)?)',
                       stream.metadata.get('DURATION', ''))
  if clock:
    hours, minutes, seconds = map(float, clock.groups())
    return 3600 * hours + 60 * minutes + seconds
  if len(container.streams) == 1 and container.duration:
    return container.duration / av.time_base
  return None


def indexed_frames(container, stream: av.VideoStream) -> int | None:
  """Returns how many packets the header or index promises, None if unknown."""
  frames = stream.frames
  if container.format.name.startswith('mov'):  # Less what an edit leaves out.
    frames = min(frames, len(stream.index_entries) or frames)
  return frames or None


def _audio_info(stream) -> AudioInfo:
  context = stream.codec_context
  if context is None:
    return AudioInfo('unknown', 0, 0)
  return AudioInfo(context.codec.canonical_name, context.sample_rate or 0,
                   context.channels or 0)


def _probe_video(path: str) -> VideoInfo:
  with open_video(path) as container:
    stream = video_stream(container, path)
    frame = _first_frame(container, stream, path)
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    duration = None
    if stream.duration:
      duration = float(stream.duration * stream.time_base)
    elif container.duration:
      duration = container.duration / 1e6
    context = stream.codec_context

    def tag(name, unknown):
      value = getattr(frame, name)
      return int(getattr(context, name) if value == unknown else value)

    pix_fmt = frame.format.name
    return VideoInfo(
        path=path, kind='video', width=frame.width, height=frame.height,
        frame_rate=rate or DEFAULT_RATE, time_base=stream.time_base,
        frame_count=stream.frames or None, duration=duration,
        codec=context.codec.canonical_name, pix_fmt=pix_fmt,
        bit_depth=formats.layout(pix_fmt, 2, 0, frame.height).bits,
        colorspace=tag('colorspace', 2), color_range=tag('color_range', 0),
        color_primaries=tag('color_primaries', 2),
        color_trc=tag('color_trc', 2),
        chroma_siting=siting.of_stream(stream),
        sample_aspect_ratio=(
            stream.sample_aspect_ratio or fractions.Fraction(1)),
        rotation=int(frame.rotation), interlaced=frame.interlaced_frame,
        audio=tuple(_audio_info(s) for s in container.streams.audio),
        container=container.format.name)


def _probe_images(path: str, paths: list[str], kind, rate) -> VideoInfo:
  picture, _ = images.read_picture(paths[0])
  layout = images.picture_layout(picture)
  return VideoInfo(
      path=path, kind=kind, width=picture.shape[1], height=picture.shape[0],
      frame_rate=rate, time_base=1 / rate, frame_count=len(paths),
      duration=float(len(paths) / rate),
      codec=files.suffix(paths[0])[1:], pix_fmt=layout.pix_fmt,
      bit_depth=layout.bits, colorspace=2, color_range=0, color_primaries=2,
      color_trc=2, sample_aspect_ratio=fractions.Fraction(1), rotation=0,
      interlaced=False, audio=(), container=kind)


def probe(path: str | os.PathLike, *, frame_rate=24) -> VideoInfo:
  """Returns what is in path: a video, a picture or a folder of pictures.

  frame_rate: frames per second, a number or a Fraction; only for pictures.
  Raises BadInput, in one sentence, for what cannot be worked with.
  """
  path = files.name(path)
  if sandbox.covers(path) and os.path.exists(path):
    return dataclasses.replace(sandbox.call(
        probe, path, path, frame_rate=frame_rate), path=path)
  rate = fractions.Fraction(frame_rate).limit_denominator(1001)
  if rate <= 0:
    raise types.BadInput(f'A frame rate of {frame_rate} is not positive.')
  if not os.path.exists(path):
    raise types.BadInput(f'{path}: no such file or folder.')
  if os.path.isdir(path):
    paths = images.list_pictures(path)
    if not paths:
      raise types.BadInput(
          f'{path}: the folder holds no frames (PNG, JPEG, TIFF or BMP).')
    return _probe_images(path, paths, 'images', rate)
  if not os.path.isfile(path):
    raise types.BadInput(f'{path}: neither a file nor a folder.')
  from revive_jax.video import dicom  # It imports this file.

  if dicom.is_dicom(path):
    return dicom.probe(path, frame_rate=rate)
  if images.is_picture(path):
    if os.path.getsize(path) == 0:
      raise types.BadInput(f'{path}: the file is empty (0 bytes).')
    return _probe_images(path, [path], 'image', rate)
  return _probe_video(path)
