"""Reporting: what a restore adds to its record, and the page that shows it."""

from collections.abc import Mapping, Sequence
import json
import os
import pathlib
from typing import Any

from revive_jax import files
from revive_jax import workdir as workdir_lib
from revive_jax.explain import gather, record, report, tree
from revive_jax.pipeline import (
    choose,
    measure,
    motion,
    remeasure,
    segments,
)
from revive_jax.video import deinterlace, probe, reader

NAME = 'report.html'
_LENGTHS = ('edge_width_pixels', 'jitter_pixels')  # Of what is measured.
# What may still be done to a face that was compared with its source.
_LATER = {
    'optimise': 'sharpening and evening out',
    'interpolate': 'frames that were made anew',
    'output': 'grain',
    'stabilise': 'moving whole frames'}
_CALIBRATION = pathlib.Path(report.__file__).parent / 'calibration.json'


def whole_already(
    workdir: str, made: Mapping[str, Any], destination: str
) -> dict[str, Any] | None:
  """The report of a run that was ended between its film and its last step.

  None: there was none, or its film is another file than destination.
  """
  folder = files.path(workdir)
  report = segments.joined(folder / 'segments', made)
  if report is None or not os.path.exists(destination) or (
      os.path.abspath(report['outputs'][0]['path'])
      != os.path.abspath(str(destination))):
    return None
  with workdir_lib.opened(folder):
    workdir_lib.write_json(folder / 'report.json', report)
    segments.Segments(folder / 'segments').remove()
  return report


def add(
    told: dict[str, Any], path: str, *, shots: Sequence[measure.Shot],
    plans: Sequence[choose.Plan], notes: Sequence[Mapping[str, Any]],
    decision: deinterlace.Decision, found: Sequence[measure.Shot] | None = None,
) -> dict[str, Any]:
  """Adds what the page needs to a record, and returns it.

  Args:
    told: of explain.record.
    path: the restored film, which is measured again.
    shots: of the source.
    plans: of the shots.
    notes: of the segments, with what gather.Segment left there.
    decision: what was done with fields.
    found: what remeasure found of it meanwhile; None: the film is read again.
  """
  _judge(told, plans)
  if not told['settings'].get('report'):
    return told
  if told['outputs'][0]['frames'] == told['input']['frames']:
    told['measured_after'] = again(
        path, shots, told, decision, found)
  else:
    told['not_measured_after'] = (
        'The restored film was not measured again: it has other frames than '
        'the source, because frames were left out or made.')
  for shot, seen in zip(
      told['shots'], gather.summed(notes, len(shots)), strict=True):
    shot['seen'] = seen
  told['choice'] = choices(told, plans)
  return told


def _judge(told, plans) -> None:
  """Says in the record what was done to faces after they were compared."""
  settings, found = told['settings'], told.get('faces') or {}
  if found.get('policy') != 'protect' or not found.get('tracks'):
    return
  later = after_faces(plans, settings['output']['upscale'])
  if not later:
    found['judged'] = 'as they are written, but for coding'
    return
  found['judged'] = (
      f'before {", ".join(later)}: what that did to faces was not compared')
  if 'enlarging' in later:
    told['warnings'].append(
        'Faces were compared with the source before enlarging; whether the '
        'detail that was invented then is that of the person, nobody knows: '
        'look at them (--config.output.upscale).')


def after_faces(plans: Sequence[choose.Plan], upscale: int) -> list[str]:
  """What is done to faces after the policy judged them, in words.

  plans: of all shots. upscale: the factor.
  """
  found = set()
  for plan in plans:
    names = [s.name for s in plan.stages]
    if 'faces' in names:
      found |= {s.name for s in plan.stages[names.index('faces') + 1:]
                if _acts(s)}
  words = [word for name, word in _LATER.items() if name in found]
  return words + (['enlarging'] if upscale > 1 else [])


def _acts(stage) -> bool:
  """Whether a stage changes what a picture shows, by its options."""
  options = stage.options
  if stage.name == 'optimise':
    return any(options.get(x, 0) > 0 for x in ('sharpen', 'local_deflicker'))
  return options.get('grain', 0) > 0 if stage.name == 'output' else True


