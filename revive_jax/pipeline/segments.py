"""Segments: what of a film is finished, kept so that a stopped run goes on.

In its folder: `key.json`, what the run is of; `measured.json`; for each segment
`000000.json`, what is known of it, written last, beside its coded frames
(`000000.nut`, or whatever its notes say); and `memory.npz`, what the window
after the last one needs. Whatever is not named by notes was never finished.

Notes say which segment they are of, and of which run, and the sums of its
files; the others, what they are: no sealed file passes for another.
"""

import array
from collections.abc import Callable, Mapping, Sequence
import hashlib
import json
import logging
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from revive_jax import files as files_lib
from revive_jax import types, workdir
from revive_jax.privacy import encryption
from revive_jax.video import images
from revive_jax.video import layers as layers_lib

_log = logging.getLogger(__name__)
_END = 1 << 20  # Bytes at both ends of a file that stand for it.


def identity(path: str | os.PathLike) -> dict[str, Any]:
  """What tells a file, or the pictures of a folder, from another version.

  Size, time of the last change, and SHA-256 of the first and the last MiB (of a
  folder, of the first and the last picture): a film of 100 GB is not read
  through.
  """
  path = pathlib.Path(path)
  if path.is_dir():
    pictures = [pathlib.Path(p) for p in images.list_pictures(path)]
    states = {p.name: p.stat() for p in pictures}
    return {'files': {name: [s.st_size, s.st_mtime_ns]
                      for name, s in states.items()},
            'ends': [identity(p) for p in (*pictures[:1], *pictures[1:][-1:])]}
  with open(path, 'rb') as file:
    state = os.fstat(file.fileno())
    digest = hashlib.sha256(file.read(_END))
    file.seek(max(0, state.st_size - _END))
    digest.update(file.read(_END))
  return {'bytes': state.st_size, 'changed': state.st_mtime_ns,
          'sha256_of_ends': digest.hexdigest()}



def _lean(notes):
  """notes with the timestamps of the part in an array, a fifth of a list."""
  part = notes.get('part') or {}
  if 'stamps' not in part:
    return notes
  return notes | {'part': part | {'stamps': array.array('q', part['stamps'])}}


class Segments:
  """The finished segments of one film; made by opened()."""

  def __init__(self, folder: pathlib.Path, run: str = ''):
    """run: stands for the key in the notes."""
    self.folder, self.run = folder, run
    self.notes = []  # Of each finished segment, in order.

  @property
  def frames(self) -> int:
    """How many frames of the source are finished; others may be written."""
    return sum(notes['frames'] if 'frames' in notes else
               len(notes['part']['stamps']) for notes in self.notes)

  def path(self, name: str) -> pathlib.Path:
    """Where a file of a segment lies that seal() is to be told of."""
    return self.folder / name

  def measured(self) -> dict[str, Any] | None:
    """What keep_measured() was given, in an earlier run."""
    return _told(self.folder, 'measured')

  def keep_measured(self, found: Mapping[str, Any]) -> None:
    """Keeps what was measured of the film, in JSON's types."""
    _tell(self.folder, 'measured', found)

  def seal(
      self, notes: Mapping[str, Any], files: list[str],
      memory: Mapping[str, np.ndarray] | None, beside: Sequence[str] = (),
      number: int | None = None,
  ) -> None:
    """A segment is finished: from now on it is there, whatever happens.

    Args:
      notes: what is to be known of it, in JSON's types.
      files: names in the folder, whole and closed.
      memory: what the window after it needs; None: nothing.
      beside: names of files that are no part of the film: pictures of it.
      number: of the segment, if it takes the place of one that is there.
    """
    number = len(self.notes) if number is None else number
    for name in (*files, *beside):
      _sync(self.folder / name)
    held = self.folder / f'memory_{number:06d}.npz'
    if memory is not None:
      with workdir.written(held):
        with held.open('wb') as file:
          np.savez(file, **memory)
        _sync(held)
    notes = dict(notes) | {
        'files': {name: _hash(self.folder / name) for name in files},
        'beside': {name: _hash(self.folder / name) for name in beside},
        'memory': None if memory is None else _hash(held),
        'number': number, 'run': self.run}
    workdir.write_json(self.folder / f'{number:06d}.json', notes)
    self.notes[number:number + 1] = [_lean(notes)]
    if number:
      (self.folder / f'memory_{number - 1:06d}.npz').unlink(missing_ok=True)

  def memory(self) -> dict[str, np.ndarray] | None:
    """What the window after the last finished segment needs."""
    if not self.notes or not self.notes[-1]['memory']:
      return None
    path = self.folder / f'memory_{len(self.notes) - 1:06d}.npz'
    with path.open('rb') as file, np.load(
        file, allow_pickle=False) as found:
      return dict(found)

  def files(self, *, layers: bool = False) -> list[pathlib.Path]:
    """The files of all segments, in order: of the pictures, or the layers."""
    return [self.folder / name for notes in self.notes
            for name in notes['files'] if layers_lib.is_part(name) == layers]

  def keep_joined(self, report: Mapping[str, Any]) -> None:
    """Notes that the film is whole, and what its report says."""
    _tell(self.folder, 'joined', report)

  def remove(self) -> None:
    """Removes all of it: the film is finished."""
    # Renamed first: what is half removed must not be taken for a run.
    gone = self.folder.with_name(f'.{self.folder.name}.gone')
    shutil.rmtree(gone, ignore_errors=True)
    self.folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def joined(
    folder: str | os.PathLike, key: Mapping[str, Any]
) -> dict[str, Any] | None:
  """The report of a run of this key that was ended just after its film."""
  folder = files_lib.path(folder)
  _check_sealed(folder / 'key.json', False)
  if _read(folder / 'key.json') != _plain(key):
    return None
  return _told(folder, 'joined')


