"""Several processes of one run: how they find each other, agree, and end.

The engine is jax.distributed: one process on each host (or each device), all
running the same program; process 0 is the coordinator, and writes.
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from typing import Any

import jax
from jax.experimental import multihost_utils
import numpy as np

from revive_jax import types

# A process that is silent for so long is held to be dead, and ends the others.
HEARTBEAT_SECONDS = 30
# So long the processes wait for each other at the start; the variable changes
# it.
START_SECONDS, _START_VARIABLE = 300, 'REVIVE_JAX_START_SECONDS'
_PORT = 8476
_BROKEN = ('Gloo', 'NCCL', 'UNAVAILABLE', 'coordination service')
_JOBSET = ('JOBSET_NAME', 'JOBSET_JOB', 'JOBSET_PROCESSES',
           'JOB_COMPLETION_INDEX')


def start(spec: str) -> None:
  """Joins the processes of a run; before anything else is asked of JAX.

  Args:
    spec: '': there is one process. 'HOST:PORT,COUNT,INDEX': where process 0
      listens, how many there are, which one this is. 'auto': found from
      Kubernetes (the variables that launch/kubernetes.yaml sets), SLURM, Open
      MPI, or a TPU's metadata.

  Raises:
    types.BadInput: it cannot be understood or found, or the others do not
      answer in START_SECONDS. Where JAX found the address, it is JAX that ends
      the process then, with DEADLINE_EXCEEDED.
  """
  if not spec:
    return
  seconds = start_seconds(os.environ)
  address, count, index = parse(spec, os.environ)
  if index:
    _wait_for(address, seconds)
  try:
    jax.config.update('jax_cpu_collectives_implementation', 'gloo')
    jax.distributed.initialize(
        address, count, index, initialization_timeout=seconds,
        heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        # Where all goes well, watched() lets none leave before the others.
        shutdown_timeout_seconds=15,
        **_detection(address, os.environ))
  except (RuntimeError, ValueError) as error:
    raise types.BadInput(
        f'--distributed={spec}: the processes of this run did not find each '
        f'other ({" ".join(str(error).split())[:200]}); see that all of them '
        f'are started within {seconds} s, with one address that all of '
        'them reach and the same count.') from error


def start_seconds(environment: Mapping[str, str]) -> int:
  """How long to wait for the others.

  Raises:
    types.BadInput: the variable is no number above 0.
  """
  text = environment.get(_START_VARIABLE, str(START_SECONDS))
  if not text.isdecimal() or not int(text):
    raise types.BadInput(
        f'{_START_VARIABLE}={text} is no whole number of seconds above 0.')
  return int(text)


def parse(
    spec: str, environment: Mapping[str, str]
) -> tuple[str | None, int | None, int | None]:
  """Address, count and index that a spec says; None: JAX is to find it.

  Raises:
    types.BadInput: the spec cannot be understood.
  """
  if spec == 'auto':
    if not all(name in environment for name in _JOBSET):
      return None, None, None
    name, job, count, index = (environment[name] for name in _JOBSET)
    # A JobSet gives its pods such names in the DNS; the first one listens.
    spec = f'{name}-{job}-0-0.{name}:{_PORT},{count},{index}'
  try:
    address, count, index = spec.split(',')
    host, port = address.rsplit(':', 1)
    count, index = int(count), int(index)
    if not host or not 0 < int(port) < 65536 or not 0 <= index < count:
      raise ValueError(spec)
  except ValueError as error:
    raise types.BadInput(
        f'--distributed={spec} is neither auto nor HOST:PORT,COUNT,INDEX with '
        'INDEX from 0 to COUNT - 1.') from error
  return address, count, index


def _detection(address, environment):
  """How JAX is to find what it was not told.

  Of a SLURM task it would take as many devices as tasks share the node, here
  one, though each task has a whole node with all of its devices.
  """
  if address is not None:
    return {'cluster_detection_method': 'deactivate'}
  gpus = environment.get('SLURM_GPUS_ON_NODE', '')
  # '1(x4)': one task on each of four nodes.
  tasks = environment.get('SLURM_STEP_TASKS_PER_NODE') or environment.get(
      'SLURM_NTASKS_PER_NODE', '1')
  if re.fullmatch(r'1(\(x\d+\))?', tasks) and gpus.isdigit() and int(gpus):
    return {'local_device_ids': list(range(int(gpus)))}
  return {}


def _wait_for(address: str, seconds: int) -> None:
  """Waits until somebody listens at an address: JAX would end the process."""
  host, port = address.rsplit(':', 1)
  last = time.monotonic() + seconds
  while True:
    try:
      with socket.create_connection((host.strip('[]'), int(port)), timeout=5):
        return
    except OSError as error:
      if time.monotonic() > last:
        raise types.BadInput(
            f'The coordinator at {address} does not answer after '
            f'{seconds} s ({error.strerror or error}); see that process '
            '0 is running, that its host has this name, and that no firewall '
            'closes the port.') from error
      time.sleep(0.5)


def is_first() -> bool:
  """Whether this is the process that writes."""
  return jax.process_index() == 0


def agreed(value: bool) -> bool:
  """What the first process says; all of them ask at the same place."""
  if jax.process_count() == 1:
    return value
  return bool(multihost_utils.broadcast_one_to_all(np.asarray(value)))


def shared(number: int) -> int:
  """The first process's number of 64 bits, for all of them."""
  if jax.process_count() == 1:
    return number
  halves = np.array([number >> 32, number % 2**32], np.uint32)
  high, low = multihost_utils.broadcast_one_to_all(halves)
  return (int(high) << 32) + int(low)


