"""Track: detections of faces joined over time, gaps bridged.

Faces are looked for in every few frames; between and where a detector misses
them they are followed by their pictures, forward and, from where they were
first found, backward. A face that was found only now and then in its time is
taken for an error of the detector.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from revive_jax.faces import find

EVERY = 6  # Frames from one look of the detector to the next.
_MEMORY = 48  # Frames that a face is followed back...
_PATIENCE = 50  # ...and forward without being found again.
_ALIKE = 0.5  # Correlation with the last picture at which it is still there.
_JOIN = 0.25  # Overlap of a detection and the place a track has come to.
_KEYS = 4  # Frames from one box that is kept to the next.
_SMOOTH = 2.0  # Standard deviation, frames.


class Track(NamedTuple):
  """One face, from its first frame to its last."""

  number: int
  keys: np.ndarray  # [K, 5]: frame, then left, top, width, height as shares.
  found: int  # In so many frames the detector saw it.
  score: float  # Of the detector, mean of those, or of other shots; [0, 1].

  @property
  def start(self) -> int:
    """Its first frame."""
    return int(self.keys[0, 0])

  @property
  def stop(self) -> int:
    """The frame after its last."""
    return int(self.keys[-1, 0]) + 1

  def boxes(self, frames: np.ndarray, *, beyond: int = 0) -> np.ndarray:
    """Boxes [T, 4] in frames [T]; NaN where it is not.

    beyond: frames before its first and after its last that it is also
    expected in, at the same place.
    """
    frames = np.asarray(frames)
    found = np.stack([np.interp(frames, self.keys[:, 0], x)
                      for x in self.keys[:, 1:].T], -1)
    away = (frames < self.start - beyond) | (frames >= self.stop + beyond)
    found[away] = np.nan
    return found


def packed(tracks: Sequence[Track]) -> list[dict[str, Any]]:
  """Tracks in JSON's types."""
  return [t._asdict() | {'keys': t.keys.tolist()} for t in tracks]


def unpacked(found: Sequence[Mapping[str, Any]]) -> list[Track]:
  """The inverse of packed."""
  return [Track(**dict(t) | {'keys': np.array(t['keys'], np.float64)})
          for t in found]


