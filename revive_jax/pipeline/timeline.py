"""Timeline: repeats left out and lost frames made, on the way to the writer.

repeats.py says what happened to the frames of a film; here it is decided what
is done about that. It is done to frames that are finished, so that windows and
segments do not matter. No timestamp changes: of a repeat that is left out the
frame before is shown for longer, and a frame is made only where the timestamps
have room for it. So the sound stays in sync.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from revive_jax import types
from revive_jax.pipeline import interpolate, measure, repeats, run
from revive_jax.pipeline.repeats import Event, Kind
from revive_jax.video import conceal, writer

MODES = {
    'leave': frozenset(),
    'replace': frozenset({Kind.REPLACED}),
    'collapse': frozenset({Kind.REPEAT}),
    'insert': frozenset({Kind.LOST}),
    'all': frozenset(Kind)}


KEPT = 'before'  # The name of the array that Timing.kept gives.
_UNTIMED = 'pictures have no times of their own'


class Plan(NamedTuple):
  """What is done about the events of a film."""

  events: tuple[Event, ...]  # Frames are counted from the film's first.
  why: tuple[str, ...]  # Of each event: why it is left; '': it is not.
  replaced: np.ndarray  # [T] bool: frames to be made anew.
  # Of frames that are not shown, or not alone: see repeats.in_time.
  shown: Mapping[int, Sequence[tuple[int, float]]]

  @property
  def left_out(self) -> int:
    """How many frames are not shown."""
    return sum(all(place != t for _, place in s) for t, s in self.shown.items())


class Done(NamedTuple):
  """What became of an event, for the report."""

  event: Event
  done: str  # 'left', 'left out', 'made anew', or 'made'.
  made: int  # Frames that were made, and are invented.
  why: str  # It was left; or ''.


def plan(
    shots: Sequence[measure.Shot], stamps: Sequence[int], mode: str, *,
    concealed: Iterable[Mapping[str, Any]] = (),
    by_field: Callable[[int], bool] = lambda frame: False, timed: bool = True,
) -> Plan:
  """Finds the events of a film, and decides what is done about each.

  Args:
    shots: of the film, with changes.
    stamps: [T], timestamps of all frames, or [] if they are not known.
    mode: of MODES.
    concealed: frames that the source does not hold: 'frame' and 'how'.
    by_field: whether a frame is restored field by field.
    timed: whether the output can show a frame for longer than others.
  """
  count = shots[-1].stop if shots else 0
  stamps = stamps if len(stamps) else range(count)
  gaps = dict(repeats.gaps(stamps))
  events = _events(shots, gaps, {
      c['frame'] for c in concealed if c['how'] == conceal.REPEATED})
  starts = {s.start for s in shots} | {count}
  alike = {s.start + t for s in shots
           for t in np.flatnonzero(
               repeats.alike(s.changes, exactly=True)).tolist()}

  def why(event):
    if event.kind not in MODES[mode]:
      return 'nobody asked for it'
    first = max(event.start - (event.kind == Kind.LOST), 0)
    if any(map(by_field, range(first, max(event.stop, event.start + 1)))):
      return 'frames that are restored field by field are left'
    return {Kind.REPEAT: _not_left_out(event, alike) if timed else _UNTIMED,
            Kind.REPLACED: _not_replaced(event, starts),
            Kind.LOST: _not_made(event, starts, gaps)}[event.kind]

  reasons = tuple(map(why, events))
  treated = [e for e, w in zip(events, reasons, strict=True) if not w]
  return Plan(tuple(events), reasons, repeats.to_replace(treated, count),
              _not_alone(repeats.in_time(
                  treated, stamps, collapse=True, insert=True), stamps))


def _not_alone(
    shown: Iterable[tuple[int, float]], stamps: Sequence[int]
) -> dict[int, tuple[tuple[int, float], ...]]:
  """Frames that are not shown, or not alone, and what is in their places.

  shown: of repeats.in_time. Nothing is held of all other frames.
  """
  found, following = {}, 0
  for t, group in itertools.groupby(shown, lambda x: math.ceil(x[1])):
    found |= dict.fromkeys(range(following, t), ())
    places, following = tuple(group), t + 1
    if places != ((stamps[t], float(t)),):
      found[t] = places
  return found | dict.fromkeys(range(following, len(stamps)), ())


def _events(shots, gaps, copies) -> list[Event]:
  """All events of a film. copies: frames that stand in for lost ones."""
  kinds, lost = {}, [Event(Kind.LOST, t, t, n) for t, n in gaps.items()]
  for shot in shots:
    near = repeats.alike(shot.changes, exactly=False)
    for event in repeats.find(shot.changes):
      frames = range(event.start, event.stop)
      if event.kind == Kind.LOST:
        start = event.start + shot.start
        if start not in gaps:
          lost.append(Event(Kind.LOST, start, start, event.count))
      elif event.kind == Kind.REPLACED or near[frames].all():
        kinds |= dict.fromkeys((t + shot.start for t in frames), event.kind)
  kinds |= dict.fromkeys(copies, Kind.REPLACED)
  return sorted([*lost, *_joined(kinds, {s.start for s in shots})],
                key=lambda e: (e.start, e.stop))


def _joined(kinds, starts) -> Iterator[Event]:
  """Events of frames by their kind; none reaches across the start of a shot."""
  first = None
  for t in sorted(kinds):
    if first is None:
      first = t
    if kinds.get(t + 1) != kinds[t] or t + 1 in starts:
      yield Event(kinds[t], first, t + 1, t + 1 - first)
      first = None


def _not_left_out(event, alike) -> str:
  return '' if alike.issuperset(range(event.start, event.stop)) else (
      'it differs a little from the frame before')


def _not_replaced(event, starts) -> str:
  if event.count > repeats.LONGEST:
    return f'more than {repeats.LONGEST} in a row'
  return 'a cut is beside it' if {event.start, event.stop} & starts else ''


def _not_made(event, starts, gaps) -> str:
  if event.start not in gaps:
    return 'the timestamps have no room'
  if event.count > repeats.LONGEST:
    return f'more than {repeats.LONGEST} in a row'
  return 'a cut is beside it' if event.start in starts else ''


def context(mode: str, lookahead: int) -> int:
  """Frames around a window: enough to make those anew that are at its ends."""
  if Kind.REPLACED in MODES[mode]:
    return max(lookahead, repeats.LONGEST)
  return lookahead


class Timing:
  """Puts finished frames into their places in time; keeps the last of them."""

  def __init__(
      self, planned: Plan, before: np.ndarray | None = None):
    """before: what kept() gave for the first frame that comes, if any."""
    self._plan, self._before = planned, before
    self._notes = {'inserted': {}, 'replaced': []}

  def frames(
      self, window: run.Window, finished: Iterable[writer.OutputFrame],
      counts: dict[str, int],
  ) -> Iterator[writer.OutputFrame]:
    """The frames to write for a window.

    Args:
      window: as of run.run.
      finished: its frames, in order.
      counts: of pixels, see tally: those that are made are added.
    """
    origin = window.clip.origin
    for t, source in enumerate(window.frames):
      if self._plan.replaced[source.index] and origin is not None and (
          origin[t] == types.Origin.INVENTED).mean() > 0.5:
        self._notes['replaced'].append(source.index)
    for frame in finished:
      yield from self._shown(frame, counts)
      self._before = frame.rgb

  def _shown(self, frame, counts) -> list[writer.OutputFrame]:
    index = frame.source.index
    shown = self._plan.shown.get(index)
    if shown is None:
      return [frame]
    between = [(stamp, place) for stamp, place in shown if place != index]
    itself = [frame] if len(between) < len(shown) else []
    made = _made(self._before, frame, between) if between else []
    if made:
      self._notes['inserted'][index] = len(made)
    for name in ('pixels', 'changed', 'invented'):
      counts[name] += len(made) * frame.rgb[..., 0].size
    return made + itself

  def kept(self, start: int) -> dict[str, np.ndarray]:
    """What is needed to go on at frame start, by name: nothing, for most."""
    if any(place != start for _, place in self._plan.shown.get(start, ())):
      return {KEPT: self._before}
    return {}

  def notes(self) -> dict[str, Any]:
    """What was done since the last call, in JSON's types."""
    notes, self._notes = self._notes, {'inserted': {}, 'replaced': []}
    return notes


