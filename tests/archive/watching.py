"""What does harm to an archive at work: finds workers, and ends them."""

import glob
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from unittest import mock

import pytest

from tests.launch import fakes

_SMALL = 80 * 2**20  # Bytes of an object store.


def command(source, workdir, *words):
  """The command line that restores an archive."""
  return [sys.executable, '-m', 'revive_jax.main', '--config=archive:tiny',
          f'--input={source}', f'--workdir={workdir}',
          '--config.archive.frames=48', *words]


def environment(**more):
  """Of commands: no more threads than there are workers."""
  return os.environ | {'JAX_NUM_CPU_DEVICES': '1', 'PYTHONPATH': str(
      fakes.ROOT), 'RAY_USAGE_STATS_ENABLED': '0'} | more


def start(source, workdir, *words):
  """Starts that command."""
  return subprocess.Popen(
      command(source, workdir, *words), cwd=fakes.ROOT, env=environment(),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def cluster(**more):
  """A cluster of Ray whose head has one processor; it is to be shut down.

  more: resources of the head.
  """
  cluster_utils = pytest.importorskip('ray.cluster_utils')
  with mock.patch.dict(os.environ, environment()):
    return cluster_utils.Cluster(initialize_head=True, head_node_args=dict(
        num_cpus=1, include_dashboard=False, object_store_memory=_SMALL,
        **more))


def join(where, **more):
  """Another machine of a cluster; more: of its environment."""
  with mock.patch.dict(os.environ, environment(**more)):
    return where.add_node(num_cpus=1, object_store_memory=_SMALL)


def until(found, what, seconds=600.0):
  """Waits until found() gives something, and returns that."""
  end = time.monotonic() + seconds
  while time.monotonic() < end:
    if result := found():
      return result
    time.sleep(0.02)
  raise AssertionError(f'{what} did not come.')


def workers(title):
  """Processes of Ray that are at a task whose name begins so, by pid.

  Not what they are about to start: until it has a program of its own, a child
  is called as its parent is.
  """
  found = []
  for place in glob.glob('/proc/[0-9]*/cmdline'):
    try:
      words = pathlib.Path(place).read_bytes().replace(b'\0', b' ').decode(
          errors='replace')
    except OSError:
      continue
    if words.startswith(f'ray::{title}'):
      found.append(int(place.split('/')[2]))
  return [pid for pid in found if parent(pid) not in found]


def parent(pid):
  """The process that started another; None: it has ended."""
  try:
    text = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return None
  return int(text.rpartition(')')[2].split()[1])


def kill(pids, how=signal.SIGKILL):
  """Ends processes that were found, as the system does that is out of memory.

  how: or sends them another signal.
  """
  for pid in pids:
    try:
      os.kill(pid, how)
    except ProcessLookupError:
      pass


class Poison:
  """Ends each worker that is at a film, as a film does that crashes it."""

  def __init__(self, title):
    self.killed, self._stop = set(), threading.Event()
    self._title = title
    self._thread = threading.Thread(target=self._work)

  def __enter__(self):
    self._thread.start()
    return self

  def __exit__(self, *error):
    self._stop.set()
    self._thread.join()

  def _work(self):
    while not self._stop.wait(0.02):
      pids = workers(self._title)
      kill(pids)
      self.killed |= {*pids}
