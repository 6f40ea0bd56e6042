"""The desk as a web app: our own addresses, and a page for each language."""

import contextlib
import threading

import fastapi
import gradio as gr

from revive_jax import types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import visitors
from revive_jax.desk.page import blocks, door, pieces, routes, strings

_SWEEP = 300.0  # Seconds between two looks for what is to be deleted.
_THREADS = 8  # Handlers at the same time.


def build(desk: desk_lib.Desk, port: int) -> fastapi.FastAPI:
  """The app, without a door before it.

  Args:
    desk: what it shows.
    port: where it will listen; names its cookies.
  """
  app = routes.app(desk, port)
  visitor = lambda request: door.visitor_of(request.cookies, port)
  for language in strings.LANGUAGES:
    page = blocks.build(desk, language, visitor)
    page.queue(default_concurrency_limit=_THREADS, api_open=False)
    head = pieces.head(language, {
        'texts': strings.texts(language), 'max_bytes': desk.limits.bytes})
    app = gr.mount_gradio_app(
        app, page, path=f'/{language}', ssr_mode=False, run_history=False,
        footer_links=[], show_error=False, max_file_size=0, head=head,
        theme=_theme(), enable_monitoring=False, pwa=False, mcp_server=False)
  return app


def _theme() -> gr.Theme:
  """Fonts of the computer itself, and a blue that can be read."""
  return gr.themes.Default(
      primary_hue='blue', font=('system-ui', 'sans-serif'),
      font_mono=('ui-monospace', 'monospace'))


def known(desk: desk_lib.Desk, visitor: str) -> bool:
  """Whether somebody is a visitor, whose time is not over."""
  try:
    visitors.folder(desk, visitor)
  except types.BadInput:
    return False
  return True


@contextlib.contextmanager
def swept(desk: desk_lib.Desk):
  """Deletes what is to be deleted, now and every few minutes."""
  done = threading.Event()

  def sweep():
    while True:
      visitors.sweep(desk)
      if done.wait(_SWEEP):
        return

  thread = threading.Thread(target=sweep, daemon=True)
  thread.start()
  try:
    yield
  finally:
    done.set()
