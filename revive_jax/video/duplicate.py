"""The source beside the restored film, byte for byte.

For outputs in which its packets cannot travel (original.py): a copy, or a ZIP
of a folder of pictures, with its SHA-256 in a file of its own.
"""

import hashlib
import os
import pathlib
import shutil
import zipfile

from revive_jax import files, types
from revive_jax.video import atomic, images, probe

_MARK = '.original'
_SUMS = '.sha256'
_PIECE = 1 << 20  # Bytes copied at once.


def sidecar(info: probe.VideoInfo, film: str | os.PathLike) -> pathlib.Path:
  """Where the original lies beside a film: film.mp4.original.mpg."""
  suffix = '.zip' if info.kind == 'images' else files.suffix(info.path)
  return files.beside(film, _MARK + suffix)


def keep(info: probe.VideoInfo, film: str | os.PathLike) -> str:
  """Copies the source beside a film, byte for byte; returns the copy's name.

  A folder of pictures becomes a ZIP. A line with its SHA-256 lies beside it.

  Raises:
    types.BadInput: the disk is full, or cannot be written.
  """
  place = sidecar(info, film)
  with atomic.replacing(place) as part:
    if info.kind == 'images':
      with part.open('wb') as file, zipfile.ZipFile(file, 'w') as archive:
        for path in images.list_pictures(info.path):
          with files.path(path).open('rb') as picture, archive.open(
              files.opened_name(path).name, 'w') as copy:
            shutil.copyfileobj(picture, copy, _PIECE)
    else:
      with files.path(info.path).open('rb') as source, part.open('wb') as copy:
        shutil.copyfileobj(source, copy, _PIECE)
  with atomic.replacing(files.beside(place, _SUMS)) as part:
    with part.open('wb') as file:
      file.write(
          f'{_digest(place)}  {files.opened_name(place).name}\n'.encode())
  return str(place)


def find(film: str | os.PathLike) -> pathlib.Path | None:
  """The original beside a film; None: there is none."""
  film = files.path(film)
  if not film.parent.is_dir():
    return None
  name = files.opened_name(film).name + _MARK + '.'
  found = [p for p in sorted(film.parent.iterdir())
           if p.name.startswith(name) and files.suffix(p) != _SUMS]
  return found[0] if found else None


def give_back(kept: pathlib.Path, destination: str | os.PathLike) -> None:
  """Copies, or unpacks, what keep() kept, after checking it.

  Raises:
    types.BadInput: it is not what it was, or destination cannot be written.
  """
  destination = files.path(destination)
  sums = files.beside(kept, _SUMS)
  if not sums.is_file() or _sum(sums) != _digest(kept):
    raise types.BadInput(
        f'{kept}: this is not what was kept (its SHA-256 is not the one in '
        f'{sums.name}); take another copy of both.')
  is_folder = files.suffix(kept) == '.zip'
  with atomic.replacing(destination, folder=is_folder) as part:
    if not is_folder:
      with kept.open('rb') as source, part.open('wb') as copy:
        shutil.copyfileobj(source, copy, _PIECE)
      return
    with kept.open('rb') as file, zipfile.ZipFile(file) as archive:
      for name in archive.namelist():  # No name leads out of the folder.
        with archive.open(name) as source, (
            part / os.path.basename(name)).open('wb') as copy:
          shutil.copyfileobj(source, copy, _PIECE)


def _digest(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _sum(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return file.read().decode('utf-8', 'replace').partition(' ')[0]
