"""Detect: where the picture is damaged. Fills damage and damage_kind."""

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import lines, match, preprocess


def detect(
    clip: types.Clip, *, sigma: float, dust: bool = True,
    scratches: bool = True, sensitivity: float = 1.0, cracks: bool = False,
) -> types.Clip:
  """Fills damage [T, H, W, 1] in {0, 1} and damage_kind.

  Dust is what two motion-compensated neighbours do not show; scratches are
  lines that stay (lines.py); cracks of a single picture are thin structures
  far brighter than both sides; what the user marked is added, and what the user
  said is none is taken out.

  Args:
    clip: with frames and flows.
    sigma: noise of frames, in [0, 1] units.
    dust: look for dust.
    scratches: look for scratches.
    sensitivity: above 1 finds more, below 1 takes less for damage.
    cracks: look for cracks, frame by frame (meant for photographs).
  """
  luma = preprocess.luma(clip.frames)
  kind = np.zeros(luma.shape, np.uint8)
  if cracks:
    for t, frame in enumerate(luma):
      kind[t][find_cracks(frame, sigma / sensitivity)] = types.DamageKind.DUST
  if scratches and len(luma) >= 3:
    found = lines.find_scratches(
        luma, clip.flow_forward, clip.flow_backward, sigma=sigma / sensitivity)
    kind[found] = types.DamageKind.SCRATCH
  if dust and len(luma) >= 3:
    for t in range(len(luma)):
      spots = find_spots(clip, luma, t, sigma=sigma, sensitivity=sensitivity)
      kind[t][spots & (kind[t] == 0)] = types.DamageKind.DUST
  if clip.user_mask is not None:
    kind[clip.user_mask[..., 0] > 0.5] = types.DamageKind.MARKED
    kind[clip.user_mask[..., 0] < -0.5] = types.DamageKind.NONE
  damage = (kind > 0).astype(np.float32)
  return clip.replace(damage=damage[..., None], damage_kind=kind[..., None])


def neighbours(t: int, num_frames: int) -> tuple[int, int]:
  """The two frames that frame t is compared with."""
  if t == 0:
    return 1, 2
  if t == num_frames - 1:
    return t - 1, t - 2
  return t - 1, t + 1


def find_spots(clip, luma, t, *, sigma, sensitivity) -> np.ndarray:
  """Spikes against two aligned neighbours (rank-order detector), [H, W] bool.

  Nadenau and Mitra, "Blotch and scratch detection in image sequences based on
  rank ordered differences", 1997: a pixel is damaged if it lies outside the
  range of its surroundings in both neighbours. The threshold grows where the
  neighbours disagree: there the motion was not understood, and what moves
  (limbs, rain, sparks) must not be taken for dust.
  """
  scale = np.hypot(*luma.shape[1:]) / 552
  radius = max(1, round(scale))
  kernel = np.ones((2 * radius + 1,) * 2, np.uint8)
  aligned, lost = [], np.zeros(luma.shape[1:], bool)
  for other in neighbours(t, len(luma)):
    flow = match.flow_between(clip, t, other)
    aligned.append(match.warp(luma[other], flow))
    lost |= match.outside(flow)
  low = np.minimum(*(cv2.erode(a, kernel) for a in aligned))
  high = np.maximum(*(cv2.dilate(a, kernel) for a in aligned))
  excess = np.maximum(low - luma[t], luma[t] - high)
  size = 2 * round(6 * scale) + 1
  disagreement = cv2.blur(np.minimum(np.abs(aligned[0] - aligned[1]), 0.25),
                          (size, size))
  disagreement = np.maximum(disagreement - 1.2 * sigma, 0)
  threshold = (0.035 + 2.2 * sigma + 1.5 * disagreement) / sensitivity
  excess[lost] = 0
  spots = grow(excess > threshold, excess > 0.5 * threshold)
  return widen(spots, excess, threshold, radius)


def widen(spots, excess, threshold, radius):
  """Takes in the soft rim of each spot, and drops single noisy pixels."""
  count, labels, stats, _ = cv2.connectedComponentsWithStats(
      spots.astype(np.uint8), connectivity=8)
  area = stats[:, cv2.CC_STAT_AREA]
  strong = np.zeros(count, bool)
  strong[np.unique(labels[excess > 2 * threshold])] = True
  keep = (area >= 3) | strong
  keep[0] = False
  return cv2.dilate(keep[labels].astype(np.uint8),
                    np.ones((2 * radius + 1,) * 2, np.uint8)).astype(bool)


def grow(seeds: np.ndarray, allowed: np.ndarray) -> np.ndarray:
  """The connected parts of allowed that hold a seed (hysteresis), [H, W]."""
  count, labels = cv2.connectedComponents(
      allowed.astype(np.uint8), connectivity=8)
  keep = np.zeros(count, bool)
  keep[np.unique(labels[seeds & allowed])] = True
  keep[0] = False
  return keep[labels]


def find_cracks(luma: np.ndarray, sigma: float) -> np.ndarray:
  """Cracks and flakes of one picture [H, W]: thin, far off their sides, long.

  Bright ones, by a top-hat at the width of a crack; a component must reach over
  a tenth of the diagonal and be much longer than wide.
  """
  height, width = luma.shape
  if min(height, width) < 32:
    return np.zeros(luma.shape, bool)
  thick = max(3, int(0.018 * np.hypot(height, width))) | 1
  kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
  smooth = cv2.GaussianBlur(luma, (0, 0), 0.8)
  white = smooth - cv2.morphologyEx(smooth, cv2.MORPH_OPEN, kernel)
  # What the texture around gives by itself, so that hair and cloth are kept.
  around = cv2.blur(white, (6 * thick + 1,) * 2)
  threshold = np.maximum(0.07 + 3 * sigma, 2.2 * around)
  mask = grow(white > 1.6 * threshold, white > threshold)
  count, labels, stats, _ = cv2.connectedComponentsWithStats(
      mask.astype(np.uint8), connectivity=8)
  length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
  slender = length ** 2 / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
  # Cracks run far. What is short and bright may be an eye, a tooth, a medal:
  # a face must not change, so that is left to the user's mask.
  keep = (length > 0.1 * np.hypot(height, width)) & (slender > 5)
  keep[0] = False
  found = keep[labels].astype(np.uint8)
  return cv2.dilate(found, np.ones((3, 3), np.uint8)).astype(bool)
