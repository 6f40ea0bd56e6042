"""Level: how loud a track is, and one factor for all of it."""

import fractions

import av
import numpy as np

TARGET = -23.  # LUFS (EBU R 128).
_HIGHEST_PEAK = -1.  # Decibels of full scale that a raised track may reach.


class Meter:
  """Loudness and peak of a track, block by block (EBU R 128, by FFmpeg)."""

  def __init__(self, rate: int, layout: str):
    self._rate, self._layout, self._count = rate, layout, 0
    self._graph = av.filter.Graph()
    source = self._graph.add_abuffer(
        sample_rate=rate, format='fltp', layout=layout,
        time_base=fractions.Fraction(1, rate))
    meter = self._graph.add('ebur128', 'metadata=1:framelog=quiet')
    sink = self._graph.add('abuffersink')
    source.link_to(meter)
    meter.link_to(sink)
    self._graph.configure()
    self._source, self._sink = source, sink
    self.loudness = -np.inf  # LUFS; -inf for silence.
    self.peak = 0.  # Full scale = 1.

  def add(self, samples: np.ndarray) -> None:
    """Measures [N, channels] more."""
    if not len(samples):
      return
    self.peak = max(self.peak, float(np.abs(samples).max()))
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples.T, np.float32), 'fltp', self._layout)
    frame.sample_rate, frame.pts = self._rate, self._count
    frame.time_base = fractions.Fraction(1, self._rate)
    self._count += len(samples)
    self._source.push(frame)
    self._read()

  def _read(self):
    while True:
      try:
        frame = self._sink.pull()
      except (av.BlockingIOError, av.EOFError):
        return
      value = frame.metadata.get('lavfi.r128.I')  # A last, short frame: none.
      if value is not None:
        self.loudness = float(value) if float(value) > -70 else -np.inf

  def finish(self) -> None:
    """Ends the track."""
    self._source.push(None)
    self._read()


def gain(strength: float, loudness: float, peak: float) -> float:
  """Returns the factor that brings a track to -23 LUFS, by strength in [0, 1].

  Never one that takes its peak over -1 dB of full scale by raising it.
  """
  if not strength or not np.isfinite(loudness) or not peak:
    return 1.
  decibels = strength * (TARGET - loudness)
  if decibels > 0:
    decibels = min(decibels, max(0., _HIGHEST_PEAK - 20 * np.log10(peak)))
  return float(10 ** (decibels / 20))
