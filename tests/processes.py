"""The program as processes of its own: one run of the cheapest training."""

import os
import pathlib
import socket
import subprocess
import sys
import time

_ROOT = pathlib.Path(__file__).parents[1]
_CONFIG = 'mnist_vae:tiny'


def free_port() -> int:
  """A port of this machine that nobody listens at."""
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


def start(workdir, *words: str, **environment: str) -> subprocess.Popen:
  """Starts a training; its stdout and stderr come together, by its pipe."""
  return subprocess.Popen(
      [sys.executable, '-m', 'revive_jax.main', f'--config={_CONFIG}',
       f'--workdir={workdir}', '--config.log_every=1', *words], cwd=_ROOT,
      env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'} | environment,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start_two(workdir, *words: str) -> list[subprocess.Popen]:
  """The same run by two processes."""
  address = f'127.0.0.1:{free_port()}'
  return [start(workdir, f'--distributed={address},2,{i}', *words)
          for i in range(2)]


def finish(*runs: subprocess.Popen, seconds: int = 150) -> list[str]:
  """Waits for them, in turn; what each said."""
  return [run.communicate(timeout=seconds)[0] for run in runs]


def wait_for(path: pathlib.Path, run: subprocess.Popen, lines: int = 1) -> None:
  """Until a file has so many lines, while the run goes on."""
  while not path.exists() or path.read_text().count('\n') < lines:
    assert run.poll() is None, run.communicate()[0]
    time.sleep(0.05)
