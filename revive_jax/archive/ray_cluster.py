"""A pool of the workers of a Ray cluster.

A task that dies is not tried again by Ray, but by the scheduler, which counts:
a film that ends its worker each time is to be given up, a film whose machine
was lost is not.
"""

import math
import os
import pathlib
import socket
import subprocess
import sys
import time
from typing import Any
import uuid

from absl import logging
import ml_collections

from revive_jax import types
from revive_jax.archive import machines, manifest, scheduler, worker
from revive_jax.models import weights

_NONE = ('Restoring on a cluster needs Ray; install it with pip install '
         '"revive-jax[cluster]", or set --config.archive.address=none to work '
         'in processes of this machine.')
_FRESH = 5.0  # Seconds for which the cluster is taken to be as large as it was.
_CALLS = 100  # Steps of a worker.
_LOOK, _GONE = 5.0, 20.0  # Seconds between looks at the head, and without it.
_GPU = {'env_vars': {'JAX_PLATFORMS': ''}}  # Of tasks that use one.
_PROBE = ('import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, '
          'logging_level="ERROR")')


def imported() -> Any:
  """Ray, which says nothing to anybody outside.

  Raises:
    types.BadInput: it is not installed.
  """
  os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
  try:
    import ray
  except ImportError as error:
    raise types.BadInput(_NONE) from error
  return ray


class RayPool:
  """Tasks on a cluster; see scheduler.Pool."""

  def __init__(
      self, c: ml_collections.ConfigDict, work: pathlib.Path,
      jobs: list[manifest.Job],
  ):
    """Connects.

    Args:
      c: configs/archive.py.
      work: the workdir, which all machines must see.
      jobs: what is to be done.

    Raises:
      types.BadInput: there is no Ray, no cluster, no GPU, or a machine that
        cannot do the work; it is named.
    """
    self._ray, self._c = imported(), c.archive
    _connect(self._ray, c.archive)
    try:
      self._gpus = _gpus(self._ray, c.archive)
      _check_fits(self._ray.nodes(), c.archive, self._gpus)
      _check_machines(self._ray, work, c.archive.patience)
      if self._gpus and not _is_gpu_found(self._ray, c.archive, self._gpus):
        self._gpus = 0.0
      self.has_gpus = self._gpus > 0
      self._weights = {
          name: self._ray.put(weights.read_weights(name))
          for name in _weights_of(jobs)}
    except BaseException:
      self._ray.shutdown()
      raise
    # A worker is not for ever: what it does not give back goes with it.
    self._task = self._ray.remote(max_calls=_CALLS)(worker.task())
    self._gpu_task = self._ray.remote(max_calls=1)(worker.task())
    needs = {'CPU': self._c.cpus, 'memory': self._c.memory * 1e9}
    self._machines = machines.Machines(needs, self._gpus)
    self._machines.look(self._ray.nodes())
    self._busy: dict[Any, str | None] = {}  # And where each was sent.
    self._room, self._counted = 0, -math.inf
    self._head = _Head(self._ray.get_runtime_context().gcs_address)

  @property
  def room(self) -> int:
    """Twice as many as can run: so nobody waits for the scheduler."""
    # Where nobody is at the head Ray would wait for it.
    if time.monotonic() - self._counted > _FRESH and self._head.answers():
      cpus = self._ray.cluster_resources().get('CPU', 0)
      self._room = 2 * max(1, int(cpus / self._c.cpus))
      self._machines.look(self._ray.nodes())
      self._counted = time.monotonic()
    return self._room

  def start(self, step: str, job: manifest.Job, *arguments: Any) -> Any:
    """Runs a step; returns a handle."""
    options = dict(num_cpus=self._c.cpus, max_retries=0, name=(
        f'{step} {job.name}'))
    if self._c.memory:
      options['memory'] = int(self._c.memory * 1e9)
    task, has_gpu = self._task, self.has_gpus and step in ('share', 'restore')
    if has_gpu:
      task = self._gpu_task
      options |= dict(num_gpus=self._gpus, runtime_env=_GPU)
    place = self._machines.place(has_gpu, self._busy.values())
    if place is not None:
      options['scheduling_strategy'] = _at(place, soft=True)
    handle = task.options(**options).remote(
        worker.own_version(), self._weights, has_gpu,
        worker.packed(step, job, *arguments))
    self._busy[handle] = place
    return handle

  def wait(self, seconds: float) -> list[scheduler.Ended]:
    """Those that have ended; waits for one for so long."""
    busy = list(self._busy)
    done, _ = self._ray.wait(busy, num_returns=1, timeout=seconds)
    if done:
      done, _ = self._ray.wait(busy, num_returns=len(busy), timeout=0)
    else:
      self._head.answers()
    for handle in done:
      del self._busy[handle]
    return [self._ended(handle) for handle in done]

  def _ended(self, handle) -> scheduler.Ended:
    errors = self._ray.exceptions
    try:
      return self._told(handle, self._ray.get(handle))
    except errors.WorkerCrashedError:
      how, what = 'died', 'its worker died (it crashed, or was killed)'
    except errors.OutOfMemoryError:
      how, what = 'died', ('its worker took more memory than the machine has; '
                           'ask for more with --config.archive.memory')
    except (errors.NodeDiedError, errors.ObjectLostError) as error:
      how, what = 'lost', f'its machine was lost ({_first(error)})'
    except errors.RayError as error:
      how, what = 'died', _first(error)
    return scheduler.Ended(handle, how, {'what': what})

  def _told(self, handle, told) -> scheduler.Ended:
    """Of a worker that lived to tell."""
    if why := told.get('unfit'):
      self._machines.cannot(told['node'], why, told.get('is_of_gpu', False))
      return scheduler.Ended(handle, 'unfit', {'what': why})
    if told.get('is_passing'):
      self._machines.doubt(told['node'])
    else:
      self._machines.can(told['node'], told['has_gpu'])
    return scheduler.Ended(handle, 'done', told)

  def close(self) -> None:
    """Ends what is running, and leaves the cluster."""
    if self._head.is_gone:  # Nobody is there to be told, and Ray would wait.
      return
    for handle in self._busy:
      self._ray.cancel(handle, force=True)
    self._ray.shutdown()


