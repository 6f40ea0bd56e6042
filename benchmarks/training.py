"""How fast a training goes, what of the device it uses, and what it waits for.

python benchmarks/training.py [--configs=restorer,restorer:large --root=records]
python benchmarks/training.py --quick

Steps as in the loop of train.py, on pictures that it writes, or on --root. The
peak is that of a large matrix product in the same process: float32 on CPUs,
bfloat16 elsewhere. Each measurement is a process of its own: the number of
CPU devices is fixed once. Medians. load: of the machine, a minute's mean as the
steps ended; what else runs there lowers all figures. Prints tables in Markdown.
"""

import argparse
import datetime
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import compiling
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.training import sharding

_WARM_UP = 3  # Steps.
_WAITING = 0.05  # Of the time at most, for data.
_CACHE = {'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
          'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1'}


def measure_compiling(c, args):
  """Seconds until the step is ready."""
  del args  # All measurements have it.
  found = compiling.compile_step(*compiling.assemble(c))
  return {'traced': found.traced, 'compiled': found.compiled}


def measure_steps(c, args):
  """Seconds per step, what of them is waiting, memory, and operations."""
  parts, layout = compiling.assemble(c)
  found = compiling.compile_step(parts, layout)
  state = sharding.make_state(parts.init, layout, jax.random.key(c.seed))
  data, last, times, waits = iter(parts.data(state)), {}, [], []
  for _ in range(_WARM_UP + args.steps):
    start = time.perf_counter()
    batch = next(data)
    waits.append(time.perf_counter() - start)
    state, metrics = found.step(state, sharding.put_batch(batch, layout))
    for value in last.values():  # As the loop does: of the step before.
      float(value)
    last = metrics
    times.append(time.perf_counter() - start)
  times, waits = times[_WARM_UP:], waits[_WARM_UP:]
  jax.block_until_ready(state)
  return {
      'kind': jax.devices()[0].device_kind, 'devices': layout.mesh.size,
      'batch': c.batch_size, 'parameters': found.parameters,
      'flops': found.flops, 'step': float(np.median(times)),
      'waiting': sum(waits) / sum(times), 'traced': found.traced,
      'compiled': found.compiled, 'memory': _high_water(),
      'planned': found.memory.peak, 'load': os.getloadavg()[0], **_limits()}


def _limits():
  """Operations per second of one product, and bytes per second of a sum."""
  cpu = jax.default_backend() == 'cpu'
  size, dtype = (3072, jnp.float32) if cpu else (8192, jnp.bfloat16)
  x = jax.random.normal(jax.random.key(0), (size, size), dtype)
  seconds = _median(jax.jit(jnp.matmul), x, x)
  y = jnp.ones((64 if cpu else 512) * 2**20, jnp.float32)
  return {'peak': 2 * size**3 / seconds,
          'bandwidth': 3 * y.nbytes / _median(jax.jit(jnp.add), y, y + 1)}


_PARTS = {'compiling': measure_compiling, 'steps': measure_steps}


def _median(function, *args, repeats=7):
  """Median seconds of function(*args), after one call to warm up."""
  times = []
  for _ in range(repeats + 1):
    start = time.perf_counter()
    jax.block_until_ready(function(*args))
    times.append(time.perf_counter() - start)
  return float(np.median(times[1:]))


def _high_water():
  """Bytes: of the device, or of this process, compiling included."""
  stats = jax.devices()[0].memory_stats()
  if stats:
    return stats['peak_bytes_in_use']
  return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _child(args):
  """One measurement; writes it as JSON."""
  if args.devices:
    jax.config.update('jax_num_cpu_devices', args.devices)
  count = jax.device_count()
  if args.devices > count:
    print(json.dumps(None))
    return
  c = compiling.make_settings(
      args.configs, pathlib.Path(args.photos), args.set, args.devices or count)
  print(json.dumps(_PARTS[args.part](c, args)))


def _measured(part, name, args, devices=0, changes=(), cache=None):
  """What a child says of a part; None: there are not so many devices."""
  changes = [*args.set, *changes]
  if args.root:
    changes.append(f'data.root={args.root}')
  command = [sys.executable, __file__, f'--part={part}', f'--configs={name}',
             f'--devices={devices}', f'--steps={args.steps}',
             f'--photos={args.photos}', '--set', *changes]
  without = {k: v for k, v in os.environ.items()
             if k != 'JAX_COMPILATION_CACHE_DIR'}
  cached = {**_CACHE, 'JAX_COMPILATION_CACHE_DIR': cache} if cache else {}
  result = subprocess.run(command, env={**without, **cached}, check=True,
                          stdout=subprocess.PIPE, text=True)
  return json.loads(result.stdout.splitlines()[-1])


