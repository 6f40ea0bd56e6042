"""Archive: what a second worker brings, and what handing out work costs.

  python benchmarks/archive.py                      # about an hour
  python benchmarks/archive.py --films=4 --frames=24 --size=64x48 --repeats=1 \\
      --weights= --shares=3 --tasks=20              # a try, two minutes

Needs the extra `cluster`, and two cores that nothing else uses. Films are made
here. One process with one thread (--mode=restore, a list of films, bound to one
core with all that it starts) against a Ray cluster of two machines of one core
each, which are raylets bound to core 0 and core 1. Rates are of the films after
the first of each worker, so they leave out what is done once: to start, to
import, to compile. Each is the median of the repeats.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags
import numpy as np
import timing

from revive_jax.video import writer

_FILMS = flags.DEFINE_integer('films', 10, 'Films that are restored; even.')
_FRAMES = flags.DEFINE_integer('frames', 96, 'Frames of each.')
_SIZE = flags.DEFINE_string('size', '320x240', 'Of a frame, WIDTHxHEIGHT, px.')
_SHARES = flags.DEFINE_integer('shares', 4, 'Of the one long film.')
_REPEATS = flags.DEFINE_integer('repeats', 3, 'Of which medians are taken.')
_TASKS = flags.DEFINE_integer('tasks', 500, 'Empty ones that are handed out.')
_WEIGHTS = flags.DEFINE_string('weights', 'restorer', "Or '': none.")
_ROOT = pathlib.Path(__file__).resolve().parents[1]
_STORE = 200 * 2**20  # Bytes.


def write_film(path: pathlib.Path, shots: int, seed: int) -> None:
  """Writes a noisy film whose pictures move, with dust, in several shots."""
  width, height = map(int, _SIZE.value.split('x'))
  rng = np.random.default_rng(seed)
  y, x = np.mgrid[:height, :width] / height
  frames = []
  for shot in range(shots):
    a, b, c = rng.uniform(3, 12, 3)
    for t in range(_FRAMES.value):
      wave = np.stack([np.sin(a * x + t / 9 + shot), np.cos(b * y - t / 11),
                       np.sin(c * (x - y) + t / 7)], -1)
      frame = 118 + (70 if shot % 2 else -70) * wave
      frame += rng.normal(0, 6, (height, width, 1))
      for _ in range(3):
        top, left = rng.integers(0, (height - 5, width - 5))
        frame[top:top + 4, left:left + 3] = 250
      frames.append(np.uint8(np.clip(frame, 0, 255)))
  writer.write_rgb(path, np.stack(frames), frame_rate=24)


def _restore(source, work, config, *words, core=None):
  """Runs the program; returns when each film was done, in order, s."""
  command = [sys.executable, '-m', 'revive_jax.main', f'--config={config}',
             f'--input={source}', f'--workdir={work}',
             f'--config.weights={_WEIGHTS.value}', '--config.report=False',
             '--config.progress=none', *words]
  bound = None if core is None else lambda: os.sched_setaffinity(0, {core})
  start = time.time()
  subprocess.run(command, check=True, cwd=_ROOT, preexec_fn=bound,
                 stdout=subprocess.DEVNULL, env=os.environ | {
                     'PYTHONPATH': str(_ROOT)})
  ends = sorted(p.stat().st_mtime for p in pathlib.Path(work).glob(
      'films/*/done.json'))
  return [end - start for end in ends]


def _rate(ends, workers, frames):
  """Frames a second, after the first film of each worker."""
  return frames * (len(ends) - workers) / (ends[-1] - ends[workers - 1])


class _Cluster:
  """Two machines of one core each."""

  def __enter__(self):
    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    from ray import cluster_utils

    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    self._cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args=dict(
            num_cpus=1, include_dashboard=False, object_store_memory=_STORE))
    os.sched_setaffinity(0, cores[1:2])
    self._cluster.add_node(num_cpus=1, object_store_memory=_STORE)
    os.sched_setaffinity(0, cores)
    return self._cluster.address

  def __exit__(self, *error):
    self._cluster.shutdown()


def _films(folder, address) -> dict[str, float]:
  """Rates of many films, and how even their times are."""
  source = folder / 'films'
  one, two, times, idle = [], [], [], []
  for repeat in range(_REPEATS.value):
    ends = _restore(source, folder / f'one{repeat}', 'restore', core=0)
    one.append(_rate(ends, 1, _FRAMES.value))
    work = folder / f'two{repeat}'
    ends = _restore(source, work, 'archive',
                    f'--config.archive.address={address}')
    two.append(_rate(ends, 2, _FRAMES.value))
    with open(work / 'report.json') as file:
      rows = json.load(file)['films']
    mine = sorted(r['work_seconds'] for r in rows)
    times += mine
    later = statistics.median(mine) * (len(mine) - 2)  # The first compile.
    idle.append(max(0.0, 1 - later / (2 * (ends[-1] - ends[1]))))
  times.sort()
  return {
      'one': statistics.median(one), 'two': statistics.median(two),
      'median': statistics.median(times), 'longest': times[-1],
      'late': times[min(len(times) - 1, int(0.95 * len(times)))],
      'idle': statistics.median(idle)}


def _long_film(folder, address) -> dict[str, float]:
  """Seconds for one long film: by one process, and in shares by two workers."""
  source, one, two = folder / 'long' / 'long.mkv', [], []
  for repeat in range(_REPEATS.value):
    start = time.monotonic()
    _restore(source, folder / f'long_one{repeat}', 'restore', core=0)
    one.append(time.monotonic() - start)
    start = time.monotonic()
    _restore(source, folder / f'long_two{repeat}', 'archive',
             f'--config.archive.address={address}',
             f'--config.archive.frames={max(48, _FRAMES.value)}')
    two.append(time.monotonic() - start)
  return {'long_one': statistics.median(one),
          'long_two': statistics.median(two)}


def _nothing(held, job):
  del held, job


def _overhead(address) -> dict[str, float]:
  """Seconds that an empty task takes: by itself, and among many."""
  import ray

  ray.init(address=address, log_to_driver=False, logging_level='ERROR')
  task = ray.remote(_nothing).options(num_cpus=1, max_retries=0)
  job = {'settings': {str(i): i for i in range(100)}}  # About as large as one.
  ray.get(task.remote({}, job))
  alone = []
  for _ in range(_TASKS.value):
    start = time.perf_counter()
    ray.get(task.remote({}, job))
    alone.append(time.perf_counter() - start)
  start = time.perf_counter()
  ray.get([task.remote({}, job) for _ in range(_TASKS.value)])
  together = (time.perf_counter() - start) / _TASKS.value
  ray.shutdown()
  return {'alone': statistics.median(alone), 'together': together}


def main(argv):
  """Prints a Markdown table."""
  del argv
  with tempfile.TemporaryDirectory() as name, _Cluster() as address:
    folder = pathlib.Path(name)
    (folder / 'films').mkdir()
    (folder / 'long').mkdir()
    for number in range(_FILMS.value):
      write_film(folder / 'films' / f'{number:03d}.mkv', 1, number)
    write_film(folder / 'long' / 'long.mkv', _SHARES.value, 999)
    found = _films(folder, address) | _long_film(folder, address)
    found |= _overhead(address)
  print(f'{timing.machine()}; {_FILMS.value} films of {_FRAMES.value} frames '
        f'of {_SIZE.value}, weights {_WEIGHTS.value or "none"}; medians of '
        f'{_REPEATS.value}.\n')
  for row in (
      ('what', 'measured'), ('---', '---'),
      ('one process, one thread', f'{found["one"]:.2f} frames/s'),
      ('two workers, one thread each', f'{found["two"]:.2f} frames/s'),
      ('of twice the first', f'{50 * found["two"] / found["one"]:.0f} %'),
      ('a film, median', f'{found["median"]:.2f} s'),
      ('95 % of films', f'{found["late"]:.2f} s'),
      ('the slowest', f'{found["longest"]:.2f} s'),
      ('workers idle, after their first film', f'{100 * found["idle"]:.0f} %'),
      ('one long film, one process, with its start',
       f'{found["long_one"]:.1f} s'),
      (f'the same in {_SHARES.value} shares by two workers, with the start',
       f'{found["long_two"]:.1f} s'),
      ('an empty task, by itself', f'{1e3 * found["alone"]:.2f} ms'),
      ('an empty task, among many', f'{1e3 * found["together"]:.2f} ms')):
    print(f'| {row[0]} | {row[1]} |')


flags.register_validator(
    'films', lambda count: count >= 4 and count % 2 == 0,
    'Two workers end films in pairs: an even number, 4 or more, is needed.')

if __name__ == '__main__':
  app.run(main)
