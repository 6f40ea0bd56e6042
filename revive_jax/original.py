"""Restore-original: gives the source of a restored film back, bit for bit."""

import os
import pathlib
from typing import NamedTuple

from revive_jax import types
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
    types.BadInput: there is no film, no original in it or beside it, it is
      damaged, or the destination cannot hold it.
  """
  if not film:
    raise types.BadInput(
        'There is no input; name the restored film with --input.')
  if not os.path.exists(film):
    raise types.BadInput(f'{film}: no such file or folder.')
  kept = original_lib.beside(film)
  suffix = (kept.suffix if kept else original_lib.summary(film)['suffix']
            ) if kept or original_lib.holds(film) else None
  if suffix is None:
    raise types.BadInput(
        f'{film}: the original is neither in it nor beside it; only a film that '
        'was restored with --config.output.keep_original holds it.')
  path = pathlib.Path(destination) if destination else (
      pathlib.Path(workdir) / 'outputs' / f'{pathlib.Path(film).stem}_original'
      f'{"" if suffix == ".zip" else suffix}')
  _check_place(path, film)
  if kept:
    if destination and suffix != '.zip' and path.suffix.lower() != (
        suffix.lower()):
      raise types.BadInput(
          f'{path}: the original is a {suffix} file, and is given back as it '
          f'is; name the output {path.stem}{suffix}.')
    original_lib.copy_back(kept, path)
    return Returned(str(path), [])
  return Returned(str(path), original_lib.write_back(film, path))


def _check_place(path, film) -> None:
  if path.exists() and os.path.samefile(path, film):
    raise types.BadInput(f'{path}: the output is the input; name another file.')
  if path.is_dir() and any(path.iterdir()):
    raise types.BadInput(f'{path}: the folder is not empty; name a new one.')
