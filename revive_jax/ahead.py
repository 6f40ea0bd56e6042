"""Work ahead: an iterator that runs in a thread while its items are used."""

from collections.abc import Iterable, Iterator
import queue
import threading
from typing import TypeVar

_Item = TypeVar('_Item')
_END = object()


class _Failed:
  """An error of the thread, on its way to where the items are used."""

  def __init__(self, error: BaseException):
    self.error = error


def ahead(
    items: Iterable[_Item], size: int, *, patience: float | None = None
) -> Iterator[_Item]:
  """Yields items in order, of which up to size wait ready, and one is made.

  Errors of items are raised where they are used. When the iterator is closed
  or dropped early, the thread ends after the item that it is at, and items is
  closed, if it can be.

  Args:
    items: is run through in a thread of its own.
    size: how many may wait; 0: the next one is made once the last was taken.
    patience: seconds that closing waits for an item that is being made; None:
      as long as it takes.

  Raises:
    ValueError: size is less than 0.
  """
  if size < 0:
    raise ValueError(f'size={size} is less than 0.')
  return _ahead(items, size, patience)


def _ahead(items, size, patience):
  waiting = queue.SimpleQueue()
  free = threading.Semaphore(size + 1)  # For those that wait, and the next.
  stopped = threading.Event()

  def work():
    iterator = iter(items)
    try:
      while free.acquire() and not stopped.is_set():
        item = next(iterator, _END)
        waiting.put(item)
        if item is _END:
          return
        del item  # Or it would be held while the next one is made.
    except BaseException as error:  # It must not end the thread in silence.
      waiting.put(_Failed(error))
    finally:
      if hasattr(iterator, 'close'):
        iterator.close()

  thread = threading.Thread(target=work, name='ahead', daemon=True)
  thread.start()
  try:
    while (item := waiting.get()) is not _END:
      if isinstance(item, _Failed):
        raise item.error
      free.release()
      yield item
      del item
  finally:
    stopped.set()
    free.release()
    thread.join(patience)
