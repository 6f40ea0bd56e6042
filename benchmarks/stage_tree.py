"""Fits the decision trees of explain/tree.py, and writes explain/rules.json.

python benchmarks/stage_tree.py [--clips=240 --gains=40 --out=FILE]

Photographs that ship with scikit-image are set in motion and damaged with known
strengths, each of which is often 0; every clip is measured as a film is, and
pipeline.choose decides: on what was measured, and on variants of it in which
one measure is another, so that limits show. The trees are fitted to its
decisions on three of four clips; fidelity is of the others. On some of the
clips each repair that was chosen is also left out of the classical chain: the
difference in PSNR to the undamaged clip says whether the choice was right.
"""

import argparse
import dataclasses
import json
import pathlib

import cv2
import numpy as np
import skimage

from revive_jax import reporting, types
from revive_jax.explain import record, tree
from revive_jax.pipeline import choose, measure, run

_PHOTOS = ('astronaut', 'coffee', 'rocket', 'chelsea')
_SIZE = (96, 128)  # Height and width, px.
_FRAMES = 10
_DEPTH = {'noise': 1, 'flicker': 1, 'dust': 1, 'scratch': 2, 'crack': 2,
          'blur': 2}
_ALL = dict.fromkeys(choose.KINDS, 1.0)
_KIND = {'crack': 'dust'}
_VARIANTS = 4  # Of each clip that was measured.
_RANGES = {'noise': (0.1 / 255, 12 / 255), 'flicker': (5e-4, 0.1),
           'scratches': (1e-5, 0.05), 'cracks': (1e-4, 0.1),
           'edge_width': (0.3, 4.0), 'stop': (2, 200)}


