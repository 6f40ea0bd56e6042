"""The restore of a film, and what came of it: addresses of the desk."""

import threading
from typing import Any

from absl import logging
import fastapi
from fastapi import responses

from revive_jax import types
from revive_jax.desk import downloads, jobs, places, playback
from revive_jax.desk import film as film_lib
from revive_jax.desk.page import ranges, shown, strings

_AT_ONCE = 2000  # Frames of a film that is played whole; else a shot of it.
_MAIN = ('film', 'report', 'original')


def add(made, place) -> None:
  """Adds the addresses; place: the film of a request."""
  _add_job(made, place)
  _add_result(made, place)
  _add_playback(made, place)


def _language(request) -> str:
  return strings.choose(request.headers.get('accept-language'))


def _add_job(made, place) -> None:

  @made.post('/desk/{film}/start')
  def _(request: fastapi.Request):
    found = place(request)
    return told(found, jobs.start(found), _language(request))

  @made.post('/desk/{film}/cancel')
  def _(request: fastapi.Request):
    found = place(request)
    return told(found, jobs.cancel(found), _language(request))

  @made.get('/desk/{film}/job')
  def _(request: fastapi.Request):
    found = place(request)
    return told(found, jobs.state(found), _language(request))


def told(
    place: places.Place, state: jobs.State, language: str
) -> dict[str, Any]:
  """What the page is told of a job, in its language.

  has_film: whether there is one to take home; a later job that measured, or
  was stopped, does not take it away.
  """
  if state.kind == 'measure' and state.name != 'running':
    state = jobs.State('none')
  label = strings.translate(language, state.label)
  return {
      'state': state.name, 'kind': state.kind, 'done': state.done,
      'total': state.total, 'fraction': state.fraction,
      'seconds_left': _left(state),
      'has_film': downloads.has_film(place),
      'label': label or strings.say(language, 'label_start'),
      'said': strings.translate(language, state.sentence) or strings.texts(
          language).get(f'job_{state.name}', '')}


def _left(state: jobs.State) -> float | None:
  """Seconds that are left.

  The job counts frames, which come a window at a time: just after one they
  seem to be quick. So the slower of that and of all the time so far is told.
  """
  if state.seconds_left is None or not state.fraction:
    return state.seconds_left
  return max(state.seconds_left,
             state.seconds * (1 - state.fraction) / state.fraction)


def _add_result(made, place) -> None:

  @made.get('/desk/{film}/result')
  def _(request: fastapi.Request):
    language = _language(request)
    rows = [{'kind': item.kind, 'name': item.name,
             'size': _size(item.bytes),
             'text': strings.say(language, f'file_{item.kind}'),
             'is_main': item.kind in _MAIN}
            for item in downloads.listed(place(request))]
    return {'files': sorted(rows, key=lambda row: not row['is_main'])}

  @made.get('/desk/{film}/file/{kind}')
  def _(request: fastapi.Request, kind: str):
    found = place(request)
    item = downloads.item(found, kind)
    return ranges.answer(
        request, item.bytes,
        lambda start, stop: downloads.stream(found, kind, start, stop),
        kind=item.mime, name=item.name)

  @made.get('/desk/{film}/restored/{number}')
  def _(request: fastapi.Request, number: int):
    picture = film_lib.frame(place(request), number, 'after')
    if picture is None:
      return responses.Response(status_code=404)
    return responses.Response(
        shown.jpeg(picture), media_type='image/jpeg', headers=ranges.NEW)


def _size(count: int) -> str:
  for unit, step in (('GB', 1e9), ('MB', 1e6), ('kB', 1e3)):
    if count >= step:
      return f'{count / step:.1f} {unit}'
  return f'{count} B'


def _add_playback(made, place) -> None:
  making: dict[tuple, dict[str, Any]] = {}
  lock = threading.Lock()

  @made.get('/desk/{film}/play')
  def _(request: fastapi.Request, shot: int = 0):
    found = place(request)
    film = film_lib.opened(found)
    count = film.info['frames']
    start, stop = 0, count
    if count > _AT_ONCE:
      one = film.shots[min(max(shot, 0), len(film.shots) - 1)]
      start, stop = one.start, one.stop
    frames = None if stop - start == count else (start, stop)
    kinds = playback.WHICH[film.hides:] if count > 1 else ()
    state = {'done': 1, 'total': 1}
    if not all(playback.is_ready(found, which, frames) for which in kinds):
      with lock:
        state = _made(found, kinds, frames, making)
    return {'kinds': kinds, 'start': start, 'stop': stop, 'ready':
            state['done'] == state['total'], **state,
            'hides': film.hides, 'width': film.info['width'],
            'height': film.info['height'],
            'fps': film.info['frame_rate']}

  @made.get('/desk/{film}/play/{which}/{start}/{stop}')
  def _(request: fastapi.Request, which: str, start: int, stop: int):
    found = place(request)
    whole = (start, stop) == (0, film_lib.opened(found).info['frames'])
    frames = None if whole else (start, stop)
    if which not in playback.WHICH or not playback.is_ready(
        found, which, frames):
      return responses.Response(status_code=404)
    return ranges.answer(
        request, playback.size(found, which, frames),
        lambda a, b: playback.stream(found, which, a, b, frames),
        kind='video/mp4')


def _made(found: places.Place, kinds, frames, making) -> dict[str, Any]:
  """How far the films to play are; begins to make them."""
  key = (found.visitor, found.id, frames)
  state = making.get(key)
  if state is None or 'thread' not in state or (
      not state['thread'].is_alive() and 'error' not in state):
    state = {'done': 0, 'total': len(kinds)}
    state['thread'] = threading.Thread(
        target=_make, args=(found, kinds, frames, state), daemon=True)
    making[key] = state
    state['thread'].start()
  elif 'error' in state:
    raise types.BadInput(making.pop(key)['error'])
  return {k: v for k, v in state.items() if k != 'thread'}


def _make(found, kinds, frames, state) -> None:
  try:
    for i, which in enumerate(kinds):
      playback.make(found, which, frames, lambda done, total, i=i: state.update(
          done=min(i + done / max(total, 1), len(kinds) - 0.01)))
  except types.BadInput as error:
    state['error'] = str(error)
  except Exception:  # Else the page would ask again for ever.
    logging.exception('The films to play cannot be made.')
    state['error'] = (
        'The films cannot be shown in motion here; what was restored can be '
        'taken home.')
