"""Visitors: each has a folder of its own, which nobody else can name.

A visitor is a number that cannot be guessed. All that is a visitor's lies in
one folder, and is deleted together, a stated time after the last visit or the
end of the last job, whichever comes later; by a desk that runs, or that is
started later.
"""

from collections.abc import Callable
import contextlib
import fcntl
import os
import pathlib
import re
import secrets
import shutil

from absl import logging

from revive_jax import types
from revive_jax.desk import desk as desk_lib

_FORM = re.compile(r'[A-Za-z0-9_-]{43}')
_SEEN = 'seen'  # Its time of change is that of the last visit.
_OFFERED = 'offered'  # The same of when a desk first found a job ended.
_ENDS = ('ended.json', 'job.log')  # Of a film; what changed with a job's end.
_GONE = '.gone'  # Behind the names of folders that are being deleted.
_UNFINISHED = 3600.0  # Seconds that an upload may say nothing.
NOTE = 'film.json'  # Says what a film is; written when it is whole.
# Called with each folder that is deleted: what is kept in memory goes, too.
forgetting: list[Callable[[pathlib.Path], None]] = []
LOCK = 'running'  # Held by a job of a film for as long as it runs.


def new(desk: desk_lib.Desk) -> str:
  """A new visitor: 256 random bits, which are all that lets anybody in."""
  visitor = secrets.token_urlsafe(32)
  folder_ = desk.root / 'visitors' / visitor
  (folder_ / 'films').mkdir(parents=True, mode=0o700)
  os.chmod(folder_, 0o700)
  (folder_ / _SEEN).touch()
  _see(desk, folder_)
  return visitor


def folder(
    desk: desk_lib.Desk, visitor: str, touch: bool = True
) -> pathlib.Path:
  """The folder of a visitor.

  Args:
    desk: where.
    visitor: what new() gave; anything else is nobody.
    touch: whether this is a visit: from it on the lifetime counts.

  Raises:
    types.BadInput: there is no such visitor, or its time is over.
  """
  known = isinstance(visitor, str) and _FORM.fullmatch(visitor)
  folder_ = desk.root / 'visitors' / visitor if known else None
  if folder_ is None or folder_.is_symlink() or not folder_.is_dir():
    raise types.BadInput(
        'This desk does not know you, or your time here is over and your files '
        'are deleted; open the page anew.')
  if touch:
    _see(desk, folder_)
  return folder_


def _see(desk, folder_) -> None:
  now = desk.clock()
  with contextlib.suppress(FileNotFoundError):  # Deleted just now.
    os.utime(folder_ / _SEEN, (now, now))


def deletion(desk: desk_lib.Desk, visitor: str) -> float:
  """When all of a visitor is deleted if nobody comes and no job runs.

  In seconds, by the clock of the desk.
  """
  return _end(desk, folder(desk, visitor, touch=False))


def _end(desk, folder_) -> float:
  last = max(_seen(folder_), _job_end(folder_), _time(folder_ / _OFFERED))
  return last + desk.limits.lifetime


def _seen(folder_) -> float:
  # Without a time it was never finished.
  return _time(folder_ / _SEEN) or folder_.stat().st_mtime


def _job_end(folder_) -> float:
  """When the last of a visitor's jobs ended; 0: there was none."""
  return max((_time(film / name) for film in folder_.glob('films/*')
              for name in _ENDS), default=0.0)


def _time(path) -> float:
  try:
    return path.stat().st_mtime
  except (FileNotFoundError, NotADirectoryError):
    return 0.0


def _offer(desk, folder_) -> None:
  """From now on a job's end can be seen, also of one that outlived a desk."""
  end = _job_end(folder_)
  if end > max(_seen(folder_), _time(folder_ / _OFFERED)) and not running(
      folder_):
    (folder_ / _OFFERED).touch()
    os.utime(folder_ / _OFFERED, (desk.clock(),) * 2)


def sweep(desk: desk_lib.Desk) -> list[str]:
  """Deletes all of each visitor whose time is over; returns who that was.

  Not while a job of theirs runs. What cannot be deleted keeps nothing else from
  it, and is tried again the next time.
  """
  removed = []
  for folder_ in sorted((desk.root / 'visitors').iterdir()):
    try:
      if _is_removed(desk, folder_):
        removed.append(folder_.name.removesuffix(_GONE))
    except OSError:
      logging.exception('A visitor whose time is over cannot be deleted.')
  return removed


def _is_removed(desk, folder_) -> bool:
  """Deletes all of a visitor, if the time is over; returns whether it is."""
  with desk.alone():
    if not folder_.name.endswith(_GONE):
      _offer(desk, folder_)
    over = folder_.name.endswith(_GONE) or (
        desk.clock() >= _end(desk, folder_) and not running(folder_))
    if over:
      folder_ = _renamed(folder_)
  if over:
    delete(folder_)
  else:
    _remove_unfinished(desk, folder_)
  return over


def _remove_unfinished(desk, folder_) -> None:
  """Uploads that ended with the desk, or with the line."""
  for film in folder_.glob('films/*'):
    with contextlib.suppress(FileNotFoundError):  # Just now it was.
      last = max(p.stat().st_mtime for p in (film, *film.iterdir()))
      if not (film / NOTE).exists() and desk.clock() - last > _UNFINISHED:
        shutil.rmtree(film, ignore_errors=True)


def remove(desk: desk_lib.Desk, visitor: str) -> None:
  """Deletes all of a visitor now.

  Raises:
    types.BadInput: a job of theirs runs.
  """
  folder_ = folder(desk, visitor, touch=False)
  with desk.alone():
    if running(folder_):
      raise types.BadInput(
          'A film of yours is being worked on; cancel that first, then delete.')
    folder_ = _renamed(folder_)
  delete(folder_)


def delete(folder_: pathlib.Path) -> None:
  """Deletes a folder, and what is kept in memory of the films in it."""
  shutil.rmtree(folder_, ignore_errors=True)
  plain = folder_.with_name(folder_.name.removesuffix(_GONE))
  for forget in forgetting:
    forget(plain)


def _renamed(folder_) -> pathlib.Path:
  """From here on nobody finds it, also where deleting is broken off."""
  if folder_.name.endswith(_GONE):
    return folder_
  gone = folder_.with_name(folder_.name + _GONE)
  folder_.rename(gone)
  return gone


def running(folder_: pathlib.Path) -> list[str]:
  """The films in the folder of a visitor that a job is at, by their ids."""
  return sorted(p.parent.name for p in folder_.glob(f'films/*/{LOCK}')
                if is_held(p))


def is_held(path: pathlib.Path) -> bool:
  """Whether a process that lives holds this lock; whoever died, does not."""
  try:
    with open(path) as lock:
      fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  except FileNotFoundError:
    return False
  return False
