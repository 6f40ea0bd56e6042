"""Audit: do the losses of a restorer tell which clips it was trained on?

python benchmarks/membership.py [--runs=8 --steps=300 --epsilon=1 --root=videos]

Half of the clips train the restorer of configs/restorer.py:tiny, wider, far too
long: without augmentation, always blurred alike, so that it learns them by
heart. Then once more with DP-SGD. audit.attack compares the losses of the
averaged weights, those that ship, on this half and on the other, over several
trainings on other clips. Clips are random textures, or cut out of --root.
Prints a table in Markdown.
"""

import argparse
import datetime
import functools
import math
import os
import time
from typing import NamedTuple
from unittest import mock

import cv2
import jax
import numpy as np
import refusing
from revive_jax.configs import restorer as config

from revive_jax import types
from revive_jax.algorithms import restorer
from revive_jax.data import poisson, sources
from revive_jax.degradations import chain
from revive_jax.privacy import audit, private_sgd
from revive_jax.training import batch as batch_lib
from revive_jax.training import private, sharding, supervised

_FRAMES, _SIZE = 2, 32
_SIGMA = 3.0  # Of the blur, px: what it takes away must be learnt by heart.


class Result(NamedTuple):
  """Of one training."""

  members: np.ndarray  # Losses of the clips that were trained on,
  others: np.ndarray  # and of those that were not.
  seconds: float  # A step, without compiling.


def make_config(args):
  """The tiny config, made to learn by heart."""
  c = config.get_config('tiny')
  c.num_steps = args.steps
  c.model.settings.update(features=args.features, deep_features=args.features)
  c.damage.update(mix='audit', severity=(1.0, 1.0), clean_share=0.0,
                  told_share=0.0, cut_share=0.0, causal_share=0.0)
  c.optimizer.warmup, c.ema_decay = 20, 0.99
  return c


def textures(count, seed):
  """Random clips that move by a pixel a frame, [count, T, H, W, 3] uint8."""
  rng = np.random.default_rng(seed)
  clips = []
  for _ in range(count):
    picture = rng.random((_SIZE, _SIZE, 3), np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.0)
    picture -= picture.min()
    picture *= 255 / picture.max()
    clips.append([np.roll(picture, t, 0) for t in range(_FRAMES)])
  return np.round(clips).astype(np.uint8)


