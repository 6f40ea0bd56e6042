"""Uploads: bytes come in, a film lies there: sealed, if files are.

No byte is on the disk in the clear then: what comes is sealed as it comes.
"""

from collections.abc import Mapping
import contextlib
import json
import pathlib
import re
import secrets
import shutil
from typing import Any

from revive_jax import files, types
from revive_jax import workdir as workdir_lib
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import example as example_lib
from revive_jax.desk import visitors
from revive_jax.video import probe, sandbox

SUFFIXES = (
    '.mp4', '.mkv', '.mov', '.avi', '.mpg', '.mpeg', '.m2v', '.ts', '.mts',
    '.m2ts', '.vob', '.webm', '.wmv', '.flv', '.3gp', '.mxf', '.dv', '.ogv',
    '.nut', '.y4m', '.m4v', '.divx', '.asf', '.png', '.jpg', '.jpeg', '.tif',
    '.tiff', '.bmp')
_SPARE = 256 << 20  # Bytes of the disk that an upload leaves free...
_OFTEN = 16 << 20  # ...which is looked at again after so many.
_LONGEST = 80  # Characters of a name.


class Receiver:
  """Takes one film, piece by piece; made by receive()."""

  def __init__(self, desk: desk_lib.Desk, visitor: str, folder: pathlib.Path,
               name: str):
    self._desk, self._visitor, self._folder = desk, visitor, folder
    self._name, self._count = name, 0
    suffix = pathlib.PurePath(name).suffix.lower()
    self._path = desk.path(
        folder / f'source{suffix}{files.SEALED if desk.vault else ""}')
    self._file = self._path.open('wb')

  def __enter__(self):
    return self

  def __exit__(self, kind, value, trace):
    if not self._file.closed:
      self.abort()

  def write(self, chunk: bytes) -> None:
    """Takes a piece.

    Raises:
      types.BadInput: they are too many bytes, or the disk is full; all of it is
        removed.
    """
    before, self._count = self._count, self._count + len(chunk)
    try:
      _check_size(self._desk, self._count)
      if before // _OFTEN < self._count // _OFTEN:
        _check_room(self._desk, 0)
      with workdir_lib.written(self._name):
        self._file.write(chunk)
    except BaseException:
      self.abort()
      raise

  def close(self) -> str:
    """All is there; returns the id of the film.

    Raises:
      types.BadInput: it is no film, or too long; it is removed.
    """
    try:
      self._file.close()
      _check_film(self._desk, self._path, self._name)
      workdir_lib.write_json(self._desk.path(self._folder / visitors.NOTE), {
          'name': self._name, 'source': self._path.name,
          'bytes': self._count, 'made': self._desk.clock()})
      visitors.folder(self._desk, self._visitor)
    except BaseException:
      self.abort()
      raise
    return self._folder.name

  def abort(self) -> None:
    """Forgets it."""
    with contextlib.suppress(OSError):
      self._file.close()
    shutil.rmtree(self._folder, ignore_errors=True)


def receive(
    desk: desk_lib.Desk, visitor: str, name: str, size: int | None = None
) -> Receiver:
  """Begins an upload.

  Args:
    desk: where.
    visitor: whose.
    name: of the file at the visitor's; only for people, no path is made of it.
    size: bytes that are promised, if they are.

  Raises:
    types.BadInput: it is no film by its name, too large, or one too many.
  """
  folder = visitors.folder(desk, visitor)
  name = cleaned(name)
  suffix = pathlib.PurePath(name).suffix.lower()
  if suffix not in SUFFIXES:
    raise types.BadInput(
        f'{name}: this is no kind of film or picture that can be opened here; '
        f'take one of {", ".join(s[1:] for s in SUFFIXES)}.')
  if size is not None:
    _check_size(desk, size)
  _check_room(desk, size or 0)
  with desk.alone():
    if len([*(folder / 'films').iterdir()]) >= desk.limits.films:
      raise types.BadInput(
          f'No more than {desk.limits.films} of your films can be here at '
          'once; delete one first.')
    own = folder / 'films' / secrets.token_hex(8)
    own.mkdir(mode=0o700)
  return Receiver(desk, visitor, own, name)


