"""How good what ships is, beside others and its ablations, on held-out clips.

python benchmarks/quality.py --root=FOLDER [--photos=FOLDER --old=FOLDER
    --textures=FOLDER --weights=restorer --ablations=name=folder,...
    --parts=noise,film,... --frames=16 --clips=a.mp4,b --out=FOLDER --quick]

Prints tables in Markdown, part by part: each can be run by itself, and the
results be put together. Clips that any network was trained on, whose weights
were chosen by, are refused, by name and by content: quality_clips.py.
"""

import argparse
from collections.abc import Callable
import datetime
import functools
import os
import platform
import sys
import time

import jax
import quality_baselines as baselines
import quality_clips
import quality_metrics as metrics
import quality_tasks as tasks

from revive_jax import types
from revive_jax.comparison import cases, perception
from revive_jax.degradations import chain

_SIZE = (480, 272)  # px
_QUICK = {'frames': 6, 'photo_clips': 1, 'clips': 'sam2_bedroom.mp4'}


def main():
  """Runs the parts that are asked for, and prints their tables."""
  args = parse(sys.argv[1:])
  try:
    run(args)
  except types.BadInput as error:
    sys.exit(f'{error}')


def parse(argv: list[str]) -> argparse.Namespace:
  """The flags."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ('root', 'photos', 'old', 'textures', 'ablations', 'clips'):
    parser.add_argument(f'--{name}', default='')
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--parts', default=','.join(PARTS))
  parser.add_argument('--severities', default='light,medium,heavy')
  parser.add_argument('--sigmas', default=','.join(map(str, tasks.SIGMAS)))
  parser.add_argument('--frames', type=int, default=16, help='of a clip')
  parser.add_argument('--photo_clips', type=int, default=1)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--out', default='')
  parser.add_argument('--quick', action='store_true')
  first = parser.parse_args(argv)
  if first.quick:
    parser.set_defaults(**_QUICK)
  return parser.parse_args(argv)


class Bench:
  """What all parts share: clips, networks and rows, read when first needed."""

  def __init__(self, args: argparse.Namespace):
    self.args = args
    self.ablations = baselines.parse_ablations(_names(args.ablations))

  @functools.cached_property
  def clips(self):
    """Held-out clips of at most args.frames frames."""
    return self.read(self.args.frames)

  def read(self, frames: int):
    """Held-out clips of at most so many frames."""
    a = self.args
    return quality_clips.read(
        a.root, clips=_names(a.clips), photos=a.photos,
        photo_clips=a.photo_clips, num_frames=frames, size=_SIZE, seed=a.seed,
        trained=quality_clips.trained(),
        names=quality_clips.names_of_weights(
            [*_names(a.weights), *self.ablations.values(), 'niqe']))

  @functools.cached_property
  def networks(self):
    """Networks alone, by row."""
    return baselines.load_networks(self.args.weights, self.ablations)

  @functools.cached_property
  def pipelines(self):
    """The classical chains and ours, as users run them."""
    return baselines.pipelines(self.args.weights)

  @functools.cached_property
  def judges(self):
    """Perceptual distance and NIQE."""
    return perception.Judges(
        perception.load(_names(self.args.weights)[0]),
        perception.load_niqe('niqe'))

  @functools.cached_property
  def textures(self):
    """Shapes of real artefacts, or None."""
    c = baselines.settings('', 'model')
    c.damage.textures = self.args.textures
    return cases.read_textures(c)


def run(args: argparse.Namespace) -> None:
  """Prints the tables of the parts, each as soon as it is done."""
  parts = _names(args.parts)
  for name in parts:
    if name not in PARTS:
      raise types.BadInput(
          f'--parts: {name!r} is not known; choose of {", ".join(PARTS)}.')
  bench = Bench(args)
  print(_head(args, bench), flush=True)
  for name in parts:
    start = time.monotonic()
    text = PARTS[name](bench)
    if text:
      print(f'\n{text}\n\n({name}: {time.monotonic() - start:.0f} s)',
            flush=True)


def noise(bench: Bench) -> str:
  """White noise that is not clipped, by denoisers' protocol."""
  psnr, clips = {}, {}
  for sigma in map(int, _names(bench.args.sigmas)):
    rows = baselines.denoisers(sigma / 255) | baselines.as_they_are(
        bench.networks)
    found = metrics.measure(
        tasks.noisy(bench.clips, sigma, bench.args.seed),
        lambda case, rows=rows: rows, say=_say(f'noise {sigma}')).damaged
    del found['clean']
    for row, values in metrics.means(found).items():
      psnr.setdefault(row, {})[sigma] = values['psnr']
    if sigma == 30 or not clips:
      clips = (sigma, {('no change' if r == 'damaged' else r): {
          c: s['psnr'][0] for c, s in by_clip.items()}
                       for r, by_clip in found.items()})
  column = lambda x: (x, f'{x}', '{:.2f}')
  sigma, by_clip = clips
  return '\n\n'.join((
      '### Gaussian noise, not clipped; PSNR of RGB in dB, mean over clips of '
      'the mean over frames',
      metrics.markdown('sigma', psnr, [column(s) for s in next(
          iter(psnr.values()))]),
      metrics.markdown(f'sigma {sigma}, by clip', by_clip, [
          column(c.name) for c in bench.clips])))


