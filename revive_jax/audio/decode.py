"""Sound out of a media file: samples in order, and the time of each."""

from collections.abc import Iterator
import contextlib
import fractions
import os

import av
import numpy as np

from revive_jax import types
from revive_jax.video import probe, sandbox

_WAY_OUT = 'set the strengths of --config.audio to 0 to copy it as it is.'
_TOGETHER = 1 << 16  # Samples that come from a worker at once.
_GAP = 0.05  # Seconds; more than that is a hole in the track, not rounding.


class Track:
  """One sound track, open for reading in order. Use as a context.

  Attributes: rate (Hz), channels, layout (FFmpeg's name), bits (of the samples
  as coded; 0 for lossy codecs and floats), stamps (list of (sample, seconds):
  the time of the first sample, and of each from which on the count of samples
  no longer tells the time), errors (packets that could not be decoded).
  Complete after blocks() has ended.
  """

  def __init__(self, path: str | os.PathLike, index: int):
    """index: 0 for the first sound track. Raises BadInput for what cannot be.
    """
    self._name = f'{path}: sound track {index + 1}'
    self._stack = contextlib.ExitStack()
    self.stamps, self.errors = [], 0
    self._apart = None  # What a worker sends; see sandbox.py.
    if sandbox.covers(path):
      self._apart = sandbox.stream(
          _pieces, path, path, index, warn=lambda said: None)
      self._stack.callback(self._apart.close)
      self.rate, self.layout, self.channels, self.bits = next(self._apart)
      return
    with contextlib.ExitStack() as stack:
      self._input = stack.enter_context(probe.open_video(path))
      streams = self._input.streams.audio
      if not 0 <= index < len(streams):
        raise types.BadInput(
            f'{self._name} does not exist; the file has {len(streams)}.')
      self._stream = streams[index]
      if self._stream.codec_context is None:
        raise types.BadInput(
            f'{self._name} is coded in a way that cannot be decoded; '
            f'{_WAY_OUT}')
      self._frames = self._read()
      self._first = next(self._frames, None)
      if self._first is None:
        raise types.BadInput(
            f'{self._name} cannot be decoded, not one sample of it; '
            f'{_WAY_OUT}')
      self._stack = stack.pop_all()
    self.rate, self.layout, self.channels = _shape(self._first)
    self.bits = (self._stream.codec_context.format.bits
                 if self._first.format.name[0] == 's' else 0)

  def _read(self):
    packets = self._input.demux(self._stream)
    while True:
      try:
        packet = next(packets)
      except (StopIteration, av.EOFError):
        return
      except av.FFmpegError:
        self.errors += 1
        return
      try:
        yield from packet.decode()
      except av.FFmpegError:
        self.errors += 1

  def blocks(self) -> Iterator[np.ndarray]:
    """Yields the samples, [n, channels] float32, full scale = 1."""
    if self._apart is not None:
      yield from self._blocks_apart()
      return
    count, frame = 0, self._first
    while frame is not None:
      if _shape(frame) != (self.rate, self.layout, self.channels):
        raise types.BadInput(
            f'{self._name} changes its rate or channels after '
            f'{count / self.rate:.1f} s; {_WAY_OUT}')
      self._stamp(frame, count)
      yield to_array(frame)
      count += frame.samples
      frame = next(self._frames, None)

  def _blocks_apart(self):
    for pieces in self._apart:
      for block, stamps, self.errors in pieces:
        self.stamps += stamps
        if block is not None:
          yield block

  def _stamp(self, frame, count):
    if frame.pts is None:
      if not self.stamps:
        self.stamps.append((0, fractions.Fraction(0)))
      return
    seconds = frame.pts * fractions.Fraction(frame.time_base)
    if not self.stamps:
      self.stamps.append((count, seconds))
      return
    sample, known = self.stamps[-1]
    off = seconds - known - fractions.Fraction(count - sample, self.rate)
    if abs(off) > _GAP:
      self.stamps.append((count, seconds))

  def __enter__(self):
    return self

  def __exit__(self, *unused):
    self._stack.close()


def _pieces(path, index, *, warn):
  """Yields what a track is, then lists of (block, new stamps, errors)."""
  del warn
  with Track(path, index) as track:
    yield track.rate, track.layout, track.channels, track.bits
    told, pieces, samples = 0, [], 0
    for block in track.blocks():
      pieces.append((block, track.stamps[told:], track.errors))
      told, samples = len(track.stamps), samples + len(block)
      if samples >= _TOGETHER:
        yield pieces
        pieces, samples = [], 0
    yield [*pieces, (None, track.stamps[told:], track.errors)]


def _shape(frame):
  return frame.sample_rate, frame.layout.name, frame.layout.nb_channels


def to_array(frame: av.AudioFrame) -> np.ndarray:
  """Returns the samples of a frame, [n, channels] float32, full scale = 1."""
  wave = frame.to_ndarray()
  if not frame.format.is_planar:
    wave = wave.reshape(-1, frame.layout.nb_channels).T
  kind = wave.dtype
  if kind == np.uint8:
    wave = (wave.astype(np.float32) - 128) / 128
  elif kind.kind == 'i':
    wave = wave / -float(np.iinfo(kind).min)
  wave = np.ascontiguousarray(wave.T, np.float32)
  return wave if np.isfinite(wave).all() else np.nan_to_num(
      wave, nan=0., posinf=1., neginf=-1.)