def cleaned(name: str) -> str:
  """A name without folders, and without what does not belong in one line."""
  name = re.split(r'[/\\]', str(name))[-1]
  name = ''.join(c for c in name if c.isprintable()).strip().lstrip('.')
  path = pathlib.PurePath(name or 'film')
  suffix = path.suffix[:8]
  return f'{path.stem[:_LONGEST - len(suffix)]}{suffix}'


def example(desk: desk_lib.Desk, visitor: str) -> str:
  """The demo clip as a film of this visitor; returns its id.

  It is made once, for all.
  """
  path = example_lib.clip(desk.root, desk.vault)
  with receive(desk, visitor, example_lib.NAME) as receiver:
    with path.open('rb') as file:
      while chunk := file.read(1 << 20):
        receiver.write(chunk)
    return receiver.close()


def films(desk: desk_lib.Desk, visitor: str) -> list[dict[str, Any]]:
  """A visitor's films: 'id', 'name', 'bytes' and 'made', the oldest first."""
  folder = visitors.folder(desk, visitor)
  found = []
  for own in (folder / 'films').iterdir():
    with contextlib.suppress(FileNotFoundError):  # It is on its way.
      note = noted(desk, own)
      found.append({'id': own.name} | {
          key: note[key] for key in ('name', 'bytes', 'made')})
  return sorted(found, key=lambda film: (film['made'], film['id']))


def noted(desk: desk_lib.Desk, folder: pathlib.Path) -> Mapping[str, Any]:
  """What was noted of a film; FileNotFoundError: it is not whole."""
  return json.loads(desk.path(folder / visitors.NOTE).read_text())


def remove(desk: desk_lib.Desk, visitor: str, film: str) -> None:
  """Deletes a film and all that was made of it.

  Raises:
    types.BadInput: a job is at it.
  """
  folder = visitors.folder(desk, visitor)
  with desk.alone():
    if film in visitors.running(folder):
      raise types.BadInput(
          'This film is being worked on; cancel that first, then delete it.')
    own = [p for p in (folder / 'films').iterdir() if p.name == film]
    for path in own:  # From here on it is no film.
      (path / visitors.NOTE).unlink(missing_ok=True)
  for path in own:
    visitors.delete(path)


def _check_size(desk, size) -> None:
  if size > desk.limits.bytes:
    raise types.BadInput(
        f'The file has more than the {desk.limits.bytes / 1e6:,.0f} MB that '
        'this desk takes; cut it into parts, or use the command line, which '
        'has no such limit.')


def _check_room(desk, size) -> None:
  """Refuses what would fill the disk for all others, too."""
  if shutil.disk_usage(desk.root).free < size + _SPARE:
    raise types.BadInput(
        'The disk of this desk is full; delete films that you do not need any '
        'more, or ask whoever runs it.')


def _check_film(desk, path, name) -> None:
  """Refuses what is no film, by its own name; or a film that is too long.

  As far as its file declares that; known.py looks again when it was measured.
  """
  try:
    info = probe.probe(sandbox.guarded(files.name(path), desk.c.sandbox),
                       frame_rate=desk.c.frame_rate)
  except types.BadInput as error:
    raise types.BadInput(str(error).replace(str(path), name)) from error
  check_length(desk, name, info.duration or float(
      (info.frame_count or 0) / info.frame_rate))


def check_length(desk: desk_lib.Desk, name: str, seconds: float) -> None:
  """Refuses a film of so many seconds, if it is too long."""
  if seconds > desk.limits.seconds:
    raise types.BadInput(
        f'{name}: the film lasts {seconds / 60:.1f} minutes, and this desk '
        f'takes {desk.limits.seconds / 60:.1f}; cut it into parts, or use the '
        'command line, which has no such limit.')
