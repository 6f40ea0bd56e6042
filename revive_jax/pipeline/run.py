"""Run: the stages over the windows of a long film, as a generator."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from revive_jax import ahead, pipeline, types
from revive_jax.ops import windows
from revive_jax.pipeline import (
    choose,
    fit,
    flicker,
    measure,
    preprocess,
    reach,
    restore,
    stabilise,
)
from revive_jax.video import fields, reader

# What sees a pixel's surroundings only, and so can work tile by tile.
_LOCAL = ('preprocess', 'match', 'detect', 'classical')
_WHOLE = ('interpolate', 'stabilise')  # They move whole frames.
_TILED = ('frames', 'flow_forward', 'flow_backward', 'damage_kind', 'restored',
          'origin', 'origin_frame')


def shot_tone(shot: measure.Shot, plan: choose.Plan) -> np.ndarray | None:
  """Tone [T, 2] of all frames of a shot: deflicker, then levels."""
  if not plan.flicker and not plan.levels:
    return None
  gain, gamma, pivot = flicker.flicker_curve(shot.comparisons)
  tone = flicker.tone_correction(gain, gamma, pivot, strength=plan.flicker)
  a, b = preprocess.levels(shot.low, shot.high, strength=plan.levels)
  return np.stack([a + b * tone[:, 0], b * tone[:, 1]], -1).astype(np.float32)


class Window(NamedTuple):
  """A window that is finished."""

  shot: int  # Its number.
  clip: types.Clip  # Of its own frames, without those around them.
  frames: list[reader.SourceFrame]  # The source's.
  memory: restore.Memory | None  # For the window after it.


class _Begun(NamedTuple):
  """A window half way: the network has looked at it."""

  clip: types.Clip
  core: slice  # The frames that are wanted.
  # Names and functions of the stages from the network on.
  rest: list[tuple[str, Callable[..., Any]]]
  values: dict[str, np.ndarray] | None = None  # What the network said...
  states: Any = None  # ...and is to know at the next window.


def run(
    frames: Iterator[reader.SourceFrame],
    shots: Sequence[measure.Shot],
    plans: Sequence[choose.Plan],
    *,
    window: int,
    context: int,
    tile: int,
    overlap: int,
    masks: Iterator[np.ndarray] | None = None,
    network: restore.Network | None = None,
    done: int = 0,
    only: Sequence[int] | None = None,
    memory: restore.Memory | None = None,
    beside: bool = False,
) -> Iterator[Window]:
  """Yields each window when it is finished, in order.

  Args:
    frames: all frames of the film, in order.
    shots: frame ranges without gaps.
    plans: the stages of each shot.
    window: frames of a window, without context.
    context: frames before and after it that stages may look at.
    tile: side of a tile, px.
    overlap: of tiles, px.
    masks: the user's mask of each frame, [H, W] bool, in order.
    network: what the stage restore runs; needed if a plan has it.
    done: windows that were finished before, and are left out.
    only: the numbers of the windows to finish, instead, whole shots of them.
    memory: of the last one of those.
    beside: the network looks at a window while the one before it is finished;
      there is then a window more in memory.
  """
  segments = cut(shots, window=window, context=context)
  # Of frames, and of what is restored without a memory, as fields are: a part
  # of a film that was stopped, too, is restored by the program of the whole.
  lengths = [fit.length(segments[-1].core_stop if segments else 1, most=most)
             for most in (window + context, window + 2 * context)]
  segments = segments[done:] if only is None else [segments[i] for i in only]
  masks = itertools.repeat(None) if masks is None else masks
  begun = _begun(
      reader.windows(zip(frames, masks, strict=False), segments), shots, plans,
      states=memory and memory.states, lengths=lengths,
      tiles=dict(tile=tile, overlap=overlap), network=network)
  begun = ahead.ahead(begun, 0) if beside else begun
  with contextlib.closing(begun):
    yield from _finished(begun, memory and memory.tail, context)


def _finished(begun, tail, context) -> Iterator[Window]:
  """Takes windows that are begun, and yields them finished."""
  for number, group, one, seen in begun:
    clip, tail = _finish(one, functools.partial(
        restore.tell, core=seen, tail=tail if seen.start else None,
        keep=context))
    memory = None if tail is None else restore.Memory(one.states, tail)
    yield Window(number, clip, group, memory)
    del clip, group, one  # Or they would stay while the next one is waited for.


def _begun(windows_read, shots, plans, *, states, lengths, tiles, network):
  """Yields (number of the shot, its source, _Begun, frames seen), by window."""
  tone = functools.cache(lambda number: shot_tone(shots[number], plans[number]))
  starts = np.array([s.start for s in shots])
  paths = _paths(shots)
  for segment, pairs in windows_read:
    group, marks = zip(*pairs, strict=True)
    number = int(np.searchsorted(starts, segment.start, 'right')) - 1
    shot = shots[number]
    clip = _make_clip(group, segment, shot, tone(number), marks)
    core = slice(segment.core_start - segment.start,
                 segment.core_stop - segment.start)
    by_field = any(f.by_field for f in group)
    if segment.core_start == shot.start or by_field:
      states = None
    # Without a memory nothing is known of the frames before the core.
    seen = core if states is not None else slice(0, core.stop)
    look = functools.partial(
        restore.look, network=network, core=seen, states=states,
        length=lengths[by_field or seen.start < core.start], **tiles)
    stages = _bound_to(segment, shot, plans[number].stages, functools.partial(
        paths, number, clip.source.shape[1:3]))
    if by_field:
      clip = _by_fields(clip, stages, core, look, tiles)
      one = _Begun(clip, slice(0, len(clip.source)), [])
    else:
      one = _begin(clip, stages, look=look, core=core, **tiles)
    states = one.states
    yield number, group[core], one, seen
    del clip, group, look, one, pairs


def _by_fields(clip, stages, core, look, tiles) -> types.Clip:
  """The clip, its top and its bottom fields restored as films of their own.

  They leave no memory to the next window: it looks around itself.
  """
  local = [_of_field(s) for s in stages if s.name not in _WHOLE]
  tell = functools.partial(
      restore.tell, core=slice(0, core.stop), tail=None, keep=0)
  return fields.weave_clip(*(
      apply_stages(half, local, look=look, tell=tell, core=core, **tiles)
      for half in fields.split_clip(clip)))


def _of_field(stage: choose.Choice) -> choose.Choice:
  """The stage for every other row: borders above and below are half as high."""
  if 'black' not in stage.options:
    return stage
  above, below, left, right = stage.options['black']
  return dataclasses.replace(stage, options=stage.options | {
      'black': (above // 2, below // 2, left, right)})


def cut(
    shots: Sequence[measure.Shot], *, window: int, context: int
) -> list[windows.Segment]:
  """The windows that run() works on."""
  return windows.cut_segments(
      [(s.start, s.stop) for s in shots], window=window, context=context)


def _paths(shots):
  """What finds the path of a shot: once, for all of its windows.

  Of (number of the shot, size, **options of stabilise.path).
  """
  @functools.lru_cache(maxsize=1)
  def find(number, size, **options):
    return stabilise.path(shots[number].steps, size=size, **options)
  return find


def _bound_to(segment, shot, stages, path):
  """The stages, with what a window needs of what was measured on its shot.

  path: finds that of the shot, by the options of stabilise.path.
  """
  box = slice(segment.start - shot.start, segment.stop - shot.start)
  bound = []
  for stage in stages:
    options = stage.options
    if stage.name == 'interpolate':
      options = dict(replace=options['replace'][box])
    elif stage.name == 'stabilise':
      options = dict(motion=stabilise.Path(*(x[box] for x in path(**options))))
    elif stage.name in ('faces', 'redact'):
      options = dict(options, start=segment.start)
    bound.append(dataclasses.replace(stage, options=options))
  return bound


def _make_clip(group, segment, shot, tone, marks) -> types.Clip:
  source = np.empty((len(group), *group[0].rgb.shape), np.float32)
  for frame, result in zip(group, source, strict=True):
    result[:] = measure.to_float(frame.rgb)
  indices = range(segment.start, segment.stop)
  if tone is not None:
    tone = tone[segment.start - shot.start:segment.stop - shot.start]
  mask = None
  if marks[0] is not None:
    mask = np.stack(marks)[..., None].astype(np.float32)
  return types.Clip(
      source=source, frames=source, tone=tone, user_mask=mask,
      pts=np.array([f.pts for f in group], np.int64),
      cuts=np.array([i == shot.start for i in indices]))


def apply_stages(
    clip: types.Clip, stages: Sequence[choose.Choice], *, tile: int,
    overlap: int, look: Callable[..., tuple] | None = None,
    tell: Callable[..., tuple] | None = None, core: slice = slice(None),
) -> types.Clip:
  """The clip after the stages; local ones go tile by tile on large frames.

  look, tell: the learned stage's, see restore. core: the frames that are
  wanted; those around them are only looked at.
  """
  begun = _begin(
      clip, stages, tile=tile, overlap=overlap, look=look, core=core)
  return _finish(begun, tell)[0]


def _begin(clip, stages, *, tile, overlap, look, core) -> _Begun:
  """The local stages, and what the network says."""
  bound = [(s.name, functools.partial(pipeline.STAGES[s.name], **s.options))
           for s in stages]
  local = [f for name, f in bound if name in _LOCAL]
  rest = [(name, f) for name, f in bound if name not in _LOCAL]
  height, width = clip.source.shape[1:3]
  if local and max(height, width) > tile:
    clip = _by_tiles(clip, local, tile, overlap)
  else:
    for stage in local:
      clip = stage(clip)
  said = ()
  if rest and rest[0][0] == 'restore':
    said = look(clip, **rest[0][1].keywords)
  return _Begun(clip, slice(*core.indices(len(clip.source))[:2]), rest, *said)


def _finish(begun: _Begun, tell) -> tuple[types.Clip, dict | None]:
  """The stages from what the network said on; and what tell leaves."""
  clip, core, rest, values, _ = begun
  left_out, tail = 0, None
  around = reach.after([(name, f.keywords) for name, f in rest])
  for (name, stage), frames in zip(rest, around, strict=True):
    start = core.start
    clip, core = reach.cut(clip, core, frames)
    left_out += start - core.start
    if name == 'restore':
      clip, tail = tell(clip, values)
    elif 'start' in stage.keywords:  # The number of the clip's first frame.
      clip = stage(clip, start=stage.keywords['start'] + left_out)
    else:
      clip = stage(clip)
  return reach.cut(clip, core, 0)[0], tail


def _by_tiles(clip, stages, tile, overlap) -> types.Clip:
  """Runs stages on overlapping tiles, and blends what they filled."""
  def one(top, bottom, left, right):
    box = (slice(None), slice(top, bottom), slice(left, right))
    cut = lambda x: None if x is None else x[box]
    part = clip.replace(source=cut(clip.source), frames=cut(clip.frames),
                        user_mask=cut(clip.user_mask))
    for stage in stages:
      part = stage(part)
    values = {name: getattr(part, name) for name in _TILED}
    return {k: v for k, v in values.items() if v is not None}
  values = windows.map_tiles(one, *clip.source.shape[1:3], tile=tile,
                             overlap=overlap)
  if 'damage_kind' in values:
    values['damage'] = (values['damage_kind'] > 0).astype(np.float32)
  return clip.replace(**values)