class _Head:
  """The head of a cluster, without which Ray ends this process after a minute.
  """

  def __init__(self, address: str):
    """address: HOST:PORT."""
    self._host, _, port = address.rpartition(':')
    self._port, self.is_gone = int(port), False
    self._seen = time.monotonic()

  def answers(self) -> bool:
    """Whether it is there now.

    Raises:
      types.BadInput: it has not been for a while.
    """
    now = time.monotonic()
    if now - self._seen < _LOOK:
      return True
    try:
      socket.create_connection((self._host, self._port), timeout=_LOOK).close()
      self._seen = now
    except OSError as error:
      self.is_gone = now - self._seen > _GONE
      if self.is_gone:
        raise types.BadInput(
            f'{self._host}:{self._port}: the head of the cluster is gone; '
            'start it again, with its machines: the same command goes on from '
            'here.') from error
    return self._seen == now


def _first(error) -> str:
  """The first line of an error that says something."""
  return next((line.strip() for line in str(error).splitlines()
               if line.strip()), type(error).__name__)


def _connect(ray, options) -> None:
  """Joins a cluster that runs, or starts one on this machine alone."""
  variables = {
      'JAX_PLATFORMS': 'cpu',  # But for tasks that ask for a GPU.
      'OPENBLAS_NUM_THREADS': '1',  # As main.py has it.
      # Threads of XLA and OpenCV: others use the other processors.
      'PJRT_NPROC': str(math.ceil(options.cpus))}
  if cache := os.environ.get('JAX_COMPILATION_CACHE_DIR'):
    variables['JAX_COMPILATION_CACHE_DIR'] = cache
  shared = dict(log_to_driver=False, logging_level='ERROR',
                runtime_env={'env_vars': variables})
  if not options.address:
    ray.init(address='local', num_cpus=options.processes or None,
             include_dashboard=False, **shared)
    return
  _check_answers(options.address, options.patience)
  ray.init(address=options.address, **shared)


def _check_answers(address, patience) -> None:
  """Refuses a cluster that is not there: Ray itself would wait for minutes."""
  def refuse(why):
    raise types.BadInput(
        f'{address}: no Ray cluster answers there ({why}); see with `ray '
        'status` whether it runs, start this on one of its machines, or set '
        '--config.archive.address to HOST:PORT of its head, or to nothing to '
        'use this machine alone.')

  host, colon, port = address.rpartition(':')
  if colon and '://' not in address:
    if not port.isdecimal():
      refuse(f'{port!r} is no port')
    try:
      socket.create_connection((host, int(port)), timeout=patience).close()
    except OSError as error:
      refuse(error.strerror or 'it took too long')
  try:
    # In a process of its own: where this fails, it may end its process.
    done = subprocess.run(
        [sys.executable, '-c', _PROBE, address], capture_output=True,
        text=True, check=False, timeout=patience)
  except subprocess.TimeoutExpired:
    refuse(f'within {patience:g} seconds')
  if done.returncode:
    lines = done.stderr.strip().splitlines()
    refuse(lines[-1] if lines else 'without a word')


