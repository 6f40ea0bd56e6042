"""Tiny media files for the tests, written with PyAV alone."""

import fractions

import av
import numpy as np

RATE = fractions.Fraction(25)


def pictures(count=5, height=32, width=48, seed=0):
  """Returns smooth, moving uint8 RGB frames with a little noise."""
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:height, :width] / max(height, width)
  frames = []
  for t in range(count):
    wave = np.stack([np.sin(7 * x + t / 3), np.cos(5 * y - t / 4), x - y], -1)
    frames.append(np.uint8(np.clip(
        128 + 90 * wave + rng.normal(0, 4, wave.shape), 0, 255)))
  return frames


def _add_sound(output, codec, rate=44100):
  stream = output.add_stream(codec, rate=rate)
  stream.codec_context.layout = 'mono'
  return stream


def _encode_sound(output, stream, seconds, rate=44100):
  """Encodes a sine of 440 Hz."""
  if 'pcm' in stream.codec_context.name or 'flac' in stream.codec_context.name:
    kind, wave_format = np.int16, 's16'
  else:
    kind, wave_format = np.float32, 'fltp'
  wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
  wave = (wave * (32767 if kind == np.int16 else 1)).astype(kind)
  size = stream.codec_context.frame_size or 1024
  for start in range(0, len(wave), size):
    frame = av.AudioFrame.from_ndarray(
        wave[None, start:start + size].copy(), wave_format, 'mono')
    frame.sample_rate, frame.pts = rate, start
    frame.time_base = fractions.Fraction(1, rate)
    output.mux(stream.encode(frame))
  output.mux(stream.encode(None))


def write(path, frames, *, codec='libx264', pix_fmt='yuv420p', rate=RATE,
          time_base=None, pts=None, sounds=(), seconds=None, tags=None,
          sample_aspect_ratio=None, rotation=0, options=None):
  """Writes frames: arrays of RGB, or av.VideoFrame as they are.

  tags: colour tags, by name; sounds: audio encoders; seconds: of sound.
  """
  path = str(path)
  time_base = time_base or 1 / fractions.Fraction(rate)
  pts = range(len(frames)) if pts is None else pts
  with av.open(path, 'w') as output:
    stream = output.add_stream(codec, rate=rate, options=options or {})
    first = frames[0]
    if isinstance(first, av.VideoFrame):
      stream.width, stream.height = first.width, first.height
    else:
      stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = pix_fmt
    stream.time_base = stream.codec_context.time_base = time_base
    for name, value in (tags or {}).items():
      setattr(stream.codec_context, name, value)
    if sample_aspect_ratio:
      stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
    if rotation:
      stream.set_display_rotation(rotation)
    tracks = [_add_sound(output, sound) for sound in sounds]
    for stamp, frame in zip(pts, frames, strict=True):
      if not isinstance(frame, av.VideoFrame):
        frame = av.VideoFrame.from_ndarray(frame, 'rgb24')
      frame = frame.reformat(format=pix_fmt)
      frame.pts, frame.time_base = stamp, time_base
      output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
    for track in tracks:
      _encode_sound(output, track, seconds or len(frames) / float(rate))
  return path


def yuv_frame(luma, blue, red, *, pix_fmt='yuv444p', size=(16, 16)):
  """Returns an av.VideoFrame of one colour, given as its three samples."""
  frame = av.VideoFrame(size[1], size[0], pix_fmt)
  for plane, value in zip(frame.planes, (luma, blue, red), strict=True):
    np.frombuffer(plane, np.uint8)[:] = value
  return frame


def noise_frame(pix_fmt, height, width, seed=0):
  """Returns an av.VideoFrame whose every sample is random."""
  rng = np.random.default_rng(seed)
  frame = av.VideoFrame(width, height, pix_fmt)
  bits = max(c.bits for c in frame.format.components)
  for plane in frame.planes:
    view = np.frombuffer(plane, np.uint16 if bits > 8 else np.uint8)
    view[:] = rng.integers(0, 2**bits, view.shape)
  return frame


def packets(path, kind):
  """Returns (payload, seconds) of all packets of a kind, in the file's order.

  By stream: a list of lists.
  """
  with av.open(str(path)) as container:
    streams = getattr(container.streams, kind)
    found = {s.index: [] for s in streams}
    for packet in container.demux(*streams) if streams else ():
      if packet.size:
        found[packet.stream_index].append(
            (bytes(packet), float(packet.pts * packet.time_base)))
  return list(found.values())
