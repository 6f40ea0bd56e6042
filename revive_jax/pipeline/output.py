"""Output: range, grain, dither, bit depth. Refines output for the last time."""

import numpy as np

from revive_jax import types
from revive_jax.pipeline import composite


def output(
    clip: types.Clip, *, mode: str, bits: int = 8, grain: float = 0.0,
    sigma: float = 0.0, seed: int = 0,
) -> types.Clip:
  """Puts output on the grid k / (2^bits - 1); the source's pixels stay exact.

  Fills inside the damage are smooth, film is not: grain of the measured
  strength is given back there. Values between two codes are dithered (by one
  uniform draw of half a code), but only where the picture was changed.

  Args:
    clip: with output and source.
    mode: 'full' or 'repair'; in repair it is asserted that pixels outside the
      dilated damage mask equal the source bit for bit.
    bits: of the output.
    grain: share of sigma that invented pixels are given back, [0, 1].
    sigma: noise of the source.
    seed: of grain and dither; frame i uses (seed, timestamp).

  Raises:
    RuntimeError: repair changed a pixel outside the mask: a bug.
  """
  peak = 2**bits - 1
  result = np.empty_like(clip.output)
  for t, frame in enumerate(clip.output):
    stamp = t if clip.pts is None else abs(int(clip.pts[t]))
    rng = np.random.default_rng((seed, stamp))
    changed = (frame != clip.source[t]).any(-1, keepdims=True)
    shape = (*frame.shape[:2], 1)
    if grain > 0 and sigma > 0 and clip.origin is not None:
      # A pixel borrowed from another frame brings its own grain.
      invented = clip.origin[t] == types.Origin.INVENTED
      noise = rng.standard_normal(shape, np.float32) * np.float32(grain * sigma)
      frame = frame + np.where(invented, noise, 0)
    dither = (rng.random(shape, np.float32) - np.float32(0.5)) * np.float32(0.5)
    code = np.clip(np.round(frame * peak + dither * changed), 0, peak)
    kept = np.round(clip.source[t] * peak)
    code = np.where(changed, code, kept)
    result[t] = (code / peak).astype(np.float32)
  if mode == 'repair':
    outside = ~composite.damage_mask(clip)
    grid = (np.round(clip.source * peak) / peak).astype(np.float32)
    if not np.array_equal(result[outside], grid[outside]):
      raise RuntimeError('Repair changed pixels outside the damage mask.')
  return clip.replace(output=result)
