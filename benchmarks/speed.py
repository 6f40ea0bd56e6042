"""How fast the networks are, where that stands, and what it is bound by.

python benchmarks/speed.py [--weights=restorer,live --repeats=5
    --sizes=480x272,854x480,1920x1080,3840x2160 --keep=FOLDER]

Each measurement is a process of its own, so that its memory can be told. Frames
larger than --tile are cut as the product cuts them: all tiles are of one size,
so one is timed. The peak is that of a large matrix product right after the
frames: float32 on CPUs, bfloat16 elsewhere. On accelerators also a stream of
1080p as bytes in the host's memory to bytes there (--buffer=480x272 asks for it
on a CPU). --keep: what is measured is kept there, and not measured again.
Medians. Prints tables in Markdown.
"""

import argparse
import functools
import json
import pathlib
import subprocess
import sys
import time

import jax
import numpy as np
import refusing
import rivals
import stream
import timing

import revive_jax
from revive_jax.models import inference, weights
from revive_jax.ops import windows
from revive_jax.training import cost

# Frames per second at least, on 2 CPU cores, both directions.
_WANTED = {('restorer', '480x272'): 4.0, ('restorer', '854x480'): 1.3,
           ('live', '480x272'): 8.0, ('live', '854x480'): 2.6}
_TIMES = 5  # As fast as DVDnet, at least.


def measure(name: str, size: str, args) -> dict[str, float]:
  """The network of some weights on frames of one size."""
  width, height = map(int, size.split('x'))
  tall, wide, tiles = _tiles(height, width, args)
  model, params = revive_jax.load_weights(name)
  params = jax.device_put(params)
  frames = _frames(args.frames, tall, wide)
  found = {'machine': timing.machine(), 'backend': jax.default_backend(),
           'parameters': sum(x.size for x in jax.tree.leaves(params)),
           'tiles': tiles, 'tile': f'{wide}x{tall}', 'frames': args.frames}
  for key, causal in (('both', False), ('causal', True)):
    run, ready = _ready(params, frames, model, causal)
    ready['clip'] = tiles * timing.median(
        functools.partial(run, params, frames), args.repeats)
    ready['frame'] = ready['clip'] / args.frames
    for count in ('flops', 'products', 'unfused'):
      ready[count] *= tiles / args.frames
    found[key] = ready
  found['memory'] = timing.high_water()
  found['alone'] = tiles * _one_by_one(params, frames, model, args.repeats)
  return found | timing.limits() | {'load': timing.load()}


def _tiles(height, width, args) -> tuple[int, int, int]:
  """Height and width of a tile, and how many there are."""
  if not args.tile:
    return height, width, 1
  sides = [windows.tile_size(x, args.tile, args.overlap)
           for x in (height, width)]
  counts = [len(windows.tile_starts(x, args.tile, args.overlap))
            for x in (height, width)]
  return *sides, counts[0] * counts[1]


def _frames(count, height, width):
  rng = np.random.default_rng(0)
  return jax.device_put(rng.random((1, count, height, width, 3), np.float32))


def _ready(params, frames, model, causal):
  """The compiled program, with what it took and what it costs."""
  work = lambda params, frames: inference.restore_frames(
      params, frames, model=model, causal=causal)
  start = time.perf_counter()
  lowered = jax.jit(work).lower(params, frames)
  middle = time.perf_counter()
  run = lowered.compile()
  return run, {'traced': middle - start,
               'compiled': time.perf_counter() - middle,
               'planned': cost.memory(run).peak,
               'flops': cost.flops(work, params, frames),
               **cost.traffic(work, params, frames)._asdict()}


def _one_by_one(params, frames, model, repeats) -> float:
  """Seconds from a frame to its output, as live: causal, from a state."""
  run = lambda state, frame: inference.restore_frames(
      params, frame, model=model, causal=True, state=state)
  _, state = run(None, frames[:, :1])
  return timing.median(lambda: run(state, frames[:, 1:2]), 2 * repeats)


def _found(args, part, *which):
  """What a process of its own says of a part; None: it failed."""
  kept = args.keep and (
      pathlib.Path(args.keep) / f'{part}-{"-".join(which)}.json')
  if kept and kept.exists():
    return json.loads(kept.read_text())
  command = [
      sys.executable, __file__, f'--part={part}', f'--which={",".join(which)}',
      *(f'--{key}={getattr(args, key)}' for key in (
          'repeats', 'frames', 'tile', 'overlap', 'window', 'lookahead'))]
  done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
  if done.returncode:
    print(f'{part} {which} failed; see above.', file=sys.stderr)
    return None
  found = json.loads(done.stdout.splitlines()[-1])
  if kept:
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
  return found


