"""Composite: keep what is intact, take what is restored. Fills output.

Row M8 of the field's pipeline: generated pixels go into the damage only. Two
modes. *repair*: outside the dilated damage mask the output equals the source
bit for bit, a hard selection. *full*: toned and denoised everywhere, and
filled in the damage.
"""

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import flicker

MODES = ('full', 'repair')


def damage_mask(clip: types.Clip, *, radius: int = 1) -> np.ndarray:
  """The dilated damage mask, [T, H, W] bool: where repair may write."""
  if clip.damage is None:
    return np.zeros(clip.source.shape[:3], bool)
  kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
  return np.stack([
      cv2.dilate((d[..., 0] > 0.5).astype(np.uint8), kernel).astype(bool)
      for d in clip.damage])


def damage_weight(clip: types.Clip, strength: dict[str, float]) -> np.ndarray:
  """Strength of repair at each pixel of the damage, [T, H, W, 1].

  That of the kind of damage; where the dilation reaches beyond the damage, of
  the nearest kind. What the user marked is repaired fully.
  """
  mask = damage_mask(clip)
  if not mask.any():
    return np.zeros((*mask.shape, 1), np.float32)
  kinds = clip.damage_kind[..., 0]
  kernel = np.ones((3, 3), np.uint8)
  wide = np.stack([cv2.dilate(k, kernel) for k in kinds])
  by_kind = np.zeros(len(types.DamageKind), np.float32)
  by_kind[types.DamageKind.DUST] = strength['dust']
  by_kind[types.DamageKind.SCRATCH] = strength['scratch']
  by_kind[types.DamageKind.MARKED] = 1
  kinds = np.where(kinds > 0, kinds, wide)
  return (by_kind[kinds] * mask)[..., None]


def composite(
    clip: types.Clip, *, mode: str, strength: dict[str, float]
) -> types.Clip:
  """Fills output [T, H, W, C], and corrects origin to what was used.

  Args:
    clip: with source, restored, tone, damage.
    mode: 'full' or 'repair'.
    strength: in [0, 1] for 'scratch', 'dust', 'noise'. Strength of flicker and
      tone is already in clip.tone. All zero and no tone: output is the source,
      exactly. Where the user said that there is no damage it is, too.
  """
  if mode not in MODES:
    raise ValueError(f'mode {mode!r} is not one of {MODES}.')
  restored = clip.frames if clip.restored is None else clip.restored
  weight = damage_weight(clip, strength)
  tone = clip.tone
  if mode == 'repair':
    base = clip.source
    if tone is not None:
      restored = flicker.invert_tone(restored, tone)
    noise = np.float32(0)
  else:
    base = (clip.source if tone is None
            else flicker.apply_tone(clip.source, tone))
    noise = np.float32(strength['noise'])
  mix = np.where(weight > 0, weight, noise)
  if clip.user_mask is not None:  # A network fills also where it names nothing.
    mix = np.where(clip.user_mask < -0.5, np.float32(0), mix)
  mixed = base + mix * (restored - base)
  output = np.where(mix > 0, mixed, base)
  origin = np.zeros(mix.shape, np.uint8) if clip.origin is None else (
      np.where(mix > 0, clip.origin, types.Origin.KEPT).astype(np.uint8))
  return clip.replace(output=output, origin=origin)
