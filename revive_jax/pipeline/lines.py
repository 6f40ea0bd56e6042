"""Scratches: near-vertical lines that stay, and move on their own.

A scratch is a ridge: darker or brighter than both sides, along most of the
frame's height, seen in most of the neighbouring frames (compare Kokaram,
"Detection and removal of line scratches in degraded motion picture sequences",
1996). So are window bars and poles; but those move with the scene, and seldom
cross the whole frame. A line is taken for a scratch if it stays near its column
and drifts apart from the scene around it, or if it is thin and crosses the
frame from end to end.
"""

import dataclasses

import cv2
import numpy as np

_WIDTHS = (1, 3, 5, 7)  # px of a 552 px diagonal; scratches are 1-8 px wide.
_BLOCKS = 12  # Parts of the height that vote for a line.
REACH = 4  # Frames before and after in which a line is followed.


@dataclasses.dataclass(frozen=True)
class Line:
  """A near-vertical line of one frame."""

  x: float  # Mean column, px.
  polarity: int  # 1 brighter, -1 darker than its sides.
  width: int  # px.
  score: float  # Contrast times the root of the width: its visibility.
  path: np.ndarray  # [_BLOCKS] column in each block, px.
  coverage: float  # Share of the blocks in which it is seen.


def ridges(luma: np.ndarray, width: int) -> np.ndarray:
  """Signed ridge strength of [H, W]: > 0 bright line, < 0 dark line.

  The mean over width columns, less the nearer of the means over as many
  columns (at least 2) to its left and right: an edge gives 0, a line does not.
  """
  side = max(2, width)
  mean = cv2.blur(luma, (width, 1))
  sides = cv2.blur(luma, (side, 1))
  # Between the line and its sides one column is left out: line edges blur.
  shift = (width + side) // 2 + 1
  padded = cv2.copyMakeBorder(
      sides, 0, 0, shift, shift, cv2.BORDER_REPLICATE)
  left, right = padded[:, :luma.shape[1]], padded[:, 2 * shift:]
  bright = mean - np.maximum(left, right)
  dark = mean - np.minimum(left, right)
  return np.where(bright > 0, bright, np.minimum(dark, 0))


def find_lines(
    luma: np.ndarray, *, sigma: float, coverage: float
) -> list[Line]:
  """Lines of one frame [H, W] that cross at least coverage of its height."""
  scale = np.hypot(*luma.shape) / 552
  return _lines(_strengths(luma, sigma, scale), coverage, scale)


def _strengths(luma, sigma, scale):
  """(strength [_BLOCKS, W] of ridges, polarity, width), of each width."""
  rows = luma.shape[0] // _BLOCKS
  found = []
  for width in {max(1, int(round(w * scale)) | 1) for w in _WIDTHS}:
    response = np.clip(ridges(luma, width), -0.4, 0.4)
    threshold = 0.025 + 3 * sigma / np.sqrt(width * rows)
    for polarity in (1, -1):
      parts = np.array_split(response * polarity, _BLOCKS)
      mean = np.stack([p.mean(0) for p in parts])
      steady = np.stack([_share(p > threshold / 2) for p in parts])
      strength = np.where((mean > threshold) & (steady > 0.6), mean, 0)
      found.append((strength, polarity, width))
  return found


def _lines(strengths, coverage, scale) -> list[Line]:
  """The lines in what _strengths found that cross so much of the height."""
  found = [line for strength, polarity, width in strengths
           for line in _peaks(strength, polarity, width, coverage, scale)]
  found.sort(key=lambda line: -line.score)
  kept = []
  for line in found:  # The width that sees a line best speaks for it.
    if all(abs(line.x - k.x) > (line.width + k.width) / 2 + 2 for k in kept):
      kept.append(line)
  return kept


def _share(mask: np.ndarray) -> np.ndarray:
  """Of each column of [H, W] bool, the share that is true."""
  # mask.mean(0) makes a float64 of each pixel first.
  return cv2.reduce(mask.view(np.uint8), 0, cv2.REDUCE_SUM,
                    dtype=cv2.CV_32S)[0] / len(mask)


