"""How much one visitor gets at once: all share the threads of the desk."""

import asyncio
from collections.abc import Awaitable, Callable
import weakref

from starlette import requests

from revive_jax.desk.page import door

_MOST = 12  # Requests of a visitor; of 40 threads.
_OURS = '/desk/'  # What gradio answers has threads of its own.
_App = Callable[[dict, Callable, Callable], Awaitable[None]]


class Few:
  """An app of which one visitor gets only a few answers made at once.

  The rest wait without a thread. What an answer is sent in is not counted: a
  player takes its time.
  """

  def __init__(self, app: _App, port: int):
    """port: of the desk; names its cookies."""
    self._app, self._port = app, port
    # As long as somebody waits for one.
    self._places = weakref.WeakValueDictionary()

  async def __call__(self, scope, receive, send):
    """Answers a request, as ASGI has it."""
    if scope['type'] != 'http' or not scope['path'].startswith(_OURS):
      await self._app(scope, receive, send)
      return
    visitor = door.visitor_of(requests.Request(scope).cookies, self._port)
    free = self._places.setdefault(visitor, asyncio.Semaphore(_MOST))
    await free.acquire()
    held = [free]

    async def sent(message):
      if held:
        held.pop().release()
      await send(message)

    try:
      await self._app(scope, receive, sent)
    finally:
      if held:
        held.pop().release()
