"""How long training steps take to compile, and what they would cost.

python benchmarks/compiling.py [--configs=gan,fills --devices=2]
python benchmarks/compiling.py --configs=restorer:large --devices=8 \\
    --set model.remat= mesh.fsdp=False

Neither runs a step nor holds its state: on CPUs there may be more devices than
cores, and networks larger than this machine. No cache is used. Prints a table
in Markdown. The data are random pictures: only shapes matter.
"""

import argparse
import ast
import datetime
import importlib
import os
import pathlib
import tempfile
import time
import types
from typing import NamedTuple

import cv2
import jax
import numpy as np

from revive_jax.algorithms import ALGORITHMS, settings
from revive_jax.training import cost, sharding

_CONFIGS = ('restorer', 'gan', 'fills', 'vae', 'vae_restorer',
            'mnist_gan:embedded', 'mnist_vae:embedded')


class Compiled(NamedTuple):
  """A step, ready to run, and what is known of it."""

  step: jax.stages.Compiled
  traced: float  # Seconds, lowering included.
  compiled: float  # Seconds.
  parameters: int  # Of all networks.
  memory: cost.Memory
  flops: int  # Of one step, on all devices.


def write_pictures(folder):
  """Smooth noise as large as photographs: 12, and 8 frames of an old film."""
  rng = np.random.default_rng(0)
  (folder / 'old/film').mkdir(parents=True)
  for name in [f'{i}.png' for i in range(12)] + [
      f'old/film/{i:02d}.png' for i in range(8)]:
    small = rng.integers(0, 256, (64, 96, 3), np.uint8)
    cv2.imwrite(str(folder / name), cv2.resize(
        small, (768, 512), interpolation=cv2.INTER_CUBIC))


def make_settings(name, folder, changes=(), devices=1):
  """The settings of a config, on the pictures of a folder.

  Args:
    name: of a file of configs/, and after a colon its size.
    folder: of write_pictures.
    changes: 'key=value', as in 'mesh.model=2'.
    devices: how many the mesh has.
  """
  module, _, size = name.partition(':')
  c = importlib.import_module(f'revive_jax.configs.{module}').get_config(
      size or 'base')
  if 'photos' in c.data:
    c.data.photos = str(folder)
    c.data.workers = 0  # No processes for one batch.
  if 'old' in c.data:
    c.data.old = str(folder / 'old')
  c.update_from_flattened_dict(
      {key: _value(text) for key, text in (x.split('=', 1) for x in changes)})
  c.mesh.data = c.mesh.data or devices // c.mesh.model
  settings.check(c)
  return c


def _value(text):
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError):
    return text


def assemble(c):
  """Data, networks and step of c, and how they lie on devices."""
  layout = sharding.make_layout(**c.mesh)
  return ALGORITHMS[c.algorithm].assemble(c, layout), layout


def compile_step(parts, layout):
  """Compiles the step of what was assembled; its state is not made."""
  first = next(iter(parts.data(types.SimpleNamespace(step=0))))
  batch = {k: jax.ShapeDtypeStruct(
      v.shape, v.dtype, sharding=sharding.by_batch(layout, v.ndim))
           for k, v in first.items()}
  state = sharding.abstract(parts.init, layout, jax.random.key(0))
  start = time.monotonic()
  # The state is given away here, too: within another jit the step's own
  # donation is without effect, and more memory would be asked for.
  lowered = jax.jit(parts.step, donate_argnums=0).lower(state, batch)
  traced = time.monotonic()
  step = lowered.compile()
  done = time.monotonic()
  return Compiled(
      step, traced - start, done - traced,
      sum(x.size for x in jax.tree.leaves(state.params)), cost.memory(step),
      cost.flops(parts.step, state, batch))


def main():
  """Compiles, and prints the table."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--configs', default=','.join(_CONFIGS))
  parser.add_argument('--devices', type=int, default=1)
  parser.add_argument('--set', nargs='*', default=(), metavar='KEY=VALUE',
                      help='settings of all the configs')
  args = parser.parse_args()
  jax.config.update('jax_num_cpu_devices', args.devices)
  if args.devices > jax.device_count():
    parser.error(f'--devices={args.devices}, but there are '
                 f'{jax.device_count()}.')
  first = jax.devices()[0]
  print(f'{first.device_kind}, {os.cpu_count()} CPU cores, {args.devices} '
        f'devices; {" ".join(args.set) or "as the configs are"}; '
        f'{datetime.date.today()}.\n')
  print('| step of | parameters of all networks | traced in, s | '
        'compiled in, s | arguments, MiB per device | temporaries | peak, at '
        'most | TFLOP per step |\n|---|---|---|---|---|---|---|---|')
  with tempfile.TemporaryDirectory() as where:
    write_pictures(pathlib.Path(where))
    for name in args.configs.split(','):
      found = compile_step(*assemble(make_settings(
          name, pathlib.Path(where), args.set, args.devices)))
      mebibytes = ' | '.join(f'{x / 2**20:,.0f}' for x in (
          found.memory.arguments, found.memory.temporaries, found.memory.peak))
      print(f'| `{name}` | {found.parameters:,} | {found.traced:.0f} | '
            f'{found.compiled:.0f} | {mebibytes} | {found.flops / 1e12:.3g} |',
            flush=True)


if __name__ == '__main__':
  main()
