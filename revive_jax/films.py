"""Many films: a folder or a list in, a folder out, and a table of how it went.
"""

import collections
from collections.abc import Mapping, Sequence
import json
import os
import pathlib
import time
from typing import Any, NamedTuple

from absl import logging
import ml_collections

from revive_jax import files, identity, restore, sealing, settings, types
from revive_jax import workdir as workdir_lib
from revive_jax.pipeline import upscale
from revive_jax.privacy import encryption
from revive_jax.video import images, probe, sandbox, target

_VIDEOS = ('.mp4', '.mkv', '.mov', '.avi', '.mpg', '.mpeg', '.m2v', '.ts',
           '.mts', '.m2ts', '.vob', '.webm', '.wmv', '.flv', '.3gp', '.mxf',
           '.dv', '.ogv', '.nut', '.y4m', '.m4v', '.divx', '.asf', '.dcm')


class Row(NamedTuple):
  """How it went with one film."""

  file: str
  state: str  # 'restored', 'done before', 'refused' or 'failed'.
  frames: int
  seconds: float
  what: str  # What was wrong, or where the film is.

  @property
  def is_good(self) -> bool:
    """Whether there is a restored film."""
    return self.state in ('restored', 'done before')


def is_many(source: str | None) -> bool:
  """Whether an input names several films: a list, or a folder with a video.

  A folder of pictures alone is one film.
  """
  if not source:
    return False
  path = pathlib.Path(source)
  if not os.path.isdir(path):
    return path.suffix.lower() == '.txt'
  try:
    return any(is_video(p) for p in path.iterdir())
  except OSError:  # What reads it as one film says so.
    return False


def find(source: str) -> list[pathlib.Path]:
  """The films of a folder, sorted, or of a list (.txt, a path a line).

  Paths in a list count from where the list is. Lines that begin with # are
  left out.

  Raises:
    types.BadInput: it cannot be read, or names none.
  """
  path = pathlib.Path(source)
  try:
    if path.is_dir():
      found = sorted(p for p in path.iterdir() if p.is_file() and (
          is_video(p) or images.is_picture(p)) and not p.name.startswith('.'))
    else:
      lines = path.read_text(encoding='utf-8-sig').splitlines()
      found = [path.parent / line.strip() for line in lines
               if line.strip() and not line.startswith('#')]
  except (OSError, UnicodeDecodeError) as error:
    raise types.BadInput(
        f'{source}: the list of films cannot be read ({error}).') from error
  if not found:
    raise types.BadInput(f'{source}: no film is named there.')
  return found


def restore_all(
    c: ml_collections.ConfigDict, workdir: str, source: str,
    destination: str | None = None,
) -> list[Row]:
  """Restores each film of source; goes on after one that cannot be.

  What was finished by an earlier run, with the same settings and of the same
  file, is left as it is.

  Args:
    c: configs/restore.py.
    workdir: gets a folder for each film (films/<name>), and films.json, the
      table.
    source: see is_many.
    destination: a folder for the films; None: workdir/outputs.

  Raises:
    types.BadInput: settings, source or destination cannot be.
  """
  settings.check(c)
  if c.decisions or c.num_samples > 1:
    raise types.BadInput(
        '--config.decisions and num_samples are about one film; name it with '
        '--input.')
  paths = find(source)
  workdir, _, _ = sealing.places(c, workdir, None, None)
  folder = pathlib.Path(destination or pathlib.Path(workdir) / 'outputs')
  _check_folder(folder, source)
  rows = []
  with workdir_lib.opened(workdir) as work:
    before = _named_before(work / 'films.json')
    found = names(paths, before)
    for number, (path, name) in enumerate(
        zip(paths, found, strict=True), 1):
      logging.warning('Film %d of %d: %s', number, len(paths), path)
      rows.append(_one(c, path, work / 'films' / name, folder / name))
      workdir_lib.write_json(work / 'films.json', {
          'schema': 1, 'films': [r._asdict() for r in rows],
          'left': len(paths) - number,
          'names': before | {
              str(p): n for p, n in zip(paths, found, strict=True)}})
  return rows