def everywhere(value: bool) -> bool:
  """Whether all processes say so."""
  if jax.process_count() == 1:
    return value
  return bool(multihost_utils.process_allgather(np.asarray(value)).all())


def alone(action: Callable[[], Any]) -> None:
  """Does something in the first process; what it refuses, all refuse.

  Raises:
    types.BadInput: it did.
  """
  refused = None
  if is_first():
    try:
      action()
    except types.BadInput as error:
      refused = error
  if not agreed(refused is None):
    raise refused or types.BadInput(
        'Process 0 refused this run; what it says tells why.')


@contextlib.contextmanager
def preemption() -> Iterator[Callable[[int], bool]]:
  """Yields a function of the step: whether to save and stop, after SIGTERM.

  Of several processes all stop after the same step, whichever got the signal.
  Elsewhere than in the main thread no signal is heard.
  """
  if jax.process_count() > 1:
    yield multihost_utils.reached_preemption_sync_point
    return
  event = threading.Event()
  if threading.current_thread() is not threading.main_thread():
    yield lambda step: event.is_set()
    return
  old = signal.signal(signal.SIGTERM, lambda *_: event.set())
  try:
    yield lambda step: event.is_set()
  finally:
    signal.signal(signal.SIGTERM, old)


@contextlib.contextmanager
def watched() -> Iterator[None]:
  """Ends this process in one sentence when another one is gone.

  A collective fails as soon as its connection breaks, in words about sockets.
  Which process is gone the runtime says, once HEARTBEAT_SECONDS went by without
  a sign of it ("Task 1 heartbeat timeout"), and ends what is still there.
  """
  try:
    yield
  except (RuntimeError, ValueError) as error:
    if jax.process_count() == 1 or not any(
        word in str(error) for word in _BROKEN):
      raise
    sys.stderr.write(
        f'revive_jax: process {jax.process_index()} of {jax.process_count()} '
        f'cannot go on ({" ".join(str(error).split())[:200]}). If another one '
        'died, the runtime names it ("stopped sending heartbeats" or '
        f'"heartbeat timeout") at most {HEARTBEAT_SECONDS} s from now. Start '
        'all of them again: the run goes on from its last checkpoint.\n')
    # The runtime ends this process meanwhile, and says who was silent. To leave
    # now would be to wait at its last barrier, which gives up sooner than that.
    time.sleep(HEARTBEAT_SECONDS + 5)
    sys.exit(1)
  agreed(True)  # None leaves while another one is still writing.
