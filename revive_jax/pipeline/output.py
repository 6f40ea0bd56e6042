"""Output: range, grain, dither, bit depth. Refines output for the last time."""

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import composite, flicker
from revive_jax.pipeline import grain as grain_lib

# Residuals hold some of the picture: grain is at most so many times as strong
# as the noise that was measured on the shot.
_CAP = 1.5
_SIDE = 320  # Of the middle of a frame that grain is measured on, px.


def output(
    clip: types.Clip, *, mode: str, bits: int = 8, grain: float = 0.0,
    sigma: float = 0.0, seed: int = 0,
) -> types.Clip:
  """Puts output on the grid k / (2^bits - 1); the source's pixels stay exact.

  Film without grain looks like plastic: what denoising took out is measured
  (pipeline/grain.py), and new grain of its strength and spectrum given back.
  Values between two codes are dithered (by one uniform draw of half a code),
  but only where the picture was changed.

  Args:
    clip: with output and source.
    mode: 'full' or 'repair'; in repair it is asserted that pixels outside the
      dilated damage mask equal the source bit for bit.
    bits: of the output.
    grain: share of the grain that was taken out of denoised pixels that they
      are given back, [0, 1]. Filled pixels get as much as their surroundings
      then have. 0: nothing is given back, to no pixel.
    sigma: noise of the source; 0: it has no grain.
    seed: of grain and dither; frame i uses (seed, timestamp).

  Raises:
    RuntimeError: repair changed a pixel outside the mask: a bug.
  """
  peak = 2**bits - 1
  result = np.empty_like(clip.output)
  gives = grain > 0 and sigma > 0 and clip.origin is not None
  for t, frame in enumerate(clip.output):
    stamp = t if clip.pts is None else abs(int(clip.pts[t]))
    changed = differ(frame, clip.source[t])
    # By each frame alone: windows must not show.
    kind, table = grain_to_give(
        clip, t, mode=mode, share=grain, sigma=sigma) if gives else (None, None)
    if gives and table[clip.origin[t]].any():
      # From a stream of its own: dither is the same with and without it.
      rng = np.random.default_rng((seed, stamp, 1))
      amount = table[clip.origin[t]]
      frame = frame + amount * grain_lib.synthesise(kind, frame, rng)
      changed |= amount[..., 0] > 0
    code = frame * np.float32(peak)
    if changed.any():
      rng = np.random.default_rng((seed, stamp))
      dither = rng.random(changed.shape, np.float32) - np.float32(0.5)
      dither *= np.float32(0.5) * changed
      code += cv2.merge([dither] * code.shape[-1]).reshape(code.shape)
    np.clip(np.rint(code, out=code), 0, peak, out=code)
    np.divide(code, np.float32(peak), out=result[t])
  if mode == 'repair':
    _check_repair(clip, result, peak)
  return clip.replace(output=result)


def differ(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """[H, W] bool: where a and b [H, W, C] differ in any channel."""
  apart = a != b
  # NumPy's any() over so short an axis takes ten times as long.
  return np.logical_or.reduce([apart[..., i] for i in range(apart.shape[-1])])


def _check_repair(clip, result, peak) -> None:
  """Raises RuntimeError where repair changed what is not damaged."""
  for t, mask in enumerate(composite.damage_mask(clip)):
    grid = np.rint(clip.source[t] * np.float32(peak)) / np.float32(peak)
    if (differ(result[t], grid) & ~mask).any():
      raise RuntimeError('Repair changed pixels outside the damage mask.')


def grain_to_give(
    clip: types.Clip, t: int, *, mode: str, share: float, sigma: float
) -> tuple[grain_lib.Grain, np.ndarray]:
  """The grain that denoising took out of a frame, and how much pixels lack.

  Where nothing was denoised, fills get white grain of the source's noise.

  Args:
    clip: with source, tone, restored, output, damage and origin.
    t: the frame.
    mode: 'full' or 'repair'.
    share: of what was taken out that denoised pixels are given back.
    sigma: noise of the source.

  Returns:
    The grain, and factors [4] of it by types.Origin.
  """
  table = np.zeros(len(types.Origin), np.float32)
  found, mixed = _taken_out(clip, t, mode)
  level = 0.0 if found is None else float(np.median(found.strength[:, 0]))
  if level < 0.25 * sigma:
    table[types.Origin.INVENTED] = 1
    return grain_lib.white(sigma), table
  found = found.scaled(min(1.0, _CAP * sigma / level))
  level = min(level, _CAP * sigma)
  # What the surroundings will have: what was left there, and what is given.
  around = (1 - mixed) ** 2 + (share * mixed) ** 2
  # And what the denoiser left, if it is more than the measurements' error.
  left = max((sigma / level) ** 2 - 1.5, 0.0)
  table[types.Origin.DENOISED] = share * mixed
  # A pixel borrowed from another frame was denoised as its surroundings were.
  table[types.Origin.MOVED] = np.sqrt(around)
  table[types.Origin.INVENTED] = np.sqrt(around + left)
  return found, table


def _taken_out(clip, t, mode):
  """The grain that restored lacks, and the share of that which output lacks."""
  if clip.restored is None:
    return None, 0.0
  height, width = clip.source.shape[1:3]
  top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
  part = lambda x: None if x is None else (
      x[t:t + 1, top:top + _SIDE, left:left + _SIDE])
  source, restored = part(clip.source), part(clip.restored)
  tone = None if clip.tone is None else clip.tone[t:t + 1]
  if tone is not None and mode == 'repair':
    restored = flicker.invert_tone(restored, tone)
  elif tone is not None:
    source = flicker.apply_tone(source, tone)
  intact = ~composite.damage_mask(clip.replace(
      source=source, damage=part(clip.damage)))
  found = grain_lib.measure(source, restored, intact)
  mixed = 0.0
  if mode == 'full':
    change = (restored - source)[intact]
    done = (part(clip.output) - source)[intact]
    mixed = float((change * done).sum() / max((change**2).sum(), 1e-9))
  return found, min(max(mixed, 0.0), 1.0)
