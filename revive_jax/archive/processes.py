"""A pool of processes of this machine, for where there is no Ray.

Each is by itself: a film that ends one harms no other.
"""

import multiprocessing
from multiprocessing import connection
import os
import signal
import threading
from typing import Any, NamedTuple

from revive_jax.archive import manifest, scheduler, steps


class _Worker(NamedTuple):
  """A process, and the end of what connects it."""

  process: Any
  ours: connection.Connection


class Processes:
  """Processes, each of which does one step at a time."""

  has_gpus = False  # Each uses what there is.

  def __init__(self, count: int):
    """count: of processes; 0: one for each processor."""
    self.room = count or len(os.sched_getaffinity(0))
    self._idle, self._busy = [], {}

  def start(self, step: str, job: manifest.Job, *arguments: Any) -> Any:
    """Runs a step; returns a handle."""
    while self._idle:
      worker = self._idle.pop()
      try:
        worker.ours.send((step, job, *arguments))
        break
      except OSError:  # It died with nothing to do: of no film.
        worker.process.join()
    else:
      worker = _started()
      worker.ours.send((step, job, *arguments))
    self._busy[worker.ours] = worker
    return worker.ours

  def wait(self, seconds: float) -> list[scheduler.Ended]:
    """Those that have ended; waits for one for so long."""
    ended = []
    for ours in connection.wait(list(self._busy), seconds):
      worker = self._busy.pop(ours)
      try:
        ended.append(scheduler.Ended(ours, 'done', ours.recv()))
        self._idle.append(worker)
      except (EOFError, OSError):
        worker.process.join()
        ended.append(scheduler.Ended(ours, 'died', {
            'what': f'its process died ({_how(worker.process.exitcode)})'}))
    return ended

  def close(self) -> None:
    """Ends all, whatever they are at: it is gone on with."""
    workers = [*self._busy.values(), *self._idle]
    for worker in workers:
      worker.process.kill()
    for worker in workers:
      worker.process.join()
    self._busy, self._idle = {}, []


def _started() -> _Worker:
  context = multiprocessing.get_context('spawn')
  ours, theirs = context.Pipe()
  process = context.Process(target=_serve, args=(theirs,), daemon=False)
  process.start()
  theirs.close()
  return _Worker(process, ours)


def _serve(pipe) -> None:
  """Of a process: does what it is told until nobody is there."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # It is for the one above.
  threading.Thread(target=_outlive_nobody, daemon=True).start()
  while True:
    try:
      pipe.send(steps.run(*pipe.recv()))
    except (EOFError, OSError):
      return


def _outlive_nobody() -> None:
  multiprocessing.parent_process().join()
  os._exit(1)


def _how(code) -> str:
  """What a process died of, in words."""
  if code is None or code >= 0:
    return f'exit code {code}'
  name = signal.Signals(-code).name
  return f'{name}; perhaps there was not enough memory' if (
      name == 'SIGKILL') else name
