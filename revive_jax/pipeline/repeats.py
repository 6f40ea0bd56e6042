"""Repeats: frames shown twice, and frames lost, found by their motion.

Of each frame a few numbers are kept: how far it is from the one before, and
how fast the scene moved. A frame that does not move amid motion is a repeat,
and a jump of twice the motion amid steady motion is a lost frame. The two
belong together where a camera or a capture lost a frame and filled its place:
the frames stay as many as they were, and the motion over the repeat and the
jump beside it is what it should be. Such repeats can be replaced by what was
lost (interpolate.py).

What is not a fault is left: still shots (no motion to judge by), pauses (they
come gradually, and nothing is made up for), animation on twos (no motion
without repeats is left to compare with) and pulldown (frames repeat at even
distances, without a jump). Where the motion is too unsteady to tell a jump, a
repeat is said to be one, and left.
"""

from collections.abc import Iterator, Sequence
import enum
from typing import NamedTuple

import cv2
import numpy as np

_WIDTH = 160  # Of the frames that are compared, px.
_REACH = 8  # Frames before and after that say what motion is usual.
_LEAST = 0.15  # px of the small frames: less motion is a still shot.
# Most Change.difference of a repeat, and its share of what is usual around:
# H.264 of crf 18 leaves copies within 0.003 and 5 %, of crf 30 within 0.01 and
# 15 %; grain adds to the difference as the scene lacks contrast.
_SAME, _NEAR = (0.004, 0.05), (0.06, 0.15)
LONGEST = 3  # Frames in a row that are made; over more nobody knows the way.


class Kind(enum.Enum):
  """What was found."""

  REPEAT = 'repeat'  # Shown again; nothing is lost.
  REPLACED = 'replaced'  # Shown again in the place of a lost frame.
  LOST = 'lost'  # Missing; its neighbours follow each other.


class Event(NamedTuple):
  """Something found at frames [start, stop) of a shot.

  REPEAT and REPLACED: these frames are repeats. LOST: count frames are missing
  before start, and stop = start.
  """

  kind: Kind
  start: int
  stop: int
  count: int  # Frames repeated or lost.


class Change(NamedTuple):
  """From one frame to the next; what is kept of each frame."""

  difference: float  # Of luma, mean absolute, by its contrast.
  motion: float  # Mean length of the flow, px of the small frame.
  likeness: float  # Cosine of this flow and the last that moved; 0: none.


START = Change(0.0, 0.0, 0.0)


