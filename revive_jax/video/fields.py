"""Fields: the even (top) and odd (bottom) lines of interlaced frames.

To restore interlaced material for an archive, its fields are taken apart, each
half restored as a progressive film of its own, and woven again. Two films of
top and of bottom fields, not one of fields in turn, for that would jump by a
line from frame to frame. Chroma planes have fields like luma: RGB must be made
field by field, or the colours of two moments mix.
"""

from collections.abc import Iterable, Iterator, Sequence

import av
import numpy as np

from revive_jax.video import color, filters, formats


def split(
    planes: Sequence[np.ndarray], *, axis: int = 0
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
  """Returns (top, bottom): the even and the odd lines of each plane.

  axis: that of the lines: 0 for planes [H, W] and [H, W, 3], 1 for clips. Of
  an odd number of lines, the top field has one more. Views, not copies.
  """
  rows = (slice(None),) * axis
  return tuple(tuple(p[(*rows, slice(i, None, 2))] for p in planes)
               for i in (0, 1))


def weave(
    top: Sequence[np.ndarray], bottom: Sequence[np.ndarray], *, axis: int = 0
) -> tuple[np.ndarray, ...]:
  """Returns the planes whose fields are top and bottom: split undone."""
  woven = []
  rows = (slice(None),) * axis
  for even, odd in zip(top, bottom, strict=True):
    if even.shape[axis] - odd.shape[axis] not in (0, 1):
      raise ValueError(
          f'Fields of {even.shape} and {odd.shape} do not make a frame.')
    shape = list(even.shape)
    shape[axis] += odd.shape[axis]
    plane = np.empty(shape, even.dtype)
    plane[(*rows, slice(0, None, 2))] = even
    plane[(*rows, slice(1, None, 2))] = odd
    woven.append(plane)
  return tuple(woven)


def _fitted(planes, layout, height, width):
  """Returns planes with the lines that layout wants; the last is repeated.

  At heights that are no multiple of four, a field of 4:2:0 has a line of
  chroma too many or too few for its luma.
  """
  fitted = []
  for plane, shape in zip(
      planes, layout.plane_shapes(height, width), strict=True):
    missing = shape[0] - plane.shape[0]
    if missing > 0:
      plane = np.concatenate([plane, np.repeat(plane[-1:], missing, 0)])
    fitted.append(np.ascontiguousarray(plane[:shape[0]]))
  return tuple(fitted)


def to_rgb(
    planes: tuple[np.ndarray, ...], layout: formats.Layout
) -> np.ndarray:
  """Returns planes of an interlaced frame as RGB, as color.to_rgb does.

  The lines of the result are those of the fields: see split and weave.
  """
  halves = []
  for half in split(planes):
    height, width = half[0].shape[:2]
    halves.append(color.to_rgb(_fitted(half, layout, height, width), layout))
  return weave(halves[:1], halves[1:])[0]


def to_planes(
    rgb: np.ndarray, layout: formats.Layout
) -> tuple[np.ndarray, ...]:
  """Returns RGB, [H, W, 3], as planes of an interlaced frame of layout."""
  shapes = layout.plane_shapes(*rgb.shape[:2])
  halves = []
  for i, (half,) in enumerate(split((rgb,))):
    planes = color.to_planes(np.ascontiguousarray(half), layout)
    fitted = []
    for plane, (height, *_) in zip(planes, shapes, strict=True):
      lines = (height + 1 - i) // 2
      missing = max(0, lines - plane.shape[0])
      fitted.append(np.concatenate(
          [plane, np.repeat(plane[-1:], missing, 0)])[:lines])
    halves.append(fitted)
  return weave(*halves)


def mark(
    frames: Iterable[av.VideoFrame], *, top_first: bool
) -> Iterator[av.VideoFrame]:
  """Yields the frames, marked as interlaced: encoders write the mark down.

  The samples stay as they are; whether the file says so is up to the encoder
  (H.264 wants the option flags=+ildct besides).
  """
  graph = source = sink = None
  for frame in frames:
    if graph is None:
      graph, source, sink = filters.build(
          frame, 'setfield', 'tff' if top_first else 'bff')
    source.push(frame)
    yield from filters.pulled(sink)


def woven(top: av.VideoFrame, bottom: av.VideoFrame) -> av.VideoFrame:
  """Returns a frame of the even lines of top and the odd ones of bottom.

  Sample for sample, in any format; tags of colour are those of top, and
  there is no timestamp.
  """
  frame = av.VideoFrame(top.width, top.height, top.format.name)
  for plane, even, odd in zip(
      frame.planes, top.planes, bottom.planes, strict=True):
    new, even, odd = (np.frombuffer(p, np.uint8).reshape(-1, p.line_size)
                      for p in (plane, even, odd))
    size = min(new.shape[1], even.shape[1], odd.shape[1])
    new[0::2, :size] = even[0::2, :size]
    new[1::2, :size] = odd[1::2, :size]
  for tag in ('colorspace', 'color_range', 'color_primaries', 'color_trc'):
    setattr(frame, tag, getattr(top, tag))
  return frame
