"""The same network in PyTorch and in JAX: are they equal, and which is faster?

pip install 'revive-jax[torch]'
python benchmarks/torch_build.py [--weights=restorer
    --sizes=480x272,854x480 --frames=12 --repeats=5]

On the CPU, both directions, float32. The weights that ship are copied over; if
any output of two frames with little grain differs by more than 1e-4, nothing is
timed and the exit code is 1. Of the clip that is timed it is only told how many
values do: whether an estimate of the flow is accepted is decided by comparing,
and in enough pixels that is a tie which the last bit decides.
JAX, torch.compile and eager PyTorch take turns, so that what else runs slows
all alike; medians of seconds, and of CPU seconds. Prints a table in Markdown.
"""

import argparse
import sys
import time

import jax
import numpy as np
import refusing
import timing

import revive_jax
from revive_jax import types
from revive_jax.models import inference

_EQUAL = 1e-4
_COMPARED = 480, 272  # px; here no decision of those two frames is a tie.
_LONGEST = 1.25  # JAX's time over that of torch.compile, at most.
_NAMES = ('output', 'damage', 'log-variance')


def pan(
    count: int, height: int, width: int, *, grain: float = 10 / 255
) -> np.ndarray:
  """A textured scene that moves by parts of a pixel, grainy: [1, T, H, W, 3].

  float32 in [0, 1]; noise alone would make the flow a matter of chance.
  """
  rng = np.random.default_rng(0)
  rows, columns = np.mgrid[:height, :width].astype(np.float32)
  frames = []
  for t in range(count):
    x, y = columns + 1.3 * t, rows - 0.6 * t
    scene = (0.5 + 0.2 * np.sin(x / 7) * np.cos(y / 5)
             + 0.1 * np.sin(x / 2.1 + y / 3) + 0.1 * np.sin(y / 31))
    colours = scene[..., None] * np.array([1.0, 0.9, 0.8])
    frames.append(colours + rng.normal(0, grain, colours.shape))
  return np.clip(frames, 0, 1).astype(np.float32)[None]


def differences(ours, theirs) -> list[float]:
  """The largest difference of each output."""
  return [float(apart.max()) for apart in _apart(ours, theirs)]


def shares(ours, theirs) -> list[float]:
  """Of each output the share of values that are not equal."""
  return [float((apart > _EQUAL).mean()) for apart in _apart(ours, theirs)]


def _apart(ours, theirs):
  return [np.abs(np.asarray(a) - b.numpy())
          for a, b in zip(ours, theirs, strict=True)]


def build(name: str, frames: np.ndarray):
  """What runs the network of some weights: by name, functions without input."""
  import torch
  import torch_restorer
  # Each size is compiled as it is, as by jax.
  compiled = lambda step: torch.compile(step, dynamic=False)
  model, params = revive_jax.load_weights(name)
  if model.noise:
    raise types.BadInput(
        f'{name} is a network with noise, which this build has not; name '
        'others with --weights.')
  tensors, there = torch_restorer.convert(params), torch.from_numpy(frames)
  params, here = jax.device_put(params), jax.device_put(frames)
  # wrapped once, or each call would compile anew.
  steps = {}
  wrap = lambda step: steps.setdefault(step, compiled(step))

  def of_torch(*wraps):
    with torch.inference_mode():
      return torch_restorer.restore(tensors, there, *wraps)

  def of_jax():
    restored, _ = inference.restore_frames(params, here, model=model)
    return jax.block_until_ready(
        (restored.output, restored.damage, restored.log_variance))

  return {'jax': of_jax, 'torch.compile': lambda: of_torch(wrap),
          'eager': of_torch}


def measure(runs, repeats: int) -> dict[str, tuple[float, float]]:
  """Median seconds and CPU seconds of each, in turns."""
  times = {name: [] for name in runs}
  for _ in range(repeats):
    for name, run in runs.items():
      start = time.perf_counter(), time.process_time()
      run()
      times[name].append((time.perf_counter() - start[0],
                          time.process_time() - start[1]))
  return {name: tuple(np.median(x, 0)) for name, x in times.items()}


def _arguments():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--sizes', default='480x272,854x480')
  parser.add_argument('--frames', type=int, default=12)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()
  for size in args.sizes.split(','):
    # PyTorch's build pads nothing; jax is given what it need not pad, too.
    if int(size.split('x')[0]) < 32 or int(size.split('x')[1]) < 32:
      parser.error(f'--sizes={size}: 32x32 at least.')
  return args


def _is_equal(name) -> bool:
  """Whether eager PyTorch and JAX give the same; says so."""
  width, height = _COMPARED
  runs = build(name, pan(2, height, width, grain=5 / 255))
  found = differences(runs['jax'](), runs['eager']())
  passes = max(found) <= _EQUAL
  print(f'{name}, {width}x{height}, two frames, largest differences of '
        + _told({'eager': found})
        + f' (bound {_EQUAL:g}: {"pass" if passes else "FAIL"})', flush=True)
  return passes


def _told(found) -> str:
  return '; '.join(f'{key}: ' + ', '.join(
      f'{n} {x:.1e}' for n, x in zip(_NAMES, values, strict=True))
                   for key, values in found.items())


@refusing.bad_input()
def main():
  """Compares, measures, and prints the table."""
  args = _arguments()
  try:
    import torch
  except ImportError:
    sys.exit("There is no PyTorch; pip install 'revive-jax[torch]'.")
  jax.config.update('jax_platforms', 'cpu')
  load, rows, equal = timing.load(), [], True
  for name in args.weights.split(','):
    if not _is_equal(name):
      equal = False
      continue
    for size in args.sizes.split(','):
      width, height = (-(-int(x) // 16) * 16 for x in size.split('x'))
      runs = build(name, pan(args.frames, height, width))
      results = {key: run() for key, run in runs.items()}  # Compiles.
      print(f'{name}, {width}x{height}, {args.frames} frames that are timed, '
            f'share of values that differ by more than {_EQUAL:g}: ' + _told({
                key: shares(results['jax'], results[key])
                for key in runs if key != 'jax'}), flush=True)
      rows.append((name, f'{width}x{height}', measure(runs, args.repeats)))
  print(f'\n{timing.machine()}, torch {torch.__version__} of '
        f'{torch.get_num_threads()} threads; load before {load:.1f}. '
        f'{args.frames} frames, median of {args.repeats}.\n')
  _print(rows, args.frames)
  if not equal:
    sys.exit('The two builds differ; what differs was not timed.')


def _print(rows, count):
  print('| weights | size | jax, ms per frame | torch.compile | eager | jax / '
        'torch.compile | bound | in CPU ms: jax | torch.compile | eager |\n'
        + '|---' * 10 + '|')
  for name, size, found in rows:
    wall, cpu = ([1e3 * found[key][i] / count for key in (
        'jax', 'torch.compile', 'eager')] for i in (0, 1))
    ratio = wall[0] / wall[1]
    verdict = 'pass' if ratio <= _LONGEST else 'FAIL'
    print(f'| `{name}` | {size} | {wall[0]:.0f} | {wall[1]:.0f} | '
          f'{wall[2]:.0f} | {ratio:.2f} | {_LONGEST}: {verdict} | '
          + ' | '.join(f'{x:.0f}' for x in cpu) + ' |')


if __name__ == '__main__':
  main()
