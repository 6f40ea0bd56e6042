"""Similarity: the face of the output beside that of the input.

Four numbers of each frame of a track: the cosine of two embeddings (is it the
same person?), the structural similarity inside the face, the amount of change
there, and the share of its pixels that were invented.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from revive_jax import types

SIDE = 64  # px of what an embedding sees...
AROUND = 1.25  # ...which is so much larger than the face's box.
MEANT = 0.3  # Share of damage in a face above which fills are judged, too.


class Embedding(NamedTuple):
  """What tells faces apart: pictures [N, side, side, 3] to unit vectors."""

  side: int
  embed: Callable[[np.ndarray], np.ndarray]  # uint8 RGB to [N, D] float32.


def cut(frame: np.ndarray, box: np.ndarray, side: int = SIDE) -> np.ndarray:
  """The face in a frame [H, W, 3] in [0, 1], as [side, side, 3] uint8.

  box: left, top, width, height as shares of the frame.
  """
  height, width = frame.shape[:2]
  centre = (box[:2] + box[2:] / 2) * (width, height)
  half = AROUND * max(box[2] * width, box[3] * height, 4) / 2
  low = np.maximum(np.floor(centre - half - 2), 0).astype(int)
  high = np.ceil(centre + half + 2).astype(int)
  part = frame[low[1]:max(high[1], low[1] + 1), low[0]:max(high[0], low[0] + 1)]
  if not part.size:
    return np.zeros((side, side, 3), np.uint8)
  scale = side / (2 * half)
  if scale < 0.7:
    part = cv2.GaussianBlur(part, (0, 0), 0.45 / scale)
  # Pixels are counted from their middles.
  offset = side / 2 - 0.5 - scale * (centre - 0.5 - low)
  matrix = np.float32([[scale, 0, offset[0]], [0, scale, offset[1]]])
  face = cv2.warpAffine(
      part.astype(np.float32), matrix, (side, side),
      flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
  return np.clip(np.rint(face * 255), 0, 255).astype(np.uint8)


def ellipse(
    shape: tuple[int, int], box: np.ndarray, *, larger: float = 1.0,
    feather: float = 0.0,
) -> np.ndarray:
  """[H, W] float32: 1 in the ellipse of a box, falling to 0 around it.

  Args:
    shape: (H, W).
    box: as shares of the frame.
    larger: than the box, as a factor.
    feather: width of the fall, outside the ellipse, as a share of its radius.
  """
  height, width = shape
  x, y = (box[:2] + box[2:] / 2) * (width, height)
  rx, ry = np.maximum(larger * box[2:] * (width, height) / 2, 1.0)
  rows = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - y) / ry
  columns = (np.arange(width, dtype=np.float32)[None, :] + 0.5 - x) / rx
  radius = np.sqrt(rows**2 + columns**2)
  if feather <= 0:
    return (radius <= 1).astype(np.float32)
  return np.clip(1 + (1 - radius) / feather, 0, 1).astype(np.float32)


def around(vectors: np.ndarray, radius: int) -> np.ndarray:
  """Means of vectors [T, D] over 2 radius + 1 frames; NaN rows are left out.
  """
  there = np.isfinite(vectors).all(-1)
  size = 2 * radius + 1
  total = ndimage.uniform_filter1d(
      np.where(there[:, None], vectors, 0.0).astype(np.float64), size, axis=0,
      mode='constant')
  return np.where(there[:, None], total, np.nan)


def cosine(a: np.ndarray, b: np.ndarray, *, radius: int = 0) -> np.ndarray:
  """Cosine of vectors [T, D], averaged over frames around each: [T].

  Noise and dust differ from frame to frame; a person does not.
  """
  a, b = around(a, radius), around(b, radius)
  norm = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
  return np.clip((a * b).sum(-1) / np.maximum(norm, 1e-9), -1, 1)


def structure(a: np.ndarray, b: np.ndarray) -> float:
  """Mean SSIM of the luma of two faces [S, S, 3] uint8, inside the ellipse.

  Wang et al. 2004, with Gaussian windows of sigma 1.5.
  """
  grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32)
          for x in (a, b)]
  blur = lambda x: cv2.GaussianBlur(x, (11, 11), 1.5)
  mean_a, mean_b = map(blur, grey)
  var_a = blur(grey[0] ** 2) - mean_a**2
  var_b = blur(grey[1] ** 2) - mean_b**2
  both = blur(grey[0] * grey[1]) - mean_a * mean_b
  c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
  ssim = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / (
      (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
  inner = 1 - 1 / AROUND
  face = ellipse(ssim.shape, np.array([inner / 2, inner / 2, 1 - inner,
                                       1 - inner]))
  return float((ssim * face).sum() / face.sum())


def measures(
    source: np.ndarray, output: np.ndarray, box: np.ndarray,
    origin: np.ndarray | None,
) -> tuple[float, float, float]:
  """Of one frame: structure, change (mean, of 255) and share invented.

  Args:
    source: [H, W, 3] in [0, 1].
    output: the same, of what was made.
    box: as shares of the frame.
    origin: [H, W, 1] of types.Origin, or None.
  """
  a, b = cut(source, box), cut(output, box)
  change = float(np.abs(a.astype(np.float32) - b).mean())
  invented = 0.0
  if origin is not None:
    face = ellipse(source.shape[:2], box) > 0
    invented = float(
        (origin[..., 0][face] == types.Origin.INVENTED).mean()
    ) if face.any() else 0.0
  return structure(a, b), change, invented
