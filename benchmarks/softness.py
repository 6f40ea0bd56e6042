"""Softness: what detail brings where the clean picture is soft by itself.

python benchmarks/softness.py --photos=FOLDER [--count=8 --frames=16]

A camera moves slowly over photographs that no network was trained on, and that
are enlarged, so that what was filmed is soft, as film that is scanned finer
than it was sharp; then they are damaged. The path is the same at every size,
what is seen along it is not. By kind of damage and enlargement: PSNR in dB of
the network alone, and with the detail that is brought out from under grain
(pipeline/detail.py), at strength 1; the gain of the finest detail that is
chosen, on average over that detail's energy, and the single one that would be
best by squared error; and what the clip lost that lost most. The four frames in
the middle count.
"""

import argparse

import numpy as np
import quality_clips
import quality_tasks
import refusing
from revive_jax.configs import evaluate

from revive_jax.comparison import cases, methods
from revive_jax.data import held_out, motion, sources, splits
from revive_jax.degradations import chain
from revive_jax.pipeline import detail, measure, sharpness

_DAMAGE = {'grain and scratches': quality_tasks.SCRATCHES.mix,
           'film': 'film'}
_FACTORS = (1, 1.5, 2, 3)
_SIZE, _LOOKED_AT = 272, 4  # px, frames.
_SPEED = 0.5  # px a frame, at most.
_HEADER = ('damage, medium | enlarged | network alone | with detail | '
           'gain chosen | best gain | most lost')


def main():
  """Prints the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--photos', required=True)
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--count', type=int, default=8)
  parser.add_argument('--frames', type=int, default=16)
  args = parser.parse_args()
  with refusing.bad_input():
    run(args)


def run(args):
  """The same, of flags."""
  c = evaluate.get_config()
  c.weights, c.through = args.weights, 'model'
  c.data.update(photos=args.photos, photo_clips=args.count,
                num_frames=args.frames)
  cases.check(c)
  network = methods.make_method(c)
  quality_clips.refuse_photos(
      args.photos, args.count, quality_clips.trained(),
      quality_clips.names_of_weights([args.weights]))
  print(f'| {_HEADER} |\n|{"---|" * (_HEADER.count("|") + 1)}')
  for name, mix in _DAMAGE.items():
    for factor in _FACTORS:
      found = []
      for clip in moved(args.photos, factor, args.count, args.frames):
        cases.refuse_trained([clip], {args.weights: network.trained_on})
        case = cases.make_case(
            clip, None, seed=0, mix=mix, severity=chain.SEVERITY['medium'])
        found.append(of_case(case, network))
      print(f'| {row(name, factor, found)} |', flush=True)


def moved(folder, factor, count, num_frames):
  """Yields clips [T, 272, 272, 3] uint8 of a slow camera over photographs.

  Args:
    folder: of pictures.
    factor: by which they are enlarged; smaller ones than a frame, by more.
    count: how many of them, at most.
    num_frames: of a clip.
  """
  stills = sources.Pictures(folder)
  for i in range(min(count, len(stills.names))):
    rng = np.random.default_rng((0, i))  # The same path at every factor.
    steps = np.arange(num_frames) - (num_frames - 1) / 2
    path = motion.Path(
        offset=steps[:, None] * rng.uniform(-_SPEED, _SPEED, 2),
        angle=np.zeros(num_frames), zoom=np.ones(num_frames),
        parallax=np.zeros((num_frames, 2)))
    frames = motion.look(rng, stills[i]['clip'][0], path, size=_SIZE,
                         scale=1 / factor)
    yield held_out.Clean(f'{splits.name_of(stills.names[i])}@{i}', frames)


def of_case(case, network) -> dict[str, float]:
  """PSNR, dB, alone and with detail, and the gains chosen and best, by name."""
  made = network.restore(case.damaged).restored
  first = (len(made) - _LOOKED_AT) // 2
  given, made, clean = (
      measure.to_float(x[first:first + _LOOKED_AT])
      for x in (case.damaged, made, cases.to_codes(case.target)))
  pairs = list(zip(given, made, strict=True))
  finest = np.stack([f - sharpness.softened(f) for f in made])
  better = np.stack([detail.brought_out(*pair, 1.0) for pair in pairs])
  psnr = lambda x: -10 * float(np.log10(np.square(x - clean).mean()))
  gains = [detail.predicted(detail.load(), detail.features(*pair))
           for pair in pairs]
  energies = [detail.halved((x**2).sum(-1)) for x in finest]
  return {
      'alone': psnr(made), 'with detail': psnr(better),
      'chosen': float(np.average(gains, weights=energies)),
      'best': float((finest * (clean - made)).sum() / (finest**2).sum())}


def row(name, factor, found) -> str:
  """A row of the table."""
  mean = lambda key: float(np.mean([f[key] for f in found]))
  lost = max(f['alone'] - f['with detail'] for f in found)
  return ' | '.join((name, f'{factor}', *(
      f'{x:.2f}' for x in (*map(mean, ('alone', 'with detail', 'chosen',
                                       'best')), lost))))


if __name__ == '__main__':
  main()
