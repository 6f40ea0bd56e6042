"""What runs in a worker of a Ray cluster."""

from collections.abc import Callable
import importlib
import os
import pathlib
from typing import Any

import cv2

from revive_jax.archive import manifest, steps
from revive_jax.models import weights


def task(pause: float = 5.0) -> Callable[..., dict[str, Any]]:
  """The function that Ray runs, for run() below.

  It is sent whole, for it is of no module, and so are its arguments: a machine
  on which this program cannot be imported says so itself, and Ray does not say
  that the task failed.

  Args:
    pause: seconds before a machine that cannot do it takes the next task.
  """
  def start(version, held, has_gpu, packed):
    import importlib
    import socket
    import time

    import ray

    try:
      module = importlib.import_module('revive_jax.archive.worker')
    except Exception as error:  # Whatever is wrong with what it imports.
      told = {'unfit': f'cannot run this program ({error})'}
    else:
      told = module.run(version, held, has_gpu, packed)
    if 'unfit' in told:
      time.sleep(pause)
      told['unfit'] = f'The machine {socket.gethostname()} {told["unfit"]}'
    return told | {'node': ray.get_runtime_context().get_node_id(),
                   'has_gpu': has_gpu}

  return start


def packed(step: str, job: manifest.Job, *arguments: Any) -> tuple[Any, ...]:
  """A step as run() takes it, of nothing that is of a module of ours."""
  return step, (*job._replace(entry=tuple(job.entry)),), arguments


def run(version, held, has_gpu, packed) -> dict[str, Any]:
  """A step, in a worker.

  Args:
    version: of the driver.
    held: the weights, in the object store, by name.
    has_gpu: whether it was given one.
    packed: what packed() made.

  Returns:
    What steps.run does; or 'unfit', why this machine cannot do it, whatever the
    step; is_of_gpu: if it has one.
  """
  if own_version() != version:
    return {'unfit': f'has revive-jax {own_version()}, and not {version}'}
  step, fields, arguments = packed
  job = manifest.Job(*fields)
  job = job._replace(entry=manifest.Entry(*job.entry))
  if not os.path.isdir(pathlib.Path(job.work).parent):
    return {'unfit': 'does not see the workdir'}
  import ray

  cv2.setNumThreads(int(os.environ.get('PJRT_NPROC', '1')))
  for name, reference in held.items():
    weights.hold(name, ray.get(reference))
  if has_gpu and not finds_gpu():
    return {'unfit': 'has no GPU that jax finds', 'is_of_gpu': True}
  return steps.run(step, job, *arguments)


def finds_gpu() -> bool:
  """Whether jax has something better than processors."""
  import jax

  try:
    return jax.default_backend() != 'cpu'
  except RuntimeError:  # It is there, but does not work.
    return False


def own_version() -> str:
  """Of this program."""
  return importlib.import_module('revive_jax').__version__


def seen(token: str) -> tuple[str, bool]:
  """Of a machine: its version, and whether it sees a file."""
  return own_version(), os.path.exists(token)
