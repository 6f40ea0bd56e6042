"""What sealing costs: MB/s of sealed files, and its share of restoring.

python benchmarks/encryption.py [--size=64 --frames=16 --pairs=5 --weights=]

A file of --size MB is sealed, read from beginning to end, and read in pieces at
random places, beside the same on plain files. Then a film of 320x240, coded
losslessly, is restored to a lossless film, sealed and not in turn; the fewer
stages run, the larger is the share of sealing, so the classical ones do unless
weights are named. Medians; processor time beside the clock's, and how much of
it was spent in sealing itself: on a busy machine the difference of two runs
tells little. Prints tables in Markdown.
"""

import argparse
import datetime
import functools
import os
import pathlib
import platform
import statistics
import tempfile
import time

import numpy as np
import pan
import refusing
from revive_jax.configs import restore as config

from revive_jax import restore
from revive_jax.privacy import encryption, keys
from revive_jax.privacy import vault as vault_lib
from revive_jax.video import writer

_PIECE = 1 << 15  # Bytes that FFmpeg asks for at once.


@refusing.bad_input()
def main():
  """Measures, and prints the tables."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--size', type=int, default=64, help='MB')
  parser.add_argument('--frames', type=int, default=16)
  parser.add_argument('--pairs', type=int, default=5)
  parser.add_argument('--weights', default='')
  args = parser.parse_args()
  print(f'{datetime.date.today()}; {os.cpu_count()} CPU cores; Python '
        f'{platform.python_version()}; load before {os.getloadavg()[0]:.1f}.\n')
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    _print_speeds(folder, args.size, args.pairs)
    _print_share(folder, args)


def _print_speeds(folder, size, repeats):
  vault = vault_lib.Vault(encryption.MasterKey(os.urandom(32)))
  data = os.urandom(size * 1000 * 1000)
  found = {}
  for _ in range(repeats):
    for name, path in (('plain', folder / 'plain'),
                       ('sealed', vault.path(folder / 'sealed'))):
      for what, work in (('written', _write), ('read', _read),
                         ('read in pieces at random', _read_at_random)):
        start = time.perf_counter()
        count = work(path, data)
        found.setdefault((what, name), []).append(
            count / 1e6 / (time.perf_counter() - start))
  print('| MB/s | plain | sealed |\n|---|---|---|')
  for what in dict.fromkeys(what for what, _ in found):
    print(f'| {what} | ' + ' | '.join(
        f'{statistics.median(found[what, name]):.0f}'
        for name in ('plain', 'sealed')) + ' |')


def _write(path, data):
  with path.open('wb') as file:
    for start in range(0, len(data), _PIECE):
      file.write(data[start:start + _PIECE])
  return len(data)


def _read(path, data):
  with path.open('rb') as file:
    while file.read(_PIECE):
      pass
  return len(data)


def _read_at_random(path, data):
  rng = np.random.default_rng(0)
  with path.open('rb') as file:
    for start in rng.integers(0, len(data) - _PIECE, 100):
      file.seek(int(start))
      file.read(_PIECE)
  return 100 * _PIECE


def _print_share(folder, args):
  writer.write_rgb(
      folder / 'film.mkv', pan.frames(240, 320, args.frames, damaged=False),
      frame_rate=24)
  key = f'file:{folder / "key"}'
  keys.make(key)
  seconds, inside = {}, _counted()
  for pair in range(args.pairs + 1):
    for name, chosen in (('plain', ''), ('sealed', key)):
      wall, work = time.perf_counter(), time.process_time()
      inside[0] = 0.0
      _restore(folder / 'film.mkv', folder / f'{name}{pair}', chosen,
               args.weights)
      if pair:  # The first one compiles.
        seconds.setdefault((name, 'clock'), []).append(
            time.perf_counter() - wall)
        seconds.setdefault((name, 'processor'), []).append(
            time.process_time() - work)
        seconds.setdefault((name, 'inside'), []).append(inside[0])
  print(f'\n| restoring {args.frames} frames of 320x240, s | plain | sealed | '
        'cost |\n|---|---|---|---|')
  for kind in ('clock', 'processor'):
    plain, sealed = (statistics.median(seconds[n, kind])
                     for n in ('plain', 'sealed'))
    print(f'| {kind} | {plain:.3f} | {sealed:.3f} | '
          f'{100 * (sealed / plain - 1):+.1f} % |')
  spent = statistics.median(seconds['sealed', 'inside'])
  share = 100 * spent / plain
  print(f'| of it in sealing | 0 | {spent:.3f} | {share:+.1f} % |')


def _counted():
  """A list of one number: seconds of the processor spent in sealed files."""
  total = [0.0]

  def timed(call):
    @functools.wraps(call)
    def timed_call(*arguments):
      start = time.thread_time()
      try:
        return call(*arguments)
      finally:
        total[0] += time.thread_time() - start
    return timed_call

  for kind, name in ((encryption.Writer, 'write'),
                     (encryption.Writer, 'close'),
                     (encryption.Reader, 'readinto'),
                     (vault_lib.Vault, 'open')):
    setattr(kind, name, timed(getattr(kind, name)))
  return total


def _restore(film, folder, key, weights):
  c = config.get_config('base' if weights else 'tiny')
  c.progress, c.encrypt.key, c.weights = 'none', key, weights
  restore.restore(c, str(folder), str(film), str(folder / 'out.mkv'))


if __name__ == '__main__':
  main()
