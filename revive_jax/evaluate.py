"""Evaluate: the table of restorers on held-out clips with known damage."""

from collections.abc import Callable, Mapping
import datetime
import functools
import os
import pathlib
import sys
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax import workdir as workdir_lib
from revive_jax.comparison import cases, methods, perception, uncertainty
from revive_jax.degradations import chain
from revive_jax.metrics import scores, table, temporal
from revive_jax.video import sheet

SCHEMA = 1


class Measured(NamedTuple):
  """What one clip says of the rows of the table, by row."""

  damaged: dict[str, scores.Sums]
  undamaged: dict[str, scores.Sums]
  moments: dict[str, perception.Moments]
  uncertainty: dict[str, dict[str, Any]]  # uncertainty.of_clip.
  results: dict[str, methods.Result]


def evaluate(c: ml_collections.ConfigDict, workdir: str) -> dict[str, Any]:
  """Measures what c says, and returns what table.json holds.

  Writes table.md, table.json, sheets/ and plots/ into workdir, and prints the
  table.

  Args:
    c: configs/evaluate.py.
    workdir: the folder of the run.

  Raises:
    types.BadInput: anything the user can set right.
  """
  check_settings(c)
  rows, clips = methods.make_methods(c), cases.read_clips(c)
  cases.refuse_trained(clips, {k: row.trained_on for k, row in rows.items()})
  textures = cases.read_textures(c)
  judges = perception.Judges(
      perception.load(c.features), perception.load_niqe(c.niqe))
  with workdir_lib.opened(workdir) as folder:
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    found = {}
    for number, clip in enumerate(clips, 1):
      case = cases.make_case(
          clip, textures, seed=c.seed, mix=c.damage.mix,
          severity=chain.SEVERITY[c.damage.severity])
      say = functools.partial(_say, f'{case.name} ({number}/{len(clips)})')
      one = measured(case, rows, c.undamaged, judges, say)
      if c.sheets:
        write_sheet(folder / 'sheets' / f'{case.name}.png', case, one.results)
      found[case.name] = one._replace(results={})
    result = {
        'schema': SCHEMA, 'date': f'{datetime.date.today()}',
        'device': device(), 'through': c.through,
        'methods': {name: m.about for name, m in rows.items()},
        'clips': {name: _about(frames) for name, frames in clips},
        'damaged': _with_frechet(
            table.summary(_by_row(found, 'damaged')), found),
        'undamaged': table.summary(_by_row(found, 'undamaged')),
        'uncertainty': judge_uncertainty(found, folder / 'plots'),
        'settings': c.to_dict()}
    text = table.markdown(result)
    workdir_lib.write_json(folder / 'table.json', result)
    (folder / 'table.md').write_text(text)
  print(text, end='')
  return result


