"""What the page's sliders and boxes mean: for one shot, or for all."""

from collections.abc import Iterable, Mapping
import threading
from typing import Any

from revive_jax.desk import decided, places
from revive_jax.desk import film as film_lib

# As docs/trust.md has it: what can be turned on where it was not chosen.
_TURNED_ON = ('preprocess', 'detect', 'classical', 'optimise')
_deciding = threading.Lock()  # Two sliders may be moved at the same time.


def effective(place: places.Place, shot: int) -> dict[str, Any]:
  """What holds for a shot: its own, or what was decided for all.

  'sample', 'stages', and 'strength' of each kind, with the limits that the
  desk began with where nothing was decided.
  """
  row = _of(place, shot)
  strength = {kind: float(place.desk.c.strength[kind])
              for kind in decided.KINDS}
  return {**row, 'strength': {**strength, **row['strength']}}


def _of(place, shot) -> dict[str, Any]:
  own = decided.of(place, shot)
  # A row of its own takes the place of that of all, whole.
  return own if _is_there(own) else decided.of(place, None)


def _is_there(row: Mapping[str, Any]) -> bool:
  return any(row.values())


def change(place: places.Place, shot: int, for_all: bool, count: int,
           **changed: Any) -> None:
  """Decides something for a shot, or for all of them.

  Args:
    place: the film.
    shot: the one that is looked at.
    for_all: whether it holds for every shot, also those with something of
      their own.
    count: of shots.
    **changed: 'strength', 'stages', 'sample', as decided.change has them.

  Raises:
    types.BadInput: it cannot be.
  """
  with _deciding:
    if not for_all:
      _change(place, shot, changed)
      return
    decided.change(place, None, **changed)
    for other in range(count):
      if _is_there(decided.of(place, other)):
        decided.change(place, other, **changed)


def _change(place, shot, changed) -> None:
  own = decided.of(place, shot)
  if not _is_there(own):
    row = decided.of(place, None)
    changed = {
        name: {**row[name], **changed.get(name, {})}
        for name in ('strength', 'stages')} | {
            'sample': changed.get('sample', row['sample'])}
  decided.change(place, shot, **changed)


def forget(place: places.Place, shot: int, for_all: bool, count: int) -> None:
  """Back to what the program proposes."""
  with _deciding:
    for number in (*range(count), None) if for_all else (shot,):
      decided.clear(place, number)


def stages(shot: film_lib.Shot) -> tuple[list[str], list[str]]:
  """The stages that can be turned on or off, and those that are on."""
  on = [row['stage'] for row in shot.proposal]
  can = [s for s in decided.STAGES if s in on or s in _TURNED_ON]
  return can, [s for s in on if s in can]


def switched(shot: film_lib.Shot, wanted: Iterable[str]) -> dict[str, bool]:
  """What is to be decided so that these stages are on."""
  can, on = stages(shot)
  wanted = {*wanted}
  return {s: s in wanted for s in can if (s in wanted) != (s in on)}
