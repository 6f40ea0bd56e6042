"""Interlaced frames of what runs by itself, made whole as they come.

As of recordings (interlace.py), the measure decides and no flag; but nobody can
look ahead, so that verdicts are added up as they come, and a frame is kept
waiting for one after it, no longer. Each frame gives one frame, of its earlier
field: bwdif, or yadif.
"""

import collections
from collections.abc import Iterable, Iterator
import logging
import time

import av

from revive_jax.video import deinterlace, filters, interlace

_log = logging.getLogger(__name__)
_FIRST, _LONGEST = 12, 1.0  # Frames, seconds: held until it is known at first.
# Verdicts for interlace, more than against it, after which it is believed; and
# the most that is added up: it ends as fast as it began.
_BELIEVED, _MOST = 4, 6


class Fields:
  """Makes frames whole; for one stream, by one thread."""

  def __init__(self, mode: str):
    """mode: of deinterlace.MODES; with 'off' all stay as they are."""
    self.interlaced = 0  # Frames that were made whole.
    self._acts = mode != 'off'
    self._watch = interlace.Watcher()
    self._votes = 0  # Above 0 for top field first, below for bottom.
    self._steady = 0  # Verdicts that there is no interlace.
    self._filter = None

  def __call__(
      self, frames: Iterable[av.VideoFrame]
  ) -> Iterator[av.VideoFrame]:
    """Yields a frame for each frame, with its timestamp, in order."""
    if not self._acts:
      yield from frames
      return
    held, since = [], None
    for frame in frames:
      self._count(self._watch(frame))
      if held is not None:
        since = time.monotonic() if since is None else since
        held.append(frame)
        if len(held) < _FIRST and not self._known() and (
            time.monotonic() - since < _LONGEST):
          continue
        waited, held = held, None
        for one in waited:
          yield from self._whole(one)
      else:
        yield from self._whole(frame)
    for frame in held or ():
      yield from self._whole(frame)
    yield from self._rest()

  def _known(self):
    return abs(self._votes) >= _BELIEVED or self._steady >= _BELIEVED

  def _count(self, verdicts):
    for verdict in verdicts:
      if verdict == interlace.Watcher.PROGRESSIVE:
        self._steady = min(self._steady + 1, _MOST)
        # Towards 0: it is of neither order.
        self._votes -= (self._votes > 0) - (self._votes < 0)
      elif verdict != interlace.Watcher.UNKNOWN:
        step = 1 if verdict == interlace.Watcher.TOP else -1
        self._votes = max(-_MOST, min(self._votes + step, _MOST))
        self._steady = max(self._steady - 1, 0)

  def _whole(self, frame):
    """What is ready when frame has come."""
    top_first = self._votes > 0
    if self._filter is None:
      if abs(self._votes) < _BELIEVED:
        yield frame
        return
      if not self.interlaced:
        _log.warning('The input is interlaced: each frame is made whole from '
                     'its earlier field, one frame later.')
    elif not self._votes or not self._filter.takes(frame, top_first):
      yield from self._rest()
      yield from self._whole(frame)
      return
    else:
      top_first = self._filter.top_first
    if self._filter is None:
      self._filter = _Filter(frame, top_first)
    self.interlaced += 1
    yield from self._filter(frame)

  def _rest(self):
    """What waits in the filter, which is left then."""
    if self._filter is not None:
      ended, self._filter = self._filter, None
      yield from ended(None)


class _Filter:
  """The filter over frames of one size, which gives a frame for each."""

  def __init__(self, frame, top_first):
    self.top_first, self._like = top_first, frame
    self._graph, self._source, self._sink = filters.build(
        deinterlace.as_taken(frame),
        *deinterlace.filter_options('send_frame', top_first))
    self._waiting, self._clock = collections.deque(), 0

  def takes(self, frame, top_first):
    """Whether a frame can go through; top_first: as it is believed by now."""
    same = all(getattr(frame, x) == getattr(self._like, x)
               for x in ('width', 'height')) and (
                   frame.format.name == self._like.format.name)
    return same and top_first == self.top_first

  def __call__(self, frame):
    """Yields what is ready when frame has come; None: all that there is."""
    taken = None
    if frame is not None:
      self._waiting.append((frame, frame.pts))
      taken = deinterlace.as_taken(frame)
      # A clock of its own: there are frames without a timestamp, too.
      taken.pts, self._clock = self._clock, self._clock + 1
    self._source.push(taken)
    for made in filters.pulled(self._sink):
      frame, pts = self._waiting.popleft()
      made = deinterlace.as_before(made, frame)
      made.pts, made.time_base = pts, frame.time_base
      yield made