def check_settings(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('through', c.through, methods.THROUGH)
  cases.check(c)
  if c.num_samples < 2:
    raise types.BadInput(
        f'--config.num_samples={c.num_samples}: how fills differ cannot be '
        'told from less than 2.')


def measured(
    case: cases.Case, rows: Mapping[str, methods.Method], undamaged: bool,
    judges: perception.Judges, say: Callable[[str], None],
) -> Measured:
  """Restores one clip, damaged and undamaged, by every row."""
  found = Measured({}, {}, {}, {}, {})
  still = temporal.warping_error(
      case.target[None], case.flow[None], case.visible[None])
  found.damaged['clean'] = _niqe(judges, case.target) | {
      'warping_error': (float(still[0]), 1.0)}
  found.damaged['damaged'] = _scores(case, case.damaged, judges)
  judge = judges.perception
  if judge is not None:
    found.moments['clean'] = perception.moments(judge, case.target)
    found.moments['damaged'] = _moments(judge, case.damaged)
  for name, method in rows.items():
    if undamaged:  # First: it compiles what the damaged clip is timed with.
      result = method.restore(case.clean)
      found.undamaged[name] = scores.of_undamaged(
          result.restored, case.clean, result.found)
    before = len(method.compiled)
    result = method.restore(case.damaged)
    if len(method.compiled) > before:
      result = method.restore(case.damaged)
    found.results[name] = result
    found.damaged[name] = _scores(case, result.restored, judges) | (
        scores.of_damage(result.found, case.damage)) | {
            'frames_per_second': (float(len(case.damaged)), result.seconds)}
    if judge is not None:
      found.moments[name] = _moments(judge, result.restored)
    if result.deviation is not None:
      found.uncertainty[name] = uncertainty.of_clip(
          _to_float(result.restored) - case.target, result.deviation,
          result.found)
    say(f'{name} {found.damaged[name]["psnr"][0]:.2f} dB, '
        f'damaged {found.damaged["damaged"]["psnr"][0]:.2f} dB')
  return found


def _scores(case, codes, judges) -> scores.Sums:
  sums = scores.of_clip(
      codes, case.target, case.damage, case.flow, case.visible)
  if judges.perception is not None:
    sums |= perception.distance_sums(
        judges.perception, _to_float(codes), case.target, case.damage)
  return sums | _niqe(judges, _to_float(codes))


def _niqe(judges, frames) -> scores.Sums:
  value = judges.niqe(frames) if judges.niqe else None
  return {} if value is None else {'niqe': (value, 1.0)}


def _moments(judge, codes):
  return perception.moments(judge, _to_float(codes))


def _to_float(codes):
  return codes.astype(np.float32) / 255


def _by_row(found: Mapping[str, Measured], field: str):
  """What field says, by row and then by clip."""
  rows = {}
  for clip, one in found.items():
    for row, value in getattr(one, field).items():
      rows.setdefault(row, {})[clip] = value
  return rows


def _with_frechet(summary, found: Mapping[str, Measured]):
  """The summary; its means with Fréchet distances, of all clips together."""
  by_row = _by_row(found, 'moments')
  merged = {row: functools.reduce(lambda a, b: a.merge(b), clips.values())
            for row, clips in by_row.items()}
  for row, made in merged.items():
    if row != 'clean':
      summary[row][table.MEAN] |= perception.frechet_distances(
          made, merged['clean'])
  return summary


def judge_uncertainty(
    found: Mapping[str, Measured], plots: pathlib.Path
) -> dict[str, dict[str, dict[str, float]]]:
  """Figures by place and row; draws plots/uncertainty_<place>.png."""
  by_row, result = _by_row(found, 'uncertainty'), {}
  for place in uncertainty.PLACES:
    judged = {row: uncertainty.judge({k: v[place] for k, v in clips.items()})
              for row, clips in by_row.items()}
    judged = {row: x for row, x in judged.items() if x is not None}
    if judged:
      name = f'uncertainty_{place.replace(" ", "_")}.png'
      uncertainty.draw(plots / name, judged, f'Uncertainty {place}')
      result[place] = {row: uncertainty.figures(x) for row, x in judged.items()}
  return result


def write_sheet(
    path: pathlib.Path, case: cases.Case,
    results: Mapping[str, methods.Result],
) -> None:
  """The middle frame of all rows, and below enlarged where damage is worst."""
  t = len(case.damaged) // 2
  frames = {'damaged': case.damaged[t], 'damage': case.damage[t]}
  for name, result in results.items():
    frames |= {f'{name}: damage': result.found[t], name: result.restored[t]}
  frames['clean'] = cases.to_codes(case.target[t])
  centre = sheet.densest(case.damage[t])
  sheet.write_sheet(path, [frames, sheet.crop(frames, centre, factor=3)])


def device() -> str:
  """What this runs on, for the table."""
  first = jax.devices()[0]
  return f'{first.device_kind}, {os.cpu_count()} CPU cores'


def _about(frames: np.ndarray) -> dict[str, Any]:
  return {'frames': len(frames), 'height': frames.shape[1],
          'width': frames.shape[2]}


def _say(label: str, text: str) -> None:
  sys.stderr.write(f'{label}: {text}\n')
