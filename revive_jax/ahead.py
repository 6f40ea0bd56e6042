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
    size: how many may wait, 1 or more.
    patience: seconds that closing waits for an item that is being made; None:
      as long as it takes.

  Raises:
    ValueError: size is less than 1.
  """
  if size < 1:
    raise ValueError(f'size={size} is less than 1.')
  return _ahead(items, size, patience)


def _ahead(items, size, patience):
  waiting = queue.Queue(size)
  stopped = threading.Event()

  def hand_over(item) -> bool:
    while not stopped.is_set():
      try:
        waiting.put(item, timeout=0.1)
        return True
      except queue.Full:
        continue
    return False

  def work():
    iterator = iter(items)
    try:
      for item in iterator:
        if not hand_over(item):
          return
      hand_over(_END)
    except BaseException as error:  # It must not end the thread in silence.
      hand_over(_Failed(error))
    finally:
      if hasattr(iterator, 'close'):
        iterator.close()

  thread = threading.Thread(target=work, name='ahead', daemon=True)
  thread.start()
  try:
    while (item := waiting.get()) is not _END:
      if isinstance(item, _Failed):
        raise item.error
      yield item
  finally:
    stopped.set()
    thread.join(patience)
