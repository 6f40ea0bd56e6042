"""Stabilise: gate weave and camera shake. Refines output.

A film that sits loosely in the gate of a camera or a scanner jumps by a pixel
or so from frame to frame; a hand shakes more, and turns. Points are tracked
from each frame to the next, the motion that most of them share is chained to
a path, and what is fast on that path is taken out. The frame keeps its size:
what it shows beyond the source's edge comes from neighbouring frames along the
path, and only what none of them shows is made up.

Weave must not touch what the cameraman did. Its path is smoothed over as many
frames as jitter alone can explain (intersection of confidence intervals;
Katkovnik 1999, doi:10.1109/78.782208), so that a pan that starts at once
starts at once. Shake is smoothed evenly.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from revive_jax import types
from revive_jax.pipeline import trend

KINDS = ('weave', 'shake')
REACH = 2  # Frames before and after that lend pixels to the border.
_SIDE = 480  # Frames are tracked at this width at most, px.
_RADII = (1, 2, 3, 5, 8, 12)  # Frames; of the windows that smooth the path.
_STILL = 0.05  # px; less than that is left, bit for bit.


class Step(NamedTuple):
  """Motion of the scene from one frame to the next."""

  dx: float  # Of the frame's middle, to the right, px of the full frame.
  dy: float  # Down, px.
  angle: float  # Clockwise as seen, radians.
  trust: float  # Share of the tracked points that agree; 0: not known.


UNKNOWN = Step(0.0, 0.0, 0.0, 0.0)


class Path(NamedTuple):
  """Where the scene was in each frame, and where it is to be; [T, 3].

  Columns: dx and dy of the frame's middle, px, and angle, radians, all against
  the first frame of the shot.
  """

  found: np.ndarray
  wanted: np.ndarray


def thumbnail(luma: np.ndarray) -> np.ndarray:
  """What step() compares: small, of fixed mean and contrast; uint8 [h, w].

  Args:
    luma: [H, W] in [0, 1].
  """
  width = min(_SIDE, luma.shape[1])
  height = max(1, round(luma.shape[0] * width / luma.shape[1]))
  small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
  scale = 50 / max(float(small.std()), 0.01)  # Flicker must not look like it.
  return np.clip((small - small.mean()) * scale + 128, 0, 255).astype(np.uint8)


def step(before: np.ndarray, after: np.ndarray, *, width: int) -> Step:
  """The motion that most points share; robust to things that move.

  Corners are tracked by pyramidal Lucas-Kanade there and back; a similarity
  is fitted to those that return (RANSAC, then least squares with Cauchy's
  weights). Its zoom is not part of the result.

  Args:
    before: thumbnail() of a frame.
    after: the same of the next frame.
    width: of the full frame, px.
  """
  if min(before.shape) < 32 or before.std() < 2 or after.std() < 2:
    return UNKNOWN
  points = cv2.goodFeaturesToTrack(before, 300, 0.01, 6)
  if points is None or len(points) < 8:
    return UNKNOWN
  options = dict(winSize=(15, 15), maxLevel=4, criteria=(
      cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005))
  there, ok, _ = cv2.calcOpticalFlowPyrLK(
      before, after, points, None, **options)
  back, ok_back, _ = cv2.calcOpticalFlowPyrLK(
      after, before, there, None, **options)
  returned = np.linalg.norm(back - points, axis=-1)[:, 0] < 0.5
  kept = returned & (ok[:, 0] > 0) & (ok_back[:, 0] > 0)
  if kept.sum() < 8:
    return UNKNOWN
  first, last = points[kept, 0], there[kept, 0]
  _, agree = cv2.estimateAffinePartial2D(
      first, last, ransacReprojThreshold=1.0, maxIters=500)
  if agree is None or agree.sum() < 8:
    return UNKNOWN
  agree = agree[:, 0] > 0
  middle = (np.array(before.shape[::-1], np.float64) - 1) / 2
  dx, dy, angle = _fit(first[agree] - middle, last[agree] - middle)
  scale = width / before.shape[1]
  return Step(scale * dx, scale * dy, angle, float(agree.sum() / kept.size))


def _fit(first: np.ndarray, last: np.ndarray) -> tuple[float, float, float]:
  """Similarity from first to last [N, 2]: dx, dy of the origin, and angle."""
  z, w = first @ (1, 1j), last @ (1, 1j)
  weight = np.ones(len(z))
  for _ in range(8):
    total = weight.sum()
    mean_z, mean_w = weight @ z / total, weight @ w / total
    moved, target = z - mean_z, w - mean_w
    turn = (weight @ (target * moved.conj())) / max(
        weight @ np.abs(moved) ** 2, 1e-9)
    residual = np.abs(target - turn * moved)
    scale = 1.5 * np.median(residual) + 0.01
    weight = 1 / (1 + (residual / (2 * scale)) ** 2)
  shift = mean_w - turn * mean_z
  return float(shift.real), float(shift.imag), float(np.angle(turn))


def path(
    steps: np.ndarray, *, kind: str, strength: float, size: tuple[int, int]
) -> Path:
  """The path of a shot, and the one without weave or shake.

  Args:
    steps: [T, 4], Step of each frame against the one before; the first row is
      not used.
    kind: 'weave' (fast translation of a gate) or 'shake' (of a hand: slower,
      and turning).
    strength: 0 leaves the path, 1 takes all of it out.
    size: height and width of the frame, px: weave moves it by at most 2 % of
      its diagonal, shake by 8 %.
  """
  types.check_choice('stabilise', kind, KINDS)
  found = _chained(_bridged(np.asarray(steps, np.float64)))
  smooth = np.stack([
      (_unwoven if kind == 'weave' else _even)(x) for x in found.T], -1)
  limit = np.hypot(*size) * (0.02 if kind == 'weave' else 0.08)
  # A turn by this angle moves the corners by the limit.
  limits = np.array([limit, limit, 2 * limit / np.hypot(*size)])
  change = np.clip(smooth - found, -limits, limits)
  if kind == 'weave':
    change[:, 2] = 0
  return Path(found, found + strength * change)


def jitter(steps: np.ndarray) -> float:
  """How far frames lie off the smooth path of the shot, rms, px.

  Args:
    steps: as for path.
  """
  found = _chained(_bridged(np.asarray(steps, np.float64)))[:, :2]
  off = found - np.stack([_unwoven(x) for x in found.T], -1)
  return float(np.sqrt((off**2).sum(-1).mean())) if len(off) else 0.0


def _bridged(steps: np.ndarray) -> np.ndarray:
  """steps [T, 3]; where a step is not known, what the known ones around do."""
  known = (steps[:, 3] > 0.15).astype(np.float64)
  known[:1] = 0
  share = ndimage.gaussian_filter1d(known, 3, mode='constant')
  guess = ndimage.gaussian_filter1d(
      steps[:, :3] * known[:, None], 3, axis=0, mode='constant')
  guess /= np.maximum(share, 1e-6)[:, None]
  return np.where(known[:, None] > 0, steps[:, :3], guess)


def _chained(steps: np.ndarray) -> np.ndarray:
  """Positions [T, 3] of steps [T, 3]; the first frame is the origin."""
  angle = np.cumsum(np.r_[0, steps[1:, 2]])
  place, positions = 0j, []
  for t, (dx, dy, turn) in enumerate(steps):
    if t:
      place = np.exp(1j * turn) * place + dx + 1j * dy
    positions.append((place.real, place.imag, angle[t]))
  return np.array(positions).reshape(-1, 3)


def _unwoven(x: np.ndarray) -> np.ndarray:
  """The path [T] without weave."""
  return trend.adaptive(x, _RADII)


def _even(x: np.ndarray) -> np.ndarray:
  """The path [T] of a steady hand."""
  return trend.line(x, 10.0)[0] if len(x) > 2 else x


def lost_share(motion: Path, *, height: int, width: int) -> float:
  """Share of the source's pixels that end up outside the frame, mean."""
  moved = motion.wanted[:, :2] - motion.found[:, :2]
  turn = np.abs(motion.wanted[:, 2] - motion.found[:, 2])
  # A small turn about the middle takes a triangle from each half side.
  across = np.abs(moved[:, 0]) / width + turn * height / width / 4
  down = np.abs(moved[:, 1]) / height + turn * width / height / 4
  kept = np.clip(1 - across, 0, 1) * np.clip(1 - down, 0, 1)
  return float(1 - kept.mean()) if len(kept) else 0.0