def table(rows: Sequence[Row]) -> str:
  """The rows as text, for a terminal."""
  lines = [('film', 'state', 'frames', 'seconds', '')]
  lines += [(os.path.basename(r.file), r.state, str(r.frames or ''),
             f'{r.seconds:.1f}', r.what) for r in rows]
  widths = [max(len(line[i]) for line in lines) for i in range(4)]
  return '\n'.join(
      f'{line[0]:<{widths[0]}}  {line[1]:<{widths[1]}}  '
      f'{line[2]:>{widths[2]}}  {line[3]:>{widths[3]}}  {line[4]}'.rstrip()
      for line in lines)


def is_video(path: pathlib.Path) -> bool:
  """Whether a file is a video by its name."""
  return files.suffix(path) in _VIDEOS and not path.name.startswith('.')


def _check_folder(folder, source) -> None:
  if folder.exists() and not folder.is_dir():
    raise types.BadInput(
        f'{folder}: this is a file; name a folder for the films.')
  if os.path.isdir(source) and folder.resolve() == pathlib.Path(
      source).resolve():
    raise types.BadInput(
        f'{folder}: the output is the input folder; name another one.')


def _named_before(path) -> dict[str, str]:
  """The names that an earlier run gave to films, by path."""
  try:
    return dict(json.loads(path.read_text()).get('names', {}))
  except encryption.WrongKeyError:
    raise
  except (OSError, ValueError):
    return {}


def names(
    paths: Sequence[pathlib.Path], before: Mapping[str, str]
) -> list[str]:
  """A name for each film; with its suffix, where two would be the same.

  before: names of earlier runs, which stay, whatever was added since, and are
    given to no other film.
  """
  stems = [files.opened_name(p).stem for p in paths]
  counts = collections.Counter(stems)
  found, used = [], set(before.values())
  for path in paths:
    if str(path) in before:
      found.append(before[str(path)])
      continue
    name = files.opened_name(path).stem
    if counts[name] > 1:
      name = files.opened_name(path).name.replace('.', '_')
    number, wanted = 2, name
    while name in used:
      name, number = f'{wanted}_{number}', number + 1
    used.add(name)
    found.append(name)
  return found


def _one(c, path, work, output) -> Row:
  """Restores one film, whatever it is."""
  start = time.monotonic()

  def row(state, what, frames=0):
    return Row(str(path), state, frames, round(time.monotonic() - start, 2),
               what)

  try:
    _, source, _ = sealing.places(c, work, str(path), None)
    source = sandbox.guarded(source, c.sandbox, many=True)
    info = probe.probe(source, frame_rate=c.frame_rate)
    _, _, destination = sealing.places(c, work, None, str(output) + (
        target.suffix(upscale.enlarged(info, c.output.upscale))))
    made_of = identity.of(c, info, destination)
    if before := finished(work / 'done.json', made_of, destination):
      return row('done before', str(destination), before['frames'])
    report = restore.restore(c, files.name(work), source, destination)
    frames = report['speed']['frames']
    workdir_lib.write_json(
        work / 'done.json', {'made_of': made_of, 'frames': frames})
    told = report['warnings']
    more = f'; {len(told)} warnings, the first: {told[0]}' if told else ''
    return row('restored', f'{destination}{more}', frames)
  except types.BadInput as error:
    return row('refused', str(error))
  except Exception as error:  # One film must not keep the others waiting.
    logging.exception('%s', path)
    return row('failed', f'{type(error).__name__}: {error}')


def finished(
    path: pathlib.Path, made_of: Mapping[str, Any], destination: str
) -> dict[str, Any] | None:
  """What an earlier run noted of a film that is whole; None: it is not.

  path: of the note. made_of: its identity, now. destination: the film.
  """
  try:
    found = json.loads(path.read_text())
  except encryption.WrongKeyError:
    raise
  except (OSError, ValueError):
    return None
  same = found['made_of'] == json.loads(json.dumps(workdir_lib.plain(made_of)))
  return found if same and os.path.exists(destination) else None
