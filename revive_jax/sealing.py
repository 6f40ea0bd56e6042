"""What of a run is sealed (config.encrypt), and how it is opened again."""

import os
import pathlib
import shutil
from typing import Any

from absl import logging
import ml_collections

from revive_jax import files, types
from revive_jax.privacy import encryption, keys
from revive_jax.privacy import vault as vault_lib
from revive_jax.video import atomic, images

_PIECE = 1 << 20  # Bytes copied at once.


def vault(c: ml_collections.ConfigDict, place: Any = '', *,
          confirm: bool = True) -> vault_lib.Vault | None:
  """What opens the sealed files of a run; None: nothing is sealed.

  Args:
    c: has encrypt, as configs/restore.py does; a config without it seals
      nothing.
    place: a path; if it is of a vault already, that is the one.
    confirm: whether a passphrase is asked for twice.

  Raises:
    types.BadInput: there is no such key.
  """
  if files.is_sealed(place):
    return place.vault
  if not c.get('encrypt') or not c.encrypt.key:
    return None
  return vault_lib.Vault(keys.read(
      c.encrypt.key, passphrase_file=c.encrypt.passphrase_file,
      confirm=confirm))


def places(
    c: ml_collections.ConfigDict, workdir: str | os.PathLike,
    path: str | os.PathLike | None, target: str | os.PathLike | None
) -> tuple[Any, Any, Any]:
  """The workdir, the film and the output of a run, as they are to be opened.

  Nothing of it changes where nothing is sealed.

  Raises:
    types.BadInput: there is no such key, or the film is sealed and none is
      named.
  """
  held = vault(c, workdir)
  if held and not files.is_sealed(workdir):
    workdir = held.path(workdir)
  return workdir, source(path, held), output(target, held)


def beside(path: str | os.PathLike, place: Any):
  """A file that belongs to a run, opened with the vault of a path of it."""
  return source(path, getattr(place, 'vault', None))


def source(path: str | os.PathLike | None, held: vault_lib.Vault | None):
  """The film, or the folder of pictures, that is opened with the vault.

  Raises:
    types.BadInput: it is sealed, and there is no vault.
  """
  if not path or files.is_sealed(path):
    return path
  first = path
  if os.path.isdir(path):  # Frames: all of them are, or none.
    first = (*images.list_pictures(path), path)[0]
  if not os.path.isfile(first) or not encryption.is_sealed(first):
    return path
  if held is None:
    raise types.BadInput(
        f'{path}: this is sealed; name the key with --config.encrypt.key '
        '(keyring, file:PATH or passphrase).')
  return held.path(path)


def output(path: str | os.PathLike | None, held: vault_lib.Vault | None):
  """Where the film goes: with .sealed behind its name, if it is sealed."""
  if not path or held is None or files.is_sealed(path):
    return path
  place = held.path(path)
  if os.fspath(path).endswith(('/', os.sep)) or place.is_dir() or (
      place.suffix in ('', files.SEALED)):
    return place
  return place.with_name(place.name + files.SEALED)


def unseal(c: ml_collections.ConfigDict, path: str, target: str) -> list[str]:
  """Opens a sealed file, or all that are sealed in a folder, for all to read.

  What a run that was killed was writing just then, in a folder, is left out;
  what was cut off of its segments, which it makes again, is named in a warning.

  Args:
    c: its encrypt names the key.
    path: a file, or a folder, such as the workdir of a run.
    target: a new file; of a folder, a new folder.

  Returns:
    The files that were written, without .sealed behind their names.

  Raises:
    types.BadInput: one was changed, was cut off, or is sealed with another key;
      then nothing is written.
  """
  if not path or not target:
    raise types.BadInput(
        'Name what is sealed with --input, and where it goes with --output.')
  if not os.path.exists(path):
    raise types.BadInput(f'{path}: no such file or folder.')
  held = vault(c, confirm=False)
  if held is None:
    raise types.BadInput(
        'Name the key with --config.encrypt.key (keyring, file:PATH or '
        'passphrase).')
  if os.path.exists(target):
    raise types.BadInput(
        f'{target}: this is there already; name another --output.')
  if not os.path.isdir(path):
    _open_one(held.path(path), pathlib.Path(target))
    return [target]
  return _open_folder(held, pathlib.Path(path), pathlib.Path(target))


def _open_folder(held, folder, target):
  found = [p for p in sorted(folder.rglob('*'))
           if not _is_unfinished(p.relative_to(folder)) and p.is_file()
           and encryption.is_sealed(p)]
  if not found:
    raise types.BadInput(f'{folder}: nothing is sealed in this folder.')
  written, cut_off = [], []
  with atomic.replacing(target, folder=True) as part:
    for path in found:
      own = path.relative_to(folder)
      place = files.opened_name(own)
      try:
        _open_one(held.path(path), part / place)
      except encryption.CutOffError:
        cut_off.append(str(own))
        if 'segments' not in own.parts or len(cut_off) == len(found):
          raise
        continue
      written.append(str(target / place))
  if cut_off:
    logging.warning(
        '%s: left out, since they were never finished, or lost their ends: %s.',
        folder, ', '.join(cut_off))
  return written


def _is_unfinished(path: pathlib.PurePath) -> bool:
  """Whether a file has a hidden name of what is written just then: .a.part.b.

  path: from the folder on that is looked through.
  """
  return any(name.startswith('.') and '.part' in pathlib.PurePath(name).suffixes
             for name in path.parts)


def _open_one(path, target) -> None:
  with path.open('rb') as sealed, atomic.replacing(target) as part, open(
      part, 'wb') as file:
    shutil.copyfileobj(sealed, file, _PIECE)


def hint(c: ml_collections.ConfigDict, path: str | os.PathLike) -> str:
  """How what is in the folder of a run is opened, for the user."""
  if not c.get('encrypt') or not c.encrypt.key:
    return ''
  return (f' (sealed: --mode=unseal --input={path} --output=NEW with the same '
          'key opens it)')


def refuse(c: ml_collections.ConfigDict, what: str) -> None:
  """Refuses config.encrypt where it would not be kept."""
  if c.get('encrypt') and c.encrypt.key:
    raise types.BadInput(
        f'{what} cannot be sealed; leave out --config.encrypt.key.')
