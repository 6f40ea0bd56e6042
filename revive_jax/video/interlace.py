"""Whether frames are progressive, interlaced or telecined: by measurement.

FFmpeg's idet judges every frame from its neighbours; what a file says about
itself is counted, never trusted. Where most of the picture stands still, or is
noise, idet gives no verdict; then its formula is applied tile by tile. The
verdicts become segments by the cheapest path through the possible states (the
algorithm of Viterbi): a switch costs as much as several contrary frames, less
at a cut, so that a stray verdict does not make a segment. Without evidence
frames count as progressive: what does not move does not comb either.
"""

from collections.abc import Iterable
import dataclasses

import av
import cv2
import numpy as np

from revive_jax.video import filters, formats

PROGRESSIVE = 'progressive'
TOP_FIRST = 'top-first'
BOTTOM_FIRST = 'bottom-first'
TELECINED = 'telecined'
MEASURE = ('idet of FFmpeg (idet by tiles where it is undecided), '
           'repeated fields, cheapest path')

_MIN_HEIGHT, _MIN_WIDTH = 48, 48  # Too few samples to judge in smaller ones.
_UNKNOWN, _PROGRESSIVE, _TOP, _BOTTOM = range(4)
_VERDICTS = {'undetermined': _UNKNOWN, 'progressive': _PROGRESSIVE,
             'tff': _TOP, 'bff': _BOTTOM}
_REPEATS = {'neither': 0, 'top': 1, 'bottom': 2}

# Costs, in nats by order of magnitude: of a verdict where another is expected
# (row: expected), of a repeated field where
# there should be none or the other way around, and of a switch. Combs are
# rare where there is no interlace (21 of 11205 frames of 61 progressive
# clips), but slow motion and strong compression often hide what is there.
_CONTRARY = np.array([[0, 0, 0, 0], [0, 0, 4, 4], [0, 1.5, 0, 4],
                      [0, 1.5, 4, 0]])
_WEAK = np.array([1, 0.2, 0.5, 0.5])  # Share that a verdict by tiles costs:
# noise, once compressed, looks progressive to them.
_STRAY_REPEAT, _NO_REPEAT, _NO_REPEAT_STILL = 1.2, 1.5, 0.2
_SWITCH, _SWITCH_AT_CUT, _START = 8.0, 2.0, 2.0
_EVIDENCE = 9.0  # A segment that is not progressive must save so much.
_VISIBLE = 1.5  # Levels of 8 bits, mean of a tile.
# The states: three plain ones, then five phases of 3:2 for either field order.
# What a phase looks like to idet, and which field is repeated, top field first:
# AA BB BC CD DD. With the bottom field first, tops and bottoms are swapped.
_PHASE_VERDICTS = (_PROGRESSIVE, _TOP, _TOP, _TOP, _TOP)
_PHASE_REPEATS = (0, 0, 1, 0, 2)
_SWAP_VERDICT, _SWAP_REPEAT = (0, 1, 3, 2), (0, 2, 1)
_EXPECTED = np.array([
    (_PROGRESSIVE, 0), (_TOP, 0), (_BOTTOM, 0),
    *zip(_PHASE_VERDICTS, _PHASE_REPEATS, strict=True),
    *((_SWAP_VERDICT[v], _SWAP_REPEAT[r]) for v, r in
      zip(_PHASE_VERDICTS, _PHASE_REPEATS, strict=True))])
_NEXT = np.array([0, 1, 2, 4, 5, 6, 7, 3, 9, 10, 11, 12, 8])
_BEFORE = np.argsort(_NEXT)


@dataclasses.dataclass(frozen=True)
class Segment:
  """Frames [start, stop) of one kind."""

  start: int
  stop: int
  kind: str  # PROGRESSIVE, TOP_FIRST, BOTTOM_FIRST or TELECINED (3:2).
  top_first: bool = True  # The order of the fields; without meaning if
                          # progressive.
  phase: int = 0  # Of the first frame in AA BB BC CD DD, if telecined.
  verdicts: tuple[int, int, int, int] = (0, 0, 0, 0)  # Frames found
                          # undecided, progressive, top and bottom first.
  flagged: int = 0  # How many frames the file calls interlaced.
  unrepeated: tuple[int, ...] = ()  # If telecined: frames that hold a field
                          # that the cadence calls a repeat and is none.

  def __len__(self):
    return self.stop - self.start

  @property
  def interlaced(self) -> bool:
    """Whether each frame holds two moments in time."""
    return self.kind in (TOP_FIRST, BOTTOM_FIRST)

  def frame_phase(self, index: int) -> int:
    """Returns the place of frame index in the cadence."""
    return (self.phase + index - self.start) % 5


