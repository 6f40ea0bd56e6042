"""Detail: fits pipeline/detail.json, and says what it is worth.

python benchmarks/detail.py --root=TRAINED [--photos=TRAINED --keep=FOLDER
    --out=FILE]

Clips that networks are trained on, damaged, and restored by the network. From
the finest detail of what it made, and the clean clip, a small network learns
the gain that brings the one nearest to the other by squared error, relative to
each clip's; film damage counts twice. Pictures that are soft by themselves, for
they are enlarged, count an eighth: of softness below grain nothing tells if it
was damage. With none of them they lose by detail; with more, film gains less.
What one fit learns of these few clips is in part chance: several are made, and
one more is fitted to their mean. Printed, by kind of damage: the gain in dB on
clips that the fit did not see (five parts, by name), of a clip that gained
least, and most. Then it is fitted to all, and written to --out. --keep: what
was restored is kept there, and not made again.
"""

import argparse
import itertools
import json
import pathlib
import sys
import zlib

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax
import quality_tasks
import refusing
from revive_jax.configs import evaluate

from revive_jax import types
from revive_jax.comparison import cases, methods
from revive_jax.data import splits
from revive_jax.degradations import chain
from revive_jax.pipeline import detail, measure, sharpness

_CODEC = quality_tasks.FAMILIES['codec'].mix
_SHARP = quality_tasks.SCRATCHES.mix  # Grain on what is as sharp as it was.
_ENLARGED = ', enlarged'  # And so soft before it was damaged.
# Mix, severity, contrast of the clean clip, seeds of the damage.
_DAMAGE = (('film', 'light', 1, (2, 6, 7)), ('film', 'medium', 1, (0, 1, 8)),
           ('film', 'medium', 0.4, (9,)), ('film', 'heavy', 1, (4,)),
           ('tape', 'medium', 1, (5,)), ('noise', 'medium', 1, (3,)),
           ('camera', 'light', 1, (10,)), ('camera', 'medium', 1, (11,)),
           (_CODEC, 'light', 1, (12,)), (_CODEC, 'medium', 1, (13,)),
           (_SHARP, 'light', 1, (14,)), (_SHARP, 'medium', 1, (15, 16)),
           ('film', 'light' + _ENLARGED, 1, (23,)),
           ('film', 'medium' + _ENLARGED, 1, (21, 27)),
           ('tape', 'medium' + _ENLARGED, 1, (24,)),
           ('camera', 'medium' + _ENLARGED, 1, (26,)),
           (_SHARP, 'light' + _ENLARGED, 1, (25,)),
           (_SHARP, 'medium' + _ENLARGED, 1, (22,)))
_SIZE, _PHOTOS = 272, 12  # px, clips.
_FRAMES = 8
_FACTOR = 1.3, 3.0  # By which pictures are enlarged.
_LEARNED = 4  # Frames that are learned from, in the middle.
_HIDDEN, _PARTS, _FITS = 12, 5, 6
_STEPS, _MEAN_STEPS, _RATE, _CLIPS, _PIXELS = 1500, 3000, 1e-2, 16, 600
_SAMPLED = 3000  # Places of a frame.
_DECAY = 1e-5
_OF_FILM, _OF_ENLARGED = 2, 1 / 8  # How often clips are drawn.


