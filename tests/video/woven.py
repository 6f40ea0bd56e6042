"""Interlaced and telecined frames for the tests: woven from moving pictures."""

import fractions

import av
import numpy as np

RATE = fractions.Fraction(30)


def scene(time, *, height=64, width=96, kind=0):
  """Returns a [H, W] uint8 picture of a moving pattern; time in frames.

  kind: a different picture for each number, so that a cut is one.
  """
  y, x = np.mgrid[:height, :width]
  wave = np.sin((x - 3 * time) / (4 + kind)) * np.cos((y + time) / (9 - kind))
  box = (abs(x - (20 + 2.5 * time) % width) < 10) & (abs(y - 30) < 12)
  return np.uint8(np.clip(110 + 30 * kind + 50 * wave + 60 * box, 0, 255))


def scenes(count, step=1.0, **options):
  """Returns count pictures, step frames apart."""
  return [scene(step * i, **options) for i in range(count)]


def weave(top, bottom):
  """Returns the picture with the even lines of top, the odd ones of bottom."""
  picture = top.copy()
  picture[1::2] = bottom[1::2]
  return picture


def interlaced(count, *, top_first=True, **options):
  """Returns count pictures, each woven of two moments half a frame apart."""
  halves = scenes(2 * count, 0.5, **options)
  pairs = zip(halves[::2], halves[1::2], strict=True)
  return [weave(*(pair if top_first else pair[::-1])) for pair in pairs]


def telecined(film, *, top_first=True):
  """Returns the 30 pictures a second of a film of 24: AA BB BC CD DD."""
  pictures = []
  for i in range(0, len(film) - 3, 4):
    for first, second in ((0, 0), (1, 1), (1, 2), (2, 3), (3, 3)):
      pair = film[i + first], film[i + second]
      pictures.append(weave(*(pair if top_first else pair[::-1])))
  return pictures


def frames(pictures, pix_fmt='gray', *, pts=None, time_base=1 / RATE):
  """Returns grey pictures as frames of pix_fmt; colour planes get a pattern."""
  made = []
  for i, picture in enumerate(pictures):
    frame = av.VideoFrame.from_ndarray(picture, 'gray')
    if pix_fmt != 'gray':
      frame = frame.reformat(
          format=pix_fmt, src_color_range=2, dst_color_range=2)
    frame.pts = i if pts is None else pts[i]
    frame.time_base = time_base
    made.append(frame)
  return made


def samples(frame):
  """Returns the samples of a frame, padding left out, for comparing."""
  return [np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[
      :, :_line_bytes(frame, p)].copy() for p in frame.planes]


def _line_bytes(frame, plane):
  components = frame.format.components
  size = 2 if components[0].bits > 8 else 1
  packed = len(components) if len(frame.planes) == 1 else (
      len(components) - 1 if len(frame.planes) < len(components)
      and plane.index else 1)
  return plane.width * size * packed
