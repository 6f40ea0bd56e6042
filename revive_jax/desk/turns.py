"""Turns: who waits for what, so that nobody holds up everybody else."""

import collections
from collections.abc import Hashable, Iterator
import contextlib
import pathlib
import threading
import weakref

from revive_jax import types

_MOST = 12  # Who waits for one film; a page asks for half as many at once.


class SupersededError(types.BadInput):
  """Somebody else took the place in the queue, and is served instead."""


class Locks:
  """A lock for each path, which is there for as long as it is used.

  What takes long is done for one film while it keeps no other waiting.
  """

  def __init__(self):
    self._lock = threading.Lock()
    self._locks = weakref.WeakValueDictionary()

  def of(self, path: str | pathlib.Path) -> threading.RLock:
    """The lock of a path."""
    with self._lock:
      key = str(path)
      found = self._locks.get(key)
      if found is None:
        found = self._locks[key] = threading.RLock()
      return found

  def wait(self, folder: pathlib.Path) -> None:
    """Waits until nobody is at anything in a folder that was deleted.

    Whoever comes later finds nothing there.
    """
    with self._lock:
      used = [lock for key, lock in self._locks.items()
              if pathlib.Path(key).is_relative_to(folder)]
    for lock in used:
      with lock:
        pass


class Turns:
  """One at a time; each film in its turn, however much is asked of one."""

  def __init__(self):
    self._condition = threading.Condition()
    self._waiting = collections.OrderedDict()  # By film, the next one first.
    self._is_busy = False

  @contextlib.contextmanager
  def turn(self, film: Hashable, kind: Hashable = None) -> Iterator[None]:
    """Waits for a turn, and holds it.

    Args:
      film: whose turn it is.
      kind: who waits for the same of this film gives way to this one: nobody
        looks at what is old. None: nobody does.

    Raises:
      SupersededError: a newer one came, or too many wait.
    """
    own = (kind, object())
    with self._condition:
      self._come(film, own)
      while not self._is_next(film, own):
        self._condition.wait()
        if own not in self._waiting.get(film, ()):
          raise SupersededError(
              'Something newer was asked of this film, and is made instead.')
      self._take(film)
    try:
      yield
    finally:
      with self._condition:
        self._is_busy = False
        self._condition.notify_all()

  def _come(self, film, own) -> None:
    queue = self._waiting.setdefault(film, [])
    if own[0] is not None:
      queue[:] = [other for other in queue if other[0] != own[0]]
    queue.append(own)
    del queue[:-_MOST]
    self._condition.notify_all()

  def _is_next(self, film, own) -> bool:
    first = next(iter(self._waiting))
    return not self._is_busy and first == film and (
        self._waiting[film][0] is own)

  def _take(self, film) -> None:
    """The next turn is another film's."""
    queue = self._waiting[film]
    del queue[0]
    if queue:
      self._waiting.move_to_end(film)
    else:
      del self._waiting[film]
    self._is_busy = True