def again(
    path: str, shots: Sequence[measure.Shot], told: Mapping[str, Any],
    decision: deinterlace.Decision, found: Sequence[measure.Shot] | None = None,
) -> list[dict[str, Any]]:
  """What is measured of the restored film, as told['measured'].

  Lengths are in pixels of the source, also where the film was enlarged.
  """
  factor = told['settings'].get('output', {}).get('upscale', 1)
  rate = told['input']['frame_rate']
  if found is None:
    info = probe.probe(path, frame_rate=rate)
    frames = reader.read_frames(
        info, decision=decision if decision.keeps_fields else None)
    found = remeasure.remeasure(
        (f.rgb for f in frames), shots, frame_rate=rate, motion=True)
  return [_smaller(record.measured(s) | {
      'jitter_pixels': motion.jitter(s.steps)}, factor) for s in found]


def _smaller(measured, factor):
  """What was measured of a shot that is larger than its source by a factor."""
  return measured | {
      name: round(measured[name] / factor, 3) for name in _LENGTHS
      if factor != 1 and measured[name] is not None}


def verdicts(plan: choose.Plan) -> dict[str, bool]:
  """Which of tree.REPAIRS a plan makes."""
  options = {stage.name: stage.options for stage in plan.stages}
  amounts = options.get('composite', {}).get('strength', {})
  found = options.get('detect', {})
  learned = 'restore' in options
  return {
      'flicker': plan.flicker > 0,
      'noise': amounts.get('noise', 0) > 0,
      'dust': learned or bool(found.get('dust')),
      'scratch': learned or bool(found.get('scratches')),
      'crack': bool(found.get('cracks')),
      'blur': options.get('optimise', {}).get('sharpen', 0) > 0}


def choices(
    told: Mapping[str, Any], plans: Sequence[choose.Plan]
) -> dict[str, Any]:
  """What the trees say of each shot, beside what was done."""
  known, shots = tree.shipped(), []
  for measured, plan in zip(told['measured'], plans, strict=True):
    row, entries = tree.features(measured), []
    for repair, done in verdicts(plan).items():
      verdict, rules = tree.decide(known['trees'][repair], row)
      if not verdict and not done and repair == 'crack' and (
          measured['end'] - measured['start'] > 1):
        continue  # Only looked for in single pictures.
      entries.append({
          'repair': repair, 'rules': rules or ['always'],
          'verdict': 'repair' if verdict else 'leave',
          'done': 'repair' if done else 'leave',
          'because': _because(told, plan, repair, done)})
    shots.append(entries)
  return {'told': known['told'], 'shots': shots, 'rules': [
      line for repair, one in known['trees'].items()
      for line in tree.printed(one, repair)]}


def _because(told, plan, repair, done) -> str:
  """Why a plan may not be what the tree says."""
  settings, stages = told['settings'], {s.name for s in plan.stages}
  if tuple(settings['stages']) != ('auto',):
    return 'the stages were named in the settings'
  kind = {'crack': 'dust'}.get(repair, repair)
  if not done and not settings['strength'].get(kind, 1):
    return 'its strength is 0 in the settings'
  if not done and settings['composite'] == 'repair':
    return 'mode repair leaves it'
  if 'restore' in stages:
    return ('the network looks for it in any case' if done else
            'the network does that as it restores')
  return 'the tree is simpler than the program'


def write(
    folder: pathlib.Path, told: dict[str, Any], kept: segments.Segments
) -> None:
  """Writes the page into the workdir, and names it in the record.

  Nothing is done where the settings ask for no report.
  """
  if not told['settings'].get('report'):
    return
  told['calibration'] = calibration(told['weights'])
  path = folder / NAME
  told['outputs'].append({'path': str(path), 'kind': 'report'})
  sounds = {}
  for number in range(len(told.get('sound') or ())):
    picture = folder / f'sound_{number}.png'
    if picture.is_file():
      sounds[number] = picture.read_bytes()

  def read(name):
    file = kept.path(name)
    return file.read_bytes() if file.is_file() else None

  report.write(path, told, gather.pictures_of(kept.notes), read=read,
               sounds=sounds)


def calibration(weights: str | None) -> dict[str, Any] | None:
  """What is known of the doubt of these weights; None: nobody measured it.

  weights: as a record names them, with their SHA-256.
  """
  if not weights:
    return None
  known = json.loads(_CALIBRATION.read_text())
  found = [x for part in weights.split('; fills: ')
           for sha, x in known.items() if sha in part]
  if not found:
    return None
  places = {k: v for x in found for k, v in x['places'].items()}
  return found[0] | {'places': places}
