"""Shares: a film's segments, and how several workers divide them up.

A share is a run of segments that one worker makes by itself. Within a shot the
network hands a memory from window to window, so a worker that begins in the
middle of one first goes again through what comes before, and leaves it out of
the film. Shares begin where that is little: at the first windows of shots, if
it can be. Then each frame is what it would have been on one machine.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from revive_jax.ops import windows as windows_lib
from revive_jax.pipeline import (
    choose,
    decisions,
    fit,
    measure,
    run,
    timeline,
)

_AGAIN = 8  # Of a share, at most one part in so many is gone through again.


class Work(NamedTuple):
  """What there is to do in a film."""

  window: int  # Frames,
  context: int  # and those around them.
  groups: list[list[windows_lib.Segment]]  # The windows of each segment.
  first: list[int]  # The first frames of shots.


def work(
    shots: Sequence[measure.Shot], settings: Any, *, height: int, width: int,
    by_shot: bool
) -> Work:
  """Cuts a film into windows and segments.

  Args:
    shots: frame ranges without gaps.
    settings: window, lookahead and repeats of configs/restore.py.
    height: of a frame, px.
    width: of a frame, px.
    by_shot: whether no segment reaches beyond a shot.
  """
  size = dict(height=height, width=width)
  window = fit.window(settings.window, **size)
  context = timeline.context(
      settings.repeats, fit.context(settings.lookahead, **size))
  first = [s.start for s in shots]
  return Work(window, context, decisions.grouped(
      run.cut(shots, window=window, context=context), first,
      by_shot=by_shot), first)


def again(
    found: Work, plans: Sequence[choose.Plan], number: int
) -> list[int]:
  """The windows, by number, that a worker goes through before a segment.

  Those before it in its shot, if the network hands them on; or none.
  """
  begin = place = sum(map(len, found.groups[:number]))
  if not _remembers(found, plans, number):
    return []
  every, first = _windows(found), {*found.first}
  while every[begin].core_start not in first:
    begin -= 1
  return list(range(begin, place))


def divide(
    found: Work, plans: Sequence[choose.Plan], planned: timeline.Plan,
    frames: int
) -> list[tuple[int, int]]:
  """Shares as ranges [start, stop) of segments.

  Each is of as many frames as were asked for, or of more where it would have to
  begin far from the start of a shot: a long shot is one share, if the network
  restores it.

  Args:
    found: of work().
    plans: the stages of each shot.
    planned: what is done about repeats and losses.
    frames: of a share, at least, but for the last.
  """
  begins, count = [0], 0
  for number, group in enumerate(found.groups):
    if count >= frames and _frames_again(found, plans, number) <= (
        frames // _AGAIN) and not _looks_back(planned, group[0].core_start):
      begins.append(number)
      count = 0
    count += sum(w.core_stop - w.core_start for w in group)
  return list(zip(begins, [*begins[1:], len(found.groups)], strict=True))


def first_read(
    found: Work, plans: Sequence[choose.Plan], number: int
) -> int:
  """The first frame that a worker looks at to make a segment."""
  place = sum(map(len, found.groups[:number]))
  return _windows(found)[min([place, *again(found, plans, number)])].start


def frames_of(found: Work, share: Iterable[int]) -> int:
  """Frames of the source in segments, by their numbers."""
  return sum(w.core_stop - w.core_start
             for number in share for w in found.groups[number])


def _windows(found) -> list[windows_lib.Segment]:
  return [w for group in found.groups for w in group]


def _shot(found, number) -> int:
  """The shot that a segment begins in."""
  start = found.groups[number][0].core_start
  return max(i for i, first in enumerate(found.first) if first <= start)


def _remembers(found, plans, number) -> bool:
  """Whether a network restores the shot that a segment begins in."""
  return any(stage.name == 'restore'
             for stage in plans[_shot(found, number)].stages)


def _frames_again(found, plans, number) -> int:
  """How many frames a share that begins at a segment goes through again."""
  if not _remembers(found, plans, number):
    return 0
  return found.groups[number][0].core_start - found.first[_shot(found, number)]


def _looks_back(planned, start) -> bool:
  """Whether what is shown at a frame is made of the one before it."""
  return any(place != start for _, place in planned.shown.get(start, ()))