def cut_out(root, count, seed):
  """Clips of as many videos below root, of their middle; like textures()."""
  source = sources.VideoFolder(root, num_frames=_FRAMES, stride=2)
  numbers = np.asarray(source.videos)
  rng = np.random.default_rng(seed)
  found = np.unique(numbers)
  if len(found) < count:
    raise types.BadInput(
        f'--root={root}: {count} videos are needed, {len(found)} are there; '
        'give more, or lower --clips.')
  clips = []
  for video in rng.choice(found, count, replace=False):
    frames = source[int(rng.choice(np.flatnonzero(numbers == video)))]['clip']
    side = min(frames.shape[1:3])
    top, left = ((n - side) // 2 for n in frames.shape[1:3])
    clips.append([cv2.resize(
        f[top:top + side, left:left + side], (_SIZE, _SIZE),
        interpolation=cv2.INTER_AREA) for f in frames])
  return np.stack(clips)


class Audit:
  """Trainings with the same settings, compiled once each way."""

  def __init__(self, args, mechanism):
    c, self._args, self._mechanism = make_config(args), args, mechanism
    self._layout = sharding.make_layout(1)
    model, tx = restorer.make_model(c), restorer.make_optimizer(c)
    self._draw, costs = restorer.make_draw(c), restorer.make_costs(c)
    self._init = functools.partial(supervised.init_state, model=model, tx=tx)
    static = dict(model=model, tx=tx, seed=c.seed, draw=self._draw,
                  ema_decay=c.ema_decay, **costs)
    self._plain = supervised.compile_step(self._layout, **static)
    self._private = private.compile_step(
        self._layout, private.train_step, noise=private.Noise(
            args.clip_norm, mechanism.noise_multiplier, mechanism.expected,
            args.clips // 2, self._layout.mesh), **static)
    self._loss = jax.jit(functools.partial(
        supervised.batch_loss, model=model, **costs))
    self._damage = jax.jit(functools.partial(
        batch_lib.damage, draw=self._draw, textures=None))

  def losses(self, params, clips):
    """Of each clip, the mean over a few damages that are always the same."""
    batches = [self._damage(jax.random.key(1000 + i), clips)
               for i in range(self._args.damages)]
    each = [[self._loss(params, jax.tree.map(lambda x, i=i: x[i:i + 1], b))[0]
             for i in range(len(clips))] for b in batches]
    return np.asarray(jax.device_get(each)).mean(0)

  def run(self, clips, run, is_private) -> Result:
    """Trains on the first half of clips."""
    members, others = np.split(clips, 2)
    init = private.with_room(self._init) if is_private else self._init
    state = sharding.make_state(init, self._layout, jax.random.key(run))
    secret = private_sgd.draw_secret()
    if is_private:
      state = private.with_secret(
          state, secret, sharding.replicated(self._layout))
    times = []
    for step in range(self._args.steps):
      start = time.perf_counter()
      if is_private:
        data = _drawn(members, secret, step, self._mechanism)
        state, metrics = self._private(state, data, None)
      else:
        state, metrics = self._plain(state, members, None)
      jax.block_until_ready(metrics)
      times.append(time.perf_counter() - start)
    return Result(self.losses(state.ema, members),
                  self.losses(state.ema, others), float(np.median(times)))


def _drawn(members, secret, step, mechanism):
  """A batch as data/poisson.py makes it, but without augmentation."""
  m = mechanism
  drawn = poisson.draw(secret, step, num_units=m.num_units,
                       expected=m.expected, capacity=m.num_units)
  clean, real = np.zeros_like(members), np.zeros(m.num_units, np.float32)
  clean[:len(drawn)], real[:len(drawn)] = members[drawn], 1
  return {'clean': clean, 'real': real}


def make_mechanism(args):
  """With as much noise as makes epsilon what was asked for, or --noise."""
  units = args.clips // 2
  make = lambda noise: private_sgd.Mechanism(
      units, units / 2, noise, args.delta)
  if args.noise:
    return make(args.noise)
  low, high = 0.5, 1000.0
  while high / low > 1.01:
    middle = math.sqrt(low * high)
    spent = private_sgd.epsilon(args.steps, make(middle))
    low, high = (middle, high) if spent > args.epsilon else (low, middle)
  return make(round(high, 2))


def row(name, results, epsilon, args):
  """A line of the table."""
  members, others = (np.concatenate([getattr(r, k) for r in results])
                     for k in ('members', 'others'))
  found = audit.attack(members, others)
  bound = 1.0
  if epsilon < 700:
    bound = (math.expm1(epsilon) + 2 * args.delta) / (math.exp(epsilon) + 1)
  said = 'none' if epsilon == math.inf else f'{epsilon:.3g}'
  return (f'| {name} | {said} | {args.steps} | {members.mean():.4f} | '
          f'{others.mean():.4f} | {found.auc:.2f} ({found.low:.2f} to '
          f'{found.high:.2f}) | {found.advantage:.2f} | {bound:.2f} | '
          f'{np.median([r.seconds for r in results]):.3f} |')


def _arguments():
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--root', default='', help='videos instead of textures')
  parser.add_argument('--runs', type=int, default=8, help='trainings each way')
  parser.add_argument('--clips', type=int, default=16, help='half are members')
  parser.add_argument('--steps', type=int, default=300)
  parser.add_argument('--features', type=int, default=16)
  parser.add_argument('--damages', type=int, default=2, help='to average over')
  parser.add_argument('--epsilon', type=float, default=1.0)
  parser.add_argument('--noise', type=float, default=0.0,
                      help='noise multiplier; 0: what gives --epsilon')
  parser.add_argument('--delta', type=float, default=1e-3)
  parser.add_argument('--clip-norm', type=float, default=1.0)
  args = parser.parse_args()
  if args.clips < 4 or args.clips % 2 or min(args.runs, args.steps) < 1:
    parser.error('--clips: an even number from 4 on; --runs, --steps: from 1.')
  return args


@refusing.bad_input()
def main():
  """Trains, attacks, and prints the table."""
  args = _arguments()
  mechanism = make_mechanism(args)
  spent = private_sgd.epsilon(args.steps, mechanism)
  mix = chain.Mix({'blur': 1.0}, {'blur': {'sigma': (_SIGMA, _SIGMA)}})
  print(f'{datetime.date.today()}; {jax.devices()[0].device_kind}, '
        f'{os.cpu_count()} CPU cores, jax {jax.__version__}; load before '
        f'{os.getloadavg()[0]:.1f}. {args.runs} trainings each way, of '
        f'{args.clips // 2} clips, with as many others; noise multiplier '
        f'{mechanism.noise_multiplier:g}, clip norm {args.clip_norm:g}, delta '
        f'{args.delta:g}.\n')
  print('| training | epsilon | steps | loss of members | loss of others | AUC '
        '(95 %) | advantage | its bound | step, s |\n' + '|---' * 9 + '|')
  with mock.patch.dict(chain.MIXES, audit=mix):
    trainings = Audit(args, mechanism)
    for name, epsilon in (('as usual', math.inf), ('DP-SGD', spent)):
      results = []
      for run in range(args.runs):
        clips = (cut_out(args.root, args.clips, run) if args.root
                 else textures(args.clips, run))
        results.append(trainings.run(clips, run, epsilon < math.inf))
      print(row(name, results, epsilon, args), flush=True)


if __name__ == '__main__':
  main()
