"""Tests of private gradients and of their account."""

import dataclasses
import functools
import math
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np
from scipy import stats

from revive_jax import types
from revive_jax.privacy import private_sgd

_CLIP = 0.5


def _loss_of(params, examples):
  """Least squares."""
  error = examples['x'] @ params['w'] + params['b'] - examples['y']
  loss = (error**2).mean()
  return loss, {'loss': loss, 'error': jnp.abs(error).mean()}


def _params(size=3):
  return {'w': jnp.linspace(-1, 1, size), 'b': jnp.array(0.1)}


def _batch(count=8, size=3, seed=0):
  rng = np.random.default_rng(seed)
  return {'x': rng.normal(size=(count, size)).astype(np.float32),
          'y': rng.normal(size=count).astype(np.float32)}


@functools.partial(jax.jit, static_argnames=('micro_batch', 'mesh'))
def _sum(batch, real, micro_batch=2, mesh=None):
  return private_sgd.clipped_sum(
      _loss_of, _params(), batch, real, clip_norm=_CLIP,
      micro_batch=micro_batch, mesh=mesh)


@functools.partial(jax.jit, static_argnames=('micro_batch', 'mesh', 'size'))
def _gradient(batch, real, rng, micro_batch=4, mesh=None, size=3):
  return private_sgd.gradient(
      _loss_of, _params(size), batch, real, rng, clip_norm=_CLIP,
      noise_multiplier=3.0, expected=5, micro_batch=micro_batch, mesh=mesh)


def _mesh(data, model=1):
  return jax.make_mesh(
      (data, model), ('data', 'model'), axis_types=(AxisType.Auto,) * 2,
      devices=jax.devices()[:data * model])


def _put(tree, mesh):
  return jax.device_put(tree, NamedSharding(mesh, PartitionSpec('data')))


def _distance(a, b):
  return np.linalg.norm([
      np.linalg.norm(x - y) for x, y in
      zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)])


