"""Samples into a file of one sound track that packets can be copied from."""

import bisect
import fractions
import os

import av
import numpy as np

from revive_jax import files, types

CODECS = ('flac', 'aac')
_FLAC_CHANNELS, _FLAC_RATE = 8, 655350
_AAC_RATES = (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100,
              48000, 64000, 88200, 96000)
_AAC_BITS = 160_000  # Per second and channel.
# What so many channels are taken for where a file does not say.
_LAYOUTS = {1: 'mono', 2: 'stereo', 3: '2.1', 4: '4.0', 5: '5.0', 6: '5.1',
            7: '6.1', 8: '7.1'}
_PIECE = 65536  # Samples that the encoder gets at once.


def _coded(codec, rate, channels):
  """Returns the encoder, its sample format and the suffix of the file."""
  if codec == 'aac':
    if rate not in _AAC_RATES:
      raise types.BadInput(
          f'Sound of {rate} Hz does not fit into AAC; choose an output that '
          'ends in .mkv.')
    return 'aac', 'fltp', '.mp4'
  if channels > _FLAC_CHANNELS or rate > _FLAC_RATE:
    return 'pcm_s24le', 's32', '.mov'
  return 'flac', 's32', '.mp4'


class Writer:
  """Encodes one track into a file. Use as a context.

  Samples are kept to 24 bits by FLAC (by PCM where FLAC cannot hold the
  channels or the rate); by AAC with its losses. Timestamps count in samples.
  """

  def __init__(self, folder: str | os.PathLike, name: str, codec: str,
               rate: int, layout: str, start: fractions.Fraction):
    """start: seconds, the time of the first sample."""
    types.check_choice('audio codec', codec, CODECS)
    channels = av.AudioLayout(layout).nb_channels
    if layout == f'{channels} channels':
      layout = _LAYOUTS.get(channels, layout)
    self.codec, self._format, suffix = _coded(codec, rate, channels)
    self.path = files.path(folder) / (name + suffix)
    self.limited = 0  # Samples over full scale, cut there.
    self._rate, self._layout = rate, layout
    self._count, self._packets, self._stamps = 0, 0, [(0, start)]
    self._file = files.media(self.path, 'w')
    self._output = av.open(
        self._file, 'w',
        options={'avoid_negative_ts': 'disabled',
                 'movie_timescale': str(rate)})
    self._stream = self._output.add_stream(self.codec, rate=rate)
    context = self._stream.codec_context
    context.layout, context.format = layout, self._format
    self._stream.time_base = fractions.Fraction(1, rate)
    if codec == 'aac':
      context.bit_rate = _AAC_BITS * channels

  def stamp(self, sample: int, seconds: fractions.Fraction) -> None:
    """Says when a sample, not written yet, is to be heard.

    It is, from the next packet on: at most 4608 samples later.
    """
    self._stamps.append((sample, seconds))

  def write(self, samples: np.ndarray) -> None:
    """Encodes [n, channels] float32 more."""
    for start in range(0, len(samples), _PIECE):
      piece = samples[start:start + _PIECE].T
      if self._format == 's32':
        whole = np.round(np.float64(piece) * 2**23)
        inside = np.clip(whole, -2**23, 2**23 - 1)
        self.limited += int(np.count_nonzero(np.abs(whole - inside) > 1))
        piece = np.int32(inside) << 8
        piece = piece.T.reshape(1, -1)  # Packed.
      frame = av.AudioFrame.from_ndarray(
          np.ascontiguousarray(piece), self._format, self._layout)
      frame.sample_rate, frame.pts = self._rate, self._count
      frame.time_base = fractions.Fraction(1, self._rate)
      self._count += frame.samples
      self._mux(self._stream.encode(frame))

  def _mux(self, packets):
    for packet in packets:
      # A packet counts from the first sample; before it, it primes a decoder.
      stamp = self._place(packet.pts)
      packet.pts = packet.dts = stamp
      self._output.mux(packet)

  def _place(self, sample):
    row = max(0, bisect.bisect_right(self._stamps, (sample, float('inf'))) - 1)
    at, seconds = self._stamps[row]
    return round(seconds * self._rate) + sample - at

  def __enter__(self):
    return self

  def __exit__(self, kind, *unused):
    try:
      if not kind:
        self._mux(self._stream.encode(None))
    finally:
      self._output.close()
      files.close(self._file)
      if kind:
        self.path.unlink(missing_ok=True)
