"""The processes that open films which nobody vouches for; see sandbox.py.

serve() runs in an interpreter of its own, which has what is slow to import, and
makes two processes for each request: one that works, without rights, and one
that watches it, and says how it ended. No keys, no weights and no outputs are
in the memory of any of them.
"""

from collections.abc import Iterator
import importlib
import os
import select
import signal
import socket
import struct
from typing import Any

from revive_jax import types
from revive_jax.video import confine, messages, served

STATUS = struct.Struct('<i')
OUT_OF_MEMORY = 77  # The exit code, where not even that can be said.


def serve(control: int) -> None:
  """Makes a worker for each request, until the other end is closed.

  control: a socket; gives the ends of three others: data, status and film.
  """
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # The other end closes instead.
  signal.signal(signal.SIGCHLD, signal.SIG_IGN)
  for name in ('reader', 'tracks', 'durations', 'hdr', 'dicom'):
    importlib.import_module(f'revive_jax.video.{name}')
  with socket.socket(fileno=control) as requests:
    requests.send(b'+')
    while True:
      _, ends, *_ = socket.recv_fds(requests, 1, 3)
      if len(ends) != 3:
        return
      if not os.fork():
        try:
          requests.close()
          _watch(*ends)
        finally:
          os._exit(0)
      for end in ends:
        os.close(end)


def _watch(data, status, film):
  """Makes a worker; ends it when the other end of status is closed."""
  signal.signal(signal.SIGCHLD, signal.SIG_DFL)
  worker = os.fork()
  if not worker:
    code = 1
    try:
      os.close(status)
      code = _work(data, film)
    except MemoryError:
      code = OUT_OF_MEMORY
    finally:
      os._exit(code)
  os.close(data)
  os.close(film)
  os.write(status, STATUS.pack(worker))
  ended = os.pidfd_open(worker)
  if ended not in select.select([ended, status], [], [])[0]:
    os.kill(worker, signal.SIGKILL)
  _, code = os.waitpid(worker, 0)
  os.write(status, STATUS.pack(os.waitstatus_to_exitcode(code)))


def _work(data, film) -> int:
  """Does what is asked for, without rights; returns the exit code."""
  confine.die_with_parent()
  connection = socket.socket(fileno=data)
  request = messages.received(filler(connection))
  function = _named(request['function'])
  _close_all_but(data, film)
  os.chdir(request['folder'])
  confine.limit(request['memory'])
  held = confine.confine(request['readable'])

  def send(kind, value=None):
    for piece in messages.packed((kind, value)):
      connection.sendall(piece)

  send('held', held)  # Before the film is opened, so that it is true.
  if request['is_strict'] and set(held) < set(confine.ALL):
    return 0
  try:
    _answer(function, request, film, send)
  except types.BadInput as error:
    send('refused', str(error))
  except MemoryError:
    return OUT_OF_MEMORY
  except ConnectionError:  # Nobody waits for it any more.
    return 0
  except Exception as error:
    send('failed', f'{type(error).__name__}: {error}')
  return 0


def _answer(function, request, film, send):
  arguments = request['arguments']
  if request['is_served']:
    arguments = served.replaced(
        arguments, request['path'], socket.socket(fileno=film))
  options = dict(request['options'])
  if request['says']:
    options['warn'] = lambda said=None: send('said', said)
  found = function(*arguments, **options)
  if isinstance(found, Iterator):
    for item in found:
      send('item', item)
    found = None
  send('result', found)


def _named(name: str) -> Any:
  module, _, name = name.partition(':')
  return getattr(importlib.import_module(module), name)


def _close_all_but(*kept) -> None:
  low = 3
  for number in sorted(kept):
    os.closerange(low, number)
    low = number + 1
  os.closerange(low, 4096)


def filler(connection: socket.socket):
  """What fills a buffer from a socket, for messages.received."""
  def fill(view):
    while view:
      count = connection.recv_into(view)
      if not count:
        raise ConnectionError('The other end is closed.')
      view = view[count:]

  return fill