def opened(
    folder: str | os.PathLike, key: Mapping[str, Any], *, anew: bool = False
) -> Segments:
  """What an earlier run of the same film, settings and weights left there.

  A segment whose files are not as they were written is left out, with all
  after it; the log says so. (Whole but changed notes are known where they are
  sealed, and refused: nobody has them by accident.)

  Args:
    folder: made, if there is none.
    key: what the run is of, in JSON's types.
    anew: forget what is there.

  Raises:
    types.BadInput: what is there is of another key, or sealed and changed.
  """
  folder = files_lib.path(folder)
  _check_sealed(folder / 'key.json', anew)
  before = _read(folder / 'key.json')
  if anew or before is None:  # Without a key nobody knows what it is of.
    if not anew and (folder / 'key.json').exists():
      _log.warning('%s: what a run that was stopped left there cannot be gone '
                   'on with, its key.json is cut off; it begins anew.', folder)
    before = None
    shutil.rmtree(folder, ignore_errors=True)
  with workdir.written(folder):
    folder.mkdir(parents=True, exist_ok=True)
  key = _plain(key)
  if before is None:
    workdir.write_json(folder / 'key.json', key)
  elif before != key:
    raise types.BadInput(
        f'{folder}: a run that was stopped there began with '
        f'{_difference(before, key)}; set that back to go on with it, choose '
        'another --workdir, or remove this folder to begin anew.')
  segments = Segments(folder, run_of(key))
  while (notes := _read(folder / f'{len(segments.notes):06d}.json')) and (
      _is_whole(segments, notes)):
    segments.notes.append(_lean(notes))
  there = len([*folder.glob(f'{"[0-9]" * 6}.json')])
  _clean(segments)
  if len(segments.notes) < there:
    _log.warning('%s: %d of %d finished segments are as they were written; the '
                 'others are made anew.', folder, len(segments.notes), there)
  return segments


def carry_over(
    folder: str | os.PathLike, key: Mapping[str, Any],
    is_stale: Callable[[Mapping[str, Any]], bool],
) -> None:
  """Gives a run what another one finished that differs in some segments only.

  They are there as before, but as if something else had been decided of those
  that are stale: see decisions.to_do.

  Args:
    folder: of the segments of the other run.
    key: what the run is of.
    is_stale: of the notes of a segment.

  Raises:
    types.BadInput: the folder is sealed, and was changed.
  """
  folder, key = files_lib.path(folder), _plain(key)
  before = _read(folder / 'key.json')
  if before is None or before == key:
    return
  kept = opened(folder, before)
  for number in range(len(kept.notes)):
    path = folder / f'{number:06d}.json'
    notes = _read(path) | {'run': run_of(key)}
    if is_stale(notes):
      notes['decision'] = {'stale': True}
    workdir.write_json(path, notes)
  (folder / 'joined.json').unlink(missing_ok=True)
  # Last: whatever is there without it, nobody goes on with.
  workdir.write_json(folder / 'key.json', key)


