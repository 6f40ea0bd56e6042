"""Films that nobody vouches for are opened in a process without rights.

A path says itself that it is one: guarded() makes it Untrusted, a string like
any other, and what opens films (probe, reader, extras, the sound) then has that
done by a worker, which may read this file and nothing else, write nothing, and
reach no network (confine.py), within limits of memory and time. What it finds
comes back as plain values (messages.py). Its death is one sentence. Elsewhere
probe.open_video refuses such a path, but to copy packets at the end.
"""

import atexit
from collections.abc import Callable, Iterator
import contextlib
import functools
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, NamedTuple

from absl import logging

from revive_jax import files, types
from revive_jax.video import allowed, confine, decoder, messages, served

USES = ('auto', 'on', 'off')
_TICK = 0.5  # Seconds between looks at a worker that says nothing.


class Limits(NamedTuple):
  """What a worker may take."""

  memory: int = 4 << 30  # Bytes.
  processor: float = 60.0  # Seconds of processor time for a frame.
  patience: float = 600.0  # Seconds for a frame, asleep or not.


LIMITS = Limits()


class Untrusted(str):
  """The path of a film that is opened by a worker only."""

  is_strict = False  # Whether it is not opened where a limit cannot be kept.


class KilledError(types.BadInput):
  """A decoder was ended from outside: its film may be good."""


class _EndedError(Exception):
  """The worker is no more."""


def guarded(path: Any, use: str, *, many: bool = False) -> Any:
  """The path of a film, to be opened as the setting says.

  Args:
    path: of one film, or of a vault.
    use: one of USES; 'auto': where many films are restored together.
    many: whether they are.

  Raises:
    types.BadInput: it is to be, and this system cannot.
  """
  if use == 'off' or not path or covers(path) or (use == 'auto' and not many):
    return path
  if not _is_possible():
    if use == 'auto':
      return path
    raise types.BadInput(
        f'{path}: films can be decoded in a process of their own on Linux '
        'only; leave out --config.sandbox.')
  if not files.is_sealed(path):
    plain = Untrusted(os.fspath(path))
    plain.is_strict = use == 'on'
    return plain
  if os.path.isdir(path):
    if use == 'auto':
      logging.log_first_n(
          logging.WARNING, '%s: sealed pictures are decoded in the process '
          'that restores them, and so are those of other folders.', 1, path)
      return path
    raise types.BadInput(
        f'{path}: sealed pictures cannot be decoded in a process of their own; '
        'leave out --config.sandbox, or give a film.')
  place = type(path)(path)
  place.is_untrusted, place.is_strict = True, use == 'on'
  return place


@functools.cache
def _is_possible() -> bool:
  """Whether this is a Linux (from 5.3 on) where processes can be watched."""
  try:
    os.close(os.pidfd_open(os.getpid()))
  except (AttributeError, OSError):
    return False
  return True


_LIVE = ('what runs by itself (a camera, a stream, a pipe) is decoded in the '
         'process that restores it')


def refuse(use: str | None, source: str, why: str = _LIVE) -> None:
  """Raises BadInput for what is decoded here, if use is 'on'; why: says so."""
  if use == 'on':
    raise types.BadInput(f'{source}: {why}; leave out --config.sandbox.')


def covers(path: Any) -> bool:
  """Whether a path is to be opened by a worker only."""
  return isinstance(path, Untrusted) or getattr(path, 'is_untrusted', False)


def call(
    function: Callable[..., Any], path: Any, *arguments: Any,
    warn: Callable[[Any], None] | None = None, **options: Any
) -> Any:
  """What function(*arguments, **options) returns, from a worker.

  Args:
    function: of a module, by its name; it is given warn, too, if there is one.
    path: of the film that may be read; in the arguments it is a plain one.
    *arguments: see messages.py.
    warn: called with what the function said.
    **options: like arguments.

  Raises:
    types.BadInput: the function did, or the worker died of the film.
  """
  for kind, value in run(
      function, path, *arguments, says=warn is not None, **options):
    if kind == 'said':
      warn(value)
  return value


