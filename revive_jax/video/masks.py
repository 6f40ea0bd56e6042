"""The user's mask of damage: one picture, a folder of them, or a video."""

from collections.abc import Iterator
import itertools
import os

import numpy as np

from revive_jax import types
from revive_jax.video import probe, reader


def _mask(frame: reader.SourceFrame) -> np.ndarray:
  """Returns [H, W] bool: the brightest channel is at least half of white."""
  half = 128 if frame.rgb.dtype == np.uint8 else 32768
  return (frame.rgb >= half).any(-1)


def _decided(frame: reader.SourceFrame) -> np.ndarray:
  """Returns [H, W] int8: 1 from 192 of 255 on, -1 up to 63, 0 between."""
  code = 1 if frame.rgb.dtype == np.uint8 else 257
  brightest = frame.rgb.max(-1)
  return (brightest >= 192 * code).astype(np.int8) - (brightest < 64 * code)


def _in_order(path, masks, count, read):
  """Yields the masks of frames, count of them (None: all there are)."""
  done = 0
  for frame in reader.read_frames(masks, stop=count):
    yield read(frame)
    done += 1
  if count is not None and done < count:
    raise types.BadInput(
        f'{path}: the mask has {done} frames, the film {count}; give as many, '
        'or one picture for all of them.')


def read_masks(
    path: str | os.PathLike,
    info: probe.VideoInfo,
    num_frames: int | None = None,
    *,
    overrides: bool = False,
) -> Iterator[np.ndarray]:
  """Returns an iterator of masks, [H, W] bool, one for each frame of the film.

  path: a picture (holds for every frame), a folder of pictures or a video, in
  the order of the frames; a pixel is marked where a channel is 128 or more of
  255. info: of the film. num_frames: how many masks there must be; None: as
  many as there are, for a picture without end. overrides: masks are then
  [H, W] int8, and say of each pixel that it is damage (1: white), that it is
  not (-1: black), or that the program decides (0: grey). One mask is in memory
  at a time. Raises BadInput for a wrong size at once, and for too few masks at
  once or, where the file does not say how many it holds, when they end.
  """
  masks, read = probe.probe(path), _decided if overrides else _mask
  if (masks.width, masks.height) != (info.width, info.height):
    raise types.BadInput(
        f'{path}: the mask is {masks.width}x{masks.height}, the film '
        f'{info.width}x{info.height}; make them equal.')
  if masks.kind == 'image':
    mask = read(next(reader.read_frames(masks)))
    if num_frames is None:
      return itertools.repeat(mask)
    return itertools.repeat(mask, num_frames)
  if masks.kind == 'images' and num_frames is not None and (
      masks.frame_count < num_frames):
    raise types.BadInput(
        f'{path}: the mask has {masks.frame_count} frames, the film '
        f'{num_frames}; give as many, or one picture for all of them.')
  return _in_order(path, masks, num_frames, read)
