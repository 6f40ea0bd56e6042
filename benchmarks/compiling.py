"""How long each training step takes to compile, without a cache.

python benchmarks/compiling.py [--configs=gan,fills --devices=2]

Prints a table in Markdown. The data are random pictures: only shapes matter.
"""

import argparse
import datetime
import importlib
import os
import pathlib
import tempfile
import time

import cv2
import jax
import numpy as np

from revive_jax.algorithms import ALGORITHMS
from revive_jax.training import sharding

_CONFIGS = ('restorer', 'gan', 'fills', 'vae', 'vae_restorer',
            'mnist_gan:embedded', 'mnist_vae:embedded')


def make_settings(name, folder):
  """The settings of a config, on the pictures of a folder."""
  module, _, size = name.partition(':')
  c = importlib.import_module(f'revive_jax.configs.{module}').get_config(
      size or 'base')
  if 'photos' in c.data:
    c.data.photos = str(folder)
  if 'old' in c.data:
    c.data.old = str(folder / 'old')
  return c


def seconds(c, devices):
  """Tracing, and compiling, of one step of c, s; and its parameters."""
  layout = sharding.make_layout(devices)
  parts = ALGORITHMS[c.algorithm].assemble(c, layout)
  batch = sharding.put_batch(next(iter(parts.data(start=0))), layout)
  state = sharding.abstract(parts.init, layout, jax.random.key(0))
  start = time.monotonic()
  lowered = jax.jit(parts.step).lower(state, batch)
  traced = time.monotonic()
  lowered.compile()
  count = sum(x.size for x in jax.tree.leaves(state.params))
  return traced - start, time.monotonic() - traced, count


def main():
  """Compiles, and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--configs', default=','.join(_CONFIGS))
  parser.add_argument('--devices', type=int, default=1)
  args = parser.parse_args()
  if args.devices > jax.device_count():
    parser.error(f'--devices={args.devices}, but there are '
                 f'{jax.device_count()}.')
  first = jax.devices()[0]
  print(f'{first.device_kind}, {os.cpu_count()} CPU cores, {args.devices} '
        f'devices; {datetime.date.today()}.\n')
  print('| step of | parameters of all networks | traced in, s | '
        'compiled in, s |\n|---|---|---|---|')
  with tempfile.TemporaryDirectory() as where:
    folder = pathlib.Path(where)
    rng = np.random.default_rng(0)
    (folder / 'old/film').mkdir(parents=True)
    for name in [f'{i}.png' for i in range(12)] + [
        f'old/film/{i:02d}.png' for i in range(8)]:
      cv2.imwrite(str(folder / name), rng.integers(
          0, 256, (160, 160, 3), np.uint8))
    for name in args.configs.split(','):
      traced, compiled, count = seconds(
          make_settings(name, folder), args.devices)
      print(f'| `{name}` | {count:,} | {traced:.0f} | {compiled:.0f} |',
            flush=True)


if __name__ == '__main__':
  main()
