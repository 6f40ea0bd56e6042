"""The scheduler: which step of which film is next, whatever happens to workers.

It knows nothing of clusters: a pool runs steps, and says how each ended. What a
film has come to is in its folder, so nothing is lost with the scheduler.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import heapq
import itertools
import os
from typing import Any, NamedTuple, Protocol

from revive_jax.archive import manifest, rows

# Films that are begun come first: they are finished, and their space is freed.
_URGENCY = {'finish': 0, 'share': 1, 'restore': 1, 'begin': 2, 'whole': 2}
_LOST_FOR_ONE = 5  # So many lost machines are one try: it may be the film.


class Ended(NamedTuple):
  """How a step ended."""

  handle: Any  # What start() gave.
  # 'done'; 'died', the worker; 'lost', its machine; or 'unfit', a machine that
  # could do none, which the pool sees to.
  how: str
  told: dict[str, Any]  # What the step says; or 'what', of the worker.


class Pool(Protocol):
  """What runs steps."""

  room: int  # How many may be with it at once.
  has_gpus: bool  # Whether those that restore are apart from the others.

  def start(self, step: str, job: manifest.Job, *arguments: Any) -> Any:
    """Runs a step some time; returns a handle."""

  def wait(self, seconds: float) -> list[Ended]:
    """Those that have ended; waits for one for so long."""

  def close(self) -> None:
    """Ends all."""


@dataclasses.dataclass
class _State:
  """Where a film is."""

  job: manifest.Job
  left: set[tuple[int, int]] = dataclasses.field(default_factory=set)
  frames: int = 0
  shares: int = 0
  seconds: float = 0.0
  died: dict[tuple, int] = dataclasses.field(default_factory=dict)
  lost: int = 0
  is_over: bool = False


class Event(NamedTuple):
  """What run() tells: a step that was done, or how a film ended."""

  frames: int  # That were finished with it.
  known: int  # That it has turned out there are.
  row: rows.Row | None  # Of a film that has ended.


def run(
    jobs: Sequence[manifest.Job], pool: Pool, *, frames: int, tries: int,
    tick: float = 1.0, look: Callable[[], None] = lambda: None,
) -> Iterator[Event]:
  """Restores films; yields what happens.

  Args:
    jobs: the films, each of its own name.
    pool: what runs their steps.
    frames: of a share, at least.
    tries: how often a step may end its worker before its film is given up.
    tick: seconds between two calls of look.
    look: called again and again.
  """
  first = 'begin' if pool.has_gpus else 'whole'
  order = itertools.count()
  waiting, running = [], {}

  def push(state, step, *arguments):
    heapq.heappush(
        waiting, (_URGENCY[step], next(order), state, step, arguments))

  for job in jobs:
    push(_State(job), first, frames)
  while waiting or running:
    while waiting and len(running) < pool.room:
      *_, state, step, arguments = heapq.heappop(waiting)
      if not state.is_over:
        running[pool.start(step, state.job, *arguments)] = (
            state, step, arguments)
    if not running:
      continue
    for ended in pool.wait(tick):
      state, step, arguments = running.pop(ended.handle)
      if not state.is_over:
        yield from _after(state, step, arguments, ended, push, tries)
    look()


def _after(state, step, arguments, ended, push, tries) -> Iterator[Event]:
  """What follows a step that has ended."""
  told = ended.told
  state.seconds += told.get('seconds', 0.0)
  if ended.how != 'done' or told.get('is_passing'):
    yield from _again(state, step, arguments, ended, push, tries)
  elif told['state'] == 'begun':
    yield from _begun(state, told, push)
  elif told['state'] == 'made':
    state.left.discard(arguments)
    if not state.left:
      push(state, 'finish')
    yield Event(told.get('frames', arguments[2]), 0, None)
  else:
    yield from _over(state, told)


def _begun(state, told, push) -> Iterator[Event]:
  """Of a film that was measured."""
  state.frames, state.shares = told['frames'], len(told['shares'])
  if state.shares > 1:
    state.left = set(map(tuple, told['shares']))
    for share in told['shares']:
      push(state, 'share', *share)
  else:
    push(state, 'restore')
  yield Event(0, state.frames, None)


def _again(state, step, arguments, ended, push, tries) -> Iterator[Event]:
  """Of a step whose worker died: it is tried again, but not for ever."""
  key = (step, *arguments)
  if ended.how == 'unfit':
    push(state, step, *arguments)
    return
  if ended.how == 'lost':
    state.lost += 1
  if ended.how != 'lost' or state.lost % _LOST_FOR_ONE == 0:
    state.died[key] = state.died.get(key, 0) + 1
  if state.died.get(key, 0) < tries:
    push(state, step, *arguments)
    return
  what = (f'given up after {tries} tries of the step "{_named(key)}"; the last '
          f'ended so: {ended.told["what"]}')
  yield from _over(state, {'state': 'failed', 'what': what})


def _named(key) -> str:
  step, *arguments = key
  names = {'begin': 'measure', 'whole': 'measure and restore',
           'finish': 'join'}
  if step == 'share':
    return f'restore the segments {arguments[0]} to {arguments[1] - 1}'
  return names.get(step, step)


def _over(state, told) -> Iterator[Event]:
  """Of a film that has ended, well or not."""
  state.is_over = True
  job, total = state.job, told.get('frames', 0)
  warnings = told.get('warnings', [])
  reports = [os.path.join('films', job.name, f'report.{kind}')
             for kind in ('html', 'json')
             if os.path.exists(os.path.join(job.work, f'report.{kind}'))]
  row = rows.waiting(job)._replace(
      state=told['state'], frames=total, shares=max(state.shares, 1),
      film_seconds=told.get('film_seconds') or 0.0,
      work_seconds=round(state.seconds, 3), output=told.get('output', ''),
      tries=sum(state.died.values()), lost=state.lost,
      report=reports[0] if reports else '',
      warnings=len(warnings),
      what=told.get('what') or (warnings[0] if warnings else ''))
  # Of one that is one task nothing was counted before.
  whole = told['state'] == 'restored' and state.shares < 2
  yield Event(total if whole else 0, total if not state.frames else 0, row)