class Watcher:
  """Compares frames as they come; keeps one small frame and one flow."""

  def __init__(self):
    self._before, self._flow = None, None
    self._search = cv2.DISOpticalFlow_create(
        cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

  def __call__(self, luma: np.ndarray) -> Change:
    """The change from the frame before to luma [H, W] in [0, 1]."""
    small = _small(luma)
    before, self._before = self._before, small
    if before is None or min(small.shape) < 16:
      return START
    flow = self._search.calc(before, small, None)
    difference = cv2.absdiff(before, small).mean() / 45
    motion = float(np.linalg.norm(flow, axis=-1).mean())
    likeness = 0.0
    if self._flow is not None:
      norm = np.sqrt((flow**2).sum() * (self._flow**2).sum())
      likeness = float((flow * self._flow).sum() / max(norm, 1e-6))
    if motion >= _LEAST:
      self._flow = flow
    return Change(float(difference), motion, likeness)


def _small(luma: np.ndarray) -> np.ndarray:
  """Small, soft, and of fixed mean and contrast: no grain, no flicker."""
  width = min(_WIDTH, luma.shape[1])
  height = max(1, round(luma.shape[0] * width / luma.shape[1]))
  small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
  small = cv2.GaussianBlur(small, (0, 0), 1.0)
  scale = 45 / max(float(small.std()), 0.02)
  return np.clip((small - small.mean()) * scale + 128, 0, 255).astype(np.uint8)


def find(
    changes: np.ndarray, *, pts: Sequence[int] | None = None
) -> list[Event]:
  """Repeats and losses of one shot, in order.

  Args:
    changes: [T, 3], Change of each frame; the first row is not used.
    pts: [T], timestamps in any unit. A gap of whole frames is a loss, too,
      whatever the motion says.
  """
  changes = np.asarray(changes, np.float64).reshape(-1, 3)
  count = len(changes)
  events = []
  if count >= 5:
    runs, repeated = _repeats(changes)
    jumps = _jumps(changes, repeated)
    for start, stop in runs:
      kind = Kind.REPEAT
      place = _made_up(changes, repeated, start, stop)
      if (place is not None and stop - start <= LONGEST
          and not _is_cadence(start, [a for a, _ in runs])):
        kind = Kind.REPLACED
        jumps.pop(place, None)
        if place == start - 1:  # The jump came first: so did the loss.
          start, stop = start - 1, stop - 1
      events.append(Event(kind, start, stop, stop - start))
    events += [Event(Kind.LOST, t, t, n) for t, n in jumps.items()]
  if pts is not None:
    known = dict(gaps(pts))  # They tell the number better than the motion.
    events = [e for e in events if e.kind != Kind.LOST or e.start not in known]
    events += [Event(Kind.LOST, t, t, n) for t, n in known.items()]
  return sorted(events, key=lambda e: (e.start, e.stop))


def gaps(pts: Sequence[int]) -> list[tuple[int, int]]:
  """(frame, frames missing before it) where timestamps leave whole frames out.

  The step is compared with the median of those around; files of variable rate
  change it slowly, or by less than two thirds.
  """
  steps = np.diff(np.asarray(pts, np.float64))
  found = []
  for t in np.flatnonzero(steps > 1.66 * steps.min(initial=np.inf)).tolist():
    step = steps[t]
    around = np.r_[steps[max(0, t - _REACH):t], steps[t + 1:t + 1 + _REACH]]
    if len(around) < 4:
      continue
    usual = np.median(around)
    ratio = step / max(usual, 1e-9)
    # Where the steps around differ much, there is no rate to miss frames of.
    steady = np.percentile(np.abs(around / max(usual, 1e-9) - 1), 75) < 0.25
    if steady and ratio > 1.66 and abs(ratio - round(ratio)) < 0.34:
      found.append((t + 1, round(ratio) - 1))
  return found


def _usual(values, use, t, *, reach=_REACH) -> float:
  """Median of values [T] around t, where use; NaN of fewer than 3."""
  near = slice(max(1, t - reach), t + reach + 1)
  chosen = values[near][use[near]]
  return float(np.median(chosen)) if len(chosen) >= 3 else float('nan')


def _repeats(changes):
  """Runs [start, stop) of frames that do not move amid motion, and [T] bool."""
  difference, motion = changes[:, 0], changes[:, 1]
  moving = motion >= _LEAST
  repeated = np.zeros(len(changes), bool)
  for t in range(1, len(changes)):
    usual = _usual(motion, moving, t)
    apart = _usual(difference, moving, t)
    # Both sides move: at the edge of a pause nothing was lost.
    before, after = moving[max(1, t - 4):t], moving[t + 1:t + 5]
    # Grain seems to move, too, but not where the scene went.
    still = motion[t] < 0.15 * usual or (
        motion[t] < 0.4 * usual and changes[t, 2] < 0.3)
    # A pause comes gradually, a repeat at once.
    last = t - 1
    while last > 1 and repeated[last]:
      last -= 1
    sudden = motion[t] < 0.5 * motion[last]
    repeated[t] = (still and sudden and difference[t] < 0.8 * apart
                   and before.any() and after.any())
  edges = np.flatnonzero(np.diff(np.r_[0, repeated.astype(np.int8), 0]))
  runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
  return runs, repeated


def _plain(changes, repeated):
  """[T] bool: motion that no repeat lies beside."""
  beside = repeated.copy()
  beside[1:] |= repeated[:-1]
  beside[:-1] |= repeated[1:]
  plain = (changes[:, 1] >= _LEAST) & ~beside
  plain[:1] = False
  return plain


def _is_cadence(start: int, starts: list[int]) -> bool:
  """Whether frames repeat at even distances here: the work of a machine."""
  i = starts.index(start)
  near = np.diff(starts[max(0, i - 2):i + 3])
  return len(near) >= 3 and near.max() <= 12 and np.ptp(near) <= 1


def _made_up(changes, repeated, start, stop) -> int | None:
  """The frame whose jump makes up for the repeats [start, stop), or None."""
  plain, motion = _plain(changes, repeated), changes[:, 1]
  for place in (stop, start - 1):
    if not 1 <= place < len(changes) or repeated[place]:
      continue
    usual = _usual(motion, plain, place, reach=4)
    ratio = motion[place] / usual  # NaN where there is nothing to compare.
    # Nearer to a jump over what was lost than to a step like the others.
    lost = stop - start
    if 1 + 0.5 * lost < ratio < 2 + 1.5 * lost and changes[place, 2] > 0.5:
      return place
  return None


def _jumps(changes, repeated) -> dict[int, int]:
  """Frames lost before a frame, where the motion around is steady."""
  plain, motion, found = _plain(changes, repeated), changes[:, 1], {}
  for t in range(2, len(changes) - 1):
    if not plain[t]:
      continue
    sides = [s for s in (t - 2, t - 1, t + 1, t + 2) if 0 < s < len(motion)]
    around = motion[sides]
    if len(sides) < 4 or not plain[sides].all():
      continue
    usual = np.median(around)
    # Steady: in length, and in direction, else an action starts here.
    steady = (np.abs(around / usual - 1).max() < 0.25
              and changes[[t, t + 1], 2].min() > 0.8)
    ratio = motion[t] / usual
    if steady and 1.66 < ratio < 3.4 and abs(ratio - round(ratio)) < 0.34:
      found[t] = round(ratio) - 1
  return found


def alike(changes: np.ndarray, *, exactly: bool) -> np.ndarray:
  """[T] bool: the frame shows what the one before does, and nothing else.

  A frame that does not move need not be a repeat: where a shake turns, one
  hardly moves, either.

  Args:
    changes: [T, 3], Change of each frame of a shot.
    exactly: but for what good coding does to a copy; else heavy coding and
      grain may be upon it.
  """
  changes = np.asarray(changes, np.float64).reshape(-1, 3)
  most, share = _SAME if exactly else _NEAR
  difference, moving = changes[:, 0], changes[:, 1] >= _LEAST
  found = np.zeros(len(changes), bool)
  for t in np.flatnonzero(difference <= most).tolist():
    found[t] = difference[t] <= share * _usual(difference, moving, t)
  return found


def to_replace(events: Sequence[Event], num_frames: int) -> np.ndarray:
  """[T] bool: repeats in the place of lost frames; for interpolate()."""
  replace = np.zeros(num_frames, bool)
  for event in events:
    if event.kind == Kind.REPLACED:
      replace[event.start:event.stop] = True
  return replace


def timeline(
    events: Sequence[Event], pts: Sequence[int], *, collapse: bool = False,
    insert: bool = False,
) -> list[tuple[int, float]]:
  """in_time(), as a list."""
  return list(in_time(events, pts, collapse=collapse, insert=insert))


def in_time(
    events: Sequence[Event], pts: Sequence[int], *, collapse: bool = False,
    insert: bool = False,
) -> Iterator[tuple[int, float]]:
  """Yields what is shown when: (timestamp, frame of the source) for each frame.

  Every frame at its own time, unless asked otherwise. A frame that is no whole
  number lies between two (interpolate.between).

  Args:
    events: of the film.
    pts: [T], timestamps.
    collapse: leave REPEATs out; the frame before is shown for longer.
    insert: show LOST frames where the timestamps have room for them.
  """
  repeats = {t for e in events if e.kind == Kind.REPEAT
             for t in range(e.start, e.stop)}
  lost = {e.start: e.count for e in events if e.kind == Kind.LOST}
  gap = {t for t, _ in gaps(pts)} if insert and lost else ()
  for t, stamp in enumerate(pts):
    if insert and t in lost and t in gap:
      for n in range(1, lost[t] + 1):
        share = n / (lost[t] + 1)
        at = pts[t - 1] + share * (stamp - pts[t - 1])
        yield round(at), t - 1 + share
    if not (collapse and t in repeats):
      yield stamp, float(t)