def family(bench: Bench, name: str) -> str:
  """A family of damage at all severities; of film, everything else as well."""
  task, parts = tasks.FAMILIES[name], []
  for severity in _names(bench.args.severities):
    full = name == 'film' and severity == 'medium'
    sigma = task.sigma * chain.SEVERITY[severity]
    found = metrics.measure(
        tasks.damaged(bench.clips, task, severity, bench.args.seed,
                      bench.textures if name == 'film' else None),
        lambda case, sigma=sigma, full=full: _rows(bench, case, sigma, full),
        judges=bench.judges if full else metrics.NOBODY, undamaged=full,
        say=_say(f'{name}, {severity}'))
    parts.append(_family_tables(f'{name}, {severity}', found))
  return f'### Damage: {name}\n\n' + '\n\n'.join(parts)


def _rows(bench, case, sigma, full):
  """Rows of a case: of ablations and networks alone only where in full."""
  rows = baselines.without_learning(case, sigma) | bench.pipelines
  return rows | (baselines.alone(bench.networks) if full else {})


def _family_tables(title, found) -> str:
  parts = [metrics.markdown(title, metrics.means(found.damaged), (
      *metrics.FIDELITY, *metrics.PERCEPTION, *metrics.TIME, *metrics.DAMAGE,
      *metrics.FOUND, *metrics.OBJECTS))]
  if found.undamaged:
    parts.append(metrics.markdown(
        f'{title}: undamaged', metrics.undamaged(found), metrics.UNDAMAGED))
  if found.uncertainty:
    for place, rows in metrics.uncertainties(found).items():
      parts.append(metrics.markdown(
          f'{title}: uncertainty {place}', rows, metrics.UNCERTAINTY))
  return '\n\n'.join(parts)


PARTS: dict[str, Callable[[Bench], str]] = {
    'noise': noise,
    **{name: functools.partial(family, name=name) for name in tasks.FAMILIES},
}


def _names(text: str) -> list[str]:
  return [x.strip() for x in text.split(',') if x.strip()]


def _say(label):
  return lambda text: print(f'{label}, {text}', file=sys.stderr, flush=True)


def _head(args, bench) -> str:
  sizes = ', '.join(f'{c.name} {c.frames.shape[2]}x{c.frames.shape[1]}x'
                    f'{len(c.frames)}' for c in bench.clips)
  return (f'{datetime.date.today()}; {jax.devices()[0].device_kind}, '
          f'{os.cpu_count()} CPU cores; Python {platform.python_version()}, '
          f'jax {jax.__version__}. Weights: {args.weights}; seed {args.seed}. '
          f'Clips: {sizes}.')


if __name__ == '__main__':
  main()
