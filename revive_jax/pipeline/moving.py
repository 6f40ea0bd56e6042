"""Moving: rain, snow, sparks and other small things that move are no damage.

Like dust they are in a place for one frame only. Unlike dust they go on: one
that flies is found in the frames around on one line, at one speed; streaks of
rain point one way. What is found so is taken out of the damage, and the picture
there stays the source's. Dust that lies about by chance forms such lines, too:
so they count only where far more are found than beside the places where they
ought to be. A single thing is known by its picture (tracked.py).
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import distance

from revive_jax import types
from revive_jax.pipeline import detect, match, preprocess, tracked

MODES = ('keep', 'ignore')

_LARGEST = 1200  # px of the diagonal; larger frames are looked at smaller.
_REACH = 2  # Frames before and after that are asked for the same evidence.
# All that a frame depends on: its like in the frame beside it, evidence around
# that, lines through three frames, and damage around those (or neighbours).
REACH = 1 + _REACH + 2 + _REACH
_SPEED = 0.12  # Of the height in a frame: faster things are not followed.
_STILL = 1.5  # px: what moves less stays in its place, as dirt in a gate does.
_CHANCE = 0.45  # Of the lines found, how many may be there by chance.
_CROWD = 0.6  # Where so many fly, those like them do, too...
_NEAR = 0.2  # ...so near, of the height.
_MANY = 1500  # More parts of a frame are too many to tell apart.
_PAIRS = 20000  # And more pairs of two frames.
_STREAKS = 4  # In a frame, on average: fewer are no weather.
_LEVEL = 0.07  # rad off the rows: what is long and thin there is of tape.
_LONG = 4  # Times its width.
# A speck is wider and shorter than that, times the length of a streak.
_SPECK = 0.45, 2
_LOST = (1.5, 0.1)  # So many level things a frame, of all: a tape is damaged.
_AGREE = np.deg2rad(12)  # Streaks of one weather point into such an angle...
_MOST = 0.55  # ...and are this share of all that is long and thin.


class Parts(NamedTuple):
  """What stands out of a frame, in connected parts; N of them."""

  labels: np.ndarray  # [H, W] int32: 0, or the number of a part plus one.
  place: np.ndarray  # [N, 2] px, (x, y) of its centre.
  area: np.ndarray  # [N] px.
  light: np.ndarray  # [N] mean difference to its surroundings, signed.
  length: np.ndarray  # [N] px.
  width: np.ndarray  # [N] px.
  angle: np.ndarray  # [N] rad, of its length, in (-pi / 2, pi / 2].
  asked: np.ndarray  # [N] bool: some of it was taken for damage.
  stays: np.ndarray  # [N] bool: it is damaged in the frames around as well.

  @property
  def level(self) -> np.ndarray:
    """[N] bool: long, thin and along the rows, as what tape loses of a line.

    Rain is not blown level, and hardly anything else flies so.
    """
    return (self.length > _LONG * self.width) & (
        np.abs(np.sin(self.angle)) < _LEVEL)


def moving(clip: types.Clip, *, sigma: float) -> types.Clip:
  """Takes back from damage what moves by itself; restored is frames there.

  It looks at two frames before and after, and at the evidence of as many
  around those: windows that overlap decide alike. What the user marked stays.

  Args:
    clip: with frames, flows, damage, damage_kind and restored.
    sigma: noise of frames, in [0, 1] units.
  """
  if (clip.damage is None or clip.flow_forward is None
      or clip.restored is None or len(clip.frames) < 3
      or min(clip.frames.shape[1:3]) < 32 or not (clip.damage > 0.5).any()):
    return clip
  small = _smaller(clip)
  parts = _all_parts(small, sigma)
  flies = np.stack([
      np.concatenate([[False], k])[p.labels]
      for k, p in zip(_flying(small, parts), parts, strict=True)])
  weather = _weather(parts)
  tape = _lost_lines(parts)
  flies |= tracked.tracked(small)
  flies[tape] = weather[tape] = False
  if not (flies | weather).any():
    return clip
  return _taken_back(clip, flies, weather)


def _smaller(clip: types.Clip) -> types.Clip:
  """The clip at half, a third ... of its size, if it is large."""
  height, width = clip.frames.shape[1:3]
  factor = int(np.ceil(np.hypot(height, width) / _LARGEST))
  if factor == 1:
    return clip
  size = (width // factor, height // factor)
  shrink = lambda x: np.stack([
      cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in x])
  return types.Clip(
      source=clip.source, frames=shrink(clip.frames),
      flow_forward=shrink(clip.flow_forward) / factor,
      flow_backward=shrink(clip.flow_backward) / factor,
      # What is thin must not be lost.
      damage=np.float32(shrink(clip.damage) > 0.2)[..., None],
      restored=shrink(clip.restored))


def _all_parts(clip: types.Clip, sigma: float) -> list[Parts]:
  luma, fills = (preprocess.luma(np.ascontiguousarray(x))
                 for x in (clip.frames, clip.restored))
  damaged = clip.damage[..., 0] > 0.5
  marks = [cv2.dilate(d.astype(np.uint8), np.ones((3, 3), np.uint8))
           for d in damaged]
  found = []
  for t, holes in enumerate(damaged):
    signed = _standing_out(clip, luma, t)
    gone = luma[t] - fills[t]
    signed = np.where(holes & (np.abs(gone) > np.abs(signed)), gone, signed)
    others = [marks[s] for s in range(t - _REACH, t + _REACH + 1)
              if s != t and 0 <= s < len(marks)]
    stays = sum(others) > 0.6 * len(others)  # At most four: uint8 holds them.
    found.append(_parts(signed, 0.02 + 1.2 * sigma, holes, stays))
  return found


def _standing_out(clip, luma, t) -> np.ndarray:
  """How far frame t lies above (or below, < 0) both neighbours, [H, W]."""
  aligned, lost = [], np.zeros(luma.shape[1:], bool)
  for other in detect.neighbours(t, len(luma)):
    flow = match.flow_between(clip, t, other)
    aligned.append(match.warp(luma[other], flow))
    lost |= match.outside(flow)
  kernel = np.ones((3, 3), np.uint8)
  above = luma[t] - np.maximum(*(cv2.dilate(a, kernel) for a in aligned))
  below = np.minimum(*(cv2.erode(a, kernel) for a in aligned)) - luma[t]
  signed = np.where(above > 0, above, np.minimum(-below, 0))
  signed[lost] = 0
  return signed


def _parts(signed, threshold, holes, stays) -> Parts:
  """The connected parts of what is over the threshold, bright and dark ones."""
  labels = np.zeros(signed.shape, np.int32)
  count = 0
  for sign in (1, -1):
    mask = detect.grow(sign * signed > 2 * threshold, sign * signed > threshold)
    number, own = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    labels[own > 0] = own[own > 0] + count
    count += number - 1
  y, x = np.nonzero(labels)
  index, value = labels[y, x] - 1, signed[y, x]
  area = np.bincount(index, minlength=count).astype(np.float64)
  mean = lambda v: np.bincount(index, v, count) / np.maximum(area, 1)
  cx, cy = mean(x), mean(y)
  dx, dy = x - cx[index], y - cy[index]
  xx, yy, xy = mean(dx * dx), mean(dy * dy), mean(dx * dy)
  spread = np.hypot((xx - yy) / 2, xy)
  # Of a line of length l the variance is (l^2 - 1) / 12.
  side = lambda v: np.sqrt(12 * np.maximum(v, 0) + 1)
  return Parts(
      labels, np.stack([cx, cy], -1), area, mean(value),
      side((xx + yy) / 2 + spread), side((xx + yy) / 2 - spread),
      np.arctan2(2 * xy, xx - yy) / 2,
      np.bincount(index, holes[y, x], count) > 0,
      mean(stays[y, x]) > 0.5)


# Beside the place where a thing should be: what is found there, is by chance.
_BESIDE = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1))


def _flying(clip: types.Clip, parts: list[Parts]) -> list[np.ndarray]:
  """Of each frame which parts lie on a line through three frames or more."""
  # [5, N]: how many lines go through a part; in the places, and beside them.
  counts = [np.zeros((len(_BESIDE), len(p.area)), int) for p in parts]
  for t in range(1, len(parts) - 1):
    for beside, members in enumerate(_lines(clip, parts, t)):
      for s, numbers in zip((t - 1, t, t + 1), members, strict=True):
        counts[s][beside, np.unique(np.int64(numbers))] += 1
  sure = []
  for t, part in enumerate(parts):
    near = slice(max(0, t - _REACH), t + _REACH + 1)
    asked = [c[:, p.asked] for c, p in zip(counts[near], parts[near],
                                           strict=True)]
    taken = np.zeros(len(part.area), bool)
    for least in (1, 2):  # Two lines through a part: four frames.
      number, *others = sum((c >= least).sum(1) for c in asked)
      chance = np.mean(others)
      if chance <= _CHANCE * number and number > chance + 3 * chance**0.5:
        taken |= counts[t][0] >= least
    sure.append(taken & ~part.stays & ~part.level)
  return [_with_crowd(t, parts, sure, clip.frames.shape[1])
          for t in range(len(parts))]


def _with_crowd(t, parts, sure, height) -> np.ndarray:
  """sure[t], and the parts among many that are like them and fly."""
  near = slice(max(0, t - 1), t + 2)
  part, taken = parts[t], sure[t].copy()
  votes, total = np.zeros(len(taken)), np.zeros(len(taken))
  for other, flies in zip(parts[near], sure[near], strict=True):
    like = _alike(part, other) & other.asked & (
        distance.cdist(part.place, other.place) < _NEAR * height)
    votes += like @ flies.astype(float)
    total += like.sum(1)
  return taken | ((total >= 6) & (votes > _CROWD * total) & ~part.stays
                  & ~part.level)


def _lines(clip, parts, t):
  """Numbers of parts of frames t - 1, t, t + 1 on lines, by _BESIDE."""
  before, now, after = parts[t - 1:t + 2]
  height = clip.frames.shape[1]
  nothing = [([], [], [])] * len(_BESIDE)
  if not all(0 < len(p.area) < _MANY for p in (before, now, after)):
    return nothing
  start = _carried(before.place, clip.flow_forward[t - 1])
  end = _carried(after.place, clip.flow_backward[t + 1])
  j, i = np.nonzero(_alike(before, now) & _in_reach(before, now, height))
  follows = _alike(now, after) & _in_reach(now, after, height)
  if not 0 < len(i) < _PAIRS:
    return nothing
  ahead = 2 * now.place[i] - start[j]
  tolerance = max(1.5, 0.011 * height)
  members = []
  for beside in _BESIDE:
    place = ahead + 4 * tolerance * np.array(beside)
    hit = (distance.cdist(place, end) < tolerance) & follows[i]
    pair, k = np.nonzero(hit)
    members.append((j[pair], i[pair], k))
  return members


def _carried(places: np.ndarray, flow: np.ndarray) -> np.ndarray:
  """Where the scene under places [N, 2] goes by flow [H, W, 2]."""
  size = 2 * round(0.04 * np.hypot(*flow.shape[:2])) + 1
  flow = cv2.blur(flow, (size, size))
  x, y = np.rint(places).astype(int).T
  return places + flow[y, x]


def _in_reach(a: Parts, b: Parts, height) -> np.ndarray:
  """[N, M] bool: a part of b is where one of a can have moved to."""
  apart = distance.cdist(a.place, b.place)
  return (apart > _STILL) & (apart < _SPEED * height)


def _alike(a: Parts, b: Parts) -> np.ndarray:
  """[N, M] bool: of like size, light, and direction if they have one."""
  ratio = lambda x, y: x[:, None] / y[None]
  area, light = ratio(a.area, b.area), ratio(a.light, b.light)
  turn = np.abs(np.sin(a.angle[:, None] - b.angle[None]))
  thin = (a.length > 3 * a.width)[:, None] & (b.length > 3 * b.width)[None]
  return ((area > 0.35) & (area < 2.9) & (light > 0.5) & (light < 2)
          & (~thin | (turn < 0.4)))


def _lost_lines(parts: list[Parts]) -> np.ndarray:
  """[T] bool: frames of a tape that has lost lines.

  Where much is level, what is short or thick beside it was lost with it.
  """
  level = np.array([(p.level & p.asked).sum() for p in parts])
  asked = np.array([p.asked.sum() for p in parts])
  found = np.zeros(len(parts), bool)
  for t in range(len(parts)):
    near = slice(max(0, t - _REACH), t + _REACH + 1)
    count, share = _LOST
    found[t] = level[near].mean() >= max(count, share * asked[near].mean())
  return found


def _weather(parts: list[Parts]) -> np.ndarray:
  """[T, H, W] bool: streaks that point where most around them do."""
  diagonal = np.hypot(*parts[0].labels.shape)
  least = max(5, 0.018 * diagonal)
  found = []
  for t, part in enumerate(parts):
    near = parts[max(0, t - _REACH):t + _REACH + 1]
    mask = np.zeros(part.labels.shape, bool)
    for sign in (1, -1):
      streaks = [p.angle[(p.length > least) & (p.length > 3 * p.width)
                         & (p.light * sign > 0) & p.asked & ~p.stays
                         & ~p.level]
                 for p in near]
      angle = _common(streaks)
      if angle is not None:
        own = (part.light * sign > 0) & ~part.stays
        own = np.concatenate([[False], own])[part.labels]
        mask |= _along(own, angle, least)
    found.append(mask)
  return np.stack(found)


def _common(streaks: list[np.ndarray]) -> float | None:
  """The angle of most streaks, given by frame; None: there is none."""
  angles = np.concatenate(streaks)
  if len(angles) < _STREAKS * len(streaks):
    return None
  turn = lambda a, b: np.abs((a - b + np.pi / 2) % np.pi - np.pi / 2)
  near = turn(angles[:, None], angles[None]) < _AGREE
  best = angles[near.sum(0).argmax()]
  by_frame = np.array([(turn(a, best) < _AGREE).sum() for a in streaks])
  total = by_frame.sum()
  if (total < max(_STREAKS * len(streaks), _MOST * len(angles))
      or (by_frame >= _STREAKS / 2).mean() < 0.6):
    return None
  agree = angles[turn(angles, best) < _AGREE]
  return float(np.angle(np.exp(2j * agree).mean()) / 2)


def _along(mask: np.ndarray, angle: float, length: float) -> np.ndarray:
  """What of mask [H, W] runs at an angle for a length, and is thin."""
  size = 2 * int(np.ceil(length / 2)) + 1
  mask = mask.astype(np.uint8)
  runs = np.zeros_like(mask)
  for turn in (-_AGREE / 2, 0.0, _AGREE / 2):
    kernel = np.zeros((size, size), np.uint8)
    reach = (length - 1) / 2 * np.array([np.cos(angle + turn),
                                         np.sin(angle + turn)])
    ends = [tuple(np.rint(size // 2 + s * reach).astype(int).tolist())
            for s in (-1, 1)]
    cv2.line(kernel, *ends, 1)
    runs |= cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
  broad = cv2.getStructuringElement(
      cv2.MORPH_ELLIPSE, (2 * round(length / 2.5) + 1,) * 2)
  part = _parts(np.float32(runs), 0.25, runs > 0, runs > 0)
  # A speck has runs through it as well, but is no streak; some that touch are.
  specks = (part.length < 3 * part.width) & (
      part.width > _SPECK[0] * length) & (part.length < _SPECK[1] * length)
  streaks = np.concatenate([[False], ~specks])[part.labels]
  return streaks & (cv2.morphologyEx(mask, cv2.MORPH_OPEN, broad) == 0)


def _taken_back(
    clip: types.Clip, flies: np.ndarray, weather: np.ndarray
) -> types.Clip:
  """The clip without the damage that is covered by one, [T, h, w] bool."""
  values = {name: np.array(getattr(clip, name)) for name in (
      'damage', 'damage_kind', 'restored', 'origin', 'origin_frame')
            if getattr(clip, name) is not None}
  for t in np.flatnonzero((flies | weather).any((1, 2))):
    damaged = clip.damage[t, ..., 0] > 0.5
    # What flies over a scratch does not heal it; streaks of rain are often
    # high and thin enough to be called scratches.
    mask = _covered(flies[t], damaged) & (
        clip.damage_kind[t, ..., 0] != types.DamageKind.SCRATCH)
    mask |= _covered(weather[t], damaged)
    if clip.user_mask is not None:
      mask &= clip.user_mask[t, ..., 0] <= 0.5
    for name, value in values.items():
      value[t][mask] = clip.frames[t][mask] if name == 'restored' else 0
    values['damage_kind'][t][mask & damaged] = types.DamageKind.MOVING
  return clip.replace(**values)


def _covered(found: np.ndarray, damaged: np.ndarray) -> np.ndarray:
  """found [h, w] with its rim, and the damage [H, W] that it covers most of."""
  if not found.any():
    return np.zeros(damaged.shape, bool)
  radius = 1 + round(np.hypot(*damaged.shape) / 552)
  mask = cv2.resize(found.astype(np.uint8), damaged.shape[::-1],
                    interpolation=cv2.INTER_NEAREST)
  mask = cv2.dilate(mask, np.ones((2 * radius + 1,) * 2, np.uint8)) > 0
  count, labels = cv2.connectedComponents(
      damaged.astype(np.uint8), connectivity=8)
  area = np.bincount(labels.ravel(), minlength=count)
  share = np.bincount(labels.ravel(), mask.ravel(), count) / np.maximum(area, 1)
  share[0] = 0
  return mask | (share > 0.6)[labels]
