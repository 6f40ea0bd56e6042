"""Tracked: a hand, a ball or a head that moves quickly is no damage.

Like a blotch of dust it is where neither neighbour has it. Unlike dust it is in
those frames, too, in another place: it is looked for there by its picture
(normalized cross-correlation: Lewis, "Fast Template Matching", 1995), and two
frames that have it at one speed speak for it. What they have must be like the
part and not like what fills it: else a faint spot would be found wherever the
texture under it goes. Where it was then, something else is now. And in the
frames beside, nothing else near looks like it, as one grain of dust does like
another.
"""

from typing import NamedTuple

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import preprocess

_LEAST = (50, 2e-4)  # px, or of the frame's: less has no shape to be known by.
_LARGEST = 0.25  # Of the height: lines are taller or wider.
_LONG = 5  # Times its width: hairs are longer.
_MANY = 200  # More of them in a frame are dust.
_RIM = 0.011  # Of the height, around a part: its outline is known by it.
_REACH = 0.12  # Of the height: faster things are not followed.
_BLUR = 0.7  # px, against the grain.
_ALIKE = 0.7  # Correlation of two pictures of one thing...
_GONE = 0.5  # ...at most that of it and what is now where it was...
_ALONE = 0.1  # ...and less by that what else is near.
_CONTRAST = 1.54  # Times that of the other picture, at most.
_LIGHT = 0.6  # Of the contrast: how much lighter or darker it may become.
_NEARER = 0.4  # Times the squared error of the fill: as near it must be.
_SLOW = 0.0075  # Of the height; what moves less in a frame stays.
_STRAY = (0.2, 0.011)  # Of its speed, or of the height: its change at most.
_BESIDE = 2  # Frames before and after, of which it is counted how many go on;
_CHANCE = 0.2  # of those, at most so many by chance.
# Straight on; and back and aside, as only chance goes.
_TURNS = tuple(np.array(m) for m in (
    ((1, 0), (0, 1)), ((-1, 0), (0, -1)), ((0, -1), (1, 0)), ((0, 1), (-1, 0))))


class _Part(NamedTuple):
  """A connected part of the damage of a frame."""

  x: int  # Of its box with the rim, px: left,
  y: int  # and top.
  picture: np.ndarray  # [h, w] float32 luma of the box.
  fill: np.ndarray  # [h, w] float32 luma of what it is filled with.
  inside: np.ndarray  # [h, w] bool: the part
  mask: np.ndarray  # [h, w] float32: 1 in the part and in its rim.


def tracked(clip: types.Clip) -> np.ndarray:
  """The parts of damage that are things which move by themselves.

  A part is decided by itself in two frames before and two after, and by what
  of its size is found so in those: dust lies on lines by chance, about as often
  as on such as turn back or aside, which nothing that flies does. So pictures
  of four frames before and after count.

  Args:
    clip: with frames, restored and damage.

  Returns:
    [T, H, W] bool.
  """
  luma, fills = ([cv2.GaussianBlur(preprocess.luma(f), (0, 0), _BLUR)
                  for f in x] for x in (clip.frames, clip.restored))
  found = [_of_frame(luma, t, fill, clip.damage[t, ..., 0] > 0.5)
           for t, fill in enumerate(fills)]
  moves = np.zeros(clip.damage.shape[:3], bool)
  for t, (labels, areas, goes) in enumerate(found):
    near = found[max(0, t - _BESIDE):t + _BESIDE + 1]
    for part in np.flatnonzero(goes[:, 0]):
      number, *others = sum(
          g[(a > areas[part] / 2) & (a < 2 * areas[part])].sum(0)
          for _, a, g in near)
      chance = np.mean(others)
      if chance <= _CHANCE * number and number > chance + 3 * chance**0.5:
        moves[t] |= labels == part
  return moves


def _of_frame(luma, t, fill, damaged):
  """The parts of the damage [H, W] of a frame.

  Returns:
    [H, W] their numbers, [N] by them px of area, and [N, 4] bool which go on,
    by _TURNS.
  """
  height, width = damaged.shape
  count, labels, boxes, _ = cv2.connectedComponentsWithStats(
      damaged.astype(np.uint8), connectivity=8)
  goes = np.zeros((count, len(_TURNS)), bool)
  _, _, wide, tall, area = boxes.T
  asked = np.flatnonzero(
      (area >= max(_LEAST[0], _LEAST[1] * height * width))
      & (np.maximum(wide, tall) <= _LARGEST * height))
  for i in asked[asked > 0] if len(asked) <= _MANY else ():
    part = _part(luma[t], fill, labels, i, boxes[i])
    depth = cv2.distanceTransform(  # Beyond the frame it is not, either.
        np.pad(np.uint8(part.inside), 1), cv2.DIST_L2, 3).max()
    if max(wide[i], tall[i]) < _LONG * (2 * depth - 1):
      goes[i] = _goes_on(luma, t, part)
  return labels, area, goes


