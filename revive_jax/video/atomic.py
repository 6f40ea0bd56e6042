"""Output appears whole under its name, or not at all."""

from collections.abc import Iterable, Iterator
import contextlib
import errno
import os
import pathlib
import shutil
import tempfile

from revive_jax import files, types

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def _remove(path: pathlib.Path) -> None:
  if path.is_dir() and not path.is_symlink():
    shutil.rmtree(path, ignore_errors=True)
  else:
    path.unlink(missing_ok=True)


def _size(path: pathlib.Path) -> int:
  parts = path.rglob('*') if path.is_dir() else [path]
  return sum(p.stat().st_size for p in parts if p.is_file())


def _sync(path: pathlib.Path) -> None:
  """Waits until a file, or a folder with its files, is on the disk."""
  for part in path.iterdir() if path.is_dir() else ():
    _sync(part)
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def _refusal(path, error: OSError, written: int) -> types.BadInput:
  if error.errno in _FULL:
    return types.BadInput(
        f'{path}: no space left on the disk (or the size limit is reached) '
        f'after {written / 1e6:.1f} MB; free some and run again.')
  return types.BadInput(
      f'{path}: cannot be written ({error.strerror or error}).')


def check_writable(path: pathlib.Path) -> None:
  """Raises BadInput if path, or the folders above it, cannot be made."""
  above = path.parent
  while not above.exists() and above != above.parent:
    above = above.parent
  if not above.is_dir():
    raise types.BadInput(f'{path}: {above} is a file, not a folder.')
  try:
    with tempfile.TemporaryFile(dir=above):
      pass
  except OSError as e:
    raise types.BadInput(
        f'{path}: no file can be made in {above} '
        f'({e.strerror}); choose another place.') from e


@contextlib.contextmanager
def _undone(path, part) -> Iterator[None]:
  """Removes part on any exception; errors of the system become BadInput."""
  try:
    yield
  except OSError as e:  # FFmpeg's errors of the system are OSErrors, too.
    written = _size(part)
    _remove(part)
    raise _refusal(path, e, written) from e
  except BaseException:
    _remove(part)
    raise


@contextlib.contextmanager
def replacing(path: pathlib.Path, *, folder=False) -> Iterator[pathlib.Path]:
  """Yields a hidden name beside path; renames it to path at the end.

  On any exception what was written is removed, and path is as it was before.
  A full disk, and other errors of the system, become BadInput. folder: the
  name is that of a new, empty folder, and path must be an empty one or none.
  """
  shown = files.opened_name(path)
  part = path.with_name(f'.{shown.stem}.part{shown.suffix}')
  with _undone(path, part):
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(part)  # Of a run that was killed.
    if folder:
      part.mkdir()
    yield part
    _sync(part)
    if folder and path.is_dir():
      path.rmdir()
    os.replace(part, path)


@contextlib.contextmanager
def renewing(
    path: pathlib.Path, names: Iterable[str]
) -> Iterator[pathlib.Path]:
  """Yields a hidden folder beside path; at the end its files go into path.

  What path holds by these names goes then, and nothing else of it. On any
  exception before that path is as it was; errors are those of replacing().
  """
  part = path.with_name(f'.{path.name}.part')
  with _undone(path, part):
    _remove(part)  # Of a run that was killed.
    part.mkdir(parents=True)
    yield part
    _sync(part)
    path.mkdir(exist_ok=True)
    for name in names:
      _remove(path / name)
    for made in part.iterdir():
      os.replace(made, path / made.name)
    part.rmdir()
