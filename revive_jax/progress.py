"""Progress of long work on stderr: done, rate, time left."""

from collections.abc import Iterable, Iterator
import json
import sys
import time
from typing import TypeVar

FORMS = ('text', 'json', 'none')
_Item = TypeVar('_Item')


def show(
    items: Iterable[_Item], *, total: int | None, label: str,
    every: float = 2.0, done: int = 0, form: str = 'text',
) -> Iterator[_Item]:
  """Passes items through, and says every few seconds how far they are.

  Args:
    items: what is worked on, one by one.
    total: how many there will be, with those done; None if unknown.
    label: what is done to them.
    every: seconds between two messages.
    done: how many were done in an earlier run.
    form: of FORMS. 'text': a line that is written over, on a terminal. 'json':
      an object a line, with label, done, total, frames_per_second and
      seconds_left (null if unknown).
  """
  start = last = time.monotonic()
  count, said = 0, False
  try:
    for item in items:
      yield item
      count += 1
      now = time.monotonic()
      if now - last >= every:
        last, said = now, True
        _say(label, done + count, total, count / (now - start), form, end='')
  finally:
    if said or form == 'json':
      _say(label, done + count, total,
           count / max(time.monotonic() - start, 1e-6), form, end='\n')


def _say(label, count, total, rate, form, end):
  if form == 'none':
    return
  left = max(total - count, 0) / rate if total and rate else None
  if form == 'json':
    sys.stderr.write(json.dumps({
        'label': label, 'done': count, 'total': total,
        'frames_per_second': round(rate, 3),
        'seconds_left': None if left is None else round(left, 1)}) + '\n')
  else:
    sys.stderr.write(_line(label, count, total, rate, left, end))
  sys.stderr.flush()


def _line(label, count, total, rate, left, end) -> str:
  state, rest = f'{count}', ''
  if total:
    state = f'{count}/{total} ({100 * count // total} %)'
  if left is not None:
    rest = f', {int(left) // 60}:{int(left) % 60:02d} left'
  terminal = sys.stderr.isatty()
  return (('\r' if terminal else '')
          + f'{label}: {state}, {rate:.1f} frames/s{rest}   '
          + (end if terminal else '\n'))