class ClippingTest(parameterized.TestCase):

  def test_sum_against_numpy(self):
    batch, real = _batch(), np.float32([1, 1, 0, 1, 0, 1, 1, 1])
    terms, grads = _sum(batch, real)
    error = batch['x'] @ np.linspace(-1, 1, 3) + 0.1 - batch['y']
    each = 2 * error[:, None] * np.c_[batch['x'], np.ones(8)]
    norms = np.linalg.norm(each, axis=1)
    each *= np.minimum(1, _CLIP / norms)[:, None]
    wanted = (each * real[:, None]).sum(0)
    np.testing.assert_allclose(grads['w'], wanted[:3], rtol=1e-5)
    np.testing.assert_allclose(grads['b'], wanted[3], rtol=1e-5)
    mean = lambda x: (x * real).sum() / 6
    np.testing.assert_allclose(terms['loss'], mean(error**2), rtol=1e-5)
    np.testing.assert_allclose(terms['error'], mean(abs(error)), rtol=1e-5)
    np.testing.assert_allclose(terms['clipped'], mean(norms > _CLIP), rtol=1e-5)

  def test_sensitivity(self):
    batch, real = _batch(), np.ones(8, np.float32)
    _, whole = _sum(batch, real)
    replaced, removed = [], []
    for i in range(8):
      opposite = 2 * (batch['x'][i] @ np.linspace(-1, 1, 3) + 0.1)
      for x, y in ((1, opposite - batch['y'][i]), (0, 0), (1e6, 1), (1, -1e9)):
        other = jax.tree.map(np.copy, batch)
        other['x'][i] *= x
        other['y'][i] = y
        replaced.append(_distance(_sum(other, real)[1], whole))
      without = real.copy()
      without[i] = 0
      removed.append(_distance(_sum(batch, without)[1], whole))
    self.assertLessEqual(max(replaced), 2 * _CLIP * (1 + 1e-5))
    self.assertLessEqual(max(removed), _CLIP * (1 + 1e-5))
    # Both bounds are reached.
    self.assertGreater(max(replaced), 2 * 0.999 * _CLIP)
    self.assertGreater(max(removed), 0.999 * _CLIP)

  def test_padding_counts_for_nothing(self):
    batch, real = _batch(), np.float32([1, 0, 1, 1, 0, 1, 0, 0])
    wanted = _gradient(batch, real, jax.random.key(0))
    for filling in (7.0, np.nan, np.inf):
      other = jax.tree.map(np.copy, batch)
      for value in other.values():
        value[real == 0] = filling
      chex.assert_trees_all_equal(
          _gradient(other, real, jax.random.key(0)), wanted)

  def test_what_is_not_finite_counts_as_nothing(self):
    batch, real = _batch(), np.ones(8, np.float32)
    without = real.copy()
    without[2] = 0
    _, wanted = _sum(batch, without)
    batch['x'][2] = np.nan
    terms, grads = _sum(batch, real)
    chex.assert_trees_all_close(grads, wanted, rtol=1e-6)
    self.assertTrue(np.isnan(terms['loss']))  # The log does not hide it.

  def test_nothing_drawn(self):
    terms, grads = _gradient(
        _batch(), np.zeros(8, np.float32), jax.random.key(0))
    chex.assert_trees_all_equal(terms, jax.tree.map(jnp.zeros_like, terms))
    chex.assert_tree_all_finite(grads)

  @parameterized.parameters(1, 2, 8)
  def test_micro_batches(self, micro_batch):
    for real in (np.ones(8, np.float32), np.float32([1, 1, 0, 0, 1, 0, 0, 0])):
      args = _batch(), real, jax.random.key(0)
      chex.assert_trees_all_close(
          _gradient(*args, micro_batch=micro_batch), _gradient(*args),
          rtol=1e-5)

  @parameterized.parameters((4, 1), (2, 2))
  def test_one_device_equals_four(self, *shape):
    mesh = _mesh(*shape)
    for real in (np.ones(8, np.float32), np.float32([1, 1, 1, 0, 0, 0, 0, 0])):
      args = _batch(), real
      chex.assert_trees_all_close(
          _gradient(*_put(args, mesh), jax.random.key(0), mesh=mesh),
          _gradient(*args, jax.random.key(0)), rtol=1e-5)

  def test_convolutions_on_four_devices(self):
    # Shared out by the compiler, these come out wrong.
    conv = nn.Conv(2, (3, 3))
    params = conv.init(jax.random.key(0), jnp.zeros((1, 6, 6, 2)))
    factor = jnp.array(2.0)

    @functools.partial(jax.jit, static_argnums=2)
    def clipped(x, factor, mesh):
      def loss_of(params, x):
        loss = (factor * conv.apply(params, x) ** 2).mean()
        return loss, {'loss': loss}
      return private_sgd.clipped_sum(
          loss_of, params, x, jnp.arange(8) < 6, clip_norm=1e-3, micro_batch=4,
          mesh=mesh)

    x = jax.random.normal(jax.random.key(1), (8, 6, 6, 2))
    wanted = jax.tree.map(jnp.zeros_like, params)
    for i in range(6):
      grads = jax.grad(lambda p, i=i: (
          factor * conv.apply(p, x[i:i + 1]) ** 2).mean())(params)
      scale = 1e-3 / np.linalg.norm([np.linalg.norm(g) for g in
                                     jax.tree.leaves(grads)])
      wanted = jax.tree.map(lambda a, g, s=scale: a + s * g, wanted, grads)
    _, grads = clipped(x, factor, None)
    chex.assert_trees_all_close(grads, wanted, rtol=1e-4, atol=1e-8)
    for mesh in (_mesh(4), _mesh(2, 2)):  # Rows along `model`.
      place = NamedSharding(mesh, PartitionSpec('data', 'model'))
      _, grads = clipped(jax.device_put(x, place), factor, mesh)
      chex.assert_trees_all_close(grads, wanted, rtol=1e-4, atol=1e-8)

  def test_memory_is_that_of_a_micro_batch(self):
    def used(count, micro_batch):
      return _gradient.lower(
          _batch(count, 5000), np.ones(count, np.float32), jax.random.key(0),
          micro_batch=micro_batch, size=5000,
      ).compile().memory_analysis().temp_size_in_bytes

    few = used(32, 2)
    self.assertGreater(used(32, 32), 4 * few)
    self.assertLess(used(64, 2), 1.1 * few)


