"""Restore: the learned stage. Fills flow, damage, restored and log_variance.

One pass of one network over a window, tile by tile. It is the one stage with a
memory: the network's forward state goes from window to window, so that a
window is restored as if the film had been one piece.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cv2
import jax.numpy as jnp
import numpy as np

from revive_jax import types
from revive_jax.models import restorer
from revive_jax.ops import windows
from revive_jax.pipeline import match

# (frames [1, T, H, W, 3], mask=[1, T, H, W, 1], cuts=[1, T], state=,
# carry_after=) to (restorer.Restored, state): models/inference.py; count=, too,
# where only the first of the frames are some.
Network = Callable[..., tuple[Any, Any]]

_FIELDS = ('restored', 'damage', 'damage_kind', 'log_variance', 'flow_forward',
           'flow_backward', 'origin', 'origin_frame', 'spread')


class Memory(NamedTuple):
  """What one window of a shot leaves to the next."""

  states: dict[tuple[int, int], Any]  # The network's, by corner of the tile.
  tail: dict[str, np.ndarray]  # Fields of its last frames, by name.


def packed(memory: Memory) -> dict[str, np.ndarray]:
  """A memory as arrays by name, to be kept on a disk."""
  arrays = {f'tail/{name}': x for name, x in memory.tail.items()}
  for (top, left), state in memory.states.items():
    for name, x in vars(state).items():
      x = np.asarray(x)
      # NumPy's files do not know bfloat16, of which float32 holds all values.
      wide = x.astype(np.float32) if x.dtype == jnp.bfloat16 else x
      arrays[f'state/{top}/{left}/{name}/{x.dtype}'] = wide
  return arrays


def unpacked(arrays: Mapping[str, np.ndarray]) -> Memory:
  """The inverse of packed: the same numbers."""
  tail, states = {}, {}
  for name, x in arrays.items():
    kind, _, rest = name.partition('/')
    if kind == 'tail':
      tail[rest] = x
    else:
      top, left, field, dtype = rest.split('/')
      states.setdefault((int(top), int(left)), {})[field] = jnp.asarray(
          x, dtype)
  return Memory({corner: restorer.State(**fields)
                 for corner, fields in states.items()}, tail)


def restore(
    clip: types.Clip, *, network: Network, core: slice,
    memory: Memory | None, keep: int, length: int, tile: int, overlap: int,
    sample: int = 0,
) -> tuple[types.Clip, Memory]:
  """Fills flows, damage, kind, restored, log_variance, origin: look, then tell.

  Args:
    clip: see look.
    network: see look.
    core: see look.
    memory: of the window before it in the same shot; None: there is none.
    keep: see tell.
    length: see look.
    tile: side of a tile, px.
    overlap: of tiles, px.
    sample: see look.

  Returns:
    The clip, and the memory for the next window.
  """
  values, states = look(
      clip, network=network, core=core, states=memory and memory.states,
      length=length, tile=tile, overlap=overlap, sample=sample)
  clip, tail = tell(
      clip, values, core=core, tail=memory and memory.tail, keep=keep)
  return clip, Memory(states, tail)


def look(
    clip: types.Clip, *, network: Network, core: slice,
    states: Mapping[tuple[int, int], Any] | None, length: int, tile: int,
    overlap: int, sample: int = 0,
) -> tuple[dict[str, np.ndarray], dict[tuple[int, int], Any]]:
  """What the network says of the frames from core on, by name of field.

  Args:
    clip: with frames; where user_mask or damage is 1 the network is told so.
    network: the restorer.
    core: the frames of the clip that this window is about; those before were
      restored by the window before, those after are only looked at.
    states: the network's, of the window before; None: there is none.
    length: frames of the longest window from core on (fit.length); shorter ones
      are made up to it, so that one program is compiled for all.
    tile: side of a tile, px.
    overlap: of tiles, px.
    sample: which of several answers, of a network that has some; 0 always is.

  Returns:
    Fields [T, H, W, C], and the network's states for the next window.
  """
  frames = clip.frames[core.start:]
  mask = _told(clip)[core.start:]
  cuts = np.zeros(len(frames), bool)
  cuts[0] = states is None
  left, chosen = {}, {'sample': sample} if sample else {}
  count = len(frames)
  if count < length:
    chosen['count'] = count
    frames, mask, cuts = _padded((frames, mask, cuts), length)

  def one(top, bottom, start, stop):
    box = (None, slice(None), slice(top, bottom), slice(start, stop))
    result, left[top, start] = network(
        frames[box], mask=mask[box], cuts=cuts[None],
        state=states[top, start] if states else None,
        carry_after=core.stop - core.start, **chosen)
    return _on_host(result, count, (stop - start, bottom - top))

  return windows.map_tiles(
      one, *frames.shape[1:3], tile=tile, overlap=overlap), left


def tell(
    clip: types.Clip, values: dict[str, np.ndarray], *, core: slice,
    tail: Mapping[str, np.ndarray] | None, keep: int,
) -> tuple[types.Clip, dict[str, np.ndarray]]:
  """The clip with what the network said, and what follows from it.

  Args:
    clip: that look was given.
    values: of look; emptied, so that nothing is kept twice.
    core: as there.
    tail: of the window before it in the same shot; None: there is none.
    keep: frames that the next window will look back at, at most.

  Returns:
    The clip, and the tail for the next window.
  """
  values, given = dict(values), values
  given.clear()
  if clip.user_mask is not None:
    values['damage'] = np.where(
        clip.user_mask[core.start:] < -0.5, np.float32(0), values['damage'])
  values['damage_kind'] = damage_kinds(values['damage'], clip, core.start)
  before = core.start if tail is not None else 0
  if before:
    values = {name: np.concatenate([tail[name][-before:], value])
              for name, value in values.items()}
  values |= origins(clip.frames, values, start=before)
  if before:
    for name in ('origin', 'origin_frame'):
      values[name][:before] = tail[name][-before:]
  # Copies, or the whole window would be kept with them.
  first = max(0, core.stop - keep)
  left = {name: values[name][first:core.stop].copy() for name in _FIELDS
          if name in values}
  return clip.replace(**values), left


def _told(clip: types.Clip) -> np.ndarray:
  """What is known to be damaged before the network looks, [T, H, W, 1]."""
  mask = np.zeros((*clip.frames.shape[:3], 1), np.float32)
  for known in (clip.user_mask, clip.damage):
    if known is not None:
      mask = np.maximum(mask, (known > 0.5).astype(np.float32))
  return mask


def _padded(arrays, length):
  """frames, mask and cuts with the last frame repeated behind a cut."""
  frames, mask, cuts = arrays
  extra = length - len(frames)
  repeat = lambda x: np.concatenate([x, np.repeat(x[-1:], extra, 0)])
  cuts = np.concatenate([cuts, np.zeros(extra, bool)])
  cuts[length - extra] = True
  return repeat(frames), repeat(mask), cuts


def _on_host(result, count, size) -> dict[str, np.ndarray]:
  """The first frames of what the network returned; size: of a frame, (W, H).
  """
  # Taken apart here: [0] of what is on a device is one more array there.
  first = lambda x: np.asarray(x)[0, :count].astype(np.float32, copy=False)
  names = {'restored': 'output', 'damage': 'damage',
           'log_variance': 'log_variance', 'spread': 'spread'}
  found = {name: first(x) for name, key in names.items()
           if (x := getattr(result, key, None)) is not None}
  flow = first(result.flow)
  return found | {'flow_backward': _full_size(flow[:, 0], size),
                  'flow_forward': _full_size(flow[:, 1], size)}


def _full_size(flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Flow [T, h, w, 2] px at half resolution to px of the frame."""
  width, height = size
  large = np.empty((len(flow), height, width, 2), np.float32)
  for small, result in zip(flow, large, strict=True):
    result[:] = cv2.resize(2 * small, (2 * small.shape[1], 2 * small.shape[0]))[
        :height, :width]
  return large