def _child(args):
  """One measurement; writes it as JSON."""
  which = args.which.split(',')
  if args.part == 'network':
    # Compile times are those of a first run.
    jax.config.update('jax_enable_compilation_cache', False)
    print(json.dumps(measure(*which, args)))
  elif args.part == 'buffer':
    print(json.dumps(stream.measure(
        *which, window=args.window, lookahead=args.lookahead,
        repeats=args.repeats)))
  else:
    width, height = map(int, which[0].split('x'))
    print(json.dumps(rivals.measure(height, width, args.repeats)))


def _table(columns, rows):
  """Prints a table in Markdown; columns: heads to functions of a row."""
  print('\n| ' + ' | '.join(columns) + ' |\n' + '|---' * len(columns) + '|')
  for row in rows:
    print('| ' + ' | '.join(f(row) for f in columns.values()) + ' |')


def _print_speed(rows):
  mib = lambda x: f'{x / 2**20:,.0f}'
  _table({
      'weights': lambda r: f'`{r["name"]}`', 'size': lambda r: r['size'],
      'tiles': lambda r: f'{r["tiles"]} of {r["tile"]}',
      'both directions, frames/s': lambda r: f'{1 / r["both"]["frame"]:.3g}',
      'causal, frames/s': lambda r: f'{1 / r["causal"]["frame"]:.3g}',
      'frame by frame, causal, ms': lambda r: f'{1e3 * r["alone"]:.0f}',
      'clip, both directions, s': lambda r: f'{r["both"]["clip"]:.3g}',
      'traced, s': lambda r: f'{r["both"]["traced"]:.1f}',
      'compiled, s': lambda r: f'{r["both"]["compiled"]:.1f}',
      'planned for a tile, MiB': lambda r: mib(r['both']['planned']),
      'high water, MiB': lambda r: mib(r['memory']),
      'load': lambda r: f'{r["load"]:.1f}'}, rows)


def _print_roofline(rows):
  """What arithmetic and memory alone would take, and what is measured."""
  rows = [{**r, **r[key], 'way': way} for r in rows for key, way in (
      ('both', 'both'), ('causal', 'causal'))]
  ms = lambda seconds: f'{1e3 * seconds:.3g}'
  _table({
      'weights': lambda r: f'`{r["name"]}`', 'size': lambda r: r['size'],
      'directions': lambda r: r['way'],
      'GFLOP per frame': lambda r: f'{r["flops"] / 1e9:.2f}',
      'MB per frame, of products': lambda r: f'{r["products"] / 1e6:,.0f}',
      'MB, nothing fused': lambda r: f'{r["unfused"] / 1e6:,.0f}',
      'FLOP per byte of them': lambda r: f'{r["flops"] / r["products"]:.0f}',
      'ms per frame': lambda r: ms(r['frame']),
      'its FLOP at the peak, ms': lambda r: ms(r['flops'] / r['peak']),
      "products' bytes at the bandwidth, ms":
          lambda r: ms(r['products'] / r['bandwidth']),
      'all bytes at the bandwidth, ms':
          lambda r: ms(r['unfused'] / r['bandwidth']),
      'GFLOP/s': lambda r: f'{r["flops"] / r["frame"] / 1e9:,.0f}',
      'peak, GFLOP/s': lambda r: f'{r["peak"] / 1e9:,.0f}',
      'share of it': lambda r: f'{r["flops"] / r["frame"] / r["peak"]:.1%}',
      'GB/s of a sum': lambda r: f'{r["bandwidth"] / 1e9:.1f}'}, rows)


def _print_rivals(args, rows):
  """Frames per second of what users would run instead, and of ours."""
  sizes = args.sizes.split(',')
  found = {size: _found(args, 'rivals', size) or {} for size in sizes}
  names = list(dict.fromkeys(name for x in found.values() for name in x))
  columns = {'size': lambda size: size}
  for r in rows:
    columns[f'`{r["name"]}`'] = lambda size, name=r['name']: next(
        (f'{1 / r["both"]["frame"]:.3g}' for r in rows
         if (r['name'], r['size']) == (name, size)), '')
  for name in names:
    columns[name] = lambda size, name=name: (
        f'{1 / found[size][name]:.3g}' if name in found[size] else '')
  columns['DVDnet (recorded elsewhere)'] = lambda size: ' to '.join(
      f'{1 / s:.2g}' for s in reversed(_recorded(size)))
  _table(columns, sizes)


