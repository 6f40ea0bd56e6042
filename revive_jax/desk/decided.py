"""Decided: what a person chose for each shot; the decisions.json of a restore.
"""

from collections.abc import Mapping
import json
from typing import Any

from revive_jax import files, types
from revive_jax import workdir as workdir_lib
from revive_jax.desk import known, places, settings
from revive_jax.pipeline import choose, decisions

KINDS, STAGES = choose.KINDS, decisions.STAGES
_EMPTY = {'sample': 0, 'strength': {}, 'stages': {}, 'note': ''}


def of(place: places.Place, shot: int | None) -> dict[str, Any]:
  """What was decided: 'sample', 'strength', 'stages', 'note'.

  Args:
    place: the film.
    shot: its number, or None: for all shots that have nothing of their own.
  """
  found = _read(place)
  row = found['all'] if shot is None else next(
      (r for r in found['shots'] if r['shot'] == shot), {})
  return {**_EMPTY, 'strength': {}, 'stages': {}} | {
      k: v for k, v in row.items() if k in _EMPTY}


def change(
    place: places.Place, shot: int | None, *,
    strength: Mapping[str, float | None] | None = None,
    stages: Mapping[str, bool | None] | None = None,
    sample: int | None = None, note: str | None = None,
) -> dict[str, Any]:
  """Decides something; what is not named stays as it was.

  Args:
    place: the film.
    shot: its number, or None: for all.
    strength: by KINDS, at most how strongly; None: as proposed.
    stages: by STAGES, on or off; None: as proposed.
    sample: which of several answers.
    note: for people.

  Returns:
    What is decided now, as of().

  Raises:
    types.BadInput: it cannot be; nothing is decided then.
  """
  row = of(place, shot)
  for name, more in (('strength', strength), ('stages', stages)):
    row[name] = {k: v for k, v in {**row[name], **(more or {})}.items()
                 if v is not None}
  row |= {k: v for k, v in (('sample', sample), ('note', note))
          if v is not None}
  _replace(place, shot, {k: v for k, v in row.items() if v})
  return of(place, shot)


def clear(place: places.Place, shot: int | None) -> None:
  """Takes back what was decided for a shot, or None: for all."""
  _replace(place, shot, {})


def settle(place: places.Place) -> None:
  """Of several answers the first is decided for, where nothing else was.

  Without decisions a restore would make a film of each answer.
  """
  path = place.path(settings.DECISIONS)
  if settings.choices(place)['answers'] > 1 and not path.exists():
    workdir_lib.write_json(path, _read(place))


def _read(place) -> dict[str, Any]:
  path = place.path(settings.DECISIONS)
  if not path.exists():
    return {'schema': decisions.SCHEMA, 'all': {}, 'shots': []}
  return json.loads(path.read_text())


def _replace(place, shot, row) -> None:
  """Puts a row in the place of what was decided before, if it can be."""
  found, shots = _read(place), known.opened(place).survey.shots
  if shot is None:
    found['all'] = row
  else:
    if isinstance(shot, bool) or not 0 <= shot < len(shots):
      raise types.BadInput(
          f'{place.name}: there is no shot {shot}; they go from 0 to '
          f'{len(shots) - 1}.')
    rest = [r for r in found['shots'] if r['shot'] != shot]
    own = [{'shot': shot, 'start': shots[shot].start, **row}] if row else []
    found['shots'] = sorted(rest + own, key=lambda r: r['shot'])
  path = place.path(settings.DECISIONS)
  before = path.read_bytes() if path.exists() else None
  if not found['all'] and not found['shots']:
    path.unlink(missing_ok=True)
    return
  workdir_lib.write_json(path, found)
  try:
    decisions.read(files.name(path))
    known.opened(place)  # Plans it.
  except types.BadInput as error:
    if before is None:
      path.unlink()
    else:
      path.write_bytes(before)
    raise types.BadInput(
        str(error).replace(str(path), 'decisions.json')) from error
