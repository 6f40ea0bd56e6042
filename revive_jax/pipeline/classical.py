"""Classical: filling and denoising without learning. Fills restored."""

import functools

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import match, preprocess, spatial

_REACH = 2  # Frames before and after that lend pixels.


def classical(
    clip: types.Clip, *, sigma: float = 0.0, fill: str = 'temporal_median',
    inpaint: str = 'telea', denoiser: str = 'none',
) -> types.Clip:
  """Fills restored, origin and origin_frame.

  Args:
    clip: with frames, flows, damage.
    sigma: noise of frames; only denoising uses it.
    fill: 'temporal_median' borrows from motion-compensated neighbours and
      inpaints the rest; 'inpaint' never looks at other frames.
    inpaint: a name of spatial.INPAINT.
    denoiser: 'none', 'temporal' (motion-compensated, then non-local means on
      what noise it leaves) or 'nlm' (non-local means, frame by frame).
  """
  damaged = (_dilated(clip.damage) if clip.damage is not None
             else np.zeros(clip.frames.shape[:3], bool))
  restored = np.array(clip.frames)
  origin = np.zeros(damaged.shape, np.uint8)
  offset = np.zeros(damaged.shape, np.int8)
  flows = None
  if len(damaged) > 1 and clip.flow_forward is not None:
    flows = functools.partial(
        match.flow_between, _with_holes_filled(clip, damaged))
  for t in range(len(restored)):
    missing = damaged[t].copy()
    if fill == 'temporal_median' and flows is not None and missing.any():
      value, source, found = _borrow(clip.frames, damaged, flows, t)
      use = missing & found
      restored[t][use] = value[use]
      origin[t][use], offset[t][use] = types.Origin.MOVED, source[use]
      missing &= ~found
    if missing.any():
      restored[t] = spatial.INPAINT[inpaint](restored[t], missing)
      origin[t][missing] = types.Origin.INVENTED
  if denoiser != 'none' and sigma > 0:
    origin[origin == types.Origin.KEPT] = types.Origin.DENOISED
    restored = _denoise(restored, flows, sigma, denoiser)
  return clip.replace(restored=restored, origin=origin[..., None],
                      origin_frame=offset[..., None])


def _dilated(damage: np.ndarray) -> np.ndarray:
  """[T, H, W] bool: damage and the pixel around it."""
  kernel = np.ones((3, 3), np.uint8)
  return np.stack([
      cv2.dilate((d[..., 0] > 0.5).astype(np.uint8), kernel).astype(bool)
      for d in damage])


def _with_holes_filled(clip: types.Clip, damaged: np.ndarray) -> types.Clip:
  """The clip with its flows interpolated where it is damaged.

  Under damage the flow was matched on the damage itself.
  """
  fill = lambda flows: np.stack([
      _fill_holes(f, d) for f, d in zip(flows, damaged, strict=True)])
  return clip.replace(flow_forward=fill(clip.flow_forward),
                      flow_backward=fill(clip.flow_backward))


def _fill_holes(flow: np.ndarray, holes: np.ndarray) -> np.ndarray:
  """Flow [H, W, 2] with holes filled by a normalised blur, coarse to fine."""
  if not holes.any():
    return flow
  result, open_ = flow.copy(), holes.astype(bool)
  for size in (9, 25, 75):
    weight = (~holes).astype(np.float32)
    total = cv2.blur(weight, (size, size))
    mean = cv2.blur(flow * weight[..., None], (size, size))
    use = open_ & (total > 0.1)
    result[use] = mean[use] / total[use][:, None]
    open_ &= ~use
  result[open_] = 0
  return result


def _borrow(frames, damaged, flows, t):
  """What the neighbours show where frame t is damaged.

  Returns (value [H, W, 3], offset [H, W] int8 of the frame it came from,
  found [H, W] bool). Of the neighbours that are intact and agree with frame t
  around the damage, the median is taken; of two, the better one.
  """
  height, width = damaged.shape[1:]
  values, errors, offsets = [], [], []
  intact = (~damaged[t]).astype(np.float32)
  size = (2 * round(0.014 * np.hypot(height, width)) + 3,) * 2
  near = cv2.blur(intact, size) + 1e-3
  for other in range(max(0, t - _REACH), min(len(frames), t + _REACH + 1)):
    if other == t:
      continue
    flow = flows(t, other)
    value = match.warp(frames[other], flow)
    hidden = match.warp(damaged[other].astype(np.uint8), flow, nearest=True) > 0
    error = np.abs(value - frames[t]).mean(-1)
    error = cv2.blur(error * intact, size) / near
    error[hidden | match.outside(flow)] = np.inf
    values.append(value)
    errors.append(error + 0.004 * abs(other - t))
    offsets.append(other - t)
  errors = np.stack(errors)
  best = errors.argmin(0)
  found = np.take_along_axis(errors, best[None], 0)[0] < 0.1
  good = (errors < 0.06)[..., None]
  stacked = np.where(good, np.stack(values), np.nan)
  many = good.sum(0) >= 3
  value = np.take_along_axis(np.stack(values), best[None, ..., None], 0)[0]
  if many.any():
    where = many[..., 0] & damaged[t]
    value[where] = np.nanmedian(stacked[:, where], axis=0)
  return value, np.array(offsets, np.int8)[best], found


def _denoise(frames, flows, sigma, denoiser):
  """Denoised frames [T, H, W, 3]; see classical."""
  if denoiser == 'nlm' or flows is None:
    return np.stack([preprocess.non_local_means(f, sigma) for f in frames])
  result = np.empty_like(frames)
  for t in range(len(frames)):
    averaged, left = _temporal_mean(frames, flows, t, sigma)
    result[t] = averaged
    if left > 1.0 / 255:
      result[t] = preprocess.non_local_means(averaged, left)
  return result


def _temporal_mean(frames, flows, t, sigma):
  """Mean of frame t and its aligned neighbours where they agree.

  A neighbour's weight falls with its patch distance beyond what noise
  explains, as in non-local means along the motion. Returns the mean
  [H, W, 3] and the noise that is left, averaged over the frame.
  """
  total, weights = frames[t].copy(), np.ones(frames.shape[1:3], np.float32)
  squares = np.ones(frames.shape[1:3], np.float32)
  for other in range(max(0, t - _REACH), min(len(frames), t + _REACH + 1)):
    if other == t:
      continue
    flow = flows(t, other)
    value = match.warp(frames[other], flow)
    distance = cv2.blur(((value - frames[t]) ** 2).mean(-1), (5, 5))
    excess = np.maximum(distance - 2 * sigma**2, 0)
    weight = np.exp(-excess / (0.7 * sigma**2))
    weight[match.outside(flow)] = 0
    total += value * weight[..., None]
    weights += weight
    squares += weight**2
  left = sigma * float(np.mean(np.sqrt(squares) / weights))
  return total / weights[..., None], left

