"""Weights of a network, in a folder that says what they are.

`model.safetensors` holds the parameters, in float16 unless that is too coarse,
a key for each path of the tree, joined by '/'. `config.json` says which model
they are of, with which settings, and has the SHA-256 of that file; `README.md`
is the model card. `SHA256SUMS` has the sums of all three, as sha256sum checks
them: a setting that was changed is found, too.
"""

from collections.abc import Mapping
import hashlib
import json
import logging
import os
import pathlib
import shutil
from typing import Any, NamedTuple

from flax import traverse_util
import numpy as np
import safetensors
import safetensors.numpy

from revive_jax import models, types
from revive_jax.models import hub

_log = logging.getLogger(__name__)
_FORMAT = 1
_SHIPPED = pathlib.Path(__file__).resolve().parents[1] / 'weights'
_NAMES = ('config.json', 'model.safetensors', 'README.md', 'SHA256SUMS')
_CONFIG, _TENSORS, _CARD, _SUMS = _NAMES
_TYPES = {'format': int, 'model': str, 'settings': dict, 'sha256': str}


_held: dict[str, 'Weights'] = {}


class Weights(NamedTuple):
  """What a folder of weights holds."""

  config: dict[str, Any]  # format, model, settings, sha256, steps, ...
  params: dict[str, Any]  # Nested; float32 arrays.
  name: str  # Of the folder, or on the hub, with the commit.


def shipped() -> list[str]:
  """The names of the weights that come with the package and restore frames."""
  return sorted(path.parent.name for path in _SHIPPED.glob(f'*/{_CONFIG}')
                if _read_config(path)['model'] in models.RESTORERS)


def ships(name: str) -> bool:
  """Whether weights of this name come with the package, of any model.

  Then the name means them, whatever lies in this folder.
  """
  return name == os.path.basename(name) and (
      _SHIPPED / name / _CONFIG).is_file()


def save_weights(
    folder: str | os.PathLike,
    params: Mapping[str, Any],
    *,
    model: str,
    settings: Mapping[str, Any],
    card: str,
    dtype: type[np.floating] = np.float16,
    **more: Any,
) -> None:
  """Writes a folder of weights beside its place, then renames it.

  Args:
    folder: its place; weights that are there are replaced.
    params: nested dict of arrays; rounded to dtype: float16 ends at 65520.
    model: the name of the model.
    settings: the keyword arguments that make the model, in JSON's types.
    card: the text of README.md: data, licences, steps, device, metrics.
    dtype: what is stored; it is read as float32.
    **more: further keys of config.json, as steps.

  Raises:
    types.BadInput: a value is not finite in dtype, the folder holds something
      else, or it cannot be written.
  """
  folder = pathlib.Path(folder)
  with np.errstate(over='ignore'):  # Found, with its name, just below.
    # In order C: safetensors writes a transposed view as it lies in memory.
    arrays = {key: np.asarray(value).astype(dtype, order='C')
              for key, value in _flat(params).items()}
  _check_finite(folder, arrays)
  tensors = safetensors.numpy.save(arrays)
  config = {'format': _FORMAT, 'model': model, 'settings': dict(settings),
            'sha256': hashlib.sha256(tensors).hexdigest(), **more}
  text = json.dumps(config, indent=1, allow_nan=False) + '\n'
  part = folder.with_name(f'.{folder.name}.part')
  try:
    shutil.rmtree(part, ignore_errors=True)  # Of a run that was killed.
    part.mkdir(parents=True)
    for name, data in ((_CONFIG, text.encode()), (_TENSORS, tensors),
                       (_CARD, card.encode())):
      (part / name).write_bytes(data)
    write_sums(part)
    _put(part, folder)
  except OSError as error:
    raise types.BadInput(
        f'{folder}: the weights cannot be written ({error.strerror}).'
    ) from error
  finally:
    shutil.rmtree(part, ignore_errors=True)


def read_weights(where: str | os.PathLike) -> Weights:
  """Reads weights, and makes sure that they are what was written.

  Args:
    where: the name of weights that ship with the package, a folder, a
      .safetensors file with its config.json beside it, or 'user/name' or
      'hf://user/name@revision' on the Hugging Face hub (needs the extra
      revive-jax[hub]).

  Raises:
    types.BadInput: there are none, or they are damaged or of another format.
  """
  if str(where) in _held:
    return _held[str(where)]
  tensors, name = _find(str(where))
  config = _read_config(tensors.with_name(_CONFIG))
  data = _read(tensors)
  if hashlib.sha256(data).hexdigest() != config['sha256']:
    raise types.BadInput(
        f'{tensors} is damaged: its SHA-256 is not the one in {_CONFIG}; get '
        'the weights again.')
  try:
    arrays = safetensors.numpy.load(data)
  except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as e:
    raise types.BadInput(
        f'{tensors} cannot be read as safetensors ({e}); get the weights '
        'again.') from e
  arrays = {key: value.astype(np.float32) for key, value in arrays.items()}
  _check_finite(tensors, arrays)
  _check_sums(tensors.parent)
  return Weights(config, traverse_util.unflatten_dict(arrays, sep='/'), name)


def hold(where: str, found: Weights) -> None:
  """From now on, read_weights gives these: they came another way than disks."""
  _held[where] = found


