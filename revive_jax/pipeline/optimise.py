"""Optimise: smoothness in time and sharpness. Refines output."""

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import composite, match, preprocess, sharpness

LOCAL_RADIUS = 2  # Frames before and after that the local deflicker compares.
_GRID = 6  # Rows of the grid of local gains.
_TRUST = 2.0  # Half of what differs must go for a gain to be taken wholly.


def optimise(
    clip: types.Clip, *, mode: str, local_deflicker: float = 0.0,
    sharpen: float = 0.0, sigma: float = 0.0,
) -> types.Clip:
  """Refines output: what flicker is left locally, then sharpness.

  What was sharpened is no longer KEPT in origin. What the user marked as no
  damage stays as it is.

  Args:
    clip: with output and flows.
    mode: 'full', or 'repair': then only inside the dilated damage mask.
    local_deflicker: strength in [0, 1].
    sharpen: strength in [0, 1].
    sigma: noise of the source; sharpening does not lift what is below it.
  """
  refined, origin = clip.output, clip.origin
  if local_deflicker > 0 and len(refined) > 2:
    refined = remove_local_flicker(refined, clip, local_deflicker)
  if sharpen > 0:
    soft, refined = refined, np.stack([
        sharpness.sharpen(f, sharpen, sigma) for f in refined])
    if clip.user_mask is not None:
      refined = np.where(clip.user_mask < -0.5, soft, refined)
    if origin is not None:
      changed = (refined != soft).any(-1, keepdims=True)
      origin = np.where(changed & (origin == types.Origin.KEPT),
                        np.uint8(types.Origin.DENOISED), origin)
  if mode == 'repair' and refined is not clip.output:
    mask = composite.damage_mask(clip)[..., None]
    refined = np.where(mask, refined, clip.output)
    origin = None if origin is None else np.where(mask, origin, clip.origin)
  return clip.replace(output=refined, origin=origin)


def _cells(luma: np.ndarray) -> np.ndarray:
  """Mean of [H, W] over a grid of cells, about square."""
  height, width = luma.shape
  columns = max(1, round(_GRID * width / height))
  return cv2.resize(luma, (columns, min(_GRID, height)),
                    interpolation=cv2.INTER_AREA)


def _mended(luma, mean, known, gain) -> np.ndarray:
  """How much of what differs in a cell its gain explains, in [0, 1].

  Args:
    luma: of a frame, [H, W].
    mean: of it and its aligned neighbours, [H, W].
    known: where they are seen, [H, W] in {0, 1}.
    gain: log gain of each cell, [rows, columns], as the result.
  """
  height, width = luma.shape
  field = cv2.resize(gain, (width, height), interpolation=cv2.INTER_NEAREST)
  before, after = (_cells(np.abs(mean - x) * known)
                   for x in (luma, luma * np.exp(field)))
  return np.clip(_TRUST * (1 - after / np.maximum(before, 1e-6)), 0, 1)


def remove_local_flicker(output, clip, strength) -> np.ndarray:
  """Evens out the gain of grid cells against their aligned neighbours.

  For each cell the log gain to the mean of the motion-compensated neighbours
  within LOCAL_RADIUS is measured, on pixels that match; at most 10 % is
  corrected. Cells whose pixels do not match are left, and so are those where
  the gain is no reason for what differs: something else is seen there.

  Args:
    output: [T, H, W, C] in [0, 1].
    clip: of the same frames, with flows.
    strength: in [0, 1].
  """
  luma = preprocess.luma(output)
  result = output.copy()
  for t in range(len(output)):
    aligned, weights = [luma[t]], [np.ones_like(luma[t])]
    for other in range(max(0, t - LOCAL_RADIUS),
                       min(len(output), t + LOCAL_RADIUS + 1)):
      if other != t:
        flow = match.flow_between(clip, t, other)
        value = match.warp(luma[other], flow)
        aligned.append(value)
        weights.append((np.abs(value - luma[t]) < 0.12) & ~match.outside(flow))
    weights = np.stack(weights).astype(np.float32)
    mean = (np.stack(aligned) * weights).sum(0) / weights.sum(0)
    known = (weights.sum(0) > 1.5).astype(np.float32)
    cells = _cells(known)
    gain = np.log((_cells(mean * known) + 1e-3)
                  / (_cells(luma[t] * known) + 1e-3))
    gain = np.clip(gain, -0.1, 0.1) * np.clip(2 * cells - 1, 0, 1)
    gain *= strength * _mended(luma[t], mean, known, gain)
    height, width = luma[t].shape
    field = cv2.resize(gain, (width, height), interpolation=cv2.INTER_CUBIC)
    result[t] = output[t] * np.exp(field)[..., None]
  return result