def _check_sealed(path, anew) -> None:
  """Refuses what an earlier run left sealed, or did not."""
  if anew or not path.is_file() or not path.stat().st_size:
    return
  if encryption.is_sealed(path) != files_lib.is_sealed(path):
    raise types.BadInput(
        f'{path.parent}: a run that was stopped there began '
        f'{"without" if files_lib.is_sealed(path) else "with"} '
        '--config.encrypt; set that back to go on with it, choose another '
        '--workdir, or remove this folder to begin anew.')


def _plain(key):
  return json.loads(json.dumps(workdir.plain(dict(key))))


def run_of(key) -> str:
  """What stands for a key in notes."""
  return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _is_whole(segments, notes) -> bool:
  """Whether notes are those of the next segment, and its files as it says."""
  return notes.get('number') == len(segments.notes) and (
      notes.get('run') == segments.run) and all(
          _is_file(segments.folder / name, digest)
          for name, digest in _all_files(notes).items())


def _is_file(path, digest) -> bool:
  return path.is_file() and _hash(path) == digest


def _all_files(notes) -> dict[str, str]:
  return notes['files'] | notes.get('beside', {})


def _clean(segments) -> None:
  """Removes what belongs to no finished segment."""
  count = len(segments.notes)
  kept = {'key.json', 'measured.json', f'memory_{count - 1:06d}.npz'}
  kept |= {f'{i:06d}.json' for i in range(count)}
  kept |= {name.split('/')[0] for notes in segments.notes
           for name in _all_files(notes)}
  for path in segments.folder.iterdir():
    if path.name not in kept:
      if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
      else:
        path.unlink()
  if count and segments.notes[-1]['memory'] and not _is_file(
      segments.folder / f'memory_{count - 1:06d}.npz',
      segments.notes[-1]['memory']):
    # A later segment was damaged, and the memory of this one is gone, or is
    # another: back to where none was needed.
    while segments.notes and segments.notes[-1]['memory']:
      segments.notes.pop()
    _clean(segments)


def _difference(before, now) -> str:
  """What a user would call the difference between two keys."""
  flat = dict(_flat(before)), dict(_flat(now))
  names = sorted({k for k in {**flat[0], **flat[1]}
                  if flat[0].get(k) != flat[1].get(k)})
  settings = [k.removeprefix('settings.') for k in names
              if k.startswith('settings.')]
  if not settings:
    return 'another ' + ' and '.join(sorted({k.split('.')[0] for k in names}))
  return 'other settings: ' + ', '.join(
      f'{k}={flat[0].get(f"settings.{k}")!r}' for k in settings)


def _flat(tree, name=''):
  if isinstance(tree, dict):
    for key, value in tree.items():
      yield from _flat(value, f'{name}.{key}' if name else key)
  else:
    yield name, tree


def _tell(folder, what, told) -> None:
  workdir.write_json(
      folder / f'{what}.json', {'what': what, 'told': dict(told)})


def _told(folder, what) -> dict[str, Any] | None:
  """What _tell() was given; None: nothing, or the file is of something else."""
  found = _read(folder / f'{what}.json') or {}
  return found.get('told') if found.get('what') == what else None


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  """What is in a file; None: it is not there, or was never finished.

  Raises:
    types.BadInput: it is sealed, and was changed or is of another key.
  """
  try:
    found = json.loads(path.read_text())
  except encryption.WrongKeyError:
    raise
  except encryption.CutOffError:
    return None
  except types.BadInput as error:
    raise types.BadInput(
        f'{error} Or remove {path.parent} to begin anew.') from error
  except (OSError, ValueError):  # Or it was written as the power went off.
    return None
  return found if isinstance(found, dict) else None


def _hash(path: pathlib.Path) -> str:
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _sync(path: pathlib.Path) -> None:
  with open(path, 'rb') as file:
    os.fsync(file.fileno())
