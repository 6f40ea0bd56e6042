"""Restore-original: gives the source of a restored film back, bit for bit."""

import os
from typing import NamedTuple

from revive_jax import files, types
from revive_jax.video import duplicate
from revive_jax.video import original as original_lib


class Returned(NamedTuple):
  """What was given back."""

  path: str
  warnings: list[str]  # What in it is not as it was; none, as a rule.


def give_back(
    workdir: str, film: str, destination: str | None = None
) -> Returned:
  """Writes the original of a film that was restored with keep_original.

  Args:
    workdir: gets outputs/<name>_original, in the source's kind of file, if
      destination is None.
    film: the restored film.
    destination: where the original goes; of pictures, a new folder.

  Raises:
    types.BadInput: there is no film, no original in it or beside it, or of
      another film; it is damaged, or the destination cannot hold it.
  """
  if not film:
    raise types.BadInput(
        'There is no input; name the restored film with --input.')
  if not os.path.exists(film):
    raise types.BadInput(f'{film}: no such file or folder.')
  kept = duplicate.find(film)
  if not kept and not original_lib.holds(film):
    _refuse_others(film)
  suffix = files.suffix(kept) if kept else original_lib.suffix(film)
  ending = '' if suffix == '.zip' else suffix
  path = files.path(destination) if destination else (
      files.path(workdir) / 'outputs'
      / f'{files.opened_name(film).stem}_original{ending}')
  _check_place(path, film)
  if not kept:
    return Returned(str(path), original_lib.write_back(film, path))
  if ending and files.suffix(path) != ending:
    raise types.BadInput(
        f'{path}: the original is a {ending} file, and is given back as it is; '
        f'name the output {path.stem}{ending}.')
  duplicate.give_back(kept, path)
  return Returned(str(path), [])


def _refuse_others(film) -> None:
  """Raises BadInput where originals lie beside that are of another film."""
  for other in duplicate.beside(film):
    raise types.BadInput(
        f'{other}: this was not kept with {film} as it is now, so it may be '
        'the original of another film, and is not given back; if you know it '
        'to be the right one, take it as it lies there.')


def _check_place(path, film) -> None:
  if path.exists() and os.path.samefile(path, film):
    raise types.BadInput(f'{path}: the output is the input; name another file.')
  if path.is_dir() and any(path.iterdir()):
    raise types.BadInput(f'{path}: the folder is not empty; name a new one.')
