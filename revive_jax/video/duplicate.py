"""The source beside the restored film, byte for byte.

For outputs in which its packets cannot travel (original.py): a copy, or a ZIP
of a folder of pictures, with its SHA-256 in a file of its own, and that of the
film that it is the original of (bond.py).
"""

import contextlib
import os
import pathlib
import shutil
import zipfile

from revive_jax import files, types
from revive_jax.video import atomic, bond, images, probe

_MARK = '.original'
_SUMS = '.sha256'
_FILM = '# film '  # A line that sha256sum passes over.
_PIECE = 1 << 20  # Bytes copied at once.


def sidecar(info: probe.VideoInfo, film: str | os.PathLike) -> pathlib.Path:
  """Where the original lies beside a film: film.mp4.original.mpg."""
  suffix = '.zip' if info.kind == 'images' else files.suffix(info.path)
  return files.beside(film, _MARK + suffix)


def keep(
    info: probe.VideoInfo, film: str | os.PathLike, made: str,
    later: contextlib.ExitStack,
) -> pathlib.Path:
  """Copies the source beside a film, byte for byte.

  A folder of pictures becomes a ZIP. Lines with its SHA-256 and with that of
  the film lie beside it.

  Args:
    info: of the source.
    film: where the film goes.
    made: what bond.of says of the film.
    later: what is written gets its names when this closes without an error:
      when the film has its own.

  Returns:
    Where the copy will lie.

  Raises:
    OSError: the disk is full, or cannot be written.
  """
  place = sidecar(info, film)
  part = later.enter_context(atomic.replacing(place))
  if info.kind == 'images':
    with part.open('wb') as file, zipfile.ZipFile(file, 'w') as archive:
      for path in images.list_pictures(info.path):
        with files.path(path).open('rb') as picture, archive.open(
            files.opened_name(path).name, 'w') as copy:
          shutil.copyfileobj(picture, copy, _PIECE)
  else:
    with files.path(info.path).open('rb') as source, part.open('wb') as copy:
      shutil.copyfileobj(source, copy, _PIECE)
  sums = later.enter_context(atomic.replacing(files.beside(place, _SUMS)))
  with sums.open('wb') as file:
    file.write(f'{bond.of(part)}  {files.opened_name(place).name}\n'
               f'{_FILM}{made}\n'.encode())
  return place


def beside(film: str | os.PathLike) -> list[pathlib.Path]:
  """The originals that lie beside a film of that name, whatever film it was."""
  film = files.path(film)
  if not film.parent.is_dir():
    return []
  name = files.opened_name(film).name + _MARK + '.'
  return [p for p in sorted(film.parent.iterdir())
          if p.name.startswith(name) and files.suffix(p) != _SUMS]


def find(film: str | os.PathLike) -> pathlib.Path | None:
  """The original that was kept with this very film; None: there is none."""
  found = beside(film)
  if not found or not os.path.exists(film):
    return None
  made = bond.of(film)
  return next((p for p in found if _sums(p)[1] == made), None)


def is_of(kept: pathlib.Path, info: probe.VideoInfo) -> bool:
  """Whether what keep() kept is this source."""
  if info.kind != 'images':
    return bond.of(kept) == bond.of(info.path)
  pictures = {files.opened_name(p).name: p
              for p in images.list_pictures(info.path)}
  try:
    with kept.open('rb') as file, zipfile.ZipFile(file) as archive:
      return archive.namelist() == list(pictures) and all(
          archive.read(name) == files.path(path).read_bytes()
          for name, path in pictures.items())
  except zipfile.BadZipFile:
    return False


def give_back(kept: pathlib.Path, destination: str | os.PathLike) -> None:
  """Copies, or unpacks, what keep() kept, after checking it.

  Raises:
    types.BadInput: it is not what it was, or destination cannot be written.
  """
  destination = files.path(destination)
  if _sums(kept)[0] != bond.of(kept):
    raise types.BadInput(
        f'{kept}: this is not what was kept (its SHA-256 is not the one in '
        f'{files.beside(kept, _SUMS).name}); take another copy of both.')
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


def _sums(kept: pathlib.Path) -> tuple[str, str]:
  """The SHA-256 of what was kept, and of its film; '' where nothing says it."""
  path = files.beside(kept, _SUMS)
  if not path.is_file():
    return '', ''
  with path.open('rb') as file:
    lines = file.read().decode('utf-8', 'replace').splitlines()
  films = [x.removeprefix(_FILM) for x in lines if x.startswith(_FILM)]
  return ''.join(lines[:1]).partition(' ')[0], ''.join(films[:1])
