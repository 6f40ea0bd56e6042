"""The folder of a run: one run at a time, and files that are never half."""

from collections.abc import Iterator
import contextlib
import errno
import fcntl
import json
import math
import os
import pathlib
from typing import Any

from revive_jax import files, types


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Makes the folder, and keeps other runs out of it until the end.

  Raises:
    types.BadInput: it cannot be made or written, or another run is in it.
  """
  folder = files.path(path)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / 'lock', 'w')
  except OSError as error:
    raise types.BadInput(
        f'The workdir {str(path)!r} cannot be written ({error.strerror}); '
        'choose another one with --workdir.') from error
  with lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      raise types.BadInput(
          f'Another run is using the workdir {str(path)!r}; wait for it, or '
          'choose another one with --workdir.') from error
    yield folder


@contextlib.contextmanager
def written(path: str | os.PathLike) -> Iterator[None]:
  """Turns what the system says about a file that is written into a sentence.

  Raises:
    types.BadInput: the disk is full, or the file cannot be written.
  """
  try:
    yield
  except OSError as error:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
      raise types.BadInput(
          f'{path}: no space left on the disk; free some and run the same '
          'command again, it goes on from there.') from error
    raise types.BadInput(
        f'{path}: cannot be written ({error.strerror}); choose another '
        '--workdir.') from error


def write_json(path: str | os.PathLike, value: Any) -> None:
  """Writes value beside path, then renames; NaN and infinity become null."""
  path = files.path(path)
  part = path.with_name(f'.{path.name}.part')
  try:
    with part.open('w') as file:
      json.dump(plain(value), file, indent=1, allow_nan=False)
      file.write('\n')
    os.replace(part, path)
  except OSError as error:
    part.unlink(missing_ok=True)
    raise types.BadInput(
        f'{str(path)!r} cannot be written ({error.strerror}).') from error


def plain(value: Any) -> Any:
  """value in JSON's own types; what is not finite is None."""
  if isinstance(value, dict):
    return {str(k): plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(v) for v in value]
  if isinstance(value, bool) or value is None:
    return value
  if isinstance(value, int):
    return int(value)
  if isinstance(value, (str, os.PathLike)):
    return os.fspath(value)
  number = float(value)
  return number if math.isfinite(number) else None
