"""Telecine undone: the film's 24 frames a second out of 30 of video.

3:2 makes AA BB BC CD DD (first field, second field) of four film frames. They
are put together again from their own fields, sample for sample, where FFmpeg's
fieldmatch and decimate would choose frames by likeness and may lose one. A
field is left out only where it is measured to repeat one that is kept; all
others are shown: where the cadence breaks off, what has lost its other field
is completed by deinterlacing.
"""

from collections.abc import Callable, Iterable, Iterator
import copy
import dataclasses
import fractions
from typing import Any

import av

from revive_jax.video import fields, interlace


@dataclasses.dataclass(frozen=True)
class Moment:
  """A decoded frame with its neighbours, and the timestamps of the three."""

  index: int
  frame: av.VideoFrame
  before: av.VideoFrame | None
  after: av.VideoFrame | None
  pts: tuple[int, int, int]  # Before, at, after; guessed at the ends.
  time_base: fractions.Fraction  # Of pts; not of frames that were given away.
  opaque: Any = None  # What was attached to the frame: see conceal.kind.

  def stamp(self, frame: av.VideoFrame, quarters: int, factor: int):
    """Returns frame, put so many quarters of a frame later (or earlier).

    In the time base divided by factor, which makes it a whole number.
    """
    before, here, after = self.pts
    step = after - here if quarters >= 0 else here - before
    frame.pts = here * factor + step * quarters * factor // 4
    frame.time_base = self.time_base / factor
    if self.opaque:  # PyAV forgets what a filter made several frames share.
      frame.opaque = copy.copy(self.opaque)
    return frame


def _pieces(segment: interlace.Segment, index: int) -> list[tuple[str, int]]:
  """Returns what frame index gives: (what, when in quarters of a frame).

  'frame': itself; 'woven': its first field with the second one of the frame
  before; 'first', 'second': that field alone, completed.
  """
  starts, ends = index == segment.start, index == segment.stop - 1
  place = segment.frame_phase(index)
  if place in (0, 1):
    return [('frame', place)]
  if place == 2:
    pieces = []
    if starts or index in segment.unrepeated:
      pieces.append(('first', 0))
    return pieces + ([('second', 2)] if ends else [])
  if place == 3:
    pieces = [('first', 0)] if starts else [('woven', -2)]
    alone = ends or index + 1 in segment.unrepeated
    return pieces + ([('second', 3)] if alone else [])
  late = 0 if starts else 1 if index in segment.unrepeated else -1
  return [('frame', late)]


def count_frames(segment: interlace.Segment) -> int:
  """Returns how many film frames the segment gives."""
  return sum(len(_pieces(segment, i))
             for i in range(segment.start, segment.stop))


def film_frames(
    moments: Iterable[Moment],
    segment: interlace.Segment,
    factor: int,
    completed: Callable[[Moment, bool], av.VideoFrame],
) -> Iterator[av.VideoFrame]:
  """Yields the film's frames of a segment, evenly spaced in time.

  completed: gives (moment, whether its top field) as a frame of its own.
  factor: of the time base, 4 or a multiple of it.
  """
  for moment in moments:
    top_first = segment.top_first
    for what, quarters in _pieces(segment, moment.index):
      if what == 'frame':
        frame = moment.frame
      elif what == 'woven':
        pair = (moment.frame, moment.before)
        frame = fields.woven(*(pair if top_first else pair[::-1]))
      else:
        frame = completed(moment, (what == 'first') == top_first)
      yield moment.stamp(frame, quarters, factor)
