"""Settings: what is chosen for a whole film, and the command that does it."""

from collections.abc import Iterator, Mapping
import importlib
import json
import pathlib
import shlex
import sys
from typing import Any

import ml_collections

from revive_jax import files, networks, types
from revive_jax import settings as settings_lib
from revive_jax import workdir as workdir_lib
from revive_jax.desk import places
from revive_jax.models import weights

FORMATS = ('mp4', 'mkv', 'mov')
_NAME = 'choices.json'
_RESTORER, _FILLS = 'restorer', 'vae'  # They ship; of these fills one chooses.
_MOST = 8  # Answers.
DECISIONS, MASK, CONSENT = 'decisions.json', 'mask.mkv', 'consent.json'


def _default(c) -> dict[str, Any]:
  """What is chosen before anybody has chosen."""
  return {
      'composite': c.composite, 'format': 'mp4', 'upscale': c.output.upscale,
      'keep_original': bool(c.output.keep_original),
      'hide_faces': c.redact.faces, 'answers': c.num_samples,
      'stabilise': c.stabilise.strength, 'repeats': c.repeats, 'sound': True}


def choices(place: places.Place) -> dict[str, Any]:
  """What is chosen for a film."""
  found = _default(place.desk.c)
  path = place.path(_NAME)
  if path.exists():
    found |= json.loads(path.read_text())
  return found


def change(place: places.Place, **chosen: Any) -> dict[str, Any]:
  """Changes some of what is chosen; returns all of it.

  Args:
    place: the film.
    **chosen: composite: 'full' or 'repair'. format: of FORMATS. upscale: 1 or
      2. keep_original: bool. hide_faces: 'none', 'blur', 'pixelate' or
      'replace'. answers: how many there are to choose from. stabilise:
      strength. repeats: see configs/restore.py. sound: whether it is repaired.

  Raises:
    types.BadInput: it cannot be; nothing is changed then.
  """
  known = _default(place.desk.c)
  if unknown := sorted(set(chosen) - set(known)):
    raise types.BadInput(
        f'There is no choice {unknown[0]!r}; there are {", ".join(known)}.')
  for name, value in chosen.items():
    _check_type(name, value, known[name])
  if chosen.get('format', 'mp4') not in FORMATS:
    raise types.BadInput(
        f'format={chosen["format"]!r} is not known; choose one of '
        f'{", ".join(FORMATS)}.')
  if not 1 <= chosen.get('answers', 1) <= _MOST:
    raise types.BadInput(
        f'answers={chosen["answers"]} is not between 1 and {_MOST}.')
  result = choices(place) | chosen
  _check_answers(place.desk.c, chosen.get('answers', 1))
  c = _config(place, result)
  c.consent = dict(file='', required=False)
  settings_lib.check(c)
  workdir_lib.write_json(place.path(_NAME), result)
  return result


def _check_answers(c, count) -> None:
  """Refuses to choose from what are not there, rather than change networks."""
  if count > 1 and c.weights and not _has_several(c) and not _is_filled(c):
    raise types.BadInput(
        'The network of this desk gives one answer only; for several of them '
        'it has to be started with weights that have noise (gan), or with '
        '--config.fills that were trained for its own.')


def _check_type(name, value, example) -> None:
  number = isinstance(example, float) and isinstance(value, int)
  if not number and type(value) is not type(example) or (
      number and isinstance(value, bool)):
    raise types.BadInput(
        f'{name}={value!r} is of type {type(value).__name__}; it has to be of '
        f'type {type(example).__name__}.')


def config(place: places.Place) -> ml_collections.ConfigDict:
  """What a restore of the film is given: configs/restore.py, filled in."""
  return _config(place, choices(place))