def stabilise(clip: types.Clip, *, motion: Path) -> types.Clip:
  """Moves output, and all that is said of its pixels, to where it should be.

  origin: pixels that were resampled are no longer KEPT but DENOISED; those
  beyond the source's edge are MOVED where one of REACH frames before and after
  shows them (origin_frame says which), else INVENTED. Frames that move by less
  than 0.05 px stay as they are.

  Args:
    clip: with output.
    motion: of the clip's frames.
  """
  moved = {name: np.array(getattr(clip, name)) for name in _FIELDS
           if getattr(clip, name) is not None}
  shape = (*clip.output.shape[:3], 1)
  moved.setdefault('origin', np.zeros(shape, np.uint8))
  moved.setdefault('origin_frame', np.zeros(shape, np.int8))
  reach = 0.5 * np.hypot(*shape[1:3])
  for t, change in enumerate(motion.wanted - motion.found):
    if max(*np.abs(change[:2]), abs(change[2]) * reach) >= _STILL:
      _move(clip, motion, t, moved)
  return clip.replace(**moved)


_FIELDS = ('output', 'damage', 'damage_kind', 'log_variance', 'spread',
           'origin', 'origin_frame')


def _move(clip, motion, t, moved) -> None:
  """Writes frame t of all fields, moved, into moved."""
  height, width = clip.output.shape[1:3]
  matrix = _matrix(motion.wanted[t], motion.found[t], height, width)
  for name, values in moved.items():
    if getattr(clip, name) is not None:
      exact = name not in ('output', 'log_variance', 'spread')
      values[t] = _resampled(getattr(clip, name)[t], matrix, exact=exact)
  moved['origin'][t][moved['origin'][t] == types.Origin.KEPT] = (
      types.Origin.DENOISED)
  empty = ~_inside(matrix, height, width)
  if not empty.any():
    return
  moved['origin'][t][empty] = types.Origin.INVENTED
  near = [t + k for n in range(1, REACH + 1) for k in (-n, n)]
  for other in near:
    if not empty.any():
      return
    if 0 <= other < len(clip.output):
      matrix = _matrix(motion.wanted[t], motion.found[other], height, width)
      use = empty & _inside(matrix, height, width)
      if use.any():
        value = _resampled(clip.output[other], matrix)
        moved['output'][t][use] = value[use]
        moved['origin'][t][use] = types.Origin.MOVED
        moved['origin_frame'][t][use] = other - t
      empty &= ~use