def _print_speed(args):
  """The tables of speed, memory and compile time."""
  print('| config | parameters | clips per step | step, s | steps/s | clips/s '
        '| GFLOP per step | GFLOP/s | peak, GFLOP/s | share of it | sum of '
        'arrays, GB/s | waiting for data | memory, MiB | of it the step, at '
        'most | load |\n' + '|---' * 15 + '|')
  rows = []
  for name in args.configs.split(','):
    with tempfile.TemporaryDirectory() as cache:
      s = _measured('steps', name, args, args.devices, cache=cache)
      warm = _measured('compiling', name, args, args.devices, cache=cache)
    rows.append((name, s, warm))
    rate, limit = s['flops'] / s['step'], s['devices'] * s['peak']
    verdict = 'pass' if s['waiting'] < _WAITING else 'FAIL'
    print(f'| `{name}` | {s["parameters"]:,} | {s["batch"]} | {s["step"]:.2f} '
          f'| {1 / s["step"]:.2f} | {s["batch"] / s["step"]:.2f} | '
          f'{s["flops"] / 1e9:.1f} | {rate / 1e9:.1f} | {limit / 1e9:.1f} | '
          f'{rate / limit:.1%} | {s["bandwidth"] / 1e9:.1f} | '
          f'{s["waiting"]:.2%}: {verdict}, bound {_WAITING:.0%} | '
          f'{s["memory"] / 2**20:,.0f} | {s["planned"] / 2**20:,.0f} | '
          f'{s["load"]:.1f} |', flush=True)
  kind = rows[0][1]['kind']
  print(f'\n{kind}, {os.cpu_count()} CPU cores, {rows[0][1]["devices"]} '
        f'devices; median of {args.steps} steps. Memory: of the device where '
        'it says so, otherwise of the process, with what compiling took.\n')
  print('| step of | traced in, s | compiled in, s | from the cache, s |\n'
        '|---|---|---|---|')
  for name, cold, warm in rows:
    print(f'| `{name}` | {cold["traced"]:.1f} | {cold["compiled"]:.1f} | '
          f'{warm["compiled"]:.1f} |', flush=True)
  return kind


def _print_scaling(args, kind):
  """The table of the first config on more and more devices."""
  name, cpu = args.configs.split(',')[0], kind == 'cpu'
  print(f'\n`{name}`, {args.per_device} clips per device. ' + (
      'The devices share the cores, so this shows what sharing out costs and '
      'not what it gains: clips/s that stay as they are would be 100 %.'
      if cpu else '100 %: as many clips/s per device as with one.'))
  print('\n| devices | clips per step | step, s | clips/s | efficiency | load '
        '|\n|---|---|---|---|---|---|')
  first = None
  for devices in (int(n) for n in args.scaling.split(',')):
    batch = devices * args.per_device
    s = _measured('steps', name, args, devices, (f'batch_size={batch}',))
    if s is None:
      continue
    rate = batch / s['step'] / (1 if cpu else devices)
    first = first or rate
    print(f'| {devices} | {batch} | {s["step"]:.2f} | '
          f'{batch / s["step"]:.2f} | {rate / first:.0%} | '
          f'{s["load"]:.1f} |', flush=True)


def _arguments():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--configs', default='restorer')
  parser.add_argument('--root', default='', help='records instead of pictures')
  parser.add_argument('--devices', type=int, default=0,
                      help='of the first tables; 0: all, of a CPU one')
  parser.add_argument('--scaling', default='1,2,4,8', help="devices; '': none")
  parser.add_argument('--per-device', type=int, default=2, help='clips')
  parser.add_argument('--steps', type=int, default=10, help='at least 5')
  parser.add_argument('--set', nargs='*', default=[], metavar='KEY=VALUE',
                      help='settings of all the configs')
  parser.add_argument('--quick', action='store_true',
                      help='a tiny config, on few devices')
  # Of the processes that this one starts.
  parser.add_argument('--part', default='', choices=('', *_PARTS),
                      help=argparse.SUPPRESS)
  parser.add_argument('--photos', default='', help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.steps < 5:
    parser.error('--steps: a median of fewer than 5 says little.')
  return args


def main():
  """Measures all, and prints the tables."""
  args = _arguments()
  if args.part:
    _child(args)
    return
  if args.quick:
    args.configs, args.scaling, args.steps = 'restorer:tiny', '1,2', 5
  print(f'{datetime.date.today()}; jax {jax.__version__}; load before '
        f'{os.getloadavg()[0]:.1f}.\n')
  with tempfile.TemporaryDirectory() as args.photos:
    compiling.write_pictures(pathlib.Path(args.photos))
    kind = _print_speed(args)
    if args.scaling:
      _print_scaling(args, kind)


if __name__ == '__main__':
  main()
