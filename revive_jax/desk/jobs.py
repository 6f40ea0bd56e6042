"""Jobs: long work on a film, by a process of its own that outlives the desk.

What a job is and how far it came is on the disk, so that a desk that is started
anew finds it. Whether it lives is told by a lock that it holds, and the system
takes from the dead. The same command goes on where a job was stopped or died.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any, NamedTuple

from revive_jax import settings as settings_lib
from revive_jax import types
from revive_jax import workdir as workdir_lib
from revive_jax.desk import (
  decided,
  known,
  masks,
  places,
  settings,
  visitors,
)
from revive_jax.desk import desk as desk_lib

KINDS = ('restore', 'measure')
_NOTE, _LOG, _ENDED, _CANCELLED = (
    'job.json', 'job.log', 'ended.json', 'cancelled')
_TAIL = 1 << 14  # Bytes of a log that are looked at.
_PATIENCE = 20.0  # Seconds from asking a job to end to ending it.
# Where a label stands in a whole job: from, to.
_PARTS = {'restore': {'Restoring': (0.0, 1.0)},
          'measure': {'Looking for fields': (0.0, 0.4),
                      'Measuring': (0.4, 1.0)}}
_WORKER = pathlib.Path(__file__).parent / 'worker.py'


class State(NamedTuple):
  """How it is with the last job of a film."""

  name: str  # 'none', 'running', 'done', 'cancelled', 'refused', 'failed' (a
  # bug), or 'crashed': something ended it.
  kind: str = ''  # Of KINDS.
  label: str = ''  # What is being done.
  done: int | None = None  # Frames; the next ones too.
  total: int | None = None
  seconds_left: float | None = None
  fraction: float | None = None  # Of all, in [0, 1].
  sentence: str = ''  # For people.
  can_go_on: bool = False  # Whether start() goes on with it.
  seconds: float = 0.0  # Since it began, or that it took.


def start(place: places.Place, kind: str = 'restore') -> State:
  """Starts a job, or goes on with one that was stopped or died.

  Args:
    place: the film.
    kind: 'measure', which comes first, or 'restore'.

  Raises:
    types.BadInput: there are too many jobs, or one at this film; or the restore
      would be refused.
  """
  if kind not in KINDS:
    raise ValueError(f'There is no job {kind!r}.')
  if kind == 'restore':
    settings_lib.check(settings.config(place))
    known.opened(place)
  with _reserved(place, kind) as lock:
    _spawn(place, kind, _command(place, kind), lock)
  return state(place)


def _command(place, kind) -> list[str]:
  """What the process is to run; all that it reads is put there."""
  if kind == 'measure':
    return [sys.executable, '-m', 'revive_jax.desk.measuring',
            str(place.desk.root), place.visitor, place.id]
  decided.settle(place)
  with masks.composed(place) as digests:
    known.hand_over(place, digests)
    return settings.arguments(place)


@contextlib.contextmanager
def _reserved(place, kind):
  """Holds the lock of a film, if there may be one more job."""
  desk = place.desk
  with desk.alone():
    others = listed(desk)
    if (place.visitor, place.id) in others:
      raise types.BadInput(
          'This film is being worked on already; wait for it, or cancel it.')
    if len(others) >= desk.limits.jobs:
      raise types.BadInput(
          f'This desk is working on {_several(len(others))} already, and takes '
          'no more; try again when that is done.')
    own = sum(visitor == place.visitor for visitor, _ in others)
    if own >= desk.limits.jobs_of_visitor:
      raise types.BadInput(
          f'This desk is working on {_several(own)} of yours; wait for that, '
          'or cancel it.')
    lock = _locked(place.folder / visitors.LOCK)
    # From here on nothing is told, and no process stopped, of the last job.
    for name in (_LOG, _ENDED, _CANCELLED):
      (place.folder / name).unlink(missing_ok=True)
    _write_note(place, kind)
  with lock:
    try:
      yield lock
    except BaseException:
      (place.folder / _NOTE).unlink(missing_ok=True)
      raise


def _write_note(place, kind, group=None) -> None:
  """Notes a job; group: of its processes, None: there are none yet."""
  workdir_lib.write_json(place.folder / _NOTE, {
      'kind': kind, 'group': group, 'started': place.desk.clock()})


def _several(count) -> str:
  return 'a film' if count == 1 else f'{count} films'


def _locked(path):
  lock, end = open(path, 'w'), time.monotonic() + 5
  while True:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return lock
    except BlockingIOError:  # Somebody looks whether it is held.
      if time.monotonic() > end:
        lock.close()
        raise
      time.sleep(0.01)


def _spawn(place, kind, command, lock) -> None:
  """Starts a process with a group of its own, which holds the lock."""
  if (place.folder / _CANCELLED).exists():  # While all was made ready.
    return
  package = str(pathlib.Path(__file__).parents[2])
  paths = [package, *filter(None, [os.environ.get('PYTHONPATH')])]
  process = subprocess.Popen(
      [sys.executable, str(_WORKER), str(place.folder), str(lock.fileno()),
       *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL, start_new_session=True,
      pass_fds=[lock.fileno()], cwd=place.folder,
      env=os.environ | {'PYTHONPATH': os.pathsep.join(paths)})
  _ours.append(process)
  _ours[:] = [p for p in _ours if p.poll() is None]  # None stays a zombie.
  with place.desk.alone():  # cancel() sees the group, or is seen.
    _write_note(place, kind, process.pid)
    if (place.folder / _CANCELLED).exists():
      _signal(process.pid, signal.SIGINT)


_ours: list[subprocess.Popen] = []


def cancel(place: places.Place) -> State:
  """Asks the job of a film to end; what it finished stays.

  Asked again after 20 seconds, it is ended.
  """
  path = place.folder / _CANCELLED
  with place.desk.alone():  # No other job begins: the group is that of this.
    note = _read(place.folder / _NOTE)
    if note and visitors.is_held(place.folder / visitors.LOCK):
      hard = path.exists() and time.time() - path.stat().st_mtime > _PATIENCE
      if not path.exists():
        path.touch()
      if note['group'] is not None:
        _signal(note['group'], signal.SIGKILL if hard else signal.SIGINT)
  return state(place)


def _signal(group, number) -> None:
  with contextlib.suppress(ProcessLookupError):
    os.killpg(group, number)


def listed(
    desk: desk_lib.Desk, visitor: str | None = None
) -> list[tuple[str, str]]:
  """The jobs that run, as (visitor, film): all, or those of one visitor."""
  folders = [visitors.folder(desk, visitor)] if visitor else [
      *(desk.root / 'visitors').iterdir()]
  return [(folder.name, film) for folder in sorted(folders)
          for film in visitors.running(folder)]


def state(place: places.Place) -> State:
  """How it is with the last job of a film, by what is on the disk."""
  for process in _ours:
    process.poll()
  note = _read(place.folder / _NOTE)
  if note is None:
    return State('none')
  lives = visitors.is_held(place.folder / visitors.LOCK)
  ended = _read(place.folder / _ENDED)
  log = _tail(place.folder / _LOG)
  found = _progress(note['kind'], log) | {'kind': note['kind']}
  if lives:
    return State('running', **found, sentence=(
        'It is being stopped.' if (place.folder / _CANCELLED).exists() else ''),
                 seconds=place.desk.clock() - note['started'])
  name, sentence = _outcome(place, note, ended, log)
  found['fraction'] = 1.0 if name == 'done' else found['fraction']
  found['seconds_left'] = None
  end = _time(place.folder / _ENDED) or _time(place.folder / _LOG)
  return State(name, **found, sentence=sentence, can_go_on=name != 'done',
               seconds=max(0.0, (end or note['started']) - note['started']))


def _outcome(place, note, ended, log) -> tuple[str, str]:
  """What became of a job that runs no more, and a sentence on it."""
  code = None if ended is None else ended['code']
  if code is None and note['kind'] == 'restore' and _is_whole(place, note):
    code = 0  # What said how it ended was ended first.
  if code == 0:
    return 'done', ''
  if (place.folder / _CANCELLED).exists() or code == 130:
    return 'cancelled', ('It was stopped; what is finished is kept, and it '
                         'goes on from there when you start it again.')
  if code == 2:
    return 'refused', _said(place, log)
  if code == 1:
    return 'failed', ('This is a fault of the program; try it again, and if it '
                      'happens again, please report it.')
  how = 'it may have had too little memory' if code == -signal.SIGKILL else (
      'perhaps the computer was switched off')
  return 'crashed', (f'It ended without a word ({how}); what is finished is '
                     'kept, and it goes on from there when you start it again.')


def _is_whole(place, note) -> bool:
  path = place.folder / 'work' / 'report.json'
  return settings.output(place).exists() and (
      _time(path) or 0.0) >= note['started']


def _said(place, log) -> str:
  """The sentence of a refusal."""
  said = [line.removeprefix('revive_jax: ') for line in log
          if line.startswith('revive_jax: ')]
  text = said[-1] if said else 'It was refused, and nobody knows why.'
  return places.plainly(place, text)


def _progress(kind, log) -> dict[str, Any]:
  """The last that was said of how far it is."""
  for line in reversed(log):
    try:
      told = json.loads(line)
      done, total = told['done'], told['total']
      label, left = told['label'], told['seconds_left']
    except (ValueError, LookupError, TypeError):
      continue
    first, last = _PARTS[kind].get(label, (0.0, 0.0))
    share = min(done / total, 1.0) if total else 0.0
    return {'label': label, 'done': done, 'total': total, 'seconds_left': left,
            'fraction': round(first + (last - first) * share, 4)}
  return {'label': '', 'done': None, 'total': None, 'seconds_left': None,
          'fraction': None}


def _tail(path) -> list[str]:
  try:
    with open(path, 'rb') as file:
      file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
      return file.read().decode(errors='replace').splitlines()
  except FileNotFoundError:
    return []


def _read(path) -> dict[str, Any] | None:
  try:
    return json.loads(path.read_text())
  except (OSError, ValueError):
    return None


def _time(path) -> float | None:
  try:
    return path.stat().st_mtime
  except FileNotFoundError:
    return None
