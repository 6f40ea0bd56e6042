"""The machines of a cluster: which are left alone, and where a task goes then.

A machine that cannot do the work (its storage is gone, its environment broken)
gives its tasks back at once. So it is idle, and would be handed the next, and
soon all. No film is blamed for that; the machine rests, each time for longer.
"""

import collections
from collections.abc import Iterable, Mapping
import math
import time
from typing import Any, NamedTuple

from absl import logging

from revive_jax import types

_REST, _LONGEST = 60.0, 3600.0  # Seconds; twice as many each time.
_MOST = 3  # Where every machine had so many rests, there is nobody to go on.
_NAMED = 3  # Machines that an error names.


class _Fault(NamedTuple):
  """That a machine could not do it."""

  count: int = 0  # Times, with a rest after each.
  until: float = -math.inf  # It rests.
  what: str = ''  # Its name, and why.


class Machines:
  """What is known of machines, from the tasks that they were given."""

  def __init__(self, needs: Mapping[str, float], gpus: float):
    """needs: of a task, by Ray's names; gpus: of one that restores, too."""
    self._needs = {False: dict(needs), True: dict(needs) | {'GPU': gpus}}
    self._has_gpus = gpus > 0
    self._there, self._faults = {}, {}

  def look(self, nodes: Iterable[Mapping[str, Any]]) -> None:
    """Takes in which there are, as ray.nodes() says."""
    self._there = {n['NodeID']: n['Resources'] for n in nodes if n['Alive']}

  def can(self, node: str, has_gpu: bool) -> None:
    """Notes that a machine has done a task."""
    for is_of_gpu in {False, has_gpu}:
      self._faults.pop((node, is_of_gpu), None)

  def cannot(self, node: str, what: str, is_of_gpu: bool) -> None:
    """Notes that a machine could not, whatever the task.

    Args:
      node: which.
      what: its name, and why.
      is_of_gpu: whether it may do what needs no GPU.

    Raises:
      types.BadInput: none could, again and again.
    """
    fault = self._faults.get((node, is_of_gpu), _Fault())
    now = time.monotonic()
    if now >= fault.until:  # Or it is of a task that it was given before.
      rest = min(_LONGEST, _REST * 2**fault.count)
      self._faults[node, is_of_gpu] = _Fault(fault.count + 1, now + rest, what)
      logging.warning(
          '%s; it is left alone for %g seconds, and its tasks go to others.',
          what, rest)
    self._check()

  def doubt(self, node: str) -> None:
    """Notes that a task failed on a machine which may not on another."""
    fault = self._faults.get((node, False), _Fault())
    self._faults[node, False] = fault._replace(
        until=max(fault.until, time.monotonic() + _REST))

  def _check(self) -> None:
    # Those with GPUs can do all, if there are some.
    worst = [max(self._of(n, self._has_gpus), key=lambda fault: fault.count)
             for n in self._fit(self._has_gpus)]
    if worst and all(fault.count >= _MOST for fault in worst):
      told = sorted({fault.what for fault in worst})
      more = len(told) - _NAMED
      raise types.BadInput(
          'No machine of the cluster can do the work: '
          f'{"; ".join(told[:_NAMED])}{f"; and {more} more" * (more > 0)}. '
          'Once that is set right, the same command goes on from here.')

  def place(self, has_gpu: bool, given: Iterable[str | None]) -> str | None:
    """Where a task should go; None: wherever there is room.

    Args:
      has_gpu: whether it asks for one.
      given: where those went that are not done.
    """
    if not self._faults:
      return None
    fit, now = self._fit(has_gpu), time.monotonic()
    good = {n: slots for n, slots in fit.items()
            if all(fault.until <= now for fault in self._of(n, has_gpu))}
    if not good or len(good) == len(fit):
      return None
    load = collections.Counter(given)
    return min(good, key=lambda n: load[n] / good[n])

  def _fit(self, has_gpu) -> dict[str, int]:
    """Machines, and how many such tasks each can take at once."""
    needs = [(k, v) for k, v in self._needs[has_gpu].items() if v]
    slots = {n: min(int(has.get(k, 0) / v) for k, v in needs)
             for n, has in self._there.items()}
    return {n: count for n, count in slots.items() if count}

  def _of(self, node, has_gpu) -> list[_Fault]:
    return [self._faults.get((node, is_of_gpu), _Fault())
            for is_of_gpu in {False, has_gpu}]
