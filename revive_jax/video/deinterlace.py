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

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import fractions
import itertools
import re
from typing import Any

import av
import numpy as np

from revive_jax import types
from revive_jax.video import filters, formats, interlace, probe, telecine

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


def packed(decision: Decision) -> dict[str, Any]:
  """Returns a decision as plain JSON values, for a run that goes on later."""
  return dict(mode=decision.mode,
              segments=[dataclasses.asdict(s) for s in decision.segments])


def unpacked(values: Mapping[str, Any]) -> Decision:
  """Returns the decision of which values were packed."""
  segments = [interlace.Segment(**{
      k: tuple(v) if isinstance(v, list) else v for k, v in s.items()})
              for s in values['segments']]
  return decide(segments, values['mode'])


def retimed(info: probe.VideoInfo, decision: Decision) -> probe.VideoInfo:
  """Returns the info of the frames that apply gives.

  Its field_order is what the output is to be marked with, as FFmpeg counts: 2
  for top first, 3 for bottom first, where the film stays interlaced.
  """
  if decision.mode == 'off':
    return info
  if decision.keeps_fields:
    return dataclasses.replace(
        info, interlaced=True, field_order=2 if decision.top_first else 3)
  if not decision.changes:
    return dataclasses.replace(info, interlaced=False)
  ratio = fractions.Fraction(decision.frames_out, decision.frames_in)
  if len(set(decision.actions)) == 1:  # Broken cadences do not change it.
    ratio = {_TO_FIELDS: fractions.Fraction(2), _TO_FRAMES: fractions.Fraction(
        1), _TO_FILM: fractions.Fraction(4, 5)}[decision.actions[0]]
  rate = (info.frame_rate * ratio).limit_denominator(100_000)
  return dataclasses.replace(
      info, frame_rate=rate, time_base=info.time_base / decision.factor,
      frame_count=decision.frames_out, interlaced=False)


def _moments(frames: Iterable[av.VideoFrame]) -> Iterator[telecine.Moment]:
  """Yields the frames with their neighbours; timestamps must increase.

  They are taken down on arrival: the frames get new ones when they leave.
  """
  # Each item: (frame, timestamp, time base, what is attached to it).
  before = here = None
  arriving = ((f, f.pts, f.time_base, f.opaque) for f in frames)
  for index, after in enumerate(itertools.chain(arriving, [None]), -1):
    if after and (after[1] is None or here and after[1] <= here[1]):
      raise ValueError('Timestamps must increase.')
    if here:
      frame, pts, time_base, opaque = here
      step = pts - before[1] if before else frame.duration or 1
      later = after[1] if after else pts + step
      earlier = before[1] if before else 2 * pts - later
      yield telecine.Moment(
          index, frame, before and before[0], after and after[0],
          (earlier, pts, later), time_base, opaque)
    before, here = here, after


def filter_options(mode: str, top_first: bool) -> tuple[str, str]:
  """Returns (name, options) of the filter: bwdif, or yadif without it."""
  known = av.filter.filters_available
  name = 'bwdif' if 'bwdif' in known else 'yadif'
  if name not in known:
    raise types.BadInput(
        'This PyAV has neither bwdif nor yadif to deinterlace with; install '
        'the wheel from PyPI, or set --config.interlace=off.')
  return name, f'{mode}:{"tff" if top_first else "bff"}:all'


def as_taken(frame: av.VideoFrame) -> av.VideoFrame:
  """Returns frame in a format that the filters take: sample for sample.

  (But for deep 4:4:0, which is converted.) swscale's threads sometimes spoil
  the beginning of a line where the slices of two of them meet: seen from
  p010le, in one of ten frames; so it gets one.
  """
  name = frame.format.name
  if _TAKEN.match(name):
    return frame
  name = formats.planar_format(name)
  if re.match(r'gray\d+le', name):  # Taken only with all 16 bits in use.
    layout = formats.layout(name, 2, 0, frame.height)
    plane, = formats.read_planes(frame, layout)
    return formats.make_frame((plane,), layout, 'gray16le')
  return frame.reformat(format=_CONVERTED.get(name, name), threads=1)


def as_before(frame: av.VideoFrame, source: av.VideoFrame) -> av.VideoFrame:
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
    made = frame.reformat(format=wanted, threads=1)
  for tag in ('colorspace', 'color_range', 'color_primaries', 'color_trc'):
    setattr(made, tag, getattr(source, tag))
  return made


def _filtered(
    moments: Iterable[telecine.Moment], top_first: bool, mode: str
) -> Iterator[tuple[telecine.Moment, int, av.VideoFrame]]:
  """Yields (moment, number of its field, frame), deinterlaced, in turn.

  The filter sees the neighbours at both ends of the moments, too.
  """
  each = 2 if mode == 'send_field' else 1
  graph = last = None
  waiting = collections.deque()  # What the frames to come belong to.

  def ready():
    for frame in filters.pulled(sink):
      owner = waiting.popleft() if waiting else None
      if owner is not None:
        yield *owner, as_before(frame, owner[0].frame)

  for moment in moments:
    taken = as_taken(moment.frame)
    if graph is None:
      graph, source, sink = filters.build(
          taken, *filter_options(mode, top_first))
      if moment.before is not None:
        waiting.extend([None] * each)
        source.push(as_taken(moment.before))
    waiting.extend((moment, number) for number in range(each))
    source.push(taken)
    last = moment
    yield from ready()
  if last is not None:
    if last.after is not None:
      source.push(as_taken(last.after))
    source.push(None)
    yield from ready()


def _completed(
    moment: telecine.Moment, top: bool, top_first: bool
) -> av.VideoFrame:
  """Returns one field of a moment as a frame, the other lines interpolated."""
  both = list(_filtered([moment], top_first, 'send_field'))
  return both[0 if top == top_first else 1][2]


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
      for moment, number, frame in _filtered(run, segment.top_first, mode):
        yield moment.stamp(frame, 2 * number, factor)
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


def reported(told: Mapping[str, Any]) -> Decision:
  """Returns the decision of which report() told."""
  segments = [interlace.Segment(
      x['start'], x['stop'], x['kind'],
      x.get('order', x['kind']) != interlace.BOTTOM_FIRST, x.get('phase', 0),
      tuple(x['evidence'].values()), x['flagged_interlaced'],
      tuple(x.get('not_repeated', ()))) for x in told['segments']]
  return decide(segments, told['mode'])


def field_order(told: Mapping[str, Any]) -> int:
  """The order of the fields that were kept, of what report() told.

  As FFmpeg counts: 2 for top first, 3 for bottom first, 0 where there are none.
  """
  orders = [(s.get('order', s['kind']), s['frames']) for s in told['segments']
            if s['action'] == _BY_FIELD]
  votes = sum(n if order == interlace.TOP_FIRST else -n for order, n in orders)
  return (2 if votes >= 0 else 3) if orders else 0


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