def _peaks(strength, polarity, width, coverage, scale) -> list[Line]:
  """Lines in strength [_BLOCKS, W], which may lean by a few columns."""
  lean = max(1, round(2 * scale))
  kernel = np.ones((1, 2 * lean + 1), np.uint8)
  near = cv2.dilate((strength > 0).astype(np.uint8), kernel)
  covered = near.mean(0) >= coverage
  edges = np.flatnonzero(np.diff(np.r_[0, covered.astype(np.int8), 0]))
  lines = []
  for start, stop in zip(edges[::2], edges[1::2], strict=True):
    start, stop = max(0, start - lean), min(stop + lean, strength.shape[1])
    part = strength[:, start:stop]
    total = part.sum(1)
    columns = np.arange(start, stop)
    seen = total > 0
    if stop - start > 6 * lean + 2 * width or seen.mean() < coverage:
      continue  # Too broad: a texture of lines, not a line.
    if start < 0.012 * strength.shape[1] or stop > 0.988 * strength.shape[1]:
      continue  # The border of the picture.
    path = np.interp(np.arange(_BLOCKS), np.flatnonzero(seen),
                     (part @ columns)[seen] / total[seen])
    fit = np.polynomial.Polynomial.fit(np.arange(_BLOCKS), path, 2)
    if np.std(path - fit(np.arange(_BLOCKS))) > 1.2 * scale:
      continue  # A scratch is straight, or slightly bent.
    contrast = float(part.max(1)[seen].mean())
    lines.append(Line(float(path.mean()), polarity, width,
                      contrast * np.sqrt(width), path,
                      float(seen.mean())))
  return lines


def _scene_motion(flow: np.ndarray, x: float, width: int) -> float:
  """Median dx of flow [H, W, 2] in the columns beside a line."""
  centre, inner, outer = int(round(x)), width + 3, width + 24
  left = flow[::4, max(0, centre - outer):max(0, centre - inner), 0]
  right = flow[::4, centre + inner:centre + outer, 0]
  values = np.concatenate([left.ravel(), right.ravel()])
  return float(np.median(values)) if values.size else 0.0


def _follow(line, lines, flow, t, step, scale):
  """Follows a line from frame t by step (1 or -1).

  Returns (frames looked at, frames in which it was seen, how far it drifted
  apart from the scene, px).
  """
  at, scene, distances = line.x, line.x, []
  looked = seen = gap = 0
  for other in range(t + step, t + step * (REACH + 1), step):
    if not 0 <= other < len(lines):
      break
    looked, gap = looked + 1, gap + 1
    scene += _scene_motion(flow[other - step], scene, line.width)
    near = [k for k in lines[other] if k.polarity == line.polarity
            and abs(k.x - at) <= 1.6 * scale * gap + 1.0]
    if near:
      at, gap, seen = min(near, key=lambda k: abs(k.x - at)).x, 0, seen + 1
      distances.append(at - scene)
  # One odd sighting is not a drift: the median of the later half.
  apart = abs(np.median(distances[len(distances) // 2:])) if distances else 0.0
  return looked, seen, float(apart)


def find_scratches(
    luma: np.ndarray, flow_forward: np.ndarray, flow_backward: np.ndarray, *,
    sigma: float, coverage: float = 0.7, persistence: float = 0.5,
    apart: float = 0.8, whole_height: float = 0.9,
) -> np.ndarray:
  """Marks scratches; [T, H, W] bool.

  Args:
    luma: [T, H, W] in [0, 1].
    flow_forward: [T, H, W, 2] px, t to t + 1.
    flow_backward: [T, H, W, 2] px, t to t - 1.
    sigma: noise of luma.
    coverage: share of the frame's height that a line must cross.
    persistence: share of the frames within REACH in which it must be seen.
    apart: px of a 552 px diagonal that it must drift apart from the scene...
    whole_height: ...unless it is thin and crosses this share of the height.
  """
  marked = np.zeros(luma.shape, bool)
  if min(luma.shape[1:]) < 32 or len(luma) < 3:
    return marked
  scale = np.hypot(*luma.shape[1:]) / 552
  # Neighbours confirm a line with a weaker view of it.
  strengths = [_strengths(f, sigma, scale) for f in luma]
  seen = [_lines(s, 0.7 * coverage, scale) for s in strengths]
  strong = [_lines(s, coverage, scale) for s in strengths]
  for t, lines in enumerate(strong):
    for line in lines:
      after = _follow(line, seen, flow_forward, t, 1, scale)
      before = _follow(line, seen, flow_backward, t, -1, scale)
      looked, found = after[0] + before[0], after[1] + before[1]
      drifts = max(after[2], before[2]) >= apart * scale
      whole = line.coverage >= whole_height and line.width <= 5 * scale + 1
      if found and found >= persistence * looked and (drifts or whole):
        _draw(marked[t], line)
  return marked


def _draw(mask: np.ndarray, line: Line) -> None:
  """Marks a line, wide enough to hide its soft edges, in mask [H, W]."""
  height = len(mask)
  centres = (np.arange(_BLOCKS) + 0.5) * height / _BLOCKS
  x = np.interp(np.arange(height), centres, line.path)
  columns = np.arange(mask.shape[1])
  mask |= np.abs(columns - x[:, None]) <= line.width / 2 + 1.2
