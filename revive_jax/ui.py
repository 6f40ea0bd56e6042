"""The desk in a browser: where it listens, and what is told at its start."""

import functools
import os
import socket
import sys
import tempfile
import threading
import urllib.parse
import webbrowser

import ml_collections

from revive_jax import networks, types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import example, visitors
from revive_jax.desk.page import door

_PATIENCE = 2  # Seconds that open connections get when the desk is stopped.
# Before gradio is imported: it asks nothing of anybody.
_SILENT = {'GRADIO_ANALYTICS_ENABLED': 'False', 'HF_HUB_OFFLINE': '1',
           'HF_HUB_DISABLE_TELEMETRY': '1', 'GRADIO_RUN_HISTORY': 'False',
           'GRADIO_MCP_SERVER': 'False', 'GRADIO_SSR_MODE': 'False',
           'GRADIO_SHARE': 'False', 'GRADIO_ALLOWED_PATHS': '',
           'GRADIO_NODE_SERVER': 'False'}


def serve(c: ml_collections.ConfigDict, workdir: str) -> None:
  """Serves the desk until it is stopped.

  Args:
    c: configs/ui.py.
    workdir: where visitors and their films are kept.

  Raises:
    types.BadInput: it cannot listen there, gradio is not installed, or the
      settings cannot be.
    KeyboardInterrupt: it was stopped.
  """
  if 'ui' not in c or 'desk' not in c:
    raise types.BadInput(
        'The desk needs its own config: leave out --config, or set '
        '--config=ui.')
  c = networks.with_fills(c)
  token = door.token_for(c.ui.host, c.ui.token)
  limits = _limits(c.desk)
  with _bound(c.ui.host, c.ui.port) as listening:
    port = listening.getsockname()[1]
    with tempfile.TemporaryDirectory() as own:
      app = _app(own)
      desk = desk_lib.opened(c, workdir, limits)
      page = door.guarded(
          app.build(desk, port), host=c.ui.host, port=port, token=token,
          known=functools.partial(app.known, desk),
          new=functools.partial(visitors.new, desk))
      with app.swept(desk), example.prepared(desk):
        _run(page, listening, address(c.ui.host, port, token), c.ui.open)
  raise KeyboardInterrupt  # Nothing else ends it.


def _limits(chosen) -> desk_lib.Limits:
  """The limits of configs/ui.py.

  Raises:
    types.BadInput: one is not a number above 0.
  """
  for name, value in chosen.items():
    if not value > 0:
      raise types.BadInput(
          f'--config.desk.{name}={value} has to be above 0.')
  return desk_lib.Limits(
      bytes=int(chosen.gigabytes * 1e9), seconds=60.0 * chosen.minutes,
      films=chosen.films, jobs=chosen.jobs,
      jobs_of_visitor=chosen.jobs_of_visitor, lifetime=3600.0 * chosen.hours)


def address(host: str, port: int, token: str) -> str:
  """What to type into a browser."""
  name = host
  if host in ('0.0.0.0', '::', ''):
    name = socket.gethostname()
  elif ':' in host and not host.startswith('['):
    name = f'[{host}]'
  query = f'?token={urllib.parse.quote(token, safe="")}' if token else ''
  return f'http://{name}:{port}/{query}'


def _bound(host: str, port: int) -> socket.socket:
  """A socket that listens; before anything slow is imported."""
  if not 0 <= port < 65536:
    raise types.BadInput(
        f'--config.ui.port={port} is no port; give one from 1024 to 65535, or '
        '0 for any that is free.')
  try:
    place = socket.getaddrinfo(
        host.strip('[]') or '0.0.0.0', port, type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE)[0]
    listening = socket.socket(*place[:3])
  except OSError as error:
    raise types.BadInput(
        f'--config.ui.host={host!r} is no address of this computer '
        f'({error.strerror}).') from error
  try:
    if os.name == 'posix':  # Else a stopped desk keeps its port for a minute.
      listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(place[4])
    listening.listen()
  except OSError as error:
    listening.close()
    raise types.BadInput(
        f'The desk cannot listen at {host}, port {port} ({error.strerror}); '
        'stop what does, or give another with --config.ui.port, 0 for any that '
        'is free.') from error
  return listening


def _app(own: str):
  """What needs gradio, and own is where that would keep files."""
  os.environ.update(_SILENT, GRADIO_TEMP_DIR=own)
  try:
    from revive_jax.desk.page import app
  except ImportError as error:
    raise types.BadInput(
        "The desk needs gradio: pip install 'revive-jax[ui]' "
        f'({error}).') from error
  return app


def _run(page, listening, where, wants_browser) -> None:
  import uvicorn

  server = uvicorn.Server(uvicorn.Config(
      page, access_log=False, log_level='warning', server_header=False,
      timeout_graceful_shutdown=_PATIENCE))
  threading.Thread(target=_tell, args=(server, where, wants_browser),
                   daemon=True).start()
  server.run(sockets=[listening])


def _tell(server, where, wants_browser) -> None:
  """Says where the desk is, as soon as it answers, and opens a browser."""
  while not server.started:
    if server.should_exit:
      return
    threading.Event().wait(0.05)
  print(f'The desk is open: {where}\nStop it with Ctrl-C; what was begun is '
        'kept.', flush=True)
  if wants_browser and _has_screen():
    try:
      is_open = webbrowser.open(where)
    except webbrowser.Error:
      is_open = False
    if not is_open:
      sys.stderr.write('revive_jax: no browser was found; open the address '
                       'above in one.\n')


def _has_screen() -> bool:
  """Else webbrowser would start one of text, in this very terminal."""
  return sys.platform in ('win32', 'darwin') or bool(
      os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))
