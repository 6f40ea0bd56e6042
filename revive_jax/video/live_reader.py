"""What runs by itself, read as it comes: a camera, a stream or a pipe."""

import collections
from collections.abc import Iterator
import logging
import sys
import time
from typing import NamedTuple

import av
from av.video.reformatter import VideoReformatter
import numpy as np

from revive_jax import types
from revive_jax.video import formats, live_fields

_log = logging.getLogger(__name__)
_PATIENCE = 100  # Times in a row that a container may not know where it is.
_UNKNOWN = 2  # Of AVColorSpace and its like.


class Frame(NamedTuple):
  """A frame on its way through."""

  rgb: np.ndarray  # [H, W, 3] uint8.
  pts: int
  arrived: float  # By time.monotonic().


class Colours(NamedTuple):
  """What the samples of a stream mean, by FFmpeg's numbers."""

  matrix: int  # Always one that formats.layout knows.
  primaries: int = _UNKNOWN
  transfer: int = _UNKNOWN


def opened(source: str, form: str = '') -> av.container.InputContainer:
  """Opens what the user named; a network address only if that is one.

  Args:
    source: '-' (standard input), a file, a named pipe, a device, an address.
    form: FFmpeg's name of the format; '': it is found.

  Raises:
    types.BadInput: it cannot be opened, or holds no pictures.
  """
  if source == '-' and sys.stdin is None:
    raise types.BadInput(
        '-: standard input is closed; open it to what sends the film.')
  options = {}
  if '://' in source or source.startswith('/dev/'):
    # The frames that the format is found by are old by then. (Of a pipe all
    # are wanted.)
    options = {'fflags': 'nobuffer', 'flags': 'low_delay'}
  if source.startswith('rtsp'):
    options['rtsp_transport'] = 'tcp'
  if not form and source.startswith('/dev/video'):
    form = 'v4l2'
  try:
    container = av.open(
        sys.stdin.buffer if source == '-' else source, 'r', format=form or None,
        options=options, timeout=(15, 15))
  except (av.FFmpegError, OSError, ValueError) as error:
    raise types.BadInput(
        f'{source}: nothing to see comes from there '
        f'({getattr(error, "strerror", None) or error}); see that it runs, and '
        'that --config.live.format is what it sends.') from error
  if not container.streams.video:
    container.close()
    raise types.BadInput(f'{source}: the input holds no pictures.')
  return container


class Frames:
  """The frames of a container's first video stream, and what was found.

  To be run through once, by one thread. What cannot be decoded is counted, and
  the next packet is tried; only when the source itself breaks off do they end.
  """

  def __init__(
      self, container: av.container.InputContainer, interlace: str = 'auto'
  ):
    """interlace: what is done with fields, see live_fields."""
    self.stream = container.streams.video[0]
    self.stream.thread_type = 'SLICE'  # Threads by frame hold frames back.
    self.taken = 0  # Frames handed on.
    self.damaged = 0  # Packets that gave no frame, and frames with gaps.
    self.flagged = 0  # Frames that say that they are interlaced.
    self.fields = live_fields.Fields(interlace)
    self.bits = 8
    self.colours = None  # Of the first frame, once it is there.
    self._container = container
    # Of its own: a frame's lives, with its tables, no longer than the frame.
    self._reformatter = VideoReformatter()

  def __iter__(self) -> Iterator[Frame]:
    last = None
    step = max(1, round(1 / (
        (self.stream.average_rate or 25) * self.stream.time_base)))
    arrivals = collections.deque()  # A frame may wait for the one after it.
    for frame in self.fields(self._seen(arrivals)):
      arrived, pts = arrivals.popleft(), frame.pts
      if pts is None or last is not None and pts <= last:
        pts = 0 if last is None else last + step
      last = pts
      self.taken += 1
      yield Frame(self._rgb(frame), pts, arrived)

  def _seen(self, arrivals):
    for frame in self._decoded():
      arrivals.append(time.monotonic())
      self._look_at(frame)
      yield frame

  def _decoded(self):
    for packet in self._packets():
      try:
        yield from packet.decode()
      except av.FFmpegError as error:
        self._damage(error.strerror)

  def _packets(self):
    lost = 0
    while True:
      try:
        for packet in self._container.demux(self.stream):
          lost = 0
          yield packet
        return
      except av.InvalidDataError as error:
        lost += 1
        if lost > _PATIENCE:
          _log.warning('The source broke off (%s).', error.strerror)
          return
        self._damage(error.strerror)
      except av.FFmpegError as error:
        _log.warning('The source broke off (%s).', error.strerror)
        return

  def _damage(self, what):
    if not self.damaged:
      _log.warning('Part of the input is damaged (%s), and it goes on; how '
                   'often that happened is said at the end.', what)
    self.damaged += 1

  def _look_at(self, frame):
    """Counts what a frame says about itself."""
    if frame.is_corrupt:
      self._damage('a frame has gaps')
    self.flagged += frame.interlaced_frame
    if self.colours is None:
      self.bits = max(c.bits for c in frame.format.components)
      self.colours = Colours(
          self._matrix(frame), int(frame.color_primaries), int(frame.color_trc))
      if self.bits > 8:
        _log.warning('The input has %d bits a sample; live, 8 of them are '
                     'restored and written.', self.bits)

  def _matrix(self, frame):
    """The AVColorSpace of a frame; where it is not told, by its lines."""
    told = int(frame.colorspace)
    if told == _UNKNOWN:
      told = int(self.stream.codec_context.colorspace)
    layout = formats.layout(
        frame.format.name, told, int(frame.color_range), frame.height)
    return layout.matrix if layout.kind == 'yuv' else (
        1 if frame.height >= 720 else 6)

  def _rgb(self, frame):
    # One thread: swscale's write over each other where their slices meet.
    return self._reformatter.reformat(
        frame, format='rgb24', src_colorspace=swscale(self._matrix(frame)),
        threads=1).to_ndarray()


def swscale(matrix: int) -> int:
  """The number that swscale has for an AVColorSpace that it knows."""
  return {6: 5, 10: 9}.get(matrix, matrix)
