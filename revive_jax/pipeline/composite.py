"""Composite: keep what is intact, take what is restored. Fills output.

Row M8 of the field's pipeline: generated pixels go into the damage only. Two
modes. *repair*: outside the dilated damage mask the output equals the source
bit for bit, a hard selection. *full*: toned and denoised everywhere, and
filled in the damage.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import borders, flicker
from revive_jax.pipeline import detail as detail_lib

MODES = ('full', 'repair')


def damage_mask(clip: types.Clip, *, radius: int = 1) -> np.ndarray:
  """The dilated damage mask, [T, H, W] bool: where repair may write."""
  if clip.damage is None:
    return np.zeros(clip.source.shape[:3], bool)
  kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
  return np.stack([
      cv2.dilate((d[..., 0] > 0.5).astype(np.uint8), kernel).astype(bool)
      for d in clip.damage])


def composite(
    clip: types.Clip, *, mode: str, strength: dict[str, float],
    black: Sequence[int] = borders.NONE, detail: float = 0.0,
) -> types.Clip:
  """Fills output [T, H, W, C], and corrects origin to what was used.

  What the user marked is repaired fully.

  Args:
    clip: with source, restored, tone, damage.
    mode: 'full' or 'repair'.
    strength: in [0, 1] for 'scratch', 'dust', 'noise'. Strength of flicker and
      tone is already in clip.tone. All zero and no tone: output is the source,
      exactly. Where the user said that there is no damage it is, too.
    black: rows above and below, and columns left and right, of black borders:
      there is no damage, but what the user marked, and noise is taken out along
      them.
    detail: strength in [0, 1] of what brings out, in mode full, the detail
      that a network left soft (detail.py).
  """
  if mode not in MODES:
    raise ValueError(f'mode {mode!r} is not one of {MODES}.')
  clip = borders.undamaged(clip, black)
  border = borders.places(clip.source.shape[1:3], black)
  by_kind = np.zeros(len(types.DamageKind), np.float32)
  by_kind[types.DamageKind.DUST] = strength['dust']
  by_kind[types.DamageKind.SCRATCH] = strength['scratch']
  by_kind[types.DamageKind.MARKED] = 1
  noise = np.float32(0 if mode == 'repair' else strength['noise'])
  output = np.empty(clip.source.shape, np.float32)
  origin = np.zeros((*output.shape[:3], 1), np.uint8)
  for t, result in enumerate(output):  # Whole windows would leave the cache.
    base, restored = _base_and_restored(clip, t, mode)
    if detail > 0 and mode == 'full':
      restored = _brought_out(clip, t, base, restored, detail, black)
    if any(black):
      own = border
      if clip.user_mask is not None:
        own = border & (clip.user_mask[t, ..., 0] < 0.5)
      restored = np.where(
          own[..., None], borders.evened(base, black), restored)
    change = restored - base
    np.multiply(change, noise, out=result)
    result += base
    places, weight = _repaired(clip, t, by_kind)
    flat = lambda x: x.reshape(-1, x.shape[-1])
    flat(result)[places] = flat(base)[places] + weight[:, None] * (
        flat(change)[places])
    if clip.origin is not None and noise > 0:
      origin[t] = clip.origin[t]
    elif clip.origin is not None:
      flat(origin[t])[places] = flat(clip.origin[t])[places]
    if clip.user_mask is not None:  # A network fills also what it names not.
      left = clip.user_mask[t, ..., 0] < -0.5
      result[left], origin[t][left] = base[left], types.Origin.KEPT
  return clip.replace(output=output, origin=origin)


def _brought_out(clip, t, base, restored, strength, black):
  """detail.brought_out inside black borders, but where the source was kept."""
  inner = borders.within(base.shape, black)
  result = restored.copy()
  if not result[inner].size:
    return result
  result[inner] = detail_lib.brought_out(
      base[inner], restored[inner], strength)
  if clip.origin is not None:
    kept = clip.origin[t, ..., 0] == types.Origin.KEPT
    result[kept] = restored[kept]
  return result


def _base_and_restored(clip, t, mode):
  """What frame t is without repairs, and with all of them, [H, W, C] each."""
  source = np.ascontiguousarray(clip.source[t], np.float32)
  restored = (clip.frames if clip.restored is None else clip.restored)[t]
  if clip.tone is None:
    return source, restored
  tone = clip.tone[t:t + 1]
  if mode == 'repair':
    return source, flicker.invert_tone(restored[None], tone)[0]
  return flicker.apply_tone(source[None], tone)[0], restored


def _repaired(clip, t, by_kind):
  """Pixels of frame t that are repaired, and how strongly: [N] each.

  By the strength of the kind of damage; where the dilation reaches beyond the
  damage, of the nearest kind.
  """
  none = np.zeros(0, np.int64), np.zeros(0, np.float32)
  if clip.damage is None:
    return none
  found = (clip.damage[t, ..., 0] > 0.5).view(np.uint8)
  if not found.any():
    return none
  kernel = np.ones((3, 3), np.uint8)
  kinds = np.ascontiguousarray(clip.damage_kind[t, ..., 0])
  places = np.flatnonzero(cv2.dilate(found, kernel))
  own, near = (x.ravel()[places] for x in (kinds, cv2.dilate(kinds, kernel)))
  weight = by_kind[np.where(own > 0, own, near)]
  return places[weight > 0], weight[weight > 0]