def _part(luma, fill, labels, number, box) -> _Part:
  height, width = luma.shape
  rim = max(2, round(_RIM * height))
  x, y, wide, tall = box[:4]
  near = (slice(max(0, y - rim), min(height, y + tall + rim)),
          slice(max(0, x - rim), min(width, x + wide + rim)))
  inside = labels[near] == number
  mask = cv2.dilate(np.float32(inside), np.ones((2 * rim + 1,) * 2))
  return _Part(
      near[1].start, near[0].start, luma[near], fill[near], inside, mask)


def _goes_on(luma, t, part: _Part) -> list[bool]:
  """Whether a part of frame t is in two more at one speed, turned by _TURNS."""
  height = len(luma[t])
  reach = round(_REACH * height)
  steps = {s: _step(luma, t, s, part, np.zeros(2), reach) for s in (-1, 1)}
  goes = []
  for turn in _TURNS:
    turned = {s: None if v is None else turn @ v for s, v in steps.items()}
    goes.append(_agree(turned[-1], steps[1], height) or any(
        _agree(v, _step(luma, t, 2 * s, part, 2 * s * v, max(4, reach // 4)),
               height)
        for s, v in turned.items() if v is not None))
  return goes


def _agree(one, other, height) -> bool:
  """Whether two speeds, px a frame, are of one thing that does not stay."""
  if one is None or other is None:
    return False
  speed = (np.hypot(*one) + np.hypot(*other)) / 2
  stray = max(_STRAY[0] * speed, _STRAY[1] * height)
  return speed > _SLOW * height and np.hypot(*(one - other)) < stray


def _step(luma, t, frames, part: _Part, near, reach) -> np.ndarray | None:
  """How fast a part went to be where it is found some frames from t.

  Args:
    luma: T of [H, W].
    t: the frame of the part.
    frames: how many later the other is; earlier, < 0.
    part: of frame t.
    near: px (x, y) from there, about which it is looked for,
    reach: and px in each direction.

  Returns:
    [2] px (x, y) a frame later; None: it is not there.
  """
  if not 0 <= t + frames < len(luma):
    return None
  other, (tall, wide) = luma[t + frames], part.picture.shape
  x, y = part.x + round(near[0]), part.y + round(near[1])
  left, top = max(0, x - reach), max(0, y - reach)
  field = other[top:max(0, y + tall + reach), left:max(0, x + wide + reach)]
  if field.shape[0] < tall or field.shape[1] < wide:
    return None
  row, column, sure = _best(field, part)
  place = (slice(top + row, top + row + tall),
           slice(left + column, left + column + wide))
  if not (sure and _same(part, other[place], luma[t][place])):
    return None
  return np.array([left + column - part.x, top + row - part.y]) / frames


def _best(field, part: _Part) -> tuple[int, int, bool]:
  """Row and column at which the field is most like a part, and nowhere else."""
  alike = cv2.matchTemplate(
      field, part.picture, cv2.TM_CCOEFF_NORMED, mask=part.mask)
  # Where the field is even, rounding errors correlate by any number.
  alike[_spread(field, part.picture.shape) < part.picture.std() / 4] = -1
  alike[~np.isfinite(alike)] = -1
  row, column = np.unravel_index(alike.argmax(), alike.shape)
  best, aside = alike[row, column], min(part.picture.shape) // 2
  alike[max(0, row - aside):row + aside + 1,
        max(0, column - aside):column + aside + 1] = -1
  return row, column, alike.max() < best - _ALONE


def _spread(field, size) -> np.ndarray:
  """Deviation in each box of a size that lies in a field [H, W]."""
  mean, square = (cv2.boxFilter(x, -1, size[::-1], anchor=(0, 0))
                  for x in (field, field * field))
  spread = np.sqrt(np.maximum(square - mean * mean, 0))
  return spread[:len(field) - size[0] + 1, :field.shape[1] - size[1] + 1]


def _same(part: _Part, there: np.ndarray, now: np.ndarray) -> bool:
  """Whether a part is there in another frame, and is not there in its own.

  Args:
    part: of a frame.
    there: [h, w], where it may be in another.
    now: [h, w], the same place in its own frame.
  """
  around = part.mask > 0
  own, other = part.picture[around], there[around]
  contrast = own.std() + 1e-4
  nearer = lambda x: ((x - there)[part.inside]**2).mean()
  return (_correlation(own, other) > _ALIKE
          and _correlation(own, now[around]) < _GONE
          and 1 / _CONTRAST < other.std() / contrast < _CONTRAST
          and abs(other.mean() - own.mean()) < _LIGHT * contrast
          and nearer(part.picture) < _NEARER * nearer(part.fill))


def _correlation(a, b) -> float:
  spread = (a.std() + 1e-4) * (b.std() + 1e-4)
  return ((a - a.mean()) * (b - b.mean())).mean() / spread
