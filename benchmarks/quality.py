"""How good what ships is, beside others and its ablations, on held-out clips.

python benchmarks/quality.py --root=FOLDER [--photos=FOLDER --old=FOLDER
    --textures=FOLDER --weights=restorer --ablations=name=folder,...
    --parts=noise,film,... --frames=16 --clips=a.mp4,b --faces=a.mp4
    --without_filters --out=FOLDER --quick]

Prints tables in Markdown, part by part: each can be run by itself, and the
results be put together. With --out, each part that is done is kept there, and
not run again; and so are contact sheets, and films of --old. Clips, and shapes
of --textures, that any network was trained on, or its weights chosen by, are
refused or left out, by name and by content: quality_clips.py. Of weights of
yours --trained names the folders that they were trained on. --ablations are
weights of trainings that differ from the default in what their names say
(quality_baselines.ABLATIONS); they are run on noise, and on film damage of
medium severity. --faces names the clips that have faces; '': faces are looked
for in all. --without_filters: families, single kinds and scratches without
those of OpenCV and FFmpeg, where those have not changed. Metrics:
revive_jax/metrics, and quality_metrics.py; perceptual distance is that of
evaluate, in the features of the first of --weights.
"""

import argparse
from collections.abc import Callable
import datetime
import functools
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
import zlib

import jax
import quality_baselines as baselines
import quality_clips
import quality_metrics as metrics
import quality_real
import quality_tasks as tasks
import refusing

from revive_jax import identity, types
from revive_jax.comparison import perception
from revive_jax.data import splits, videos
from revive_jax.degradations import chain
from revive_jax.faces import find, similarity
from revive_jax.metrics import scores
from revive_jax.models import face, weights
from revive_jax.pipeline import detail

_SIZE = (480, 272)  # px
_QUICK = {'frames': 6, 'clips': 'sam2_bedroom.mp4', 'sigmas': '30',
          'severities': 'medium', 'old_clips': 'the_great_train_robbery'}
# Frames, of scratches that stay and of real film; the second of each is quick.
_LONG, _REAL = (240, 30), (32, 6)


def main():
  """Runs the parts that are asked for, and prints their tables."""
  args = parse(sys.argv[1:])
  with refusing.bad_input():
    run(args)


def parse(argv: list[str]) -> argparse.Namespace:
  """The flags."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  for name in ('root', 'photos', 'old', 'textures', 'ablations', 'clips',
               'old_clips', 'faces', 'trained'):
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
  parser.add_argument('--without_filters', action='store_true')
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
  def trained(self):
    """What the weights that ship saw, and what lies in --trained."""
    return quality_clips.trained() | quality_clips.listed(
        _names(self.args.trained))

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
        trained=self.trained, names=self.seen)

  @functools.cached_property
  def seen(self):
    """What the weights that are measured say they saw."""
    return quality_clips.names_of_weights(
        [*_names(self.args.weights), *self.ablations.values(), 'niqe'])

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
  def identity(self):
    """Whether faces stay the persons they are."""
    return metrics.identities(
        similarity.Embedding(face.SIDE, face.load()), find.detector(),
        _names(self.args.faces) or None)

  @functools.cached_property
  def textures(self):
    """Shapes of real artefacts, or None."""
    return quality_clips.read_textures(self.args.textures, self.trained)


def _check(bench, parts) -> None:
  """Refuses what would end a run that is hours under way."""
  args = bench.args
  for flag, names, known in (
      ('parts', parts, PARTS),
      ('severities', _names(args.severities), chain.SEVERITY)):
    for name in names:
      if name not in known:
        raise types.BadInput(
            f'--{flag}: {name!r} is not known; choose of {", ".join(known)}.')
  for sigma in _names(args.sigmas):
    if not sigma.isdigit():
      raise types.BadInput(
          f'--sigmas: {sigma!r} is no whole number; give codes, as 10,30.')
  if parts == ['real'] and not args.old:
    raise types.BadInput(
        'There is no real film; name a folder of some with --old.')
  if 'real' in parts and args.old:
    quality_clips.old_films(args.old, clips=_names(args.old_clips),
                            trained=bench.trained, names=bench.seen)
  _ = bench.textures  # Read here, or refused.


def run(args: argparse.Namespace) -> None:
  """Prints the tables of the parts, each as soon as it is done."""
  parts = _names(args.parts)
  bench = Bench(args)
  _check(bench, parts)
  print(_head(args, bench), flush=True)
  for name in parts:
    path = kept(args, name) if args.out else None
    if path and path.exists():
      print(path.read_text(), end='', flush=True)
      continue
    start = time.monotonic()
    text = PARTS[name](bench)
    if not text:
      continue
    text = f'\n{text}\n\n({name}: {time.monotonic() - start:.0f} s)\n'
    print(text, end='', flush=True)
    if path:
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text)


def kept(args: argparse.Namespace, part: str) -> pathlib.Path:
  """Where a part's tables are, of these flags and weights, once it is done."""
  told = {k: v for k, v in vars(args).items() if k not in ('parts', 'out')}
  if not told['without_filters']:
    del told['without_filters']  # What was kept before there was the flag.
  places = [*_names(args.weights), *baselines.parse_ablations(
      _names(args.ablations)).values()]
  told['sha256'] = [weights.read_weights(w).config['sha256'] for w in places]
  told['pipeline'] = identity.FORMAT, detail.digest()
  code = zlib.crc32(json.dumps(told, sort_keys=True).encode())
  return pathlib.Path(args.out, f'{part}-{code:08x}.md')


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
    parts.append(_measured(
        bench, task, f'{name}, {severity}', severity=severity, full=full,
        textures=bench.textures if name == 'film' else None))
  return f'### Damage: {name}\n\n' + '\n\n'.join(parts)


