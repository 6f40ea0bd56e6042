"""Frames coded and let go at once: to a file, a pipe or a local stream."""

import contextlib
import fractions
import os
import pathlib
import sys

import av
from av.video.reformatter import VideoReformatter
import numpy as np

from revive_jax import types
from revive_jax.video import live_reader, y4m

_LIMITED = 1  # AVCOL_RANGE_MPEG.


class Writer:
  """The coded stream. Close it."""

  def __init__(
      self,
      destination: str,
      stream: av.VideoStream,
      size: tuple[int, int],
      crf: float,
      colours: live_reader.Colours,
      *,
      form: str = 'matroska',
  ):
    """Opens it.

    Args:
      destination: a file, '-' (standard output), or an address.
      stream: of the input, which the output is to be like.
      size: width and height, px.
      crf: of x264.
      colours: of the input; the output is coded and tagged by them.
      form: of standard output: y4m.FORM, or anything else: Matroska.

    Raises:
      types.BadInput: it cannot be written to.
    """
    self._name, self._pipe = destination, None
    if destination == '-':
      destination = self._pipe = _standard_output()
    form, options = _form(self._name, form)
    self._is_y4m = form == y4m.FORM
    self.frames = 0  # That were written.
    self._failed = False
    self._colours, self._reformatter = colours, VideoReformatter()
    # The container gives the stream a unit of its own.
    self._time_base = stream.time_base
    if self._is_y4m:
      destination = y4m.shaped(destination, stream.sample_aspect_ratio)
    try:
      self._container = av.open(destination, 'w', format=form, options=options)
      self._stream = self._add_stream(stream, size, crf)
      self._container.start_encoding()
    except (av.FFmpegError, OSError, ValueError) as error:
      raise types.BadInput(
          f'{self._name}: cannot be written to '
          f'({getattr(error, "strerror", None) or error}).') from error

  def _add_stream(self, stream, size, crf):
    rate = stream.average_rate or fractions.Fraction(25)
    if self._is_y4m:  # Its unit of time is its rate.
      self._time_base = 1 / rate
    made = self._container.add_stream(
        y4m.CODEC, rate=rate) if self._is_y4m else (
        self._container.add_stream('libx264', rate=rate, options={
            'crf': str(crf), 'preset': 'ultrafast', 'tune': 'zerolatency'}))
    made.width, made.height = size
    # 4:2:0 has no odd sizes.
    made.pix_fmt = 'yuv444p' if size[0] % 2 or size[1] % 2 else 'yuv420p'
    made.time_base = made.codec_context.time_base = self._time_base
    context = made.codec_context
    context.colorspace, context.color_range = self._colours.matrix, _LIMITED
    context.color_primaries = self._colours.primaries
    context.color_trc = self._colours.transfer
    context.sample_aspect_ratio = stream.sample_aspect_ratio or 1
    return made

  def _coded(self, rgb):
    """A frame as the encoder takes it."""
    frame = self._reformatter.reformat(
        av.VideoFrame.from_ndarray(rgb, 'rgb24'), format=self._stream.pix_fmt,
        dst_colorspace=live_reader.swscale(self._colours.matrix),
        dst_color_range=_LIMITED, threads=1)
    frame.colorspace, frame.color_range = self._colours.matrix, _LIMITED
    frame.color_primaries = self._colours.primaries
    frame.color_trc = self._colours.transfer
    return frame

  def write(self, rgb: np.ndarray, pts: int) -> None:
    """Codes a frame, [H, W, 3] uint8, and lets it go.

    Raises:
      types.BadInput: nobody takes it any more.
    """
    frame = self._coded(rgb)
    # Of y4m the times are those of an even rate.
    frame.pts = self.frames if self._is_y4m else pts
    frame.time_base = self._time_base
    with self._named():
      for packet in self._stream.encode(frame):
        self._container.mux(packet)
      if self._pipe is not None:  # Python keeps what is short, too.
        self._pipe.flush()
    self.frames += 1

  def close(self) -> None:
    """Ends the stream; a file without a frame is taken away."""
    failed = self._failed  # Then that was said already.
    try:
      with self._named():
        self._container.mux(self._stream.encode(None))
        self._container.close()
    except types.BadInput:
      if not failed:
        raise
    if not self.frames and self._name != '-' and os.path.isfile(self._name):
      os.unlink(self._name)

  @contextlib.contextmanager
  def _named(self):
    try:
      yield
    except (av.FFmpegError, OSError) as error:
      self._failed = True
      raise types.BadInput(
          f'{self._name}: can no longer be written to '
          f'({error.strerror or error}), after {self.frames} frames; '
          'start again.') from error


def _standard_output():
  if sys.stdout is None:
    raise types.BadInput('-: standard output is closed; open it to what takes '
                         'the film, or name a file.')
  return sys.stdout.buffer


def _form(destination, form):
  """The format, by FFmpeg's name (None: by the file's), and its options."""
  options = {'fflags': '+flush_packets'}
  if destination == '-':
    if form == y4m.FORM:
      return form, options
    # Else a second of frames is held back.
    return 'matroska', options | {'cluster_time_limit': '0'}
  if '://' in destination:
    return 'mpegts', options
  if pathlib.Path(destination).suffix.lower() == '.mp4':
    options['movflags'] = 'frag_keyframe+empty_moov'  # Whole at any moment.
  return None, options
