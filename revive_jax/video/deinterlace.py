"""Interlaced and telecined segments made progressive; the others let through.

What is done follows the measured kind of a segment and the mode:

auto, double: each field becomes a frame at its own time, twice as many frames.
  This is the default, since each field is a moment of its own: one frame per
  pair ('same') throws every second moment away. The lines of a field pass
  through untouched, so weaving the frames gives the source back.
same: one frame per frame, from the earlier field.
keep: the fields are restored apart and woven again; see fields.py.
off: nothing.
Telecine is undone in auto, double and same. Progressive frames are never
touched.
"""

from collections.abc import Iterable, Iterator, Sequence
import dataclasses
import itertools
import re
from typing import Any

import av
import numpy as np

from revive_jax import types
from revive_jax.video import (
    fields, filters, formats, interlace, probe, telecine)

MODES = ('auto', 'off', 'same', 'double', 'keep')

_UNTOUCHED, _BY_FIELD = 'untouched', 'restored field by field'
_TO_FIELDS, _TO_FRAMES = 'each field made a frame', 'one frame per frame'
_TO_FILM = 'telecine undone'
# What bwdif and yadif take without a conversion.
_TAKEN = re.compile(
    r'yuvj?4(10|11|20|22|40|44)p$|yuv4(20|22|44)p(9|10|12|14|16)le$'
    r'|gray$|gray16le$|gbrp$|gbrp(9|10|12|14|16)le$')
_CONVERTED = {'rgb24': 'gbrp', 'rgb48le': 'gbrp16le',
              'yuv440p10le': 'yuv444p10le', 'yuv440p12le': 'yuv444p12le'}


@dataclasses.dataclass(frozen=True)
class Decision:
  """What was found in a film, and what is to be done with it."""

  mode: str  # One of MODES.
  segments: tuple[interlace.Segment, ...]
  actions: tuple[str, ...]  # One per segment.
  counts: tuple[int, ...]  # Frames that each segment becomes.
  factor: int  # By which the time base is divided: 1, 2 or 4.

  @property
  def frames_in(self) -> int:
    """How many frames were measured."""
    return self.segments[-1].stop if self.segments else 0

  @property
  def frames_out(self) -> int:
    """How many frames they become."""
    return sum(self.counts)

  @property
  def changes(self) -> bool:
    """Whether apply has anything to do."""
    return not set(self.actions) <= {_UNTOUCHED, _BY_FIELD}

  @property
  def keeps_fields(self) -> bool:
    """Whether the film is restored field by field and stays interlaced."""
    return _BY_FIELD in self.actions

  @property
  def top_first(self) -> bool:
    """The order of the fields that most interlaced frames have."""
    votes = sum(len(s) if s.top_first else -len(s) for s in self.segments
                if s.kind != interlace.PROGRESSIVE)
    return votes >= 0

  def by_field(self, index: int) -> bool:
    """Returns whether frame index is to be restored field by field."""
    for segment, action in zip(self.segments, self.actions, strict=True):
      if segment.start <= index < segment.stop:
        return action == _BY_FIELD
    return bool(self.actions) and self.actions[-1] == _BY_FIELD


def _act(segment: interlace.Segment, mode: str) -> tuple[str, int, int]:
  """Returns (action, frames it gives, factor of the time base it needs)."""
  count = len(segment)
  if mode == 'off' or segment.kind == interlace.PROGRESSIVE:
    return _UNTOUCHED, count, 1
  if mode == 'keep':
    return _BY_FIELD, count, 1
  if segment.kind == interlace.TELECINED:
    return _TO_FILM, telecine.count_frames(segment), 4
  if mode == 'same':
    return _TO_FRAMES, count, 1
  return _TO_FIELDS, 2 * count, 2


def decide(segments: Sequence[interlace.Segment], mode: str) -> Decision:
  """Returns what to do with measured segments; BadInput if mode is none."""
  types.check_choice('interlace', mode, MODES)
  actions, counts, factors = (
      zip(*(_act(s, mode) for s in segments), strict=True)
      if segments else ((), (), (1,)))
  return Decision(mode, tuple(segments), actions, counts, max(factors))