def main():
  """Makes clips, fits, prints, and writes."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--clips', type=int, default=240)
  parser.add_argument('--gains', type=int, default=40)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--out', default=str(
      pathlib.Path(tree.__file__).parent / 'rules.json'))
  args = parser.parse_args()
  rows, verdicts, gains = [], [], {r: [] for r in tree.REPAIRS}
  for i in range(args.clips):
    rng = np.random.default_rng((args.seed, i))
    clean, damaged = make(rng)
    shots, _ = measure.measure(damaged, frame_rate=24)
    plan = _plan(shots[0], _ALL)
    for shot in (shots[0], *(_varied(rng, shots[0]) for _ in range(_VARIANTS))):
      rows.append(tree.features(record.measured(shot)))
      verdicts.append(reporting.verdicts(_plan(shot, _ALL)))
    if i < args.gains and len(shots) == 1:
      for repair, gain in _gains(clean, damaged, shots[0], plan).items():
        gains[repair].append(gain)
  found = fitted(rows, verdicts, gains)
  pathlib.Path(args.out).write_text(json.dumps(found, indent=1) + '\n')
  for repair, one in found['trees'].items():
    print(f'{repair}: fidelity {100 * found["fidelity"][repair]:.1f} %')
    print('\n'.join(f'  {line}' for line in tree.printed(one, repair)))
  print(json.dumps(found['gains'], indent=1))


def make(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
  """A clean and a damaged clip, [T, H, W, 3] uint8; a fifth have one frame."""
  count = 1 if rng.random() < 0.2 else _FRAMES
  photo = getattr(skimage.data, _PHOTOS[rng.integers(len(_PHOTOS))])()
  height, width = _SIZE
  least = max((height + 32) / photo.shape[0], (width + 32) / photo.shape[1])
  zoom = rng.uniform(1, 1.6) * least
  small = cv2.resize(photo, None, fx=zoom, fy=zoom,
                     interpolation=cv2.INTER_AREA).astype(np.float32) / 255
  speed = rng.uniform(-1.5, 1.5, 2)
  at = rng.uniform(12, np.array(small.shape[1::-1]) - (width, height) - 12)
  clean = np.stack([cv2.getRectSubPix(
      small, (width, height), tuple(at + speed * t + (width / 2, height / 2)))
                    for t in range(count)])
  often = lambda most: float(rng.random() < 0.6) * most * rng.random() ** 2
  blur = often(3.0)
  damaged = np.stack([cv2.GaussianBlur(f, (0, 0), blur) for f in clean]) if (
      blur > 0.3) else clean.copy()
  _paint(rng, damaged, often)
  damaged *= np.exp(often(0.06) * rng.standard_normal((count, 1, 1, 1)))
  damaged += often(10 / 255) * rng.standard_normal(damaged.shape[:3])[..., None]
  codes = lambda x: np.uint8(np.round(255 * np.clip(x, 0, 1)))
  return codes(clean), codes(damaged)


def _paint(rng, film, often):
  """Spots, lines that stay, and, in single pictures, cracks."""
  height, width = _SIZE
  spots, lines = int(often(12)), int(often(4))
  for frame in film:
    for _ in range(spots):
      x, y = rng.integers(width), rng.integers(height)
      cv2.circle(frame, (int(x), int(y)), int(rng.integers(1, 4)),
                 (float(rng.random() < 0.5),) * 3, -1)
  for _ in range(lines):
    x, color = int(rng.integers(4, width - 4)), float(rng.random() < 0.5)
    end = int(height * rng.uniform(0.2, 1))  # Some are too short to be one.
    for frame in film:
      cv2.line(frame, (x, 0), (x, end), (color,) * 3, 1)
  if len(film) == 1:
    for _ in range(int(rng.integers(0, 6))):
      ends = rng.integers(0, (width, height), (2, 2)).tolist()
      cv2.line(film[0], *ends, (0.95,) * 3, 1, cv2.LINE_AA)


def _varied(rng, shot):
  """The shot, one measure of which is another: between what clips had."""
  names = [n for n in _RANGES if (n == 'cracks') == (
      shot.stop - shot.start == 1) or n in ('noise', 'edge_width')]
  name = names[rng.integers(len(names))]
  value = float(np.exp(rng.uniform(*np.log(_RANGES[name]))))
  if name == 'stop':  # Of a shot as long as that.
    value = shot.start + round(value)
  return dataclasses.replace(shot, **{name: value})


def _plan(shot, strength):
  return choose.choose(
      shot, mode='full', strength=strength, stages=('auto',),
      output=dict(bits=8, grain=0.0), fill='temporal_median', inpaint='telea',
      denoiser='auto', seed=0, marked=False)


def _gains(clean, damaged, shot, plan) -> dict[str, float]:
  """PSNR that each repair of the plan brings, dB: with less without it."""
  whole, gains = _psnr(clean, damaged, shot, plan), {}
  for repair, done in reporting.verdicts(plan).items():
    if done:
      less = _plan(shot, _ALL | {_KIND.get(repair, repair): 0.0})
      gains[repair] = whole - _psnr(clean, damaged, shot, less)
  return gains


def _psnr(clean, damaged, shot, plan) -> float:
  source = damaged.astype(np.float32) / 255
  clip = run.apply_stages(
      types.Clip(source=source, frames=source, tone=run.shot_tone(shot, plan)),
      plan.stages, tile=1024, overlap=0)
  output = np.clip(clip.output, 0, 1)
  error = output - clean / 255
  # How light the film was meant to be is not known.
  return float(-10 * np.log10(max(error.var(), 1e-7)))


def fitted(rows, verdicts, gains) -> dict:
  """Trees of three of four clips, and how true they are of the others."""
  last = np.arange(len(rows)) // (1 + _VARIANTS) % 4 == 3
  pick = lambda x, which: [v for v, w in zip(x, which, strict=True) if w]
  trees, fidelity, share = {}, {}, {}
  for repair in tree.REPAIRS:
    decided = [v[repair] for v in verdicts]
    trees[repair] = tree.fit(
        pick(rows, ~last), pick(decided, ~last), depth=_DEPTH[repair], least=2)
    fidelity[repair] = round(tree.fidelity(
        trees[repair], pick(rows, last), pick(decided, last)), 4)
    share[repair] = round(float(np.mean(decided)), 3)
  worst = min(fidelity.values())
  helped = {repair: {
      'clips': len(x), 'raised_psnr': int(np.sum(np.array(x) > 0)),
      'median_db': round(float(np.median(x)), 2)}
            for repair, x in gains.items() if x}
  least = '' if worst == 1 else 'at least '
  told = (f'says what the program decided on {least}{100 * worst:.0f} % of '
          f'{int(last.sum())} sets of measures of damaged clips that it was '
          'not fitted to (classical repairs, every strength 1). ')
  if helped:
    told += 'Leaving out a repair that was chosen made the likeness (PSNR) to '
    told += 'the undamaged clip worse for ' + ', '.join(
        f'{name} in {x["raised_psnr"]} of {x["clips"]} clips (median '
        f'{x["median_db"]:+.2f} dB)' for name, x in helped.items()) + '.'
  return {'trees': trees, 'fidelity': fidelity, 'chosen': share,
          'gains': helped, 'clips': len(rows), 'told': told}


if __name__ == '__main__':
  main()