class NoiseTest(parameterized.TestCase):

  def _noise(self, key, real=0.0):
    batch = _batch(4, 40_000)
    _, grads = _gradient(
        batch, np.full(4, real, np.float32), key, size=40_000)
    return np.asarray(grads['w']) * 5  # Times expected.

  def test_scale(self):
    noise = self._noise(jax.random.key(0))
    self.assertAlmostEqual(noise.std() / (3 * _CLIP), 1, delta=0.02)
    self.assertLess(abs(noise.mean()), 4 * 3 * _CLIP / 200)
    self.assertGreater(stats.kstest(noise / (3 * _CLIP), 'norm').pvalue, 1e-3)

  def test_by_key(self):
    first = self._noise(jax.random.key(0))
    np.testing.assert_array_equal(self._noise(jax.random.key(0)), first)
    other = self._noise(jax.random.key(1))
    self.assertLess(abs(np.corrcoef(first, other)[0, 1]), 0.03)

  def test_does_not_depend_on_what_was_drawn(self):
    _, total = private_sgd.clipped_sum(
        _loss_of, _params(40_000), _batch(4, 40_000), jnp.ones(4),
        clip_norm=_CLIP, micro_batch=4, mesh=None)
    np.testing.assert_allclose(
        self._noise(jax.random.key(0), real=1.0) - total['w'],
        self._noise(jax.random.key(0)), atol=1e-5)

  def test_secret(self):
    first, second = (private_sgd.draw_secret() for _ in range(2))
    self.assertNotEqual(first, second)
    self.assertBetween(first, 0, 2**64 - 1)
    data = [tuple(np.asarray(jax.random.key_data(private_sgd.noise_key(s))))
            for s in (1, 2**32 + 1, 2**64 - 1)]
    self.assertEqual(data, [(0, 1), (1, 1), (2**32 - 1, 2**32 - 1)])


# The published values, of units that are there or not. jax-privacy:
# accounting/analysis_test.py (_EPSILON_PLD; 2.27535 by RDP). TensorFlow
# Privacy: compute_dp_sgd_privacy_test.py, the statement with PLD (its
# micro-batches halve the noise multiplier of 2); 782 = ceil(5 * 10000 / 64).
_PUBLISHED = (
    (private_sgd.Mechanism(50_000, 1024, 4.0, 1e-5), 10_000, 2.09245, 1e-5),
    (private_sgd.Mechanism(10_000, 64, 1.0, 1e-6), 782, 1.199, 5e-4),
)
# By RDP, a looser bound. The first of compute_dp_sgd_privacy_test.py; the
# others of tutorials/README.md: MNIST, batches of 256, 60, 30 and 10 epochs.
_LOOSER = (
    (private_sgd.Mechanism(60_000, 150, 1.3, 1e-5), 6_000, 0.72422),
    (private_sgd.Mechanism(60_000, 256, 1.12, 1e-5), 14_063, 2.92),
    (private_sgd.Mechanism(60_000, 256, 0.6, 1e-5), 7_032, 9.74),
    (private_sgd.Mechanism(60_000, 256, 1.2, 1e-5), 2_344, 1.20),
)
_SMALL = private_sgd.Mechanism(1000, 20, 2.0, 1e-4)


