"""The desk's own addresses: uploads, pictures, the restore, downloads.

Nothing of a film goes through gradio, whose components keep plain files: what
comes is handed to the engine as it comes, what goes is read from there.
"""

import importlib.resources
from typing import Any

import fastapi
from fastapi import responses
import numpy as np
from starlette.concurrency import run_in_threadpool

from revive_jax import types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import film as film_lib
from revive_jax.desk import known, masks, preview, turns, upload
from revive_jax.desk import layers as layers_lib
from revive_jax.desk.page import crowd, door, ranges, shown, strings, work
from revive_jax.explain import origin

_STATIC = {'.js': 'text/javascript', '.css': 'text/css'}
_DAMAGE = np.uint8((255, 32, 48))  # As the brush paints it.
_SEEN = 0.75  # How much of a layer is seen where it is strongest.
_LARGEST_MASK = 64 << 20  # Bytes of a painted picture.


def app(desk: desk_lib.Desk, port: int) -> fastapi.FastAPI:
  """An app with all addresses of the desk below /desk, and / itself.

  Every one of them is for the visitor in the cookie alone.
  """
  # No pages of documentation: they ask a server for their scripts.
  made = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
  made.add_exception_handler(types.BadInput, _refused)
  visitor = lambda request: door.visitor_of(request.cookies, port)
  place = lambda request: film_lib.place(
      desk, visitor(request), request.path_params['film'])
  _add_way_in(made)
  _add_uploads(made, desk, visitor)
  _add_pictures(made, place)
  _add_masks(made, place)
  work.add(made, place)
  made.add_middleware(crowd.Few, port=port)
  return made


def _refused(request: fastapi.Request, error: types.BadInput):
  language = strings.choose(request.headers.get('accept-language'))
  return responses.JSONResponse(
      {'error': strings.translate(language, str(error))},
      429 if isinstance(error, turns.SupersededError) else 400)


def _add_way_in(made) -> None:

  @made.get('/')
  def _(request: fastapi.Request):
    language = strings.choose(request.headers.get('accept-language'))
    query = f'?{request.url.query}' if request.url.query else ''
    return responses.RedirectResponse(f'/{language}/{query}', 307)

  @made.get('/favicon.ico')
  def _():
    return responses.Response(status_code=204)

  @made.get('/desk/static/{name}')
  def _(name: str):
    suffix = name[name.rfind('.'):]
    place = importlib.resources.files('revive_jax.desk.page') / name
    if suffix not in _STATIC or '/' in name or not place.is_file():
      return responses.Response(status_code=404)
    return responses.Response(
        place.read_bytes(), media_type=_STATIC[suffix],
        headers={'cache-control': 'no-cache'})


def _add_uploads(made, desk, visitor) -> None:

  @made.put('/desk/upload')
  async def _(request: fastapi.Request, name: str):
    size = request.headers.get('content-length')
    receiver = await run_in_threadpool(
        upload.receive, desk, visitor(request), name,
        int(size) if size else None)
    try:
      async for chunk in request.stream():
        await run_in_threadpool(receiver.write, chunk)
      return {'film': await run_in_threadpool(receiver.close)}
    except BaseException:  # Whoever sent it has gone, too.
      receiver.abort()
      raise

  @made.post('/desk/demo')
  def _(request: fastapi.Request):
    return {'film': upload.example(desk, visitor(request))}


