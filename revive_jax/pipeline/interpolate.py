"""Interpolate: frames between two others, along the flow. Refines output.

Both frames' flows are splatted to the moment between (Baker et al., "A
database and evaluation methodology for optical flow", 2011, section 3.3), so
that each pixel there knows where it was and where it will be. What only one
frame shows (the other's flow does not return to where it started) is taken
from that one.
"""

from typing import NamedTuple

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import match, preprocess

MAX_DOUBT = 0.25  # Share of the picture that may not fit.
_LEAST = 16  # px; smaller frames have no flow, and are averaged.


class Between(NamedTuple):
  """A frame that was never filmed."""

  frame: np.ndarray  # [H, W, C] in [0, 1].
  doubt: float  # Share of pixels that the two frames show differently.


def between(
    first: np.ndarray, last: np.ndarray, fraction: float
) -> Between:
  """The frame at a fraction of the time from first to last.

  Args:
    first: [H, W, C] in [0, 1].
    last: a later frame of the same shot.
    fraction: in (0, 1).

  Raises:
    ValueError: fraction is not in (0, 1).
  """
  if not 0 < fraction < 1:
    raise ValueError(f'fraction={fraction} is not in (0, 1).')
  if min(first.shape[:2]) < _LEAST:
    return Between((1 - fraction) * first + fraction * last, 0.0)
  fraction = float(fraction)
  clip = types.Clip(source=first[None], frames=np.stack([first, last]))
  clip = match.match(clip, quality='medium')
  there, back = clip.flow_forward[0], clip.flow_backward[1]
  from_first, sure_first = _splat(
      there, _returns(there, back), _likeness(first, last, there), fraction)
  from_last, sure_last = _splat(
      back, _returns(back, there), _likeness(last, first, back), 1 - fraction)
  early = match.warp(first, -fraction * from_first)
  late = match.warp(last, -(1 - fraction) * from_last)
  gap = np.abs(preprocess.luma(early - late))
  # Where both say the same, neither is hidden, and two are less noisy.
  alike = np.exp(-(cv2.blur(gap, (5, 5)) / 0.04) ** 2) + 1e-4
  early_weight = (1 - fraction) * np.maximum(sure_first, alike)
  late_weight = fraction * np.maximum(sure_last, alike)
  share = (late_weight / (early_weight + late_weight))[..., None]
  frame = (1 - share) * early + share * late
  doubt = float((gap > 0.1).mean())
  return Between(frame.astype(np.float32), doubt)


def _returns(there: np.ndarray, back: np.ndarray) -> np.ndarray:
  """[H, W] in [0, 1]: how well back leads to where there came from."""
  gap = there + match.warp(back, there)
  error = (gap**2).sum(-1)
  # Sundaram et al. 2010: the error that is allowed grows with the motion.
  allowed = 1.0 + 0.02 * ((there**2).sum(-1) + (back**2).sum(-1))
  return np.exp(-error / (2 * allowed)) * ~match.outside(there)


def _likeness(frame, other, flow) -> np.ndarray:
  """[H, W] in (0, 1]: how alike a pixel and its target are."""
  error = np.abs(match.warp(other, flow) - frame).mean(-1)
  return np.exp(-20 * cv2.blur(error, (3, 3)))


def _splat(flow, sure, likeness, fraction):
  """flow as seen from the pixels it reaches at fraction of its way.

  Where several pixels arrive, the likely ones count (Niklaus and Liu,
  arXiv:2003.05534); where none does, the flow of the surroundings is taken,
  and nothing is sure.

  Returns:
    (flow [H, W, 2], sure [H, W]).
  """
  height, width = flow.shape[:2]
  x = np.arange(width) + fraction * flow[..., 0]
  y = np.arange(height)[:, None] + fraction * flow[..., 1]
  left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
  importance = likeness * (0.05 + sure)
  total = np.zeros((4, height * width))
  for dx in (0, 1):
    for dy in (0, 1):
      u, v = left + dx, top + dy
      weight = (1 - np.abs(x - u)) * (1 - np.abs(y - v))
      use = (u >= 0) & (u < width) & (v >= 0) & (v < height) & (weight > 1e-6)
      place = (v * width + u)[use]
      weight = weight[use]
      heavy = weight * importance[use]
      for row, value in enumerate((
          heavy * flow[..., 0][use], heavy * flow[..., 1][use],
          heavy * sure[use], heavy)):
        total[row] += np.bincount(place, value, minlength=height * width)
  total = total.reshape(4, height, width).astype(np.float32)
  # What only unlikely pixels reach was hidden before.
  known = total[3] > 0.02
  value = total[:3] / np.maximum(total[3], 1e-6)
  if not known.all():
    value *= known
    value = np.where(known, value, _spread(value, known))
  return np.moveaxis(value[:2], 0, -1), value[2] * known


def _spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
  """values [N, H, W] where known; elsewhere a mean of what is near."""
  result, share = np.zeros_like(values), known.astype(np.float32)
  wide = 0.0
  for size in (9, 33, 129):
    mean = np.stack([cv2.blur(v, (size, size)) for v in values])
    mass = cv2.blur(share, (size, size)) + 1e-9
    new = (mass > 1e-6) & (wide == 0)
    result = np.where(new, mean / mass, result)
    wide = wide + new
  return result


def interpolate(
    clip: types.Clip, *, replace: np.ndarray, max_doubt: float = MAX_DOUBT
) -> types.Clip:
  """Replaces frames of output by what lies between those around them.

  Such frames are INVENTED, every pixel. A frame is left as it is where the
  clip shows no frame to keep on both sides, or where these do not fit along
  the flow.

  Args:
    clip: with output.
    replace: [T] bool.
    max_doubt: share of the picture that may not fit.
  """
  if not replace.any():
    return clip
  output = np.array(clip.output)
  origin = (np.zeros((*output.shape[:3], 1), np.uint8)
            if clip.origin is None else np.array(clip.origin))
  kept = np.flatnonzero(~replace)
  for t in np.flatnonzero(replace):
    before, after = kept[kept < t], kept[kept > t]
    if not len(before) or not len(after):
      continue
    first, last = before[-1], after[0]
    made = between(clip.output[first], clip.output[last],
                   float(t - first) / float(last - first))
    if made.doubt <= max_doubt:
      output[t], origin[t] = made.frame, types.Origin.INVENTED
  return clip.replace(output=output, origin=origin)