class AccountTest(parameterized.TestCase):

  @parameterized.parameters(*_PUBLISHED)
  def test_published(self, mechanism, steps, wanted, tolerance):
    np.testing.assert_allclose(
        private_sgd.epsilon(steps, mechanism), wanted, rtol=tolerance)

  @parameterized.parameters(*_LOOSER)
  def test_below_published_bounds(self, mechanism, steps, bound):
    found = private_sgd.epsilon(steps, mechanism)
    self.assertBetween(found, 0.6 * bound, bound)

  def test_one_step_by_hand(self):
    # All units in one step: the Gaussian mechanism (Balle and Wang 2018,
    # arXiv:1805.06530, theorem 8).
    mechanism = private_sgd.Mechanism(100, 100, 2.0, 1e-3)
    found = private_sgd.epsilon(1, mechanism)
    delta = (stats.norm.cdf(1 / 4 - 2 * found)
             - math.exp(found) * stats.norm.cdf(-1 / 4 - 2 * found))
    np.testing.assert_allclose(delta, 1e-3, rtol=1e-2)

  def test_grows(self):
    self.assertEqual(private_sgd.epsilon(0, _SMALL), 0)
    spent = [private_sgd.epsilon(n, _SMALL) for n in (1, 2, 10, 100, 1000)]
    self.assertEqual(spent, sorted(set(spent)))
    more_noise = dataclasses.replace(_SMALL, noise_multiplier=3.0)
    larger = dataclasses.replace(_SMALL, expected=40)
    self.assertLess(private_sgd.epsilon(100, more_noise), spent[3])
    self.assertGreater(private_sgd.epsilon(100, larger), spent[3])

  def test_truncation(self):
    from jax_privacy import accounting
    accountant = accounting.DpsgdTrainingAccountant(
        accounting.PldAccountantConfig())
    whole = private_sgd.epsilon(50, _SMALL)
    enough, tight = (dataclasses.replace(_SMALL, capacity=n) for n in (80, 30))
    # A hundredth of delta is set aside.
    self.assertBetween(private_sgd.epsilon(50, enough), whole, 1.01 * whole)
    found = private_sgd.epsilon(50, tight)
    self.assertGreater(found, 1.1 * whole)
    wanted = accountant.compute_epsilon(50, accounting.DpParams(
        noise_multipliers=2.0, num_samples=1000, batch_size=20, delta=1e-4,
        truncated_batch_size=30))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)

  @parameterized.parameters(0.3, 1.0)
  def test_steps_within(self, budget):
    steps = private_sgd.steps_within(budget, _SMALL)
    self.assertGreater(steps, 1)
    self.assertLessEqual(private_sgd.epsilon(steps, _SMALL), budget)
    self.assertGreater(private_sgd.epsilon(steps + 1, _SMALL), budget)
    for most in (0, 1, steps - 1, steps, steps + 1):
      self.assertEqual(
          private_sgd.steps_within(budget, _SMALL, most), min(most, steps))

  def test_no_step_within(self):
    self.assertEqual(private_sgd.steps_within(1e-6, _SMALL), 0)

  def test_without_noise_to_speak_of(self):
    # Bounds that take no memory, and are above those that do.
    for noise, steps in ((0.01, 1), (0.01, 10**6), (1.0, 10**6)):
      mechanism = private_sgd.Mechanism(100, 20, noise, 1e-3)
      found = private_sgd.epsilon(steps, mechanism)
      self.assertBetween(found, 200, 1e11)
      self.assertGreater(private_sgd.epsilon(steps + 1, mechanism), found)
    self.assertLess(private_sgd.steps_within(
        1e6, private_sgd.Mechanism(100, 20, 0.01, 1e-3)), 60)

  def test_statement(self):
    said = private_sgd.statement(100, _SMALL, unit='video')
    self.assertIn(f'({private_sgd.epsilon(100, _SMALL):.3g}, 0.0001)', said)
    self.assertIn('one video', said)
    self.assertIn('20 out of 1000', said)


class RefusalTest(parameterized.TestCase):

  @parameterized.parameters(
      (dict(clip_norm=0), 'clip_norm=0'),
      (dict(clip_norm=math.inf), 'clip_norm=inf'),
      (dict(noise_multiplier=-1), 'noise_multiplier=-1'),
      (dict(noise_multiplier=math.nan), 'noise_multiplier=nan'),
      (dict(delta=0), 'delta=0'), (dict(delta=1), 'delta=1'),
      (dict(budget=0), 'epsilon=0'))
  def test_settings(self, settings, message):
    good = dict(clip_norm=1, noise_multiplier=1, delta=1e-5, budget=3)
    private_sgd.check(**good)
    with self.assertRaisesRegex(types.BadInput, f'--config.dp.{message}'):
      private_sgd.check(**good | settings)

  @parameterized.parameters(
      (dict(noise_multiplier=0.0), 'noise_multiplier=0'),
      (dict(delta=1.5), 'delta=1.5'), (dict(expected=2000), '2000 of 1000'),
      (dict(expected=0), 'batch_size'), (dict(capacity=19), '19 slots'))
  def test_mechanisms(self, settings, message):
    with self.assertRaisesRegex(types.BadInput, message):
      dataclasses.replace(_SMALL, **settings)

  def test_budget(self):
    with self.assertRaisesRegex(types.BadInput, '--config.dp.epsilon=-1'):
      private_sgd.steps_within(-1, _SMALL)

  def test_warns_of_a_large_delta(self):
    with self.assertLogs('absl', 'WARNING') as logs:
      dataclasses.replace(_SMALL, delta=1e-3)
    self.assertIn('--config.dp.delta=0.001', logs.output[0])

  def test_names_the_extra(self):
    with mock.patch.dict(sys.modules, {'jax_privacy': None}):
      with self.assertRaisesRegex(types.BadInput, r'revive-jax\[privacy\]'):
        private_sgd.check(clip_norm=1, noise_multiplier=1, delta=1e-5)

  @parameterized.parameters((3, None), (0, None), (2, 4))
  def test_micro_batches(self, micro_batch, devices):
    mesh = devices and _mesh(devices)
    with self.assertRaisesRegex(types.BadInput, f'micro_batch={micro_batch}'):
      _sum(_batch(), jnp.ones(8), micro_batch=micro_batch, mesh=mesh)


if __name__ == '__main__':
  absltest.main()
