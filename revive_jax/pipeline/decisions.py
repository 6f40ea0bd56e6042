"""Decisions: what a person chose for each shot, over what was measured.

A small JSON file (docs/trust.md). Segments are then cut at shots, and kept when
the film is whole: with other decisions only the shots are made anew that they
are about.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import itertools
import json
import os
from typing import Any, NamedTuple

from revive_jax import files, types
from revive_jax.ops import windows
from revive_jax.pipeline import choose, measure, tally

SCHEMA = 1
# What can be turned off; and on, where it was not chosen.
STAGES = ('preprocess', 'detect', 'restore', 'classical', 'optimise',
          'interpolate', 'stabilise')
_ON = ('preprocess', 'detect', 'classical', 'optimise')
_KEYS = {'shot': int, 'start': int, 'sample': int, 'strength': dict,
         'stages': dict, 'note': str}


class Decision(NamedTuple):
  """What was decided for a shot."""

  sample: int = 0  # Which of several answers of the network; 0 is the first.
  strength: Mapping[str, float] = {}  # Upper limits, by choose.KINDS.
  stages: Mapping[str, bool] = {}  # On or off, by STAGES.
  note: str = ''  # For people.

  def row(self) -> dict[str, Any]:
    """It in JSON's types, without what was not decided."""
    found = {k: dict(v) if isinstance(v, Mapping) else v
             for k, v in self._asdict().items()}
    return {k: v for k, v in found.items() if v}

  def what(self) -> dict[str, Any]:
    """What of it changes the picture."""
    return {k: v for k, v in self.row().items() if k != 'note'}


class Decisions(NamedTuple):
  """All of a film; made by read()."""

  path: str = ''  # '': there are none.
  all: Decision = Decision()
  shots: Mapping[int, Decision] = {}
  starts: Mapping[int, int] = {}  # First frames, as the file has them.

  def of(self, number: int) -> Decision:
    """Of a shot: its own, or what was decided for all."""
    return self.shots.get(number, self.all)

  def rows(self, shots: Sequence[measure.Shot]) -> list[dict[str, Any]]:
    """What was decided, shot by shot, for the report."""
    return [{'shot': i, 'start': s.start, 'end': s.stop, **row}
            for i, s in enumerate(shots) if (row := self.of(i).row())]


def read(path: str | os.PathLike) -> Decisions:
  """Reads decisions.json; '' gives none.

  A shot's row begins with what is decided for all.

  Raises:
    types.BadInput: it cannot be read, or a row, which is named, cannot be.
  """
  if not path:
    return Decisions()
  try:
    found = json.loads(files.path(path).read_text())
  except OSError as error:
    raise types.BadInput(
        f'{path}: the decisions cannot be read ({error.strerror}).') from error
  except ValueError as error:
    raise types.BadInput(
        f'{path}: the decisions are no JSON ({error}).') from error
  if not isinstance(found, dict) or found.get('schema') != SCHEMA:
    raise types.BadInput(
        f'{path}: the decisions must be an object with "schema": {SCHEMA}.')
  if unknown := sorted(set(found) - {'schema', 'all', 'shots'}):
    raise types.BadInput(
        f'{path}: {unknown[0]!r} is not known; there are "all" and "shots".')
  every = _decision(path, '"all"', found.get('all', {}), Decision())
  if not isinstance(found.get('shots', []), list):
    raise types.BadInput(f'{path}: "shots" must be a list of rows.')
  shots, starts = {}, {}
  for place, row in enumerate(found.get('shots', [])):
    name = f'row {place} of "shots"'
    number = row.get('shot') if isinstance(row, dict) else None
    if not _is(number, int) or number < 0:
      raise types.BadInput(
          f'{path}: {name} names no shot; give "shot" its number, from 0 on, '
          'as in report.json.')
    name = f'{name} (shot {number})'
    if number in shots:
      raise types.BadInput(
          f'{path}: {name} decides what another row did; leave one out.')
    shots[number] = _decision(path, name, row, every)
    if 'start' in row:
      starts[number] = row['start']
  return Decisions(str(path), every, shots, starts)


def _is(value, kind) -> bool:
  return isinstance(value, kind) and not (
      isinstance(value, bool) and kind is not bool)


def _decision(path, name, row, every) -> Decision:
  """A row, over what is decided for all."""
  def refuse(what):
    raise types.BadInput(f'{path}: {name}: {what}')

  if not isinstance(row, dict):
    refuse('this must be an object.')
  for key, value in row.items():
    if key not in _KEYS:
      refuse(f'{key!r} is not known; choose one of {", ".join(_KEYS)}.')
    if not _is(value, _KEYS[key]):
      refuse(f'{key} must be of type {_KEYS[key].__name__}, not {value!r}.')
  for kind, value in row.get('strength', {}).items():
    if kind not in choose.KINDS:
      refuse(f'strength of {kind!r} is not known; choose one of '
             f'{", ".join(choose.KINDS)}.')
    if not _is(value, (int, float)) or not 0 <= value <= 1:
      refuse(f'strength.{kind}={value!r} is not between 0 and 1.')
  for stage, value in row.get('stages', {}).items():
    if stage not in STAGES:
      refuse(f'the stage {stage!r} cannot be turned on or off; choose one of '
             f'{", ".join(STAGES)}.')
    if not _is(value, bool):
      refuse(f'stages.{stage}={value!r} is neither true nor false.')
  if row.get('sample', 0) < 0:
    refuse(f'sample={row["sample"]} is less than 0.')
  return Decision(
      row.get('sample', every.sample),
      {**every.strength, **row.get('strength', {})},
      {**every.stages, **row.get('stages', {})}, row.get('note', every.note))


