"""Origin: what was done at each pixel of a frame, as layers of 8 bits.

Each layer is [H, W] uint8, made to be looked at as it is, and to be read back
as numbers: video/layers.py keeps them beside the film.
"""

import numpy as np

from revive_jax import types
from revive_jax.video import layers as layers_lib

UNKNOWN = 255  # Of uncertainty and spread: a quarter of the range, or unknown.
_STEP = 85  # From one class of origin to the next.
_PER_SIGMA = 1020  # Codes of a standard deviation of 1: 255 is a quarter.
_HERE = 128  # Of origin_frame: no other frame.


def layers(
    clip: types.Clip, t: int, before: np.ndarray, after: np.ndarray
) -> dict[str, np.ndarray]:
  """The layers (video.layers.TITLES) of one frame, [H, W] uint8 each.

  `damage`: the probability, 255 is certain. `change`: the largest difference of
  a channel in 255ths, rounded up, so that 0 is no change at all. `uncertainty`:
  the network's standard deviation in 1020ths, 0 where the source's pixel was
  kept, 255 where nobody can say. `spread`: the same of several fills. `origin`:
  85 times types.Origin. `origin_frame`: 128 plus how many frames later the one
  is that a pixel was moved from.

  Args:
    clip: finished; a field that no stage filled says nothing.
    t: the frame of it.
    before: [H, W, 3] uint8 or uint16, the source's.
    after: [H, W, 3] of the same type, what is written.
  """
  shape = after.shape[:2]
  of = lambda x, empty: (np.full(shape, empty, np.float32) if x is None
                         else np.asarray(x[t, ..., 0]))
  origin = of(clip.origin, types.Origin.KEPT).astype(np.uint8)
  kept = origin == types.Origin.KEPT
  moved = origin == types.Origin.MOVED
  offset = of(clip.origin_frame, 0).astype(np.int16)
  found = {
      'damage': _codes(255 * of(clip.damage, 0)),
      'change': change(before, after),
      'uncertainty': np.where(
          kept, 0, _deviation(clip.log_variance, t, shape)).astype(np.uint8),
      'origin': origin * np.uint8(_STEP),
      'origin_frame': np.where(moved, _HERE + offset, _HERE).astype(np.uint8)}
  if clip.spread is not None:
    found['spread'] = np.where(
        kept, 0, _codes(_PER_SIGMA * clip.spread[t, ..., 0])).astype(np.uint8)
  return {name: found[name] for name in layers_lib.TITLES if name in found}


def shared(
    found: dict[str, np.ndarray], sub_x: int, sub_y: int
) -> dict[str, np.ndarray]:
  """The layers of a frame whose chroma has fewer samples than its luma.

  A pixel that was kept shares its chroma with one that was not: its place is
  the source's own, but averaged with its surroundings.

  Args:
    found: the layers.
    sub_x: pixels to a sample of chroma, across.
    sub_y: down.
  """
  changed = found['change'] > 0
  if sub_x * sub_y == 1 or not changed.any():
    return found
  height, width = changed.shape
  wide = np.pad(changed, ((0, -height % sub_y), (0, -width % sub_x)))
  blocks = wide.reshape(
      wide.shape[0] // sub_y, sub_y, wide.shape[1] // sub_x, sub_x).any((1, 3))
  near = np.repeat(np.repeat(blocks, sub_y, 0), sub_x, 1)[
      :height, :width] & ~changed
  kept = near & (found['origin'] == _STEP * types.Origin.KEPT)
  return found | {
      'change': np.where(near, np.uint8(1), found['change']),
      'origin': np.where(kept, np.uint8(_STEP * types.Origin.DENOISED),
                         found['origin'])}


def drawn(
    layers_: dict[str, np.ndarray] | None, before: np.ndarray,
    after: np.ndarray,
) -> dict[str, np.ndarray] | None:
  """The layers of a frame that something was drawn into, such as a notice.

  Args:
    layers_: of the frame before that; None stays None.
    before: [H, W, 3], that frame.
    after: [H, W, 3], with what was drawn: those pixels are invented.
  """
  if layers_ is None:
    return None
  new = (before != after).any(-1)
  return layers_ | {
      'change': np.where(new, np.maximum(
          layers_['change'], change(before, after)), layers_['change']),
      'origin': np.where(new, np.uint8(_STEP * types.Origin.INVENTED),
                         layers_['origin'])}


def change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
  """The largest change of a channel of [H, W, 3] in 255ths, rounded up, uint8.
  """
  step = np.iinfo(after.dtype).max // 255
  most = np.abs(after.astype(np.int32) - before.astype(np.int32)).max(-1)
  return (-(-most // step)).astype(np.uint8)


def classes(layer: np.ndarray) -> np.ndarray:
  """types.Origin of a layer `origin`; the nearest, if it was coded lossily."""
  return np.round(layer / _STEP).astype(np.uint8)


def offsets(layer: np.ndarray) -> np.ndarray:
  """Frames from this one to where a pixel is from, of `origin_frame`, int16."""
  return layer.astype(np.int16) - _HERE


def deviations(layer: np.ndarray) -> np.ndarray:
  """Standard deviations in [0, 0.25], of `uncertainty` or `spread`."""
  return layer / np.float32(_PER_SIGMA)


def _codes(values) -> np.ndarray:
  return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _deviation(log_variance, t, shape) -> np.ndarray:
  if log_variance is None:
    return np.full(shape, UNKNOWN, np.uint8)
  return _codes(_PER_SIGMA * np.exp(0.5 * log_variance[t, ..., 0]))
