"""Detail: fits pipeline/detail.json, and says what it is worth.

python benchmarks/detail.py --root=TRAINED [--photos=TRAINED --keep=FOLDER
    --out=FILE]

Clips that networks are trained on, damaged, and restored by the network. From
the finest detail of what it made, and the clean clip, a small network learns
the gain that brings the one nearest to the other by squared error, relative to
each clip's; film damage counts twice. What one fit learns of these few clips is
in part chance: several are made, and one more is fitted to their mean. Printed,
by kind of damage: the gain in dB on clips that the fit did not see (five parts,
by name), of a clip that gained least, and most. Then it is fitted to all, and
written to --out. --keep: what was restored is kept there, and not made again.
"""

import argparse
import itertools
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import quality_tasks
from revive_jax.configs import evaluate

from revive_jax import types
from revive_jax.comparison import cases, methods
from revive_jax.data import held_out, splits
from revive_jax.degradations import chain
from revive_jax.pipeline import detail, measure, sharpness

_CODEC = quality_tasks.FAMILIES['codec'].mix
_SHARP = quality_tasks.SCRATCHES.mix  # Grain on what is as sharp as it was.
_LONG = ', long'  # Photographs in shots of many frames.
# Mix, severity, contrast of the clean clip, seeds of the damage.
_DAMAGE = (('film', 'light', 1, (2, 6, 7)), ('film', 'medium', 1, (0, 1, 8)),
           ('film', 'medium', 0.4, (9,)), ('film', 'heavy', 1, (4,)),
           ('tape', 'medium', 1, (5,)), ('noise', 'medium', 1, (3,)),
           ('camera', 'light', 1, (10,)), ('camera', 'medium', 1, (11,)),
           (_CODEC, 'light', 1, (12,)), (_CODEC, 'medium', 1, (13,)),
           (_SHARP, 'light', 1, (14,)), (_SHARP, 'medium', 1, (15, 16)),
           (_SHARP, 'medium' + _LONG, 1, (17,)),
           ('film', 'light' + _LONG, 1, (19,)),
           ('film', 'medium' + _LONG, 1, (20,)))
_SIZE, _PHOTOS = 272, 12  # px, clips.
_FRAMES, _LONG_FRAMES, _LONG_SHOT = 8, 72, 240
_LEARNED = 4  # Frames that are learned from, in the middle.
_HIDDEN, _PARTS, _FITS = 12, 5, 6
_STEPS, _MEAN_STEPS, _RATE, _CLIPS, _PIXELS = 1500, 3000, 1e-2, 16, 600
_SAMPLED = 3000  # Places of a frame.
_DECAY = 1e-5


def main():
  """Prints the table, and writes the fit."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--root', required=True)
  parser.add_argument('--photos', default='')
  parser.add_argument('--weights', default='restorer')
  parser.add_argument('--keep', default='')
  parser.add_argument('--out', default='')
  args = parser.parse_args()
  try:
    run(args)
  except types.BadInput as error:
    sys.exit(f'{error}')


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
    if not rows:  # Without photographs there are no long shots.
      continue
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
  row, = methods.make_methods(c).values()
  clips = known(cases.read_clips(c), row.trained_on)
  long = known(long_clips(args.photos), row.trained_on) if args.photos else []
  for mix, severity, contrast, seeds in _DAMAGE:
    chosen = long if severity.endswith(_LONG) else clips
    for seed, clip in itertools.product(seeds, chosen):
      key = mix, severity, contrast, clip.name.split('@')[0], seed
      print(*key, flush=True)
      path = args.keep and pathlib.Path(
          args.keep, '_'.join(map(str, (args.weights, *key))) + '.npz')
      if path and path.exists():
        kept = np.load(path)
        yield key, tuple(kept[k] for k in 'drt')
        continue
      faded = np.round(127.5 + contrast * (clip.frames - 127.5))
      case = cases.make_case(
          clip._replace(frames=faded.astype(np.uint8)), None, seed=seed,
          mix=mix, severity=chain.SEVERITY[severity.removesuffix(_LONG)])
      made = row.restore(case.damaged).restored
      first = (len(made) - _LEARNED) // 2
      frames = tuple(x[first:first + _LEARNED] for x in (
          case.damaged, made, cases.to_codes(case.target)))
      if path:
        np.savez_compressed(path, **dict(zip('drt', frames, strict=True)))
      yield key, frames


def long_clips(photos):
  """Yields the beginnings of long shots of photographs.

  Their paths are long, so they begin near, and in part enlarged. As in all of
  photographs, another may stand in front, known or not.
  """
  clips = held_out.move_photos(
      photos, count=_PHOTOS, num_frames=_LONG_SHOT, size=_SIZE, seed=0)
  for clip in clips:
    yield clip._replace(frames=clip.frames[:_LONG_FRAMES].copy())


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
  chosen = [s for key, s in found.items()
            for _ in range(2 if key[0] == 'film' else 1)]
  fits = [fit(chosen, seed) for seed in range(_FITS)]
  soft = []
  for values, _, squares in chosen:
    gains = np.mean([detail.predicted(f, values) for f in fits], 0)
    soft.append((values, gains * squares, squares))
  return fit(soft, 0, _MEAN_STEPS)


def fit(found, seed, steps=_STEPS) -> detail.Fitted:
  """A gain for samples of many clips."""
  values, products, squares = (np.stack(x) for x in zip(*found, strict=True))
  low, high = np.percentile(
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
    some = (rng.integers(0, len(values), (_CLIPS, 1)),
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