def damage_kinds(
    damage: np.ndarray, clip: types.Clip, start: int
) -> np.ndarray:
  """Kinds of damage [T, H, W, 1] uint8 by shape: high and thin is a scratch.

  A connected part is a scratch if it is at least a quarter of the frame high
  and six times as high as wide; else it is dust.

  Args:
    damage: probabilities of the clip's frames from start on.
    clip: with the user's mask.
    start: the first frame that damage is of.
  """
  kinds = np.zeros(damage.shape, np.uint8)
  height = damage.shape[1]
  for frame, kind in zip(damage[..., 0], kinds[..., 0], strict=True):
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (frame > 0.5).astype(np.uint8), connectivity=8)
    tall, wide = stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_WIDTH]
    mean_width = stats[:, cv2.CC_STAT_AREA] / np.maximum(tall, 1)
    line = (tall >= height / 4) & (tall >= 6 * np.minimum(wide, mean_width))
    table = np.where(line, types.DamageKind.SCRATCH, types.DamageKind.DUST)
    table[0] = types.DamageKind.NONE
    kind[:] = table.astype(np.uint8)[labels]
  if clip.user_mask is not None:
    kinds[clip.user_mask[start:] > 0.5] = types.DamageKind.MARKED
  return kinds


def origins(
    frames: np.ndarray, values: dict[str, np.ndarray], *, start: int
) -> dict[str, np.ndarray]:
  """origin and origin_frame: what the network did at each pixel.

  In the damage: moved, if the fill is what an undamaged neighbour shows along
  the flow (to 5 %, on an average over 5 x 5 px); else invented. Outside:
  denoised.

  Args:
    frames: [T, H, W, 3], what the network saw.
    values: restored, damage and the flows of these frames.
    start: the first frame to say it of.
  """
  damaged = values['damage'][..., 0] > 0.5
  origin = np.full(damaged.shape, types.Origin.DENOISED, np.uint8)
  offset = np.zeros(damaged.shape, np.int8)
  for t, holes in enumerate(damaged):
    if t < start or not holes.any():
      continue
    origin[t][holes] = types.Origin.INVENTED
    # No more is looked at than the holes, and what is averaged with them.
    near = cv2.dilate(holes.view(np.uint8), np.ones((5, 5), np.uint8))
    y, x = np.nonzero(near)
    best = np.full(len(y), 0.05, np.float32)
    for step, name in ((-1, 'flow_backward'), (1, 'flow_forward')):
      if not 0 <= t + step < len(frames):
        continue
      flow = values[name][t][y, x]
      shown = match.warp_at(frames[t + step], flow, (y, x))
      hidden = match.warp_at(damaged[t + step].view(np.uint8), flow, (y, x),
                             nearest=True) > 0
      error = np.zeros(holes.shape, np.float32)
      error[y, x] = np.abs(shown - values['restored'][t][y, x]).mean(-1)
      error = cv2.blur(error, (5, 5))[y, x]
      moved = holes[y, x] & ~hidden & (error < best) & ~match.outside_at(
          flow, (y, x), holes.shape)
      best[moved] = error[moved]
      at = y[moved], x[moved]
      origin[t][at], offset[t][at] = types.Origin.MOVED, step
  return {'origin': origin[..., None], 'origin_frame': offset[..., None]}