def _made(before, frame, places) -> list[writer.OutputFrame]:
  """Frames between two: all of them, or none where the two do not fit."""
  if before is None:
    raise RuntimeError(f'The frame before {frame.source.index} is not known.')
  first, last = measure.to_float(before), measure.to_float(frame.rgb)
  made = [interpolate.between(first, last, place - frame.source.index + 1)
          for _, place in places]
  if max(m.doubt for m in made) > interpolate.MAX_DOUBT:
    return []
  peak, layers = np.iinfo(frame.rgb.dtype).max, {}
  if getattr(frame, 'layers', None) is not None:
    layers['layers'] = {name: np.full_like(layer, _UNSEEN.get(name, 255))
                        for name, layer in frame.layers.items()}
  return [dataclasses.replace(
      frame, source=dataclasses.replace(
          frame.source, pts=stamp, concealed=''),
      rgb=np.round(np.clip(m.frame, 0, 1) * peak).astype(frame.rgb.dtype),
      before=None, **layers)
          for (stamp, _), m in zip(places, made, strict=True)]


# The layers (explain.origin) of a frame that was never filmed: no damage, no
# other frame that its pixels are; all the rest is as unknown as can be.
_UNSEEN = {'damage': 0, 'origin_frame': 128}


def warnings(planned: Plan) -> list[str]:
  """A sentence, where what was asked for cannot be done."""
  untimed = sum(e.count for e, why in zip(
      planned.events, planned.why, strict=True) if why == _UNTIMED)
  if not untimed:
    return []
  return [f'{untimed} frames that are shown twice stay, since {_UNTIMED}; '
          'write a film instead of a folder to have them left out.']


