"""Progress of long work on stderr: done, rate, time left."""

from collections.abc import Iterable, Iterator
import sys
import time
from typing import TypeVar

_Item = TypeVar('_Item')


def show(
    items: Iterable[_Item], *, total: int | None, label: str, every: float = 2.0
) -> Iterator[_Item]:
  """Passes items through, and says every few seconds how far they are.

  Args:
    items: what is worked on, one by one.
    total: how many there will be; None if unknown.
    label: what is done to them.
    every: seconds between two messages.
  """
  start = last = time.monotonic()
  count, said = 0, False
  for item in items:
    yield item
    count += 1
    now = time.monotonic()
    if now - last >= every:
      last, said = now, True
      _say(label, count, total, count / (now - start), end='')
  if said:
    _say(label, count, total, count / max(time.monotonic() - start, 1e-6),
         end='\n')


def _say(label, count, total, rate, end):
  if total:
    left = max(total - count, 0) / rate
    state = f'{count}/{total} ({100 * count // total} %)'
    left = f', {int(left) // 60}:{int(left) % 60:02d} left'
  else:
    state, left = f'{count}', ''
  start = '\r' if sys.stderr.isatty() else ''
  end = end if sys.stderr.isatty() else '\n'
  sys.stderr.write(
      f'{start}{label}: {state}, {rate:.1f} frames/s{left}   {end}')
  sys.stderr.flush()