def single(bench: Bench) -> str:
  """One kind of damage at a time, of medium severity."""
  return '### One kind of damage, medium\n\n' + '\n\n'.join(
      _measured(bench, task, name) for name, task in tasks.SINGLE.items())


def scratches(bench: Bench) -> str:
  """Scratches that stay for ten seconds, over grain: what is left of them."""
  clip = max(bench.read(_LONG[bench.args.quick]), key=lambda c: len(c.frames))
  title = f'scratches of {len(clip.frames)} frames, {clip.name}'
  return '### Long scratches\n\n' + _measured(
      bench, tasks.SCRATCHES, title, clips=[clip], alone=False)


def _measured(
    bench, task, title, *, severity='medium', full=False, textures=None,
    clips=None, alone=True,
) -> str:
  """The tables of a task; ablations, judges and undamaged clips where full."""
  a, sigma = bench.args, task.sigma * chain.SEVERITY[severity]
  own = {k: v for k, v in bench.networks.items()
         if full or k not in bench.ablations} if alone else {}
  residual = task.mix in ('quality objects', 'quality scratches')
  more = metrics.residual if residual else bench.identity if full else None

  def rows(case):
    found = {}
    if task.blurs and not a.without_filters:
      found = baselines.sharpeners()
    elif not a.without_filters:
      found = baselines.without_learning(case, sigma, flickers=task.flickers)
    found |= bench.pipelines
    if task.repeats:
      found |= baselines.repairing({
          name: row for name, row in bench.pipelines.items()
          if name != 'classical, every stage'})
    return found | baselines.alone(own)

  found = metrics.measure(
      tasks.damaged(clips or bench.clips, task, severity, a.seed, textures),
      rows, judges=bench.judges if full else metrics.NOBODY, undamaged=full,
      more=more, say=_say(title),
      sheets=pathlib.Path(a.out, title) if a.out else None)
  return _tables(title, found, task.whole)


def _tables(title, found, whole) -> str:
  # The mean of PSNR over frames says little where some are as they were.
  parts = [metrics.markdown(title, metrics.means(found.damaged), (
      *metrics.FIDELITY[not whole:], *metrics.PERCEPTION, *metrics.TIME,
      *metrics.DAMAGE,
      *metrics.LEFT, *metrics.IDENTITY, *metrics.FOUND, *metrics.OBJECTS))]
  if found.undamaged:
    parts.append(metrics.markdown(
        f'{title}: undamaged', metrics.undamaged(found), metrics.UNDAMAGED))
    for place, rows in metrics.uncertainties(found).items():
      parts.append(metrics.markdown(
          f'{title}: uncertainty {place}', rows, metrics.UNCERTAINTY))
  return '\n\n'.join(parts)


def enlarging(bench: Bench) -> str:
  """Twice the size: the tables of benchmarks/upscaling.py on these clips."""
  a = bench.args
  films = {splits.name_of(p) for p in videos.find(a.root)}
  names = {c.name.split('@')[0] for c in bench.clips} & films
  script = pathlib.Path(__file__).with_name('upscaling.py')
  done = subprocess.run(
      [sys.executable, script, f'--root={a.root}', f'--frames={a.frames}',
       f'--clips={",".join(sorted(names))}', '--repeats=1'],
      text=True, stdout=subprocess.PIPE)
  if done.returncode == 2:
    raise types.BadInput(f'{script.name} refused that; it says why above.')
  done.check_returncode()
  return f'### Twice the size\n\n{done.stdout.strip()}'


def real(bench: Bench) -> str:
  """Real film, as users restore it: there is no truth to measure against."""
  a = bench.args
  if not a.old:
    return ''
  rows = baselines.pipelines(a.weights, as_users=True)
  out, tables = (pathlib.Path(a.out, 'real') if a.out else None), []
  for clip in quality_clips.read_old(
      a.old, clips=_names(a.old_clips), num_frames=_REAL[a.quick],
      trained=bench.trained, names=bench.seen):
    sums = quality_real.measure(
        clip, rows, bench.judges.niqe, out, _say('real film'))
    size = f'{clip.frames.shape[2]}x{clip.frames.shape[1]}'
    tables.append(metrics.markdown(
        f'{clip.name}, {size}, {len(clip.frames)} frames',
        {row: scores.values(s) for row, s in sums.items()},
        quality_real.COLUMNS))
  return '### Real film\n\n' + '\n\n'.join(tables)


PARTS: dict[str, Callable[[Bench], str]] = {
    'noise': noise,
    **{name: functools.partial(family, name=name) for name in tasks.FAMILIES},
    'single': single, 'scratches': scratches, 'x2': enlarging, 'real': real,
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