def _gpus(ray, options) -> float:
  """GPUs that a task asks for that restores."""
  there = ray.cluster_resources().get('GPU', 0)
  if options.gpus < 0:
    return float(there > 0)
  if options.gpus > there:
    raise types.BadInput(
        f'--config.archive.gpus={options.gpus:g}: the cluster has {there:g} '
        'GPUs; start `ray` with --num-gpus where there are some, or set it to '
        '0 to restore without.')
  return options.gpus


def _is_gpu_found(ray, options, gpus) -> bool:
  """Whether jax can work on a GPU that the cluster has.

  Raises:
    types.BadInput: it cannot, and GPUs were asked for.
  """
  handle = ray.remote(max_calls=1)(worker.finds_gpu).options(
      num_cpus=0, num_gpus=gpus, max_retries=1, runtime_env=_GPU).remote()
  done, _ = ray.wait([handle], timeout=max(60.0, options.patience))
  try:
    if done and ray.get(handle):
      return True
    why = ('jax finds none of them' if done else
           'none of them was free within a minute')
  except ray.exceptions.RayError as error:
    why = _first(error)
  ray.cancel(handle, force=True)
  if options.gpus > 0:
    raise types.BadInput(
        f'--config.archive.gpus={options.gpus:g}: the cluster has GPUs, but '
        f'{why}; install "revive-jax[cuda]" on its machines, or set it to 0.')
  logging.warning(
      'The cluster has GPUs, but %s; films are restored without. Install '
      '"revive-jax[cuda]" on its machines to use them.', why)
  return False


def _check_fits(nodes, options, gpus) -> None:
  """Refuses tasks that no machine can take: they would wait for ever."""
  needs = {'CPU': options.cpus, 'memory': options.memory * 1e9, 'GPU': gpus}
  there = [node['Resources'] for node in nodes if node['Alive']]
  if any(found.get('CPU') for found in there) and not any(
      all(found.get(k, 0) >= v for k, v in needs.items()) for found in there):
    raise types.BadInput(
        f'No machine of the cluster has what one task asks for: '
        f'{options.cpus:g} processors, {options.memory:g} GB and {gpus:g} GPUs;'
        ' set --config.archive.cpus, memory or gpus to less, or processes to '
        'more, where Ray is started for this run.')


def _check_machines(ray, work, patience) -> None:
  """Refuses machines that do not see the workdir, or are of another version."""
  token = work / f'.seen-{uuid.uuid4().hex[:8]}'
  token.write_text('')
  try:
    asked = {}
    for node in ray.nodes():
      if node['Alive'] and node['Resources'].get('CPU'):
        asked[ray.remote(worker.seen).options(
            num_cpus=0, max_retries=1, scheduling_strategy=_at(
                node['NodeID'], soft=False)).remote(
                    str(token))] = node['NodeManagerHostname']
    if not asked:
      raise types.BadInput(
          'The cluster has no machine with processors; add one with `ray start '
          '--address=HOST:PORT`.')
    done, _ = ray.wait(
        list(asked), num_returns=len(asked), timeout=max(60.0, patience))
    good = [_check_machine(ray, handle, handle in done, host, work)
            for handle, host in asked.items()]
    if not any(good):
      raise types.BadInput(
          'All machines of the cluster were just lost; see `ray status`, and '
          'start this again.')
  finally:
    token.unlink(missing_ok=True)


def _at(node, *, soft) -> Any:
  """To a machine; soft: or to another, once it is gone."""
  from ray.util import scheduling_strategies

  return scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=soft)


def _check_machine(ray, handle, is_done, host, work) -> bool:
  """Whether a machine can work; False: it was lost, and can do no harm."""
  if not is_done:
    raise types.BadInput(
        f'The machine {host} of the cluster starts no worker; see its logs, or '
        'take it out with `ray stop`.')
  try:
    version, sees = ray.get(handle)
  except (ray.exceptions.NodeDiedError,
          ray.exceptions.TaskUnschedulableError):
    return False
  except ray.exceptions.RayError as error:
    raise types.BadInput(
        f'The machine {host} of the cluster cannot run this program '
        f'({_first(error)}); install the same version of revive-jax there.'
    ) from error
  if version != worker.own_version():
    raise types.BadInput(
        f'The machine {host} of the cluster has revive-jax {version}, this one '
        f'{worker.own_version()}; install the same there.')
  if not sees:
    raise types.BadInput(
        f'The machine {host} of the cluster does not see {work}; choose a '
        '--workdir on storage that all machines share.')
  return True


def _weights_of(jobs) -> list[str]:
  """The weights that jobs use, by name."""
  names = set()
  for job in jobs:
    names |= {job.settings['weights'], job.settings['fills']}
    if job.settings['output']['upscale'] > 1:
      names.add(job.settings['upscaler'])
  return sorted(names - {''})