def _config(place, chosen):
  c = ml_collections.ConfigDict(place.desk.c.to_dict())
  c.composite, c.repeats = chosen['composite'], chosen['repeats']
  c.output.upscale = chosen['upscale']
  c.output.keep_original = chosen['keep_original']
  c.redact.faces = chosen['hide_faces']
  c.stabilise.strength = float(chosen['stabilise'])
  c.num_samples = chosen['answers']
  if c.num_samples > 1 and not _has_several(c) and _is_filled(c):
    c.weights, c.fills = c.weights or _RESTORER, _FILLS
  if not chosen['sound']:
    c.audio.update({name: 0.0 for name in c.audio})
  c.keep_segments, c.progress = True, 'json'
  there = lambda name: (
      str(place.folder / name) if (place.folder / name).exists() else '')
  c.decisions = there(DECISIONS)
  c.mask = str(place.folder / mask_name(place)) if there('marks') else ''
  c.mask_overrides = bool(c.mask)
  c.consent.file = there(CONSENT) or c.consent.file
  return c


def _has_several(c) -> bool:
  """Whether the network of the desk gives several answers as it is."""
  return bool(c.fills) or bool(c.weights) and bool(
      weights.read_weights(c.weights).config['settings'].get('noise'))


def _is_filled(c) -> bool:
  """Whether the fills that ship go with the network; it stays what it is.

  Where there is none, that of the fills is taken: classically there is but one
  answer.
  """
  return networks.identity(c.weights or _RESTORER) == (
      weights.read_weights(_FILLS).config.get('restorer'))


def mask_name(place: places.Place) -> str:
  """The file in the folder of a film with the masks of all its frames."""
  return MASK + (files.SEALED if place.desk.vault else '')


def output(place: places.Place) -> pathlib.Path:
  """Where the restored film goes, sealed if files are."""
  info_is_picture = files.suffix(place.source) in (
      '.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp')
  return _output(place, 'png' if info_is_picture else choices(place)['format'])


def outputs_before(place: places.Place) -> dict[str, pathlib.Path]:
  """Films that were restored when another of FORMATS was chosen, by that."""
  found = {end: _output(place, end) for end in FORMATS}
  return {end: path for end, path in found.items()
          if path != output(place) and path.exists()}


def _output(place, end) -> pathlib.Path:
  seal = files.SEALED if place.desk.vault else ''
  return place.path(f'restored.{end}{seal}')


def arguments(place: places.Place) -> list[str]:
  """The command line of a job: what a shell would be given."""
  target = str(output(place)).removesuffix(files.SEALED)
  return [sys.executable, '-m', 'revive_jax.main',
          *_flags(config(place), str(place.folder / 'work'),
                  str(place.source), target)]


def command(place: places.Place) -> str:
  """The same as a person would write it, in the folder of their film.

  What was decided, painted and agreed to is named as it is downloaded.
  """
  c = config(place)
  c.progress, c.sandbox = 'text', 'auto'
  for key, name in (('decisions', DECISIONS), ('mask', MASK)):
    c[key] = name if c[key] else ''
  if c.consent.file == str(place.folder / CONSENT):
    c.consent.file = CONSENT
  stem = pathlib.PurePath(place.name).stem
  end = files.suffix(output(place))
  words = _flags(c, f'runs/{stem}', place.name, f'{stem}_restored{end}')
  return shlex.join(['python', '-m', 'revive_jax.main', *words])


def _flags(c, workdir, source, target) -> list[str]:
  plain = importlib.import_module('revive_jax.configs.restore').get_config()
  return ['--config=restore', f'--workdir={workdir}', f'--input={source}',
          f'--output={target}',
          *(f'--config.{name}={_text(value)}' for name, value in _different(
              plain.to_dict(), c.to_dict()))]


def _different(plain, chosen, name='') -> Iterator[tuple[str, Any]]:
  """What is chosen otherwise than the config that ships, by its full name."""
  for key, value in chosen.items():
    full = f'{name}{key}'
    if isinstance(value, Mapping):
      yield from _different(plain[key], value, f'{full}.')
    elif _plain(value) != _plain(plain[key]):
      yield full, value


def _plain(value):
  return list(value) if isinstance(value, (list, tuple)) else value


def _text(value) -> str:
  if isinstance(value, (list, tuple)):
    return repr(tuple(value))
  return str(value)
