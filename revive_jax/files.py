"""Files by their paths: a path may say itself how it is opened.

A plain path opens the file of its name. One of a vault (privacy/vault.py)
opens what is sealed in it; so a function that is given a path, and opens it
with path.open() or with media(), writes sealed files without knowing of keys.
Whoever turns such a path into a string loses that: use path() below.
"""

import os
import pathlib

SEALED = '.sealed'  # Behind the names of sealed films and pictures.


def path(name: str | os.PathLike) -> pathlib.Path:
  """The path of a name; what is a path already stays what it is."""
  return name if isinstance(name, pathlib.Path) else pathlib.Path(name)


def name(path_: str | os.PathLike) -> str | pathlib.Path:
  """A path as a string; one of a vault stays as it is."""
  return path_ if is_sealed(path_) else os.fspath(path_)


def outputs(workdir: str | os.PathLike, name_: str) -> pathlib.Path:
  """Where an output of a run lies that has no place of its own."""
  end = SEALED if is_sealed(workdir) and path(name_).suffix else ''
  return path(workdir) / 'outputs' / f'{name_}{end}'


def beside(name_: str | os.PathLike, ending: str) -> pathlib.Path:
  """The path of a file that belongs to another: film.mkv gets an ending."""
  place = path(name_)
  end = SEALED if is_sealed(place) and place.suffix == SEALED else ''
  return place.with_name(f'{place.name.removesuffix(end)}{ending}{end}')


def is_sealed(name: str | os.PathLike) -> bool:
  """Whether files of this path are sealed."""
  return hasattr(name, 'vault')


def opened_name(name: str | os.PathLike) -> pathlib.PurePath:
  """The name of what is in a file, whether it is sealed or not.

  film.mkv.sealed is a film.mkv.
  """
  return pathlib.PurePath(os.fspath(name).removesuffix(SEALED))


def suffix(name: str | os.PathLike) -> str:
  """The suffix of what is in a file, in lower case."""
  return opened_name(name).suffix.lower()


def is_private(file) -> bool:
  """Whether nobody but its owner can read an open file, as far as one knows."""
  return os.name != 'posix' or not os.fstat(file.fileno()).st_mode & 0o077


def media(name: str | os.PathLike, mode: str = 'r'):
  """What av.open is to be given: a name, or an open file of what is sealed.

  mode: 'r' or 'w'. A file that is written must be closed with close() when its
  container is; one that is read closes itself with the last reference to it.
  """
  if is_sealed(name):
    return name.open(f'{mode}b')
  return os.path.abspath(name)


def close(opened) -> None:
  """Closes what media() gave, if there is something to close."""
  if not isinstance(opened, str):
    opened.close()