def check(
    decided: Decisions, shots: Sequence[measure.Shot], num_samples: int
) -> None:
  """Refuses decisions about what the film does not have, by name.

  Raises:
    types.BadInput: a shot that is not there or begins elsewhere, or a sample
      that is not.
  """
  for number, decision in decided.shots.items():
    if number >= len(shots):
      raise types.BadInput(
          f'{decided.path}: there is no shot {number}; the film has '
          f'{len(shots)}, numbered from 0.')
    start = decided.starts.get(number, shots[number].start)
    if start != shots[number].start:
      raise types.BadInput(
          f'{decided.path}: shot {number} begins at frame '
          f'{shots[number].start}, not {start}; the decisions are of another '
          'film.')
    _check_sample(decided, f'shot {number}', decision, num_samples)
  _check_sample(decided, '"all"', decided.all, num_samples)


def _check_sample(decided, name, decision, num_samples) -> None:
  if decision.sample >= max(num_samples, 1):
    raise types.BadInput(
        f'{decided.path}: {name}: there is no sample {decision.sample}; with '
        f'--config.num_samples={num_samples} they go from 0 to '
        f'{max(num_samples, 1) - 1}.')


def plan(
    decided: Decisions, number: int, make: Callable[..., choose.Plan],
    strength: Mapping[str, float], stages: tuple[str, ...],
) -> choose.Plan:
  """The plan of a shot as it was decided.

  Args:
    decided: of the film.
    number: of the shot.
    make: gives its plan of strength and stages (choose.choose).
    strength: upper limits that were set for the film.
    stages: that were set for the film.

  Raises:
    types.BadInput: a stage cannot be turned on.
  """
  decision = decided.of(number)
  strength = {**strength, **decision.strength}
  result = make(strength=strength, stages=stages)
  off = {stage for stage, on in decision.stages.items() if not on}
  result = dataclasses.replace(
      result, stages=tuple(s for s in result.stages if s.name not in off))
  if 'preprocess' in off:
    result = dataclasses.replace(result, flicker=0.0, levels=0.0)
  for stage, on in decision.stages.items():
    names = [s.name for s in result.stages]
    if on and stage not in names:
      result = _with(result, stage, make(
          strength=strength, stages=(*names, 'match', stage)), decided, number)
  result = _without_detail(result, off)
  return dataclasses.replace(result, stages=tuple(
      dataclasses.replace(s, options={**s.options, 'sample': decision.sample})
      if s.name == 'restore' and decision.sample else s
      for s in result.stages))


def _without_detail(result, off) -> choose.Plan:
  """No network, or no sharpening wanted: no detail that it left is brought out.
  """
  names = {s.name for s in result.stages}
  if 'restore' in names and not ({'classical'} & names or 'optimise' in off):
    return result
  return dataclasses.replace(result, stages=tuple(
      dataclasses.replace(s, options={**s.options, 'detail': 0.0})
      if s.name == 'composite' else s for s in result.stages))


def _with(result, stage, other, decided, number) -> choose.Plan:
  """A plan with a stage of another one."""
  found = {s.name: s for s in other.stages}
  if stage not in _ON or stage not in found:
    raise types.BadInput(
        f'{decided.path}: shot {number}: the stage {stage} cannot be turned on '
        'there; it needs a strength above 0, and a film that it can work on.')
  asked = dataclasses.replace(found[stage], why='decided by a person')
  present = {s.name: s for s in result.stages} | {stage: asked}
  if 'match' in found and 'restore' not in present:
    present.setdefault('match', found['match'])
  if stage == 'preprocess':
    result = dataclasses.replace(
        result, flicker=other.flicker, levels=other.levels)
  return dataclasses.replace(result, stages=tuple(
      present[n] for n in choose.ORDER if n in present))


def grouped(
    found: Sequence[windows.Segment], starts: Sequence[int], *, by_shot: bool
) -> list[list[windows.Segment]]:
  """Windows in segments (tally.grouped); by_shot: each of one shot alone."""
  if not by_shot:
    return tally.grouped(found)
  shots, first = [], set(starts)
  for window in found:
    if window.core_start in first or not shots:
      shots.append([])
    shots[-1].append(window)
  return [group for shot in shots for group in tally.grouped(shot)]


def to_do(
    notes: Sequence[Mapping[str, Any]],
    groups: Sequence[Sequence[windows.Segment]], starts: Sequence[int],
    decided: Decisions,
) -> list[int]:
  """The segments that are to be made, by number.

  Those that are not there yet; and where decisions have changed, all of their
  shots. A shot that was broken off is begun anew if others are, too.

  Args:
    notes: of the segments that are there; of decisions in 'decision'.
    groups: of grouped().
    starts: first frames of the shots.
    decided: what is decided now.
  """
  shots = [max(i for i, s in enumerate(starts) if s <= g[0].core_start)
           for g in groups]
  stale = {shots[n] for n, note in enumerate(notes)
           if note.get('decision', {}) != decided.of(shots[n]).what()}
  if stale and len(notes) < len(groups):
    stale.add(shots[len(notes)])
  return [n for n in range(len(groups)) if n >= len(notes) or shots[n] in stale]


def windows_of(
    numbers: Sequence[int], groups: Sequence[Sequence[windows.Segment]]
) -> list[int]:
  """The windows of some segments, by their numbers in the film."""
  ends = list(itertools.accumulate(map(len, groups), initial=0))
  return [w for n in numbers for w in range(ends[n], ends[n + 1])]