def stream(
    function: Callable[..., Iterator[Any]], path: Any, *arguments: Any,
    warn: Callable[[Any], None], **options: Any
) -> Iterator[Any]:
  """Yields what function yields, as call(); when closed, the worker ends."""
  for kind, value in run(function, path, *arguments, says=True, **options):
    if kind == 'said':
      warn(value)
    elif kind == 'item':
      yield value


def run(
    function: Callable[..., Any], path: Any, *arguments: Any, says: bool,
    **options: Any
) -> Iterator[tuple[str, Any]]:
  """Yields ('said' or 'item', value) as they come, and ('result', value)."""
  worker = _Worker(path)
  try:
    worker.ask({
        'function': f'{function.__module__}:{function.__qualname__}',
        'path': os.fspath(path), 'says': says, 'options': options,
        'folder': os.getcwd(),
        'arguments': arguments})
    while True:
      kind, value = worker.answer()
      yield kind, value
      if kind == 'result':
        return
  finally:
    worker.close()


class _Worker:
  """One worker, and what connects it."""

  def __init__(self, path):
    self._path, self._pid, self._failures = path, None, []
    self._data, data = socket.socketpair()
    self._status, status = socket.socketpair()
    film, self._film = socket.socketpair()
    try:
      _server().request([data, status, film])
    finally:
      for end in (data, status, film):
        end.close()
    self._data.settimeout(_TICK)
    if files.is_sealed(path):
      threading.Thread(
          target=served.serve, args=(path, self._film, self._failures),
          name='served', daemon=True).start()

  def ask(self, request) -> None:
    """Says what is to be done, and hears which limits hold."""
    strict = getattr(self._path, 'is_strict', False)
    request |= {
        'memory': LIMITS.memory, 'is_served': files.is_sealed(self._path),
        'readable': allowed.readable(self._path), 'is_strict': strict}
    try:
      for piece in messages.packed(request):
        self._data.sendall(piece)
    except ConnectionError:
      raise self._obituary() from None
    _check_held(self._path, strict, self.answer()[1])

  def answer(self) -> tuple[str, Any]:
    """The next message: ('held', 'said', 'item' or 'result', value).

    Raises:
      types.BadInput: the film cannot be read, or the worker died of it.
      RuntimeError: an error of this program, in the worker.
    """
    self._since = self._used = None
    try:
      kind, value = messages.received(self._fill)
    except (_EndedError, ConnectionError):
      raise self._obituary() from None
    except (messages.BrokenError, TypeError, ValueError) as error:
      raise types.BadInput(
          f'{self._path}: the process that decodes it sent what is no frame '
          f'({error}); the file may be made to do harm, leave it out.'
      ) from error
    if self._failures:
      raise self._failures[0]
    if kind == 'refused':
      raise types.BadInput(str(value))
    if kind == 'failed':
      raise RuntimeError(f'{self._path}: {value} (in the decoding process)')
    if kind not in ('held', 'said', 'item', 'result'):
      raise types.BadInput(
          f'{self._path}: the process that decodes it sent what is no frame; '
          'the file may be made to do harm, leave it out.')
    return kind, value

  def _fill(self, view):
    while view:
      try:
        count = self._data.recv_into(view)
      except TimeoutError:
        self._check_time()
        continue
      if not count:
        raise _EndedError
      view = view[count:]

  def _check_time(self):
    """Raises BadInput for a worker that takes too long over one message."""
    now, used = time.monotonic(), self._processor_time()
    if self._since is None:
      self._since, self._used = now, used
    for taken, most, of in (
        (used - self._used, LIMITS.processor, 'seconds of the processor'),
        (now - self._since, LIMITS.patience, 'seconds')):
      if taken > most:
        raise types.BadInput(
            f'{self._path}: one frame took the decoder more than {most:g} '
            f'{of}, so it was stopped; leave the file out, or, if you trust '
            'it, decode it without limits: --config.sandbox=off.')

  def _processor_time(self) -> float:
    """Seconds that the worker has used."""
    try:
      text = pathlib.Path(f'/proc/{self._number()}/stat').read_text()
    except (OSError, _EndedError):
      return 0.0
    user, system = text.rpartition(')')[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')

  def _number(self) -> int:
    if self._pid is None:
      self._pid = self._say()
    return self._pid

  def _say(self) -> int:
    """The next number that the watching process sends."""
    data = b''
    self._status.settimeout(30)
    while len(data) < decoder.STATUS.size:
      try:
        piece = self._status.recv(decoder.STATUS.size - len(data))
      except OSError:
        piece = b''
      if not piece:
        raise _EndedError
      data += piece
    return decoder.STATUS.unpack(data)[0]

  def _obituary(self) -> Exception:
    """What a worker died of, in a sentence."""
    if self._failures:
      return self._failures[0]
    try:
      self._number()
      code = self._say()
    except _EndedError:
      code = 0
    if code == decoder.OUT_OF_MEMORY:
      return types.BadInput(
          f'{self._path}: decoding it takes more than '
          f'{LIMITS.memory / (1 << 30):g} GiB of memory; leave the file out, '
          'or, if you trust it, decode it without limits: '
          '--config.sandbox=off.')
    if code == -signal.SIGKILL:  # Nothing in a film does that.
      return KilledError(f'{self._path}: its decoder was killed, perhaps since '
                         'the machine had no memory left; try it again.')
    how = 'it ended without a word'
    if code < 0:
      how = signal.Signals(-code).name
    return types.BadInput(
        f'{self._path}: the decoder died of this file ({how}): it is damaged, '
        'or made to do harm; leave it out, or get another copy of it.')

  def close(self) -> None:
    """Ends the worker, whatever it is at."""
    with contextlib.suppress(OSError):  # Who serves it is not to wait.
      self._film.shutdown(socket.SHUT_RDWR)
    for end in (self._data, self._status, self._film):
      end.close()


def _check_held(path, is_strict, held) -> None:
  """Refuses, or says once, what this kernel cannot keep a worker from."""
  missing = ' and '.join(v for k, v in confine.ALL.items() if k not in held)
  lacks = f'this kernel cannot limit {missing} of what decodes films'
  if missing and is_strict:
    raise types.BadInput(
        f'{path}: {lacks}, so it is not opened; leave out --config.sandbox.')
  if missing:
    logging.log_first_n(logging.WARNING, 'Sandbox: %s; its memory and time '
                        'are limited.', 1, lacks)


class _Server:
  """The process that makes workers."""

  def __init__(self):
    self._control, theirs = socket.socketpair()
    command = (f'from revive_jax.video import decoder; '
               f'decoder.serve({theirs.fileno()})')
    with theirs:
      self._process = subprocess.Popen(
          [sys.executable, '-c', command], pass_fds=[theirs.fileno()],
          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
          stderr=subprocess.DEVNULL, env=allowed.environment())
    self._lock = threading.Lock()
    if self._control.recv(1) != b'+':
      raise RuntimeError('The process that opens films could not be started.')

  def request(self, ends) -> None:
    """Makes a worker, at the other ends of sockets."""
    with self._lock:
      socket.send_fds(self._control, [b'.'], [e.fileno() for e in ends])

  def is_alive(self) -> bool:
    """Whether there is one."""
    return self._process.poll() is None

  def close(self) -> None:
    """Ends it; its workers end with their sockets."""
    self._control.close()
    self._process.wait()


_LOCK = threading.Lock()
_servers: dict[int, _Server] = {}  # Of this process; not of one it came from.


def _server() -> _Server:
  with _LOCK:
    found = _servers.get(os.getpid())
    if found is None or not found.is_alive():
      found = _servers[os.getpid()] = _Server()
      atexit.register(found.close)
    return found