def num_frames(planned: Plan, notes: Iterable[Mapping[str, Any]]) -> int:
  """How many frames must have been written; notes: of all segments."""
  inserted = sum(n for note in notes for n in note['inserted'].values())
  return len(planned.replaced) - planned.left_out + inserted


def ranges(
    planned: Plan, notes: Iterable[Mapping[str, Any]],
    shots: Sequence[measure.Shot],
) -> list[tuple[int, int]]:
  """The shots as frames [start, stop) of the output; notes: of all segments."""
  shift = np.zeros(len(planned.replaced) + 1, np.int64)
  for t, shown in planned.shown.items():
    shift[t + 1] -= all(place != t for _, place in shown)
  for note in notes:
    for t, count in note['inserted'].items():
      shift[int(t) + 1] += count
  shift = shift.cumsum()
  return [(int(s.start + shift[s.start]), int(s.stop + shift[s.stop]))
          for s in shots]


def done(
    planned: Plan, notes: Iterable[Mapping[str, Any]]
) -> list[Done]:
  """What became of each event; notes: of all segments."""
  inserted, replaced = {}, set()
  for note in notes:
    inserted |= {int(t): n for t, n in note['inserted'].items()}
    replaced |= set(note['replaced'])
  found = []
  for event, why in zip(planned.events, planned.why, strict=True):
    made = 0
    if not why and event.kind == Kind.LOST:
      made = inserted.get(event.start, 0)
    elif not why and event.kind == Kind.REPLACED:
      made = len(replaced & set(range(event.start, event.stop)))
    if not why and not made and event.kind != Kind.REPEAT:
      why = 'the frames around it do not fit'
    found.append(Done(event, 'left' if why else _DONE[event.kind], made, why))
  return found


_DONE = {Kind.REPEAT: 'left out', Kind.REPLACED: 'made anew',
         Kind.LOST: 'made'}