def read_tensors(where: str | os.PathLike) -> bytes:
  """The file of tensors as it is; where, and what is raised: read_weights."""
  return _read(_find(str(where))[0])


def write_sums(folder: str | os.PathLike) -> None:
  """Writes the sums of a folder of weights anew."""
  folder = pathlib.Path(folder)
  (folder / _SUMS).write_text(_sums(folder))


def _sums(folder: pathlib.Path) -> str:
  """A line for each file, as sha256sum writes it."""
  return ''.join(
      f'{hashlib.sha256(_read(folder / name)).hexdigest()}  {name}\n'
      for name in _NAMES if name != _SUMS)


def _check_sums(folder: pathlib.Path) -> None:
  """Makes sure that each file is what the sums say, where there are sums.

  Those that ship have them; of others, config.json has that of the tensors.
  """
  if not (folder / _SUMS).exists() and folder.parent != _SHIPPED:
    return
  told = _read(folder / _SUMS).decode(errors='replace')
  found = _sums(folder)
  if told == found:
    return
  lines = told.splitlines()
  wrong = [line.split()[1] for line in found.splitlines() if line not in lines]
  if wrong == [_CARD]:  # It changes no picture.
    _log.warning(
        '%s is not the model card that was written with these weights.',
        folder / _CARD)
    return
  raise types.BadInput(
      f'{folder / (wrong or [_SUMS])[0]} is damaged: its SHA-256 is not the '
      f'one in {_SUMS}; get the weights again.')


def check_shapes(
    params: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
  """Makes sure that params are of the model that expects them.

  Args:
    params: nested dict of arrays.
    expected: the same of jax.ShapeDtypeStruct, from jax.eval_shape of init.

  Raises:
    types.BadInput: names the first key that is missing, is not known, or has
      another shape.
  """
  found, wanted = (
      {key: tuple(leaf.shape) for key, leaf in _flat(tree).items()}
      for tree in (params, expected))
  for key in sorted({*found, *wanted}):
    if found.get(key) == wanted.get(key):
      continue
    if key not in found:
      what = f'{key} is missing'
    elif key not in wanted:
      what = f'the model has no {key}'
    else:
      what = f'{key} is {found[key]}, and {wanted[key]} in the model'
    raise types.BadInput(
        f'The weights are of another architecture: {what}; use the model and '
        f'settings of their {_CONFIG}.')


def _flat(tree: Mapping[str, Any]) -> dict[str, Any]:
  return traverse_util.flatten_dict(dict(tree), sep='/')


def _find(where: str) -> tuple[pathlib.Path, str]:
  """The file of tensors, and the name of the weights."""
  path = pathlib.Path(where)
  if ships(where):
    return _SHIPPED / where / _TENSORS, where
  if path.is_file():
    if path.suffix != '.safetensors':
      raise types.BadInput(
          f'{where} is not a .safetensors file; give one, or its folder.')
    return path, path.resolve().parent.name
  if path.is_dir():
    return path / _TENSORS, path.resolve().name
  if name := hub.parse(where):
    found = hub.download(name, _NAMES)
    return found.folder / _TENSORS, found.name
  raise types.BadInput(
      f'There are no weights {where!r}; give a folder, a .safetensors file, '
      "'organisation/name' on the Hugging Face hub, or one that ships: "
      f'{", ".join(shipped()) or "none"}.')


def _read(path: pathlib.Path) -> bytes:
  try:
    return path.read_bytes()
  except OSError as error:
    raise types.BadInput(
        f'{path} cannot be read ({error.strerror}); a folder of weights holds '
        f'{_CONFIG} and {_TENSORS}.') from error


def _read_config(path: pathlib.Path) -> dict[str, Any]:
  try:
    config = json.loads(_read(path))
  except (ValueError, RecursionError) as error:
    raise types.BadInput(
        f'{path} is not JSON ({error}); get the weights again.') from error
  version = config.get('format') if isinstance(config, dict) else None
  if isinstance(version, int) and version != _FORMAT:
    raise types.BadInput(
        f'{path} is of format {version}, and this version of revive_jax reads '
        f'format {_FORMAT}; update revive_jax, or get other weights.')
  for key, kind in _TYPES.items():
    if not isinstance(config, dict) or not isinstance(config.get(key), kind):
      raise types.BadInput(
          f'{path} does not describe weights: it has no {key!r} of type '
          f'{kind.__name__}.')
  return config


def _check_finite(where, arrays: Mapping[str, np.ndarray]) -> None:
  for key, value in arrays.items():
    if not np.isfinite(value).all():
      raise types.BadInput(
          f'{where}: {key} has values that are not finite; such weights cannot '
          'be used.')


def _put(part: pathlib.Path, folder: pathlib.Path) -> None:
  """Renames part to folder, in the place of weights that may be there."""
  if not folder.exists():
    part.rename(folder)
    return
  if not folder.is_dir() or {p.name for p in folder.iterdir()} - {*_NAMES}:
    raise types.BadInput(
        f'{folder} exists, and holds something else than weights; choose '
        'another place.')
  old = folder.with_name(f'.{folder.name}.old')
  shutil.rmtree(old, ignore_errors=True)
  folder.rename(old)
  try:
    part.rename(folder)
  except OSError:
    old.rename(folder)
    raise
  shutil.rmtree(old, ignore_errors=True)
