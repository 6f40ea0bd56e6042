"""Pictures of a frame: before, after, damage, doubt and matches, as JPEG."""

from typing import NamedTuple

import cv2
import numpy as np

from revive_jax import types

# By the classes of types.Origin in the damage; told apart by the colour-blind,
# too (Okabe and Ito 2008). KEPT: found damaged, and left.
COLORS = {
    types.Origin.KEPT: (240, 228, 66), types.Origin.DENOISED: (240, 228, 66),
    types.Origin.MOVED: (86, 180, 233), types.Origin.INVENTED: (230, 97, 0)}
DOUBT = 0.1  # The standard deviation that is drawn brightest, of full scale.
_ARROWS = (14, 10)  # Of a picture, across and down, at most.
_CONFIRMED = 1.0  # px between a point and where it comes back to.


class Matches(NamedTuple):
  """Points of one frame, and where they were found in another one."""

  first: np.ndarray  # [N, 2] px (x, y).
  last: np.ndarray  # [N, 2] px.
  confirmed: np.ndarray  # [N] bool: found there and back.


def codes(picture: np.ndarray) -> np.ndarray:
  """[H, W, C] in [0, 1] as uint8."""
  return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def fit(picture: np.ndarray, width: int) -> np.ndarray:
  """[H, W, C] uint8, made smaller to this width and as high, if it is larger.
  """
  longest = max(picture.shape[:2])
  if longest <= width:
    return picture
  size = [max(1, round(n * width / longest)) for n in picture.shape[1::-1]]
  return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def jpeg(picture: np.ndarray, most: int = 1 << 20) -> bytes:
  """[H, W, 3] uint8 as JPEG of at most so many bytes, if that can be."""
  data = b''
  for quality in (88, 75, 60, 40, 20, 10):
    good, found = cv2.imencode('.jpg', picture[..., ::-1], [
        cv2.IMWRITE_JPEG_QUALITY, quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])
    if not good:
      raise ValueError(f'{picture.shape} cannot be written as JPEG.')
    data = found.tobytes()
    if len(data) <= most:
      break
  return data


def damage(clip: types.Clip, t: int) -> np.ndarray | None:
  """Frame t, grey and dark, with what was found damaged in COLORS, uint8.

  None where no damage was looked for.
  """
  if clip.damage is None:
    return None
  grey = codes(clip.source[t]).mean(-1, keepdims=True) * 0.55
  picture = np.repeat(grey, 3, -1).astype(np.uint8)
  found = clip.damage[t, ..., 0] > 0.5
  origin = (np.zeros(found.shape, np.uint8) if clip.origin is None
            else clip.origin[t, ..., 0])
  for kind, color in COLORS.items():
    picture[found & (origin == kind)] = color
  return picture


def deviation(log_variance: np.ndarray) -> np.ndarray:
  """Log-variance to standard deviation, of full scale 1."""
  return np.exp(0.5 * np.minimum(log_variance, 0.0))


def doubt(clip: types.Clip, t: int) -> np.ndarray | None:
  """Standard deviation that is expected of frame t: dark 0, yellow DOUBT.

  uint8 RGB; None where nothing says it.
  """
  if clip.log_variance is None:
    return None
  found = deviation(clip.log_variance[t, ..., 0])
  return cv2.applyColorMap(
      codes(found / DOUBT), cv2.COLORMAP_VIRIDIS)[..., ::-1]


def matches(clip: types.Clip, t: int) -> tuple[Matches, int] | None:
  """Points of frame t in a grid, and where the flow finds them.

  Returns:
    The matches, and the frame they are with: t + 1, or t - 1 at the end. None:
    there is no other frame, or no flow.
  """
  flows = {1: clip.flow_forward, -1: clip.flow_backward}
  step = 1 if t + 1 < len(clip.source) else -1
  if not 0 <= t + step < len(clip.source) or any(
      f is None for f in flows.values()):
    return None
  height, width = clip.source.shape[1:3]
  across, down = (max(1, min(most, length // 24)) for most, length in zip(
      _ARROWS, (width, height), strict=True))
  x, y = np.meshgrid(
      (np.arange(across) + 0.5) * width / across,
      (np.arange(down) + 0.5) * height / down)
  first = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
  last = first + _at(flows[step][t], first)
  back = last + _at(flows[-step][t + step], last)
  inside = ((last >= 0) & (last <= (width - 1, height - 1))).all(-1)
  confirmed = inside & (np.linalg.norm(back - first, axis=-1) < _CONFIRMED)
  return Matches(first, last, confirmed), t + step


def _at(flow: np.ndarray, points: np.ndarray) -> np.ndarray:
  """The flow [H, W, 2] at points [N, 2], px."""
  return cv2.remap(
      flow.astype(np.float32), points[None], None, cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE)[0]


def magnified(found: Matches, size: tuple[int, int]) -> int:
  """By how much arrows must be longer to be seen: 1, 2, 5, 10 or 20 times.

  size: height and width of the frame, px.
  """
  moved = np.linalg.norm(found.last - found.first, axis=-1)[found.confirmed]
  usual = float(np.percentile(moved, 75)) if len(moved) else 0.0
  wanted = max(size) / 40  # An arrow of this length can be seen, px.
  return next((n for n in (1, 2, 5, 10) if n * usual >= wanted), 20)


def arrows(
    first: np.ndarray, last: np.ndarray, found: Matches, width: int
) -> np.ndarray:
  """Two frames beside each other, with matches drawn on them, uint8.

  In the left one the points as dots; in the right one arrows from where they
  were to where they are, longer by magnified(). Blue: confirmed, by coming
  back to where they began. Orange: not confirmed, without a tip.

  Args:
    first: [H, W, 3] in [0, 1], the frame of found.first.
    last: the one of found.last.
    found: matches().
    width: of each frame as it is drawn, px, at most.
  """
  size = first.shape[:2]
  longer = magnified(found, size)
  # Small frames are enlarged: lines need room.
  scale = width / max(size)
  draw = lambda frame: cv2.cvtColor(cv2.resize(
      codes(frame.mean(-1, keepdims=True)),
      [max(1, round(n * scale)) for n in size[::-1]],
      interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC),
      cv2.COLOR_GRAY2RGB) // 4 * 3
  left, right = draw(first), draw(last)
  ends = found.first + longer * (found.last - found.first)
  for a, b, good in zip(found.first, ends, found.confirmed, strict=True):
    color = (86, 180, 233) if good else (230, 97, 0)
    a, b = (tuple(np.round(p * scale).astype(int).tolist()) for p in (a, b))
    cv2.circle(left, a, 3, color, -1, cv2.LINE_AA)
    if good:
      cv2.arrowedLine(right, a, b, color, 2, cv2.LINE_AA, tipLength=0.3)
    else:
      cv2.circle(right, a, 3, color, 1, cv2.LINE_AA)
  gap = np.full((left.shape[0], 6, 3), 255, np.uint8)
  return np.hstack([left, gap, right])
