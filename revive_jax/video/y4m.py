"""YUV4MPEG2, what programs hand each other frames in through pipes.

It holds frames of YUV or grey, at an even rate, the shape of their pixels and
the order of their fields, and nothing else: no sound, no times, no matrix.
"""

from collections.abc import Iterable
import fractions
import math
import os
import re
import types as python_types
from typing import Any, BinaryIO

import av
import numpy as np

from revive_jax.video import color, formats, probe, reader

FORM = 'yuv4mpegpipe'  # FFmpeg's name of it.
FORMS = ('auto', FORM, 'matroska')  # What goes through pipes: c.live.sends.
CODEC = 'wrapped_avframe'
_LONGEST = 1024  # Bytes of a line.
_HELD = re.compile(
    r'(yuv(420|422|444)p((9|10|12|14|16)le)?|yuv411p|gray((9|10|12|16)le)?)$')


def layout(info: probe.VideoInfo) -> formats.Layout:
  """How frames of a film are written: as they are, if they can be.

  RGB becomes 4:4:4; YUV of other shapes 4:4:4, too.
  """
  found = info.layout
  if _HELD.match(found.pix_fmt):
    return found
  bits = next(b for b in (8, 10, 12, 14, 16) if b >= found.bits)
  name = 'yuv444p' + (f'{bits}le' if bits > 8 else '')
  matrix = found.matrix if found.kind == 'yuv' else 2
  return formats.layout(name, matrix, 1 + (
      found.full and found.kind == 'yuv'), info.height)


def write(
    file: BinaryIO, frames: Iterable[reader.SourceFrame], info: probe.VideoInfo
) -> int:
  """Writes frames to an open file, one after the other; returns how many.

  Args:
    file: such as standard output.
    frames: of a film.
    info: of it; its field_order is said of all frames.

  Raises:
    OSError: the file takes no more.
  """
  form, count = layout(info), 0
  try:
    # More than 8 bits are an extension, which both FFmpeg and mpv know.
    with av.open(shaped(file, info.sample_aspect_ratio), 'w', format=FORM,
                 options={'strict': '-1'}) as container:
      stream = _add_stream(container, form, info)
      for frame in frames:
        made = formats.make_frame(_planes(frame, form), form, form.pix_fmt)
        made.pts, made.time_base = count, 1 / info.frame_rate
        container.mux(stream.encode(made))
        count += 1
  except av.FFmpegError as error:
    # Closing hides what the system said.
    if isinstance(error.__context__, OSError):
      raise error.__context__ from None
    raise
  return count


def _add_stream(container, form, info) -> av.VideoStream:
  stream = container.add_stream(CODEC, rate=info.frame_rate)
  stream.width, stream.height = info.width, info.height
  stream.pix_fmt = form.pix_fmt
  context = stream.codec_context
  context.color_range = 1 + form.full
  context.field_order = info.field_order
  return stream


def shaped(file: BinaryIO, ratio: fractions.Fraction | None) -> Any:
  """What writes to a file, and puts the shape of the pixels into the header.

  FFmpeg takes it from the stream, where PyAV cannot set it.

  Args:
    file: such as standard output.
    ratio: of the pixels, width by height; None: unknown.
  """
  if not ratio:
    return file
  before, told = b' A0:0', f' A{ratio.numerator}:{ratio.denominator}'.encode()

  def write(data):
    nonlocal before
    data, size = bytes(data), len(data)
    if before:  # The first that is written begins with the header.
      head, end, rest = data.partition(b'\n')
      data, before = head.replace(before, told, 1) + end + rest, None
    file.write(data)
    return size

  return python_types.SimpleNamespace(write=write)


def left_over(path: str | os.PathLike, info: probe.VideoInfo) -> int:
  """Bytes behind the last whole frame of a file that was broken off."""
  with open(path, 'rb') as file:
    head, frame = (len(file.readline(_LONGEST)) for _ in range(2))
    size = file.seek(0, os.SEEK_END)
  shapes = info.layout.plane_shapes(info.height, info.width)
  samples = sum(math.prod(shape) for shape in shapes)
  return (size - head) % (
      frame + samples * np.dtype(info.layout.dtype).itemsize)


def _planes(frame, form) -> tuple[np.ndarray, ...]:
  if frame.layout == form:
    return frame.planes
  found = color.convert(frame.planes, frame.layout, form)
  return color.to_planes(frame.rgb, form) if found is None else found
