"""Choices: several answers to a film beside each other, to be chosen from.

Each answer is a film of its own, in workdir/fills; a contact sheet for each
shot shows them side by side; and decisions.json there is the form in which one
is chosen for each shot.
"""

import shutil
from typing import Any, NamedTuple

import ml_collections
import numpy as np

from revive_jax import files, restore, sealing
from revive_jax import workdir as workdir_lib
from revive_jax.pipeline import decisions, segments, survey
from revive_jax.video import deinterlace, probe, reader, sandbox, sheet

_FOLDER = 'fills'
_ROUNDED = 6e-4  # Seconds: MKV counts in milliseconds.
_KNOWN = ('key.json', 'measured.json')  # Of a run, what every answer shares.


def restore_all(
    c: ml_collections.ConfigDict, workdir: str, source: str,
    destination: str | None = None,
) -> dict[str, Any]:
  """Restores a film as was decided, and gives all c.num_samples answers to it.

  Answers that are there already, and shots of them, are not made again.

  Args:
    c: configs/restore.py.
    workdir: gets what restore.restore writes there, and fills/: sample_<n>, a
      film; shot_<n>.png, the answers beside each other; decisions.json, a form.
    source: see restore.restore.
    destination: see restore.restore.

  Returns:
    The report, with 'fills': where the films, the sheets and the form are.

  Raises:
    types.BadInput: anything the user can set right.
  """
  workdir, source, destination = sealing.places(c, workdir, source, destination)
  report = restore.restore(c, files.name(workdir), source, destination)
  suffix = files.suffix(report['outputs'][0]['path'])
  folder = files.path(workdir) / _FOLDER
  films = [_answer(c, n, folder, source, suffix) for n in range(c.num_samples)]
  form = folder / 'decisions.json'
  if not form.exists():
    _write_form(form, report['shots'])
  sheets = _write_sheets(
      folder, None if c.redact.faces != 'none' else sandbox.guarded(
          source, c.sandbox), films,
      _moments(folder.parent / 'segments', source, report, c), c.frame_rate)
  report['fills'] = {'films': films, 'sheets': sheets, 'form': str(form)}
  workdir_lib.write_json(files.path(workdir) / 'report.json', report)
  return report


def _write_form(path, shots) -> None:
  """Writes decisions that decide nothing: the first answer everywhere."""
  workdir_lib.write_json(path, {'schema': decisions.SCHEMA, 'shots': [
      {'shot': i, 'start': s['start'], 'sample': 0, 'note': ''}
      for i, s in enumerate(shots)]})


def _answer(c, number, folder, source, suffix) -> str:
  """Makes one answer for all shots; returns the film's path."""
  own = folder / f'sample_{number}'
  own.mkdir(parents=True, exist_ok=True)
  workdir_lib.write_json(own / 'decisions.json', {
      'schema': decisions.SCHEMA, 'all': {'sample': number}})
  known, place = folder.parent / 'segments', own / 'segments'
  if not place.exists() and known.is_dir():
    place.mkdir()
    for name in _KNOWN:  # It is measured only once.
      shutil.copyfile(known / name, place / name)
  settings = ml_collections.ConfigDict(c.to_dict())
  settings.decisions = str(own / 'decisions.json')
  film = folder / f'sample_{number}{suffix}'
  if film.is_dir():
    shutil.rmtree(film)  # Frames of a folder are written anew.
  report = restore.restore(
      settings, files.name(own), source, files.name(film))
  return str(report['outputs'][0]['path'])


class _Moments(NamedTuple):
  """When the key frames of a film are shown, and what its frames are."""

  seconds: list[float]  # From its first frame, a shot each.
  decision: deinterlace.Decision  # What was done with its fields.


def _moments(place, source, report, c) -> _Moments:
  """When key frames are shown; place: of the segments, which stay there."""
  known = segments.Segments(place).measured()
  decision = deinterlace.unpacked(known['interlace'])
  stamps = survey.unpacked(known).stamps
  info = probe.probe(
      sandbox.guarded(source, c.sandbox), frame_rate=c.frame_rate)
  unit = deinterlace.retimed(info, decision).time_base
  return _Moments([float((stamps[s['key_frame']] - stamps[0]) * unit)
                   for s in report['shots']], decision)


def _write_sheets(folder, source, films, moments, rate) -> list[str]:
  """A sheet for each shot: its key frame, of the source and of each answer.

  By time: answers may lack frames that the source repeats, or hold others.

  source: None where nobody may see it.
  """
  answered = [f'sample {n}' for n in range(len(films))]
  decision, wanted = moments.decision, moments.seconds
  # Answers are made of fields already, or still hold them.
  held = decision if decision.keeps_fields else None
  found = {} if source is None else {
      'source': _frames(source, wanted, rate, decision)}
  for title, path in zip(answered, films, strict=True):
    found[title] = _frames(sealing.beside(path, folder), wanted, rate, held)
  sheets = []
  for number in range(len(wanted)):
    row = {title: frames[number] for title, frames in found.items()}
    answers = np.stack([row[t] for t in answered]).astype(np.int16)
    differ = (answers != answers[:1]).any((0, -1))
    path = folder / f'shot_{number:03d}.png'
    sheet.write_sheet(path, [row, sheet.crop(
        row, sheet.densest(differ), factor=4)])
    sheets.append(str(path))
  return sheets


def _frames(path, wanted, rate, decision=None) -> list[np.ndarray]:
  """What a film shows at seconds from its first frame, in order; 8 bits."""
  info, found = probe.probe(path, frame_rate=rate), []
  unit = info.time_base if decision is None else (
      deinterlace.retimed(info, decision).time_base)
  start = shown = None
  for frame in reader.read_frames(info, decision=decision):
    start = frame.pts if start is None else start
    now = float((frame.pts - start) * unit) - _ROUNDED
    while len(found) < len(wanted) and now > wanted[len(found)]:
      found.append(shown)
    if len(found) == len(wanted):
      break
    shown = frame.rgb
  found += [shown] * (len(wanted) - len(found))
  return [(f if f.dtype == np.uint8 else f >> 8).astype(np.uint8)
          for f in found]
