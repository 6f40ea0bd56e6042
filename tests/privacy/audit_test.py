"""Tests of the membership attack, and of what defeats it."""

import functools
import math

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from sklearn import metrics

from revive_jax import types
from revive_jax.data import poisson
from revive_jax.privacy import audit, private_sgd

_SIZE, _COUNT = 150, 100
_EXPECTED, _SLOTS, _STEPS = 25, 67, 200


class AttackTest(parameterized.TestCase):

  @parameterized.parameters(0.0, 0.5, 2.0)
  def test_against_scikit_learn(self, shift):
    rng = np.random.default_rng(0)
    # Rounded, so that there are ties.
    members = rng.normal(size=80).round(1)
    others = (rng.normal(size=50) + shift).round(1)
    found = audit.attack(members, others)
    is_member = np.r_[np.ones(80), np.zeros(50)]
    score = -np.r_[members, others]
    self.assertAlmostEqual(
        found.auc, metrics.roc_auc_score(is_member, score), places=12)
    false, true, _ = metrics.roc_curve(is_member, score)
    self.assertAlmostEqual(found.advantage, (true - false).max(), places=12)
    self.assertBetween(found.auc, found.low, found.high)

  def test_by_hand(self):
    # Of the four pairs, three are in order and one is a tie.
    found = audit.attack([1.0, 2.0], [2.0, 3.0])
    self.assertEqual(found.auc, 3.5 / 4)
    self.assertEqual(found.advantage, 0.5)
    self.assertEqual(audit.attack([1.0], [2.0]), (1, 1, 1, 1))

  def test_interval_covers_the_truth(self):
    rng = np.random.default_rng(1)
    inside = 0
    for seed in range(100):
      found = audit.attack(
          rng.normal(size=60), rng.normal(size=60), resamples=200, seed=seed)
      inside += found.low <= 0.5 <= found.high
    self.assertBetween(inside, 88, 100)

  @parameterized.parameters(([], [1.0]), ([1.0], [np.nan]), ([[1.0]], [1.0]))
  def test_refuses(self, members, others):
    with self.assertRaisesRegex(types.BadInput, 'finite numbers'):
      audit.attack(members, others)


def _data(seed):
  """[_COUNT] pictures of noise and labels that nothing but memory can tell."""
  rng = np.random.default_rng(seed)
  return {'x': rng.normal(size=(_COUNT, _SIZE)).astype(np.float32),
          'y': rng.choice([-1.0, 1.0], _COUNT).astype(np.float32)}


def _loss_of(params, examples):
  loss = ((examples['x'] @ params - examples['y']) ** 2).mean()
  return loss, {'loss': loss}


@functools.partial(jax.jit, static_argnames='noise_multiplier')
def _private_step(params, batch, real, rng, *, noise_multiplier):
  _, grads = private_sgd.gradient(
      _loss_of, params, batch, real, rng, clip_norm=1.0,
      noise_multiplier=noise_multiplier, expected=_EXPECTED,
      micro_batch=_SLOTS, mesh=None)
  return params - 0.1 * grads


def _attack_private(seed, noise_multiplier):
  data, params = _data(seed), jnp.zeros(_SIZE)
  for k in range(_STEPS):
    units = poisson.draw(
        seed, k, num_units=_COUNT, expected=_EXPECTED, capacity=_SLOTS)
    places = np.zeros(_SLOTS, int)
    places[:len(units)] = units
    params = _private_step(
        params, {name: x[places] for name, x in data.items()},
        np.float32(np.arange(_SLOTS) < len(units)),
        jax.random.fold_in(jax.random.key(seed), k),
        noise_multiplier=noise_multiplier)
  return _attack(params, data, _data(seed + 100))


def _attack(params, data, others):
  losses = lambda d: (d['x'] @ np.asarray(params) - d['y']) ** 2
  return audit.attack(losses(data), losses(others), resamples=200)


class OverfittingTest(absltest.TestCase):
  """More weights than clips, and labels at random: it learns them by heart."""

  def test_without_privacy(self):
    data = _data(0)
    step = jax.jit(lambda p: p - 0.1 * jax.grad(
        lambda p: _loss_of(p, data)[0])(p))
    params = jnp.zeros(_SIZE)
    for _ in range(_STEPS):
      params = step(params)
    found = _attack(params, data, _data(100))
    self.assertGreater(found.low, 0.95)
    self.assertGreater(found.advantage, 0.9)

  def test_with_privacy(self):
    spent = private_sgd.epsilon(
        _STEPS, private_sgd.Mechanism(_COUNT, _EXPECTED, 16.0, 1e-3, _SLOTS))
    self.assertBetween(spent, 0.1, 1)
    most = (math.exp(spent) - 1 + 2e-3) / (math.exp(spent) + 1)
    found = [_attack_private(seed, 16.0) for seed in range(4)]
    # Chance, with a standard deviation of 0.03 each.
    self.assertBetween(np.mean([f.auc for f in found]), 0.44, 0.58)
    self.assertLess(np.mean([f.advantage for f in found]), most)

  def test_it_is_the_noise(self):
    self.assertGreater(_attack_private(0, 0.1).low, 0.8)


if __name__ == '__main__':
  absltest.main()