def _recorded(size):
  return rivals.DVDNET.get(int(size.split('x')[1]), ())


def _print_bars(rows):
  """What issue and design ask for, and whether it holds; of CPUs."""
  lines = []
  for r in rows:
    rate, where = 1 / r['both']['frame'], (r['name'], r['size'])
    if where in _WANTED:
      lines.append((where, 'frames/s, both directions', rate, _WANTED[where]))
    if _recorded(r['size']):
      lines.append((where, "times DVDnet's speed (its fastest, recorded "
                    'elsewhere)', rate * _recorded(r['size'])[0], _TIMES))
  _table({'weights': lambda x: f'`{x[0][0]}`', 'size': lambda x: x[0][1],
          'what': lambda x: x[1], 'measured': lambda x: f'{x[2]:.3g}',
          'at least': lambda x: f'{x[3]:g}',
          '': lambda x: 'pass' if x[2] >= x[3] else 'FAIL'}, lines)


def _print_buffer(args, size):
  """The table of streams from bytes to bytes."""
  rows = []
  for name in args.weights.split(','):
    for batch in args.batches.split(','):
      found = _found(args, 'buffer', name, size, batch)
      if found:
        rows.append({'name': name, **found})
  _table({
      'weights': lambda r: f'`{r["name"]}`',
      'streams at once': lambda r: f'{r["batch"]}',
      'from buffer to buffer, frames/s': lambda r: f'{r["through"]:.1f}',
      'on the device alone, frames/s': lambda r: f'{r["inside"]:.1f}',
      'TFLOP/s': lambda r: f'{r["flops"] * r["inside"] / 1e12:.2f}',
      'peak of a large product': lambda r: f'{r["peak"] / 1e12:.1f}',
      'share of it': lambda r: f'{r["flops"] * r["inside"] / r["peak"]:.2%}',
      'window, s': lambda r: f'{r["latency"]:.3f}',
      'high water, MiB': lambda r: f'{r["memory"] / 2**20:,.0f}'}, rows)
  print(f'\n{size}: {args.window} frames at a time, and {args.lookahead} '
        'after them that are looked at and come again; only the former count.')


def _arguments():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--weights', default='restorer,live')
  parser.add_argument(
      '--sizes', default='480x272,854x480,1920x1080,3840x2160')
  parser.add_argument('--frames', type=int, default=12)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--tile', type=int, default=1024)
  parser.add_argument('--overlap', type=int, default=64)
  parser.add_argument('--buffer', default='')
  parser.add_argument('--batches', default='1,2,4')
  parser.add_argument('--window', type=int, default=24)
  parser.add_argument('--lookahead', type=int, default=10)
  parser.add_argument('--keep', default='')
  parser.add_argument('--part', default='', help=argparse.SUPPRESS)
  parser.add_argument('--which', default='', help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.frames < 2 or args.repeats < 1:
    parser.error('--frames must be 2 at least, --repeats 1.')
  return args


@refusing.bad_input()
def main():
  """Measures all, and prints the tables."""
  args = _arguments()
  if args.part:
    _child(args)
    return
  for name in args.weights.split(','):
    weights.read_weights(name)  # Refused here, and not in each child.
  rows = []
  for size in args.sizes.split(','):
    for name in args.weights.split(','):
      found = _found(args, 'network', name, size)
      if found:
        rows.append({'name': name, 'size': size, **found})
  if not rows:
    sys.exit('Nothing could be measured; see above.')
  print(f'{rows[0]["machine"]}. {args.frames} frames at once, median of '
        f'{args.repeats}, or of what a minute holds. Parameters: ' + ', '.join(
            f'{r["name"]} {r["parameters"] / 1e6:.2f} M'
            for r in {r['name']: r for r in rows}.values()) + '.')
  _print_speed(rows)
  _print_roofline(rows)
  _print_rivals(args, rows)
  cpu = rows[0]['backend'] == 'cpu'
  if cpu:
    _print_bars(rows)
  if args.buffer or not cpu:
    _print_buffer(args, args.buffer or '1920x1080')


if __name__ == '__main__':
  main()
