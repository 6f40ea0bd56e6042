"""What is known of a film: measured once, kept as a restore keeps it.

A restore finds it in the folder of its segments and does not measure again; so
does each preview.
"""

from collections.abc import Mapping
import functools
import json
import os
import pathlib
import shutil
import threading
from typing import Any, NamedTuple

import ml_collections

from revive_jax import files, identity, networks, restore, types
from revive_jax import workdir as workdir_lib
from revive_jax.desk import places, settings, turns, upload, visitors
from revive_jax.models import weights
from revive_jax.pipeline import choose, segments, survey
from revive_jax.video import probe, sandbox

_KEPT = 4  # Films, and networks, that are kept open.
_SPARE = 1.01  # What is declared is seldom exactly what is there.
_lock = threading.Lock()  # Of _open; nothing is read under it.
_opening, _measuring = turns.Locks(), turns.Locks()
_open: dict[tuple, tuple[Any, 'Known']] = {}


class Known(NamedTuple):
  """A film that was measured, planned as it is decided now."""

  c: ml_collections.ConfigDict  # Of a restore; not signed, nobody asked.
  film: restore.Film
  survey: survey.Survey
  plans: list[choose.Plan]


def probed(place: places.Place) -> probe.VideoInfo:
  """What the file says of itself."""
  return _probed(place.source, place.desk.c.sandbox, place.desk.c.frame_rate)


@functools.lru_cache(64)
def _probed(source, use, rate):
  return probe.probe(sandbox.guarded(source, use), frame_rate=rate)


def _key(place, c) -> dict[str, Any]:
  """What decides about what is measured."""
  return json.loads(json.dumps(workdir_lib.plain({
      'format': identity.FORMAT, 'input': segments.identity(place.source),
      'interlace': c.interlace, 'frame_rate': c.frame_rate,
      'faces': [c.faces.policy, c.faces.detector], 'hides':
      c.redact.faces != 'none', 'steadies': c.stabilise.strength > 0})))


def is_there(place: places.Place) -> bool:
  """Whether all is known that the present settings ask for."""
  path = place.path('segments/key.json')
  return path.exists() and place.path('segments/measured.json').exists() and (
      json.loads(path.read_text()) == _key(place, settings.config(place)))


def measure(place: places.Place, form: str = 'none') -> None:
  """Measures a film, if that is not done yet; form: see progress."""
  c = settings.config(place)
  # A page that is loaded anew meanwhile waits for what the first one began.
  with _measuring.of(place.folder), workdir_lib.opened(
      place.desk.path(place.folder)):
    if is_there(place):
      return
    shutil.rmtree(place.folder / 'segments', ignore_errors=True)
    (place.folder / 'segments').mkdir()
    workdir_lib.write_json(place.path('segments/key.json'), _key(place, c))
    _film(place, _unsigned(c, form), None).measured()


def opened(place: places.Place) -> Known:
  """What is known of a film, planned as it is decided now.

  Raises:
    types.BadInput: it was not measured, is longer than its file declared and
      than this desk takes, or something was decided that cannot be.
  """
  key = (id(place.desk.c), str(place.folder), json.dumps(
      settings.choices(place)), (place.folder / 'marks').exists(), *_times(
          place, settings.DECISIONS, 'segments/key.json',
          'segments/measured.json', os.path.basename(place.source)))
  with _opening.of(place.folder):
    with _lock:
      found = _open.pop(key, None)
    if found is None:
      found = place.desk.c, _opened(place)  # While it is kept, so is its id.
    with _lock:
      _open[key] = found  # The last one used is the last to be closed.
      while len(_open) > _KEPT:
        _open.pop(next(iter(_open)))
  return found[1]


def _opened(place) -> Known:
  if not is_there(place):
    raise types.BadInput(
        f'{place.name}: this film was not looked through yet, or not for what '
        'is chosen now; that comes first.')
  c = _unsigned(settings.config(place))
  film = _film(place, c, network(c))
  found = Known(c, film, *film.prepared())
  _check_length(place, found)
  return found


def _check_length(place, found) -> None:
  """Refuses what is too long; many a file does not declare its length."""
  seconds = float(len(found.survey.stamps) / found.film.info.frame_rate)
  if seconds > _SPARE * place.desk.limits.seconds:
    upload.check_length(place.desk, place.name, seconds)


def _times(place, *names):
  for name in names:
    path = place.folder / name
    yield path.stat().st_mtime_ns if path.exists() else 0


def _unsigned(c, form='none'):
  """Of a preview nothing is stated, and nobody need agree to it."""
  c = ml_collections.ConfigDict(c.to_dict())
  c.provenance.sign, c.progress = False, form
  c.consent = dict(file='', required=False)
  return c


def _film(place, c, network_) -> restore.Film:
  kept = segments.Segments(place.path('segments'))
  return restore.Film(
      c, probed(place), files.name(settings.output(place)), kept, network_,
      None, None)


def _forget(folder) -> None:
  """Closes the films in a folder."""
  _opening.wait(folder)
  with _lock:
    for key in [k for k in _open if pathlib.Path(k[1]).is_relative_to(folder)]:
      del _open[key]
  _probed.cache_clear()


visitors.forgetting.append(_forget)


def network(c: ml_collections.ConfigDict) -> Any:
  """The network of these settings; it stays, with what was compiled of it."""
  if not c.weights:
    return None
  return _network(c.weights, c.fills, c.num_samples, c.seed)


@functools.lru_cache(_KEPT)
def _network(name, fills, num_samples, seed):
  c = ml_collections.ConfigDict(
      dict(weights=name, fills=fills, num_samples=num_samples, seed=seed))
  return networks.make_network(weights.read_weights(name), c)


def hand_over(
    place: places.Place, marks: Mapping[str, str] | None = None
) -> None:
  """Puts what is known where the restore of these settings finds it.

  What an earlier restore with the same settings did is gone on with; if only
  something else was painted, what it did of other shots. The rest is removed.

  Args:
    place: the film.
    marks: what stands for what is painted in each shot, by its number.
  """
  c, marks = settings.config(place), dict(marks or {})
  made = json.loads(json.dumps(workdir_lib.plain(identity.of(
      c, probed(place), files.name(settings.output(place))))))
  folder, noted = place.path('work/segments'), place.path('work/marks.json')
  before = _read(folder / 'key.json')
  if before != made:
    then = _read(noted)
    # (An invisible mark names the run in each frame.)
    if _differ_in_marks(before, made) and then is not None and (
        not c.mark.invisible):
      segments.carry_over(folder, made, lambda notes: _marks_of(
          then, notes) != _marks_of(marks, notes))
    else:
      _begin(place, folder, made)
  workdir_lib.write_json(noted, marks)


def _differ_in_marks(before, made) -> bool:
  """Whether two runs differ in nothing but in the masks that both have."""
  return before is not None and bool(before['mask'] and made['mask']) and (
      before | {'mask': None} == made | {'mask': None})


def _marks_of(marks, notes):
  return {marks.get(shot) for shot in notes['tallies']}


def _begin(place, folder, made) -> None:
  plain = place.folder / 'work' / 'segments'
  shutil.rmtree(plain, ignore_errors=True)
  os.makedirs(plain)
  shutil.copyfile(place.folder / 'segments' / 'measured.json',
                  plain / 'measured.json')
  workdir_lib.write_json(folder / 'key.json', made)


def _read(path) -> Any:
  try:
    return json.loads(path.read_text())
  except (OSError, ValueError):
    return None
