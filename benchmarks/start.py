"""How long a new process takes to its first restored frames.

python benchmarks/start.py FILM [--repeats=3]

Each start is a process of its own, timed from before it is made until the first
window of frames (see --config.window) is restored; then it is ended. The first
start compiles into a new cache of programs, the others read it. Prints a table
in Markdown, the seconds of the first and the median of the others.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import jax
import refusing
from revive_jax.configs import restore as config
import timing

from revive_jax import restore
from revive_jax.video import probe

# When the process was asked for, and where it finds programs.
_BEGAN, _CACHE = 'REVIVE_JAX_BENCHMARK_BEGAN', 'REVIVE_JAX_BENCHMARK_CACHE'


@refusing.bad_input()
def main():
  """Prints the table; or, where it was started by itself, the seconds."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('film')
  parser.add_argument('--repeats', type=int, default=3)
  args = parser.parse_args()
  if _BEGAN in os.environ:
    first(args.film)
    return
  probe.probe(args.film)  # Refused here, and not in a child.
  with tempfile.TemporaryDirectory() as cache:
    took = [started(args.film, cache) for _ in range(1 + args.repeats)]
  print(f'{timing.machine()}; load {timing.load()}\n')
  print('| start | s to the first restored frames |\n|---|---|')
  print(f'| the first, which compiles | {took[0]:.1f} |')
  print(f'| a later one, median of {args.repeats} | '
        f'{statistics.median(took[1:]):.1f} |')


def started(film: str, cache: str) -> float:
  """Seconds of one start."""
  environment = os.environ | {_CACHE: cache, _BEGAN: str(time.time())}
  done = subprocess.run(
      [sys.executable, __file__, film], env=environment, check=True,
      stdout=subprocess.PIPE, text=True)
  return float(done.stdout.splitlines()[-1])


def first(film: str) -> None:
  """Restores a film up to its first window, and prints the seconds."""
  def see(_):
    print(time.time() - float(os.environ[_BEGAN]), flush=True)
    os._exit(0)

  # As main.py has it.
  jax.config.update('jax_compilation_cache_dir', os.environ[_CACHE])
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  c = config.get_config()
  c.progress = 'none'
  with tempfile.TemporaryDirectory() as folder:
    restore.restore(c, f'{folder}/work', film, f'{folder}/film.mkv', see=see)


if __name__ == '__main__':
  main()