def main():
  """Prints the table, and writes the fit."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--root', required=True)
  parser.add_argument('--photos', default='')
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--keep', default='')
  parser.add_argument('--out', default='')
  args = parser.parse_args()
  with refusing.bad_input():
    run(args)


def run(args):
  """The same, of flags."""
  found = {key: (frames, samples(*frames)) for key, frames in restored(args)}
  gained, names = {}, sorted({key[-2] for key in found})
  for part in range(_PARTS):
    out = set(names[part::_PARTS])
    fitted = mean_fit({
        k: s for k, (_, s) in found.items() if k[-2] not in out})
    gained |= {k: gain(fitted, *frames) for k, (frames, _) in found.items()
               if k[-2] in out}
  print('| damage | clips | gain, dB | least | most |\n|---|---|---|---|---|')
  for mix, severity, contrast, _ in _DAMAGE:
    rows = [g for k, g in gained.items() if k[:3] == (mix, severity, contrast)]
    faded = f' of contrast {contrast}' if contrast < 1 else ''
    print(f'| {mix}, {severity}{faded} | {len(rows)} | {np.mean(rows):.2f} | '
          f'{min(rows):.2f} | {max(rows):.2f} |')
  if args.out:
    write(pathlib.Path(args.out),
          mean_fit({k: s for k, (_, s) in found.items()}))


def restored(args):
  """Yields (mix, severity, contrast, name, seed), and (given, made, clean).

  The latter are frames [T, H, W, 3], uint8.
  """
  c = evaluate.get_config()
  c.weights, c.through = args.weights, 'model'
  c.data.update(root=args.root, photos=args.photos, photo_clips=_PHOTOS,
                num_frames=_FRAMES, height=_SIZE)
  row = methods.make_method(c)
  clips = known(cases.read_clips(c), row.trained_on)
  for mix, severity, contrast, seeds in _DAMAGE:
    for seed, clip in itertools.product(seeds, clips):
      key = mix, severity, contrast, clip.name.split('@')[0], seed
      print(*key, flush=True)
      path = args.keep and pathlib.Path(
          args.keep, '_'.join(map(str, (args.weights, *key))) + '.npz')
      if path and path.exists():
        kept = np.load(path)
        yield key, tuple(kept[k] for k in 'drt')
        continue
      if severity.endswith(_ENLARGED):
        clip = enlarged(clip, key[-2], seed)
      faded = np.round(127.5 + contrast * (clip.frames - 127.5))
      case = cases.make_case(
          clip._replace(frames=faded.astype(np.uint8)), None, seed=seed,
          mix=mix, severity=chain.SEVERITY[severity.removesuffix(_ENLARGED)])
      made = row.restore(case.damaged).restored
      first = (len(made) - _LEARNED) // 2
      frames = tuple(x[first:first + _LEARNED] for x in (
          case.damaged, made, cases.to_codes(case.target)))
      if path:
        np.savez_compressed(path, **dict(zip('drt', frames, strict=True)))
      yield key, frames


def enlarged(clip, name, seed):
  """The middle of a clip [T, H, W, 3] uint8, as large as all of it was.

  By how much it is enlarged is drawn, of the name and the seed.
  """
  rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
  factor = rng.uniform(*_FACTOR)
  height, width = clip.frames.shape[1:3]
  h, w = round(height / factor), round(width / factor)
  top, left = (height - h) // 2, (width - w) // 2
  return clip._replace(frames=np.stack([
      cv2.resize(x[top:top + h, left:left + w], (width, height),
                 interpolation=cv2.INTER_CUBIC) for x in clip.frames]))


def known(clips, trained_on):
  """Those of clips that the network trained on; others are named, and left out.

  What is fitted here ships: it must not have seen what it is measured by.

  Raises:
    types.BadInput: none is left.
  """
  seen, others = [], []
  for clip in clips:
    name = clip.name.rpartition('@')[0]
    (seen if splits.marks([name])[0] in trained_on else others).append(clip)
  if others:
    print('Left out, since the weights were not trained on them:',
          ', '.join(clip.name for clip in others), file=sys.stderr)
  if not seen:
    raise types.BadInput(
        'The weights were trained on none of these clips; name folders of '
        'those that they were trained on.')
  return seen


def samples(given, made, clean):
  """Features [N, F]; errors times detail and squares of detail, [N]."""
  rng, found = np.random.default_rng(0), []
  error = ((measure.to_float(made) - measure.to_float(clean)) ** 2).mean()
  half = lambda x: detail.halved(x.sum(-1)).ravel()  # As the features are.
  for frames in zip(*map(measure.to_float, (given, made, clean)), strict=True):
    base, result, wanted = frames
    x = result - sharpness.softened(result)
    values = detail.features(base, result)
    some = rng.integers(0, values[..., 0].size, _SAMPLED)
    found.append((values.reshape(-1, values.shape[-1])[some],
                  half((wanted - result) * x)[some] / error,
                  half(x * x)[some] / error))
  return tuple(map(np.concatenate, zip(*found, strict=True)))


def mean_fit(found) -> detail.Fitted:
  """What several fits to samples, by key, say on average."""
  shares = np.array([_share(key) for key in found])
  fits = [fit(found.values(), shares, seed) for seed in range(_FITS)]
  soft = []
  for values, _, squares in found.values():
    gains = np.mean([detail.predicted(f, values) for f in fits], 0)
    soft.append((values, gains * squares, squares))
  return fit(soft, shares, 0, _MEAN_STEPS)


def _share(key) -> float:
  """How often a clip is drawn, of its key."""
  return (_OF_FILM if key[0] == 'film' else 1) * (
      _OF_ENLARGED if key[1].endswith(_ENLARGED) else 1)


def fit(found, shares, seed, steps=_STEPS) -> detail.Fitted:
  """A gain for samples of clips, each drawn as often as its share says.

  Args:
    found: of samples, by clip.
    shares: [clips], relative to each other.
    seed: of the first weights, and of what is drawn.
    steps: of Adam.
  """
  values, products, squares = (np.stack(x) for x in zip(*found, strict=True))
  low, high = np.percentile(  # Of all clips alike.
      values.reshape(-1, values.shape[-1]), (1, 99), axis=0)
  rng = np.random.default_rng(seed)
  sizes = (len(low), _HIDDEN, _HIDDEN, 1)
  layers = tuple(
      (rng.normal(0, (1 if b > 1 else 0.1) / np.sqrt(a), (a, b)), np.zeros(b))
      for a, b in zip(sizes[:-1], sizes[1:], strict=True))
  layers = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), layers)
  tx = optax.adam(optax.cosine_decay_schedule(_RATE, steps))

  def loss(layers, values, products, squares):
    x = 2 * (jnp.clip(values, low, high) - low) / (high - low) - 1
    for number, (kernel, bias) in enumerate(layers):
      x = (jnp.tanh(x) if number else x) @ kernel + bias
    g = jnp.clip(x[..., 0], *detail.LIMITS)
    return (squares * g**2 - 2 * products * g).mean() + _DECAY * sum(
        (kernel**2).sum() for kernel, _ in layers)

  @jax.jit
  def step(layers, state, batch):
    updates, state = tx.update(jax.grad(loss)(layers, *batch), state)
    return optax.apply_updates(layers, updates), state

  state = tx.init(layers)
  for _ in range(steps):
    some = (rng.choice(len(values), (_CLIPS, 1), p=shares / shares.sum()),
            rng.integers(0, values.shape[1], (_CLIPS, _PIXELS)))
    layers, state = step(
        layers, state, [x[some] for x in (values, products, squares)])
  return detail.Fitted(low.astype(np.float32), high.astype(np.float32),
                       jax.device_get(layers))


def gain(fitted, given, made, clean) -> float:
  """dB nearer to the clean frames."""
  before, after = [], []
  for frames in zip(*map(measure.to_float, (given, made, clean)), strict=True):
    base, result, wanted = frames
    better = detail.brought_out(base, result, 1.0, fitted)
    before.append(((result - wanted) ** 2).mean())
    after.append(((better - wanted) ** 2).mean())
  return 10 * float(np.log10(np.mean(before) / np.mean(after)))


def write(path, fitted) -> None:
  """The fit, in four digits."""
  plain = lambda x: [plain(y) for y in x] if np.ndim(x) else float(f'{x:.4g}')
  path.write_text(json.dumps({
      'low': plain(fitted.low), 'high': plain(fitted.high),
      'layers': [{'kernel': plain(k), 'bias': plain(b)}
                 for k, b in fitted.layers]}) + '\n')


if __name__ == '__main__':
  main()