@dataclasses.dataclass
class _Record:
  """What is kept of each frame: one number of each kind."""

  verdicts: list[int] = dataclasses.field(default_factory=list)
  weak: list[bool] = dataclasses.field(default_factory=list)  # By tiles.
  repeats: list[int] = dataclasses.field(default_factory=list)
  changes: list[tuple[float, float, float]] = dataclasses.field(
      default_factory=list)  # Since the frame before: see _changes.
  flags: list[bool] = dataclasses.field(default_factory=list)


def small_luma(frame: av.VideoFrame) -> np.ndarray:
  """Returns the luma, [H, narrow] uint8: all lines, averaged along each.

  Averaging takes the noise away, not the comb.
  """
  name = frame.format.name
  if formats.planar_format(name) != name or not name.startswith(
      ('yuv', 'gray')):
    frame, name = frame.reformat(format='gray', threads=1), 'gray'
  bits = frame.format.components[0].bits
  plane = frame.planes[0]
  luma = np.frombuffer(plane, np.uint16 if bits > 8 else np.uint8)
  luma = luma.reshape(plane.height, -1)[:frame.height, :frame.width]
  width = min(frame.width, max(128, min(frame.width // 4, 360)))
  luma = cv2.resize(luma, (width, frame.height), interpolation=cv2.INTER_AREA)
  return luma if bits <= 8 else (luma >> (bits - 8)).astype(np.uint8)


def _tile_means(values: np.ndarray) -> np.ndarray:
  """Returns the means over tiles of about 16 x 16 of [h, w] values."""
  size = tuple(max(1, n // 16) for n in values.shape[::-1])
  return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _changes(before: np.ndarray, luma: np.ndarray):
  """Returns (top, bottom, mean): change of the most changed tile of a field.

  In levels of 8 bits; mean is that of the whole picture.
  """
  difference = cv2.absdiff(before, luma).astype(np.float32)
  tops, bottoms = (_tile_means(difference[i::2]) for i in (0, 1))
  return (float(tops.max()), float(bottoms.max()),
          float(tops.mean() + bottoms.mean()) / 2)


def _look_closer(before, luma, after) -> int:
  """Returns the verdict of idet's formula by tiles, as a vote of the tiles."""
  before, luma, after = (x.astype(np.float32) for x in (before, luma, after))
  around = luma[:-2] + luma[2:]
  middle = slice(1, -1)
  past, future, comb = (
      np.abs(around - 2 * x[middle]) for x in (before, after, luma))
  even, odd = slice(1, None, 2), slice(0, None, 2)  # Lines of the picture.
  rows = around.shape[0] // 2

  def tiles(first, second):
    return _tile_means(first[even][:rows] + second[odd][:rows]) + 0.5

  top, bottom = tiles(past, future), tiles(future, past)
  comb = tiles(comb, comb)
  tops = np.count_nonzero(top > 1.25 * bottom)
  bottoms = np.count_nonzero(bottom > 1.25 * top)
  both = np.minimum(top, bottom) > 1.5 * comb
  steady = np.count_nonzero(both & (np.maximum(top, bottom) <= 1.25 *
                                    np.minimum(top, bottom)))
  if tops >= 2 and tops > 3 * bottoms and tops > steady:
    return _TOP
  if bottoms >= 2 and bottoms > 3 * tops and bottoms > steady:
    return _BOTTOM
  if steady >= 2 and steady > 2 * (tops + bottoms):
    return _PROGRESSIVE
  return _UNKNOWN


class Watcher:
  """Verdicts on frames as they come: of each when the next one is there."""

  UNKNOWN, PROGRESSIVE, TOP, BOTTOM = (
      _UNKNOWN, _PROGRESSIVE, _TOP, _BOTTOM)

  def __init__(self):
    self.record = _Record()  # Of all frames, until somebody empties it.
    self._lumas, self._graph, self._clock = [], None, -1

  def __call__(self, frame: av.VideoFrame) -> list[int]:
    """The verdicts that are ready; none of frames that are too small."""
    self.observe(frame)
    found = self.record.verdicts
    self.record = _Record()
    return found

  def observe(self, frame: av.VideoFrame) -> None:
    """Takes down what is seen of a frame, and the verdicts that are ready."""
    self._clock += 1
    self.record.flags.append(bool(frame.interlaced_frame))
    if frame.width < _MIN_WIDTH or frame.height < _MIN_HEIGHT:
      return
    luma = small_luma(frame)
    if self._lumas and self._lumas[-1].shape != luma.shape:
      self._lumas, self._graph = [], None
    self.record.changes.append(
        _changes(self._lumas[-1], luma) if self._lumas else (0, 0, 0))
    self._lumas = [*self._lumas[-2:], luma]
    grey = av.VideoFrame.from_ndarray(luma, 'gray')
    grey.pts = self._clock
    if self._graph is None:
      self._graph = filters.build(grey, 'idet')
    self._graph[1].push(grey)
    self._judge(self._lumas)

  def end(self) -> None:
    """Takes down the verdict on the last frame."""
    if self._graph is not None:
      self._graph[1].push(None)
      self._judge([])

  def _judge(self, lumas):
    """Takes down the verdicts that are ready; lumas: the last three frames."""
    for frame in filters.pulled(self._graph[2]):
      found = frame.metadata
      verdict = _VERDICTS[found['lavfi.idet.single.current_frame']]
      weak = verdict == _UNKNOWN and len(lumas) == 3
      self.record.verdicts.append(_look_closer(*lumas) if weak else verdict)
      self.record.weak.append(weak)
      self.record.repeats.append(
          _REPEATS[found['lavfi.idet.repeated.current_frame']])


def _observe(frames: Iterable[av.VideoFrame]) -> _Record:
  """Runs the frames through idet; a few bytes are kept of each."""
  watcher, size = Watcher(), None
  for frame in frames:
    if size not in (None, (frame.width, frame.height)):
      break  # The reader refuses such a file, in its own words.
    size = frame.width, frame.height
    watcher.observe(frame)
  watcher.end()
  return watcher.record


def _find_cuts(changes: np.ndarray) -> np.ndarray:
  """Returns [N] bool: the picture changed at once before this frame."""
  mean = changes[:, 2]
  around = np.maximum(np.r_[0, mean[:-1]], np.r_[mean[1:], 0])
  return (mean > 8) & (mean > 3 * around)


def _costs(verdicts, weak, repeats) -> np.ndarray:
  """Returns [N, 13], what it costs to take each frame for each state."""
  expected, repeated = _EXPECTED.T
  costs = _CONTRARY[expected[None], verdicts[:, None]]
  costs = costs * np.where(weak, _WEAK[verdicts], 1)[:, None]
  seen = repeats[:, None]
  still = (verdicts == _UNKNOWN)[:, None]
  missing = np.where(still, _NO_REPEAT_STILL, _NO_REPEAT)
  return costs + np.where(
      seen == repeated, 0, np.where(seen == 0, missing, _STRAY_REPEAT))


def _cheapest_path(costs: np.ndarray, cuts: np.ndarray) -> np.ndarray:
  """Returns [N], the states that together cost least."""
  count, states = costs.shape
  came_from = np.empty((count, states), np.uint8)
  total = costs[0] + np.r_[0, np.full(states - 1, _START)]
  for i in range(1, count):
    stay = total[_BEFORE]
    best = int(np.argmin(total))
    switch = total[best] + (_SWITCH_AT_CUT if cuts[i] else _SWITCH)
    came_from[i] = np.where(stay <= switch, _BEFORE, best)
    total = np.minimum(stay, switch) + costs[i]
    total -= total.min()
  path = np.empty(count, int)
  path[-1] = np.argmin(total)
  for i in range(count - 1, 0, -1):
    path[i - 1] = came_from[i, path[i]]
  return path


def _starts(path: np.ndarray) -> np.ndarray:
  """Returns where segments start."""
  return np.flatnonzero(np.r_[True, path[1:] != _NEXT[path[:-1]]])


def _with_evidence(path: np.ndarray, costs: np.ndarray) -> np.ndarray:
  """Returns the path, progressive where one or two verdicts were all."""
  frames = np.arange(len(path))
  saved = costs[:, 0] - costs[frames, path]
  starts = _starts(path)
  weak = np.add.reduceat(saved, starts) < _EVIDENCE
  lengths = np.diff(np.r_[starts, len(path)])
  return np.where(np.repeat(weak, lengths), 0, path)


def _unrepeated(start, stop, phase, top_first, changes) -> tuple[int, ...]:
  """Returns the frames of a cadence whose repeated field is none.

  The first frame has nothing to be a repeat of; see telecine.py for the ends.
  """
  index = np.arange(start + 1, stop)
  place = (phase + index - start) % 5
  index, place = (x[(place == 2) | (place == 4)] for x in (index, place))
  if not index.size:
    return ()
  repeated = np.where((place == 2) == top_first, 0, 1)
  change, other = changes[index, repeated], changes[index, 1 - repeated]
  # Compression changes even what is repeated, everywhere by about as much.
  most = np.maximum(max(_VISIBLE, 2 * np.median(change)), 0.5 * other)
  return tuple(int(i) for i in index[change > most])


def _repeats(found: np.ndarray, changes: np.ndarray) -> np.ndarray:
  """Returns [N], the field (0: none, 1: top, 2: bottom) that is a repeat.

  The most changed tile tells better than idet, which compares means over the
  whole picture; that tells where the tiles do not.
  """
  top, bottom = changes[:, 0], changes[:, 1]
  found = np.select([top < 0.5 * bottom, bottom < 0.5 * top], [1, 2], found)
  found[np.maximum(top, bottom) < _VISIBLE] = 0
  return found


def _make_segment(start, stop, state, record, changes, flags) -> Segment:
  counts = np.bincount(record[start:stop], minlength=4)
  evidence = dict(verdicts=tuple(int(n) for n in counts),
                  flagged=int(flags[start:stop].sum()))
  if state < 3:
    return Segment(start, stop, (PROGRESSIVE, TOP_FIRST, BOTTOM_FIRST)[state],
                   state != 2, **evidence)
  top_first, phase = state < 8, (state - 3) % 5
  unrepeated = _unrepeated(start, stop, phase, top_first, changes)
  if 10 * len(unrepeated) > stop - start:  # A quarter of what is dropped.
    return Segment(start, stop, TOP_FIRST if top_first else BOTTOM_FIRST,
                   top_first, **evidence)
  return Segment(start, stop, TELECINED, top_first, phase,
                 unrepeated=unrepeated, **evidence)


def measure(frames: Iterable[av.VideoFrame]) -> list[Segment]:
  """Returns the segments, in order, that frames consist of; all are covered.

  frames: as decoded, at their full rate; read once, and not changed. A few
  bytes of each are kept, so the length of the film does not matter. Pictures
  under 48 pixels are taken as progressive. Ends where the size changes.
  """
  record = _observe(frames)
  count = len(record.flags)
  if not count:
    return []
  flags = np.array(record.flags)
  if not record.verdicts:
    return [Segment(0, count, PROGRESSIVE, verdicts=(count, 0, 0, 0),
                    flagged=int(flags.sum()))]
  verdicts = np.array(record.verdicts)
  changes = np.array(record.changes, float).reshape(count, 3)
  repeats = _repeats(np.array(record.repeats), changes)
  cuts = _find_cuts(changes)
  # Idet compares with the frames before and after: nonsense at a cut. Where
  # no tile changes visibly, it judges the noise of the encoder.
  still = changes[:, :2].max(1) < _VISIBLE
  verdicts[cuts | np.r_[cuts[1:], False]] = _UNKNOWN
  verdicts[still & np.r_[still[1:], True]] = _UNKNOWN
  costs = _costs(verdicts, np.array(record.weak), repeats)
  path = _with_evidence(_cheapest_path(costs, cuts), costs)
  starts = _starts(path)
  return [_make_segment(int(a), int(b), int(path[a]), verdicts, changes, flags)
          for a, b in zip(starts, [*starts[1:], count], strict=True)]