def retimed(info: probe.VideoInfo, decision: Decision) -> probe.VideoInfo:
  """Returns the info of the frames that apply gives."""
  if not decision.changes:
    return info
  exact = {_TO_FIELDS: 2, _TO_FILM: 4 / 5, _TO_FRAMES: 1, _UNTOUCHED: 1}
  rate = info.frame_rate
  if len(set(decision.actions)) == 1:  # Broken cadences do not change it.
    rate *= {2: 2, 1: 1}.get(exact[decision.actions[0]]) or (
        type(rate)(4, 5))
  else:
    rate = (rate * decision.frames_out / decision.frames_in).limit_denominator(
        100_000)
  return dataclasses.replace(
      info, frame_rate=rate, time_base=info.time_base / decision.factor,
      frame_count=decision.frames_out, interlaced=False)


def _moments(frames: Iterable[av.VideoFrame]) -> Iterator[telecine.Moment]:
  """Yields the frames with their neighbours; timestamps must increase."""
  before = frame = None
  stamps = [None, None, None]  # Of before, frame, after.
  for index, after in enumerate(itertools.chain(frames, [None])):
    if after is not None:
      if after.pts is None or (frame is not None and after.pts <= stamps[1]):
        raise ValueError('Timestamps must increase.')
      stamps[2] = after.pts
    if frame is not None:
      step = stamps[1] - stamps[0] if before is not None else (
          frame.duration or 1)
      if after is None:
        stamps[2] = stamps[1] + step
      if before is None:
        stamps[0] = 2 * stamps[1] - stamps[2]
      yield telecine.Moment(
          index - 1, frame, before, after, tuple(stamps), time_base)
    before, frame = frame, after
    if after is not None:
      time_base = after.time_base
    stamps = [stamps[1], stamps[2], None]


def _filter_options(mode: str, top_first: bool) -> tuple[str, str]:
  """Returns (name, options) of the filter: bwdif, or yadif without it."""
  known = av.filter.filters_available
  name = 'bwdif' if 'bwdif' in known else 'yadif'
  if name not in known:
    raise types.BadInput(
        'This PyAV has neither bwdif nor yadif to deinterlace with; install '
        'the wheel from PyPI, or set --config.interlace=off.')
  return name, f'{mode}:{"tff" if top_first else "bff"}:all'


def _as_taken(frame: av.VideoFrame) -> av.VideoFrame:
  """Returns frame in a format that the filters take: sample for sample.

  (But for deep 4:4:0, which is converted.)
  """
  name = frame.format.name
  if _TAKEN.match(name):
    return frame
  name = formats.planar_format(name)
  if re.match(r'gray\d+le', name):  # Taken only with all 16 bits in use.
    layout = formats.layout(name, 2, 0, frame.height)
    plane, = formats.read_planes(frame, layout)
    return formats.make_frame((plane,), layout, 'gray16le')
  return frame.reformat(format=_CONVERTED.get(name, name))


def _as_before(frame: av.VideoFrame, source: av.VideoFrame) -> av.VideoFrame:
  """Returns a frame from a filter in the planar format of its source."""
  wanted = formats.planar_format(source.format.name)
  if frame.format.name == wanted:
    return frame
  if wanted.startswith('gray'):
    layout = formats.layout(wanted, 2, 0, frame.height)
    deep = dataclasses.replace(layout, pix_fmt='gray16le', bits=16)
    plane, = formats.read_planes(frame, deep)
    # Interpolated samples may leave the range that fewer bits have.
    plane = np.minimum(plane, 2**layout.bits - 1)
    made = formats.make_frame((plane,), layout, wanted)
  else:
    made = frame.reformat(format=wanted)
  for tag in ('colorspace', 'color_range', 'color_primaries', 'color_trc'):
    setattr(made, tag, getattr(source, tag))
  return made


