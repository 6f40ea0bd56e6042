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
    options = {'fflags': '+flush_packets'}
    form, self._name = form if form == y4m.FORM else 'matroska', destination
    if destination == '-':
      destination = sys.stdout.buffer
    elif '://' in destination:
      form = 'mpegts'
    else:
      form = None
    if form is None and pathlib.Path(destination).suffix.lower() == '.mp4':
      options['movflags'] = 'frag_keyframe+empty_moov'  # Whole at any moment.
    self.frames = 0  # That were written.
    self._failed = False
    self._colours, self._reformatter = colours, VideoReformatter()
    # The container gives the stream a unit of its own.
    self._time_base = stream.time_base
    try:
      self._container = av.open(destination, 'w', format=form, options=options)
      self._stream = self._add_stream(stream, size, crf, form == y4m.FORM)
      self._container.start_encoding()
    except (av.FFmpegError, OSError, ValueError) as error:
      raise types.BadInput(
          f'{self._name}: cannot be written to '
          f'({getattr(error, "strerror", None) or error}).') from error

  def _add_stream(self, stream, size, crf, is_y4m):
    rate = stream.average_rate or fractions.Fraction(25)
    made = self._container.add_stream(y4m.CODEC, rate=rate) if is_y4m else (
        self._container.add_stream('libx264', rate=rate, options={
            'crf': str(crf), 'preset': 'ultrafast', 'tune': 'zerolatency'}))
    made.width, made.height = size
    # 4:2:0 has no odd sizes.
    made.pix_fmt = 'yuv444p' if size[0] % 2 or size[1] % 2 else 'yuv420p'
    made.time_base = made.codec_context.time_base = stream.time_base
    context = made.codec_context
    context.colorspace, context.color_range = self._colours.matrix, _LIMITED
    context.color_primaries = self._colours.primaries
    context.color_trc = self._colours.transfer
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
    frame.pts, frame.time_base = pts, self._time_base
    with self._named():
      for packet in self._stream.encode(frame):
        self._container.mux(packet)
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
