"""Choices: several answers to a film beside each other, to be chosen from.

Each answer is a film of its own, in workdir/fills; a contact sheet for each
shot shows them side by side; and decisions.json there is the form in which one
is chosen for each shot.
"""

import shutil
from typing import Any

import ml_collections
import numpy as np

from revive_jax import files, restore, sealing
from revive_jax import workdir as workdir_lib
from revive_jax.pipeline import decisions
from revive_jax.video import probe, reader, sandbox, sheet

_FOLDER = 'fills'
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
      report['shots'], c.frame_rate)
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


def _write_sheets(folder, source, films, shots, rate) -> list[str]:
  """A sheet for each shot: its key frame, of the source and of each answer.

  source: None where nobody may see it.
  """
  wanted = [s['key_frame'] for s in shots]
  answered = [f'sample {n}' for n in range(len(films))]
  paths = dict(zip(answered, films, strict=True))
  if source is not None:
    paths = {'source': source} | paths
  found = {title: _frames(sealing.beside(path, folder), wanted, rate)
           for title, path in paths.items()}
  sheets = []
  for number, frame in enumerate(wanted):
    row = {title: frames[frame] for title, frames in found.items()}
    answers = np.stack([row[t] for t in answered]).astype(np.int16)
    differ = (answers != answers[:1]).any((0, -1))
    path = folder / f'shot_{number:03d}.png'
    sheet.write_sheet(path, [row, sheet.crop(
        row, sheet.densest(differ), factor=4)])
    sheets.append(str(path))
  return sheets


def _frames(path, wanted, rate) -> dict[int, np.ndarray]:
  """Frames of a film by their numbers, in 8 bits."""
  found, last = {}, max(wanted)
  info = probe.probe(path, frame_rate=rate)
  for frame in reader.read_frames(info, stop=last + 1):
    if frame.index in wanted:
      rgb = frame.rgb if frame.rgb.dtype == np.uint8 else frame.rgb >> 8
      found[frame.index] = rgb.astype(np.uint8)
    shown = frame
  for number in wanted:  # Fewer frames came out than were measured.
    found.setdefault(number, shown.rgb)
  return found