def _matrix(wanted, found, height, width) -> np.ndarray:
  """Affine map [2, 3] from a pixel of the steady frame to one of the source."""
  turn = np.exp(1j * (found[2] - wanted[2]))
  middle = (width - 1) / 2 + 1j * (height - 1) / 2
  shift = (middle + found[0] + 1j * found[1]
           - turn * (middle + wanted[0] + 1j * wanted[1]))
  return np.array([[turn.real, -turn.imag, shift.real],
                   [turn.imag, turn.real, shift.imag]])


def _resampled(frame, matrix, *, exact=False) -> np.ndarray:
  """frame [H, W, C] at matrix (pixel); exact: the value of the nearest."""
  mode = cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC
  size = frame.shape[1::-1]
  data = frame.astype(np.int16) if frame.dtype == np.int8 else frame
  result = cv2.warpAffine(
      data, matrix, size, flags=mode | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE).reshape(frame.shape)
  if frame.dtype == np.float32 and frame.shape[-1] == 3:
    result = np.clip(result, 0, 1)  # Cubic interpolation overshoots.
  return result.astype(frame.dtype)


def _inside(matrix, height, width) -> np.ndarray:
  """[H, W] bool: the pixel lies in the source."""
  y, x = np.mgrid[:height, :width]
  u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
  v = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
  edge = 0.02  # Less than one code of 8 bits, at any edge, matters not.
  return ((u >= -edge) & (u <= width - 1 + edge)
          & (v >= -edge) & (v <= height - 1 + edge))