class Watcher:
  """Told of each frame in order; then it knows the tracks."""

  def __init__(
      self, find_faces: find.Detector, *, every: int = EVERY,
      evidence: float = 3, side: int = find.SIDE, across: bool = False):
    """A watcher that has seen nothing yet.

    Args:
      find_faces: the detector.
      every: frames from look to look.
      evidence: see is_sure.
      side: px.
      across: whether a face that is sure in one shot, or in the whole film, is
        believed in wherever it was followed to: what is taken for a cut (a
        flash, a dissolve) may be none, and shots shorter than a look.
    """
    self._find, self._every, self._evidence = find_faces, every, evidence
    self._side, self._across = side, across
    self._past = deque(maxlen=_MEMORY)  # Small grey frames, the last one last.
    self._live, self._gone = [], []
    self._count = 0

  def __call__(self, frame: np.ndarray) -> None:
    """Looks at the next frame [H, W, 3], uint8 or uint16."""
    small = find.reduced(frame, self._side)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    if self._past and self._past[-1].shape != grey.shape:
      self._past.clear()
      self._end(self._live)
    for way in list(self._live):
      if not way.follow(grey, self._count):
        self._end([way])
    self._past.append(grey)
    if self._count % self._every == 0 and min(grey.shape) >= 32:
      self._look(small, grey)
    self._count += 1

  def _end(self, ways) -> None:
    self._gone += ways
    self._live = [w for w in self._live if w not in ways]

  def _look(self, small, grey) -> None:
    """Joins what the detector finds to the tracks, or begins new ones."""
    height, width = grey.shape
    boxes = self._find(small)
    scale = np.array([width, height, width, height])
    left = list(self._live)
    for box in sorted(boxes, key=lambda b: -b[4]):
      place = box[:4] * scale
      shared = [find.overlap([w.box], [place])[0, 0] for w in left]
      if shared and max(shared) > _JOIN:
        way = left.pop(int(np.argmax(shared)))
        way.seen(place, box[4], grey)
        continue
      way = _Way(self._count, place, box[4], grey)
      self._begin(way)

  def _begin(self, way) -> None:
    """A new track: followed back, until it meets one that was lost."""
    back = _Way(self._count, way.box, 0.0, self._past[-1])
    for step, grey in enumerate(list(self._past)[-2::-1], 1):
      frame = self._count - step
      for other in self._gone:
        if other.last == frame and find.overlap(
            [other.box], [back.box])[0, 0] > _JOIN:
          self._gone.remove(other)
          other.places |= way.places
          other.found += way.found
          other.scores += way.scores
          other.last = self._count
          other.seen(way.box, None, self._past[-1])
          self._live.append(other)
          return
      if not back.follow(grey, frame):
        break
      way.places[frame] = back.box
    self._live.append(way)

  def tracks(
      self, shots: Sequence[tuple[int, int]] | None = None
  ) -> list[Track]:
    """The tracks, each within one of shots, frame ranges; None: one range."""
    shots = shots or [(0, self._count)]
    found = []
    for way in self._gone + self._live:
      sure = [self._is_sure(way, *shot) for shot in shots]
      if self._across:
        sure = [any(sure) or self._is_sure(way, 0, self._count)] * len(shots)
      tracks = [_track(way, start, stop) for (start, stop), is_sure_ in zip(
          shots, sure, strict=True) if is_sure_]
      found += [t for t in tracks if t is not None]
    found.sort(key=lambda t: tuple(t.keys[0]))
    return [t._replace(number=i) for i, t in enumerate(found, 1)]

  def _is_sure(self, way, start, stop) -> bool:
    looks = sum(f % self._every == 0 for f in way.places if start <= f < stop)
    return is_sure(
        way.scores_in(start, stop), looks=looks,
        most=-(-(stop - start) // self._every), evidence=self._evidence)


class _Way:
  """The places of one face so far, px of the small frames."""

  def __init__(self, frame, box, score, grey):
    self.places = {frame: np.array(box, np.float64)}
    self.size = np.array(grey.shape[::-1] * 2, np.float64)
    self.found, self.scores = ([], []) if not score else ([frame], [score])
    self.last = frame
    self._keep(grey)

  @property
  def box(self):
    return self.places[self.last]

  def scores_in(self, start, stop) -> list[float]:
    """Of the detector, in a range of frames."""
    return [s for f, s in zip(self.found, self.scores, strict=True)
            if start <= f < stop]

  def _keep(self, grey):
    """Takes the face's picture, to know it again."""
    x, y, w, h = np.round(self.box).astype(int)
    self.picture = grey[max(y, 0):y + h, max(x, 0):x + w].copy()
    self.corner = max(x, 0) - self.box[0], max(y, 0) - self.box[1]
    self.lost = 0

  def seen(self, box, score, grey) -> None:
    """The detector found it here; score None: it was another's word."""
    box = np.array(box, np.float64)
    if self.last in self.places and score is not None:
      # Detectors differ about the size from look to look.
      box = 0.7 * box + 0.3 * self.places[self.last]
    self.places[self.last] = box
    if score is not None:
      self.found.append(self.last)
      self.scores.append(score)
    self._keep(grey)

  def follow(self, grey, frame) -> bool:
    """Looks for it near its last place; False: it is not there any more."""
    self.lost += 1
    if self.lost > _PATIENCE or min(self.picture.shape) < 8:
      return False
    height, width = self.picture.shape
    x, y = (int(round(b + c)) for b, c in zip(
        self.box[:2], self.corner, strict=True))
    reach = max(6, int(0.4 * max(height, width)))
    top, left = max(0, y - reach), max(0, x - reach)
    area = grey[top:y + height + reach, left:x + width + reach]
    if area.shape[0] < height or area.shape[1] < width:
      return False
    likeness = cv2.matchTemplate(area, self.picture, cv2.TM_CCOEFF_NORMED)
    _, best, _, (dx, dy) = cv2.minMaxLoc(likeness)
    if not best > _ALIKE:
      return False
    moved = self.box.copy()
    moved[:2] = left + dx - self.corner[0], top + dy - self.corner[1]
    lost = self.lost
    self.last = frame
    self.places[frame] = moved
    if best > 0.8:  # Faces turn; but what hides one must not become it.
      self._keep(grey)
    self.lost = lost
    return True


def _track(way, start, stop) -> Track | None:
  """The part of a way in one shot, smoothed; None if it has none there."""
  frames = np.array(sorted(f for f in way.places if start <= f < stop))
  if not len(frames):
    return None
  full = np.arange(frames[0], frames[-1] + 1)
  boxes = np.stack([way.places[f] / way.size for f in frames])
  boxes = np.stack([np.interp(full, frames, x) for x in boxes.T], -1)
  # Sizes jump more than places do.
  boxes[:, :2] += boxes[:, 2:] / 2
  boxes[:, 2:] = ndimage.median_filter(boxes[:, 2:], (9, 1), mode='nearest')
  boxes = ndimage.gaussian_filter1d(boxes, _SMOOTH, axis=0, mode='nearest')
  boxes[:, :2] -= boxes[:, 2:] / 2
  keys = np.unique([*range(0, len(full), _KEYS), len(full) - 1])
  scores = way.scores_in(start, stop)
  return Track(0, np.round(np.concatenate(
      [full[keys, None], boxes[keys]], 1), 4), len(scores),
               round(float(np.mean(scores or way.scores)), 3))


def is_sure(
    scores: Sequence[float], *, looks: int, most: int, evidence: float = 3
) -> bool:
  """Whether a face is believed in.

  Args:
    scores: of the detector where it found it.
    looks: how often it was looked for while it was followed.
    most: looks in the whole shot: of a picture it is one.
    evidence: of so many good looks is wanted, or what there can be of it.
  """
  if not scores or len(scores) < 0.07 * evidence * looks:
    return False
  # Cascades find something like a face in most textures now and then.
  often = len(scores) >= max(6, 0.3 * looks)
  return sum(scores) >= 0.4 * min(evidence, most) and (
      max(scores) >= 0.5 or often)