class _Filter:
  """Deinterlaces moments in turn; the neighbours at both ends are used too."""

  def __init__(self, top_first: bool, mode: str):
    self._settings = _filter_options(mode, top_first)
    self._each = 2 if mode == 'send_field' else 1
    self._graph = None
    self._skip = 0
    self._waiting = []  # Moments whose frames are not complete.
    self._got = 0  # Frames of the first of them.

  def _pulled(self):
    for frame in filters.pulled(self._sink):
      if self._skip:
        self._skip -= 1
      elif self._waiting:
        moment, number = self._waiting[0], self._got
        self._got = (self._got + 1) % self._each
        if not self._got:
          self._waiting.pop(0)
        yield moment, number, _as_before(frame, moment.frame)

  def push(self, moment: telecine.Moment):
    """Yields (moment, number of the field, frame) for all that is ready."""
    taken = _as_taken(moment.frame)
    if self._graph is None:
      self._graph, self._source, self._sink = filters.build(
          taken, *self._settings)
      if moment.before is not None:
        self._skip = self._each
        self._source.push(_as_taken(moment.before))
    self._waiting.append(moment)
    self._source.push(taken)
    yield from self._pulled()

  def finish(self, after: av.VideoFrame | None):
    """Yields the rest; after: the frame that comes next, if any."""
    if self._graph is None:
      return
    if after is not None:
      self._source.push(_as_taken(after))
    self._source.push(None)
    yield from self._pulled()


def _deinterlaced(moments, segment, factor, mode) -> Iterator[av.VideoFrame]:
  bwdif = _Filter(segment.top_first, mode)
  moment = None

  def stamped(pieces):
    for moment, number, frame in pieces:
      yield moment.stamp(frame, 2 * number, factor)

  for moment in moments:
    yield from stamped(bwdif.push(moment))
  yield from stamped(bwdif.finish(moment.after if moment else None))


def _completed(
    moment: telecine.Moment, top: bool, top_first: bool
) -> av.VideoFrame:
  """Returns one field of a moment as a frame, the other lines interpolated."""
  bwdif = _Filter(top_first, 'send_field')
  pieces = [*bwdif.push(moment), *bwdif.finish(moment.after)]
  return pieces[0 if top == top_first else 1][2]


def apply(
    frames: Iterable[av.VideoFrame], decision: Decision
) -> Iterator[av.VideoFrame]:
  """Yields the frames that decision makes of frames, in order of time.

  frames: those that were measured, from the first on (fewer are fine), with
  timestamps that increase. The result has them in the time base divided by
  decision.factor: fields half way to the next frame, film frames evenly.
  Untouched frames are the objects that came in, with new timestamps only.
  """
  moments = _moments(frames)
  factor = decision.factor
  last = len(decision.segments) - 1
  for i, (segment, action) in enumerate(
      zip(decision.segments, decision.actions, strict=True)):
    run = itertools.islice(moments, None if i == last else len(segment))
    if action == _TO_FILM:
      yield from telecine.film_frames(
          run, segment, factor,
          lambda moment, top, first=segment.top_first: _completed(
              moment, top, first))
    elif action in (_TO_FIELDS, _TO_FRAMES):
      mode = 'send_field' if action == _TO_FIELDS else 'send_frame'
      yield from _deinterlaced(run, segment, factor, mode)
    else:
      for moment in run:
        yield moment.stamp(moment.frame, 0, factor)


def report(decision: Decision) -> dict[str, Any]:
  """Returns what was found and done, for the report: plain JSON values."""
  segments = []
  for segment, action, count in zip(
      decision.segments, decision.actions, decision.counts, strict=True):
    names = ('undecided', 'progressive', 'top_first', 'bottom_first')
    found = dict(zip(names, segment.verdicts, strict=True))
    entry = dict(start=segment.start, stop=segment.stop, kind=segment.kind,
                 evidence=found, flagged_interlaced=segment.flagged,
                 action=action, frames=count)
    if segment.kind == interlace.TELECINED:
      entry |= dict(order=interlace.TOP_FIRST if segment.top_first
                    else interlace.BOTTOM_FIRST, phase=segment.phase,
                    not_repeated=list(segment.unrepeated))
    segments.append(entry)
  return dict(mode=decision.mode, measure=interlace.MEASURE, segments=segments,
              frames_in=decision.frames_in, frames_out=decision.frames_out,
              time_base_divided_by=decision.factor)


def warnings(decision: Decision) -> list[str]:
  """Returns sentences on where the file's flags and the measure disagree."""
  told = []
  plain = [s for s in decision.segments if s.kind == interlace.PROGRESSIVE]
  flagged = sum(s.flagged for s in plain)
  if flagged:
    told.append(f'{flagged} frames are flagged as interlaced but do not look '
                'it; they are treated as progressive.')
  hidden = sum(len(s) - s.flagged for s in decision.segments if s.interlaced)
  if hidden:
    told.append(f'{hidden} frames are interlaced though not flagged so.')
  return told