def _add_pictures(made, place) -> None:
  memory = shown.Memory()
  key = lambda found, request: (
      found.folder, request.path_params['number'])

  @made.get('/desk/{film}/thumbnail/{number}')
  def _(request: fastapi.Request, number: int):
    return _picture(film_lib.thumbnail(place(request), number), 'image/jpeg')

  @made.get('/desk/{film}/frame/{number}')
  def _(request: fastapi.Request, number: int):
    found = film_lib.frame(place(request), number)
    if found is None:  # Its faces are to be seen by nobody.
      return responses.Response(status_code=204)
    return _picture(shown.jpeg(found), 'image/jpeg')

  @made.post('/desk/{film}/preview/{number}')
  def _(request: fastapi.Request, number: int):
    whose = place(request)
    found = preview.preview(whose, number, kind='preview')
    coded = memory.keep(key(whose, request), found.after, {
        name: _layer(name, found.layers[name]) for name in shown.LAYERS
        if name in found.layers})
    return _told(request, found, coded)

  @made.post('/desk/{film}/answers/{number}')
  def _(request: fastapi.Request, number: int):
    whose = place(request)
    found = preview.answers(whose, number)
    return {'versions': [
        memory.keep((*key(whose, request), n), one.after, {}).version
        for n, one in enumerate(found)]}

  @made.get('/desk/{film}/answer/{answer}/{number}')
  def _(request: fastapi.Request, answer: int, number: int):
    kept = memory.get((*key(place(request), request), answer))
    return _picture(kept and kept.after, 'image/jpeg')

  @made.get('/desk/{film}/after/{number}')
  def _(request: fastapi.Request, number: int):
    kept = memory.get(key(place(request), request))
    return _picture(kept and kept.after, 'image/jpeg')

  @made.get('/desk/{film}/layer/{name}/{number}')
  def _(request: fastapi.Request, name: str, number: int):
    kept = memory.get(key(place(request), request))
    return _picture(kept and kept.layers.get(name), 'image/png')


def _layer(name, layer) -> np.ndarray:
  """A layer to lay over the frame, [H, W, 4] uint8."""
  colours = layers_lib.picture(name, layer)
  share = layers_lib.share(name, layer)
  if name == 'damage':
    colours = np.broadcast_to(_DAMAGE, colours.shape)
  if name == 'origin':  # Denoised is most of a frame; it is to be seen through.
    share = np.where(origin.classes(layer) == types.Origin.DENOISED, 0.4, share)
  return shown.overlay(colours, _SEEN * share)


def _told(request, found, coded) -> dict[str, Any]:
  """What the page is told of a preview."""
  language = strings.choose(request.headers.get('accept-language'))
  translate = lambda sentence: strings.translate(language, sentence)
  warned = [f['sentence'] for f in found.faces if f['is_warning']]
  said = [strings.say(language, 'previewed', seconds=f'{found.seconds:.1f}'),
          *(translate(s) for s in found.sentences if s not in warned)]
  return {'version': coded.version, 'layers': [*coded.layers],
          'said': ' '.join(said), 'warnings': [*map(translate, warned)]}


def _picture(data: bytes | None, kind: str):
  if data is None:
    return responses.Response(status_code=404)
  return responses.Response(data, media_type=kind, headers=ranges.NEW)


def _add_masks(made, place) -> None:

  @made.get('/desk/{film}/mask/{scope}/{number}')
  def _(request: fastapi.Request, scope: str, number: int):
    painted, erased = masks.painted(place(request), **_whose(scope, number))
    if not (painted | erased).any():
      return responses.Response(status_code=204, headers=ranges.NEW)
    return _picture(shown.mask(painted, erased), 'image/png')

  @made.put('/desk/{film}/mask/{scope}/{number}')
  async def _(request: fastapi.Request, scope: str, number: int):
    data = bytearray()
    async for chunk in request.stream():
      data += chunk
      if len(data) > _LARGEST_MASK:
        raise types.BadInput('This is no painted picture: it is too large.')
    await run_in_threadpool(
        _paint, place(request), _whose(scope, number), bytes(data))
    return {}


def _whose(scope, number) -> dict[str, int]:
  if scope not in ('frame', 'shot'):
    raise types.BadInput(
        f'A mask is of a frame or of a shot, not of {scope!r}.')
  return {scope: number}


def _paint(place, whose, data) -> None:
  info = known.opened(place).film.info
  painted, erased = shown.marked(data, (info.height, info.width))
  masks.paint(place, **whose, painted=painted, erased=erased)
