"""Fields: the even (top) and odd (bottom) lines of interlaced frames.

To restore interlaced material for an archive, its fields are taken apart, each
half restored as a progressive film of its own, and woven again. Two films of
top and of bottom fields, not one of fields in turn, for that would jump by a
line from frame to frame. Chroma planes have fields like luma: RGB must be made
field by field, or the colours of two moments mix.
"""

from collections.abc import Callable, Sequence
import dataclasses

import av
import numpy as np

from revive_jax import types
from revive_jax.video import color, filters, formats, splice


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
  return tuple(_of_height(plane, shape[0]) for plane, shape in zip(
      planes, layout.plane_shapes(height, width), strict=True))


def _of_height(plane, height):
  missing = max(0, height - plane.shape[0])
  if missing:
    plane = np.concatenate([plane, np.repeat(plane[-1:], missing, 0)])
  return np.ascontiguousarray(plane[:height])


def _rejoined(halves, layout, height, width):
  """Returns the planes of a frame out of those of its fields in layout."""
  heights = [s[0] for s in layout.plane_shapes(height, width)]
  return weave(*(
      tuple(_of_height(p, (h + 1 - i) // 2)
            for p, h in zip(half, heights, strict=True))
      for i, half in enumerate(halves)))


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


def join(
    rgb: np.ndarray,
    changed: np.ndarray | None,
    planes: tuple[np.ndarray, ...],
    source: formats.Layout,
    target: formats.Layout,
    noise: tuple[np.ndarray | None, ...] | None = None,
) -> tuple[tuple[np.ndarray, ...], int]:
  """Returns the planes of an interlaced frame to write: see splice.splice.

  Field by field: a sample of colour is touched only where its own field was.
  """
  halves, kept = [], 0
  for i, (lines, half) in enumerate(zip(
      (slice(0, None, 2), slice(1, None, 2)), split(planes), strict=True)):
    own = np.ascontiguousarray(rgb[lines])
    height, width = own.shape[:2]
    where = None if changed is None else changed[lines]
    if where is not None and not where.any():
      where = None
    if noise is not None:
      own_noise = tuple(
          None if n is None else _of_height(n[i::2], s[0]) for n, s in zip(
              noise, target.plane_shapes(height, width), strict=True))
    else:
      own_noise = None
    made, untouched = splice.splice(
        own, where, _fitted(half, source, height, width), source, target,
        own_noise)
    halves.append(made)
    kept += untouched
  return _rejoined(halves, target, *rgb.shape[:2]), kept


def split_clip(clip: types.Clip) -> tuple[types.Clip, types.Clip]:
  """Returns the clips of the top and of the bottom fields, for restoring."""
  halves = []
  for i in (0, 1):
    halves.append(clip.replace(**{
        name: value[:, i::2] for name, value in _pictures(clip).items()}))
  return tuple(halves)


def weave_clip(top: types.Clip, bottom: types.Clip) -> types.Clip:
  """Returns the clip whose fields are top and bottom: split_clip undone.

  What is no picture (timestamps, cuts, tone) is that of the top fields; flow
  is counted in lines of the frame, of which a field has every second.
  """
  joined = {}
  others = _pictures(bottom)
  for name, value in _pictures(top).items():
    joined[name], = weave((np.asarray(value),), (np.asarray(others[name]),),
                          axis=1)
    if name.startswith('flow'):
      joined[name][..., 1] *= 2
  return top.replace(**joined)


def _pictures(clip):
  values = {f.name: getattr(clip, f.name) for f in dataclasses.fields(clip)}
  return {k: v for k, v in values.items() if v is not None and v.ndim == 4}


def marker(*, top_first: bool) -> Callable[[av.VideoFrame], av.VideoFrame]:
  """Returns a function that marks frames as interlaced, samples untouched.

  An encoder writes the mark down if its context's field_order is 2 (top first)
  or 3 too, and that of H.264 and ProRes if its flags have interlaced_dct.
  """
  graph = source = sink = None

  def mark(frame):
    nonlocal graph, source, sink
    if graph is None:
      graph, source, sink = filters.build(
          frame, 'setfield', 'tff' if top_first else 'bff')
    source.push(frame)
    marked, = filters.pulled(sink)
    return marked

  return mark


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
