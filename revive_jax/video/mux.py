"""One output file: the coded frames and the source's own sound packets."""

from collections.abc import Iterator
import contextlib
import os

import av
import cv2

from revive_jax.video import formats, matroska, probe

_AVX_512 = 13  # OpenCV's number of it (CV_CPU_AVX_512F).


class _Sound:
  """The sound packets of a file, in order, handed out up to a time."""

  def __init__(self, path: str, output, warn):
    self._input = probe.open_video(path)
    self._streams = {
        s.index: output.add_stream_from_template(s)
        for s in self._input.streams.audio if s.codec_context is not None}
    others = len(self._input.streams) - len(self._streams) - 1
    if others:
      warn(f'{others} other tracks (subtitles, data, further pictures or '
           'sound that cannot be copied) are left out.')
    self._packets = self._read(warn)
    self._next = None

  def __len__(self):
    return len(self._streams)

  def _read(self, warn):
    sources = [self._input.streams[i] for i in self._streams]
    if not sources:
      return
    try:
      for packet in self._input.demux(sources):
        if packet.size:
          yield packet
    except av.FFmpegError as e:
      warn(f'The sound ends early in the source ({e.strerror}).')

  def until(self, seconds: float) -> Iterator[av.Packet]:
    """Yields the packets not handed out yet that start before seconds."""
    while True:
      if self._next is None:
        self._next = next(self._packets, None)
      packet = self._next
      if packet is None:
        return
      stamp = packet.dts if packet.dts is not None else packet.pts
      if stamp is not None and stamp * packet.time_base > seconds:
        return
      self._next = None
      packet.stream = self._streams[packet.stream_index]
      yield packet

  def close(self):
    """Closes the source."""
    self._input.close()


class VideoFile:
  """Encodes frames and copies the sound beside them. Use as a context."""

  def __init__(self, path, target, info: probe.VideoInfo, *, crf, preset, warn):
    self._target = target
    self._time_base = info.time_base
    self._step = max(1, round(1 / (info.frame_rate * info.time_base)))
    options = {'avoid_negative_ts': 'disabled'}
    if path.suffix.lower() == '.mp4':
      # Exact to a tick of the pictures, where the first is not at zero.
      options['movie_timescale'] = str(
          min(max(1000, info.time_base.denominator), 2**31 - 1))
    self._path, self._info = path, info
    self._names_shape = (
        path.suffix.lower() == '.mkv' and info.sample_aspect_ratio != 1)
    if self._names_shape:
      options['write_crc32'] = '0'  # It would not fit the edited header.
    self._output = av.open(os.path.abspath(path), 'w', options=options)
    self._sound = None
    self._stream = self._add_stream(target, info, crf, preset, warn)
    if info.kind == 'video' and info.path:
      self._sound = _Sound(info.path, self._output, warn)

  def _add_stream(self, target, info, crf, preset, warn):
    options = encoder_options(target.codec, info, crf=crf, preset=preset)
    stream = self._output.add_stream(
        target.encoder, rate=info.frame_rate, options=options)
    context = stream.codec_context
    stream.width, stream.height = info.width, info.height
    stream.pix_fmt = target.pix_fmt
    stream.time_base = context.time_base = info.time_base
    context.sample_aspect_ratio = info.sample_aspect_ratio
    context.thread_type = 'AUTO' if target.codec == 'h264' else 'SLICE'
    layout = target.layout
    context.color_primaries = info.color_primaries
    context.color_trc = info.color_trc
    self._tags = 0, 2
    if layout.kind == 'yuv':
      unspecified = info.colorspace == 2 and info.layout.kind == 'yuv'
      self._tags = 2 if unspecified else layout.matrix, 2 if layout.full else 1
    elif layout.kind == 'grey':
      self._tags = info.colorspace, info.color_range
    context.colorspace, context.color_range = self._tags
    if self._names_shape:
      stream.metadata['title'] = matroska.PLACEHOLDER
    if info.rotation:
      stream.set_display_rotation(info.rotation)
    return stream

  @property
  def sound_tracks(self) -> int:
    """How many sound tracks are copied."""
    return len(self._sound) if self._sound else 0

  def write(self, planes, pts: int) -> None:
    """Encodes a frame; planes in the target's layout, pts in time_base."""
    frame = formats.make_frame(planes, self._target.layout,
                               self._target.pix_fmt)
    frame.pts, frame.time_base = pts, self._time_base
    frame.duration = self._step
    frame.colorspace, frame.color_range = self._tags
    self._mux(self._stream.encode(frame))
    self._copy_sound(float(pts * self._time_base))

  def _mux(self, packets):
    for packet in packets:
      self._output.mux(packet)

  def _copy_sound(self, seconds):
    if self._sound:
      self._mux(self._sound.until(seconds))

  def finish(self) -> None:
    """Writes what is still in the encoder, the rest of the sound, the end."""
    self._mux(self._stream.encode(None))
    self._copy_sound(float('inf'))
    self._output.close()
    if self._names_shape:
      matroska.set_pixel_shape(
          self._path, self._info.width, self._info.height,
          self._info.sample_aspect_ratio)

  def __enter__(self):
    return self

  def __exit__(self, kind, *unused):
    if kind:
      with contextlib.suppress(Exception):  # The first error is the one to see.
        self._output.close()
    if self._sound:
      self._sound.close()


def encoder_options(
    codec: str, info: probe.VideoInfo, *, crf: float, preset: str
) -> dict[str, str]:
  """What the encoder of 'ffv1' or 'h264' is told."""
  if codec == 'ffv1':
    options = {'level': '3', 'slicecrc': '1', 'g': '1'}
    if min(info.width, info.height) < 16:  # Too small for several slices.
      options['slices'] = '1'
    return options
  options = {'crf': str(crf), 'preset': preset}
  if codec == 'h264' and cv2.checkHardwareSupport(_AVX_512):
    # Some AVX-512 routines of x264 read beyond the picture, and so the same
    # frames do not always give the same file.
    options['x264-params'] = 'asm=AVX2'
  return options


def written_timestamps(path) -> tuple[list[int], object]:
  """Returns the sorted timestamps of the pictures in a file, and their unit."""
  with probe.open_video(path) as container:
    stream = container.streams.video[0]
    stamps = sorted(p.pts for p in container.demux(stream) if p.size)
    return stamps, stream.time_base


