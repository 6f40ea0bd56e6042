"""Tests of training/gan.py, with a small stand-in for the restorer."""

import functools
from types import SimpleNamespace
from unittest import mock

from absl.testing import absltest
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from revive_jax.losses import adversarial
from revive_jax.models import discriminator, restorer
from revive_jax.training import batch as batch_lib
from revive_jax.training import gan, holes, sharding
from tests import compiling
from tests.models import params as params_lib
from tests.training import layouts

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_RULES = gan.Rules(
    game=adversarial.GAMES['hinge'], adversarial={'frame': 0.3, 'clip': 0.2},
    feature_matching=0.1, perceptual=0.1, warping=0.0, lecam=0.1, start=1,
    warmup=4)
_JUDGES = {'frame': discriminator.FrameDiscriminator(4),
           'clip': discriminator.ClipDiscriminator(4)}


class _Painter(nn.Module):
  """Adds what a layer makes of each pixel to it."""

  @nn.compact
  def __call__(self, frames, *, mask=None, cuts=None, use_future=None,
               noise=None):
    del mask, cuts, use_future, noise
    output = frames + nn.Dense(3, name='out')(frames)
    return SimpleNamespace(output=output), None, ()

  def noise_shape(self, shape):
    return shape[0], 1


_TX = {'generator': optax.adam(1e-3), 'discriminators': optax.adam(1e-3)}
_NETWORKS = dict(model=_Painter(), judges=_JUDGES, tx=_TX)


def _damage(rng, clean, *, draw, textures):
  """A square is black: cheaper to compile than real damage."""
  del rng, draw, textures
  clean = clean.astype(jnp.float32) / 255
  damage = jnp.zeros((*clean.shape[:-1], 1)).at[:, :, 8:16, 4:12].set(1)
  damage = damage.at[0, :, 20:30, 10:28].set(1)  # Of one clip, far more.
  return batch_lib.Batch(
      damaged=clean * (1 - damage), target=clean, damage=damage, mask=damage,
      cuts=jnp.zeros(clean.shape[:2], bool),
      use_future=jnp.ones(len(clean)))


def _losses(restored, directions, batch, **unused):
  del directions, unused
  return {'charbonnier': ((restored.output - batch.target) ** 2).mean()}


def _where(damage):
  """Where it counts, and the portions of a batch of one part."""
  return holes.where_it_counts(damage), holes.portions(
      holes.where_it_counts(damage), holes.sums(damage), 1)


def _clean(seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (4, 3, 32, 32, 3)).astype(np.uint8)


def _verdicts(time):
  """What the discriminators say of a clip of so many frames, by shape alone."""
  clip = jnp.zeros((1, time, 32, 32, 3))
  params = gan.init_state(jax.random.key(0), **_NETWORKS).params
  return jax.eval_shape(
      lambda p, x: gan.judge(_JUDGES, p, x, x[..., :1]),
      params['discriminators'], clip)


def _compile(layout, parts=1):
  return gan.compile_step(
      layout, **_NETWORKS, seed=0, draw=None, rules=_RULES,
      features=(lambda x: [x + 0.1], None), weights={'charbonnier': 1.0},
      damage_weight=0.0, epsilon=1e-2, ema_decay=0.999, parts=parts)


@functools.cache
def _step():
  return _compile(sharding.make_layout(1))


@functools.cache
def _after(**layout):
  return layouts.steps(
      _compile, gan.init_state(jax.random.key(0), **_NETWORKS),
      [_clean(i) for i in range(4)], constants=(None,), **layout)


class GanTest(layouts.TestCase):

  @pytest.mark.slow
  def test_the_most_mixed_layout_does_the_same(self):
    super().test_the_most_mixed_layout_does_the_same()

  after = staticmethod(_after)

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(batch_lib, 'damage', _damage))
    self.enter_context(mock.patch.object(gan.supervised, 'losses', _losses))

  def _state(self):
    return gan.init_state(jax.random.key(0), **_NETWORKS)

  def _batch(self):
    return _damage(None, jnp.asarray(_clean()), draw=None, textures=None)

  def test_both_sides_learn_and_the_weights_rise(self):
    state, seen = self._state(), []
    first = jax.device_get(state)
    for i in range(6):
      state, metrics = _step()(state, _clean(i), None)
      seen.append(float(metrics['adversarial_share']))
    self.assertEqual(seen, [0, 0, 0.25, 0.5, 0.75, 1])
    for a, b in zip(jax.tree.leaves(first.params),
                    jax.tree.leaves(state.params), strict=True):
      self.assertFalse(np.array_equal(a, b))
    self.assertLess({'accuracy/frame', 'adversarial/clip', 'feature_matching',
                     'grad_norm/discriminators', 'psnr'}, set(metrics))

  def test_perceptual_distance_is_a_mean_over_the_damage(self):
    batch, pixels = self._batch(), (lambda x: [x + 0.1], None)
    distance = lambda x: gan.perceptual_distance(
        x, batch, batch.damage, pixels, 1)
    self.assertEqual(distance(batch.target), 0)
    made = holes.filled(1 - batch.target, batch)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    square = ((unit(np.asarray(made) + 0.1)
               - unit(np.asarray(batch.target) + 0.1)) ** 2).sum(-1)
    hole = np.asarray(batch.damage[..., 0]) > 0
    np.testing.assert_allclose(distance(made), square[hole].mean(), rtol=1e-4)

  def test_warping_error_is_of_frames_of_one_shot(self):
    batch = self._batch()
    cuts = jnp.zeros((4, 3), bool).at[:, 0].set(True)
    still = jnp.repeat(batch.target[:, :1], 3, 1)
    batch = batch.replace(target=still, cuts=cuts)
    flow = jnp.zeros((4, 3, 2, 16, 16, 2))
    error = lambda x, batch: float(gan.warping_error(x, flow, batch))
    self.assertAlmostEqual(error(still, batch), 0)
    other = still.at[:, 2].add(0.3)  # One of two pairs of frames differs.
    self.assertAlmostEqual(error(other, batch), 0.15, places=5)
    apart = batch.replace(cuts=cuts.at[:, 2].set(True))
    self.assertAlmostEqual(error(other, apart), 0)

  def test_supervised_params_are_completed(self):
    model = restorer.Restorer(
        features=8, deep_features=8, num_blocks=1, noise=2)
    plain = params_lib.draw(
        model.clone(noise=0), jnp.zeros((1, 2, 32, 32, 3)))
    whole = gan.completed(jax.random.key(0), plain, model=model)
    self.assertEqual(set(whole['heads']) - set(plain['heads']),
                     {'texture', 'texture_out'})
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(
        whole | {'heads': {k: whole['heads'][k] for k in plain['heads']}}),
        strict=True):
      np.testing.assert_array_equal(a, b)
    self.assertIs(gan.completed(None, plain, model=model.clone(noise=0)), plain)

  @pytest.mark.slow
  def test_before_the_start_it_is_supervised_training(self):
    state = self._state()
    first = jax.device_get(state.params['generator'])
    batch = self._batch()
    loss = lambda p: _losses(_Painter().apply({'params': p}, batch.damaged)[0],
                             (), batch)['charbonnier']
    grads = jax.grad(loss)(first)
    after, metrics = _step()(state, _clean(), None)
    np.testing.assert_allclose(metrics['loss'], loss(first), rtol=1e-5)
    for a, b, g in zip(*map(jax.tree.leaves, (
        after.params['generator'], first, grads)), strict=True):
      np.testing.assert_allclose(a - b, -1e-3 * np.sign(g), rtol=1e-2)

  def test_outside_the_damage_nothing_is_asked_for(self):
    batch, state = self._batch(), self._state()
    others = state.params['discriminators']
    output = batch.target * 0.5

    def price(output):
      judged = lambda clip: gan.judge(_JUDGES, others, clip, batch.damage)
      terms = gan.generator_terms(
          judged(batch.target), judged(holes.filled(output, batch)),
          *_where(batch.damage), _RULES)
      fake = holes.filled(output, batch)
      extra = gan.perceptual_distance(
          fake, batch, batch.damage, (lambda x: [x + 1], None), 1)
      extra += gan.warping_error(fake, jnp.zeros((4, 3, 2, 16, 16, 2)), batch)
      return sum(terms.values()) + extra

    slope = np.abs(jax.jit(jax.grad(price))(output)).sum(-1, keepdims=True)
    self.assertEqual(slope[batch.damage == 0].max(), 0)
    self.assertGreater((slope[batch.damage == 1] > 0).mean(), 0.9)

  def test_discriminators_against_a_hand_made_sum(self):
    batch, state = self._batch(), self._state()
    fake = holes.filled(batch.target * 0.5, batch)
    others = state.params['discriminators']
    judged = lambda clip: gan.judge(_JUDGES, others, clip, batch.damage)
    real, made = judged(batch.target), judged(fake)
    usual = {s: dict(real=0.5, fake=-0.25, accuracy=0.5) for s in gan.SIDES}
    loss, now = gan.discriminator_loss(
        real, made, *_where(batch.damage), usual, _RULES)
    new = gan.remembered(usual, now, holes.sums(batch.damage))
    expected = 0
    for side, weight in holes.where_it_counts(batch.damage).items():
      chosen = np.asarray(weight.logits[0]) > 0
      r, f = (np.asarray(x[side].logits)[chosen] for x in (real, made))
      expected += np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean()
      expected += 0.1 * (((r + 0.25) ** 2).mean() + ((f - 0.5) ** 2).mean())
      right = 0.5 * ((r > 0).mean() + (f <= 0).mean())
      self.assertAlmostEqual(
          float(new[side]['accuracy']), 0.99 * 0.5 + 0.01 * right, places=5)
      self.assertAlmostEqual(
          float(new[side]['real']), 0.99 * 0.5 + 0.01 * r.mean(), places=5)
    self.assertAlmostEqual(float(loss), float(expected), places=4)

  def test_where_it_counts_by_hand(self):
    damage = np.zeros((1, 5, 32, 32, 1), np.float32)
    damage[0, 3, 17, 9] = 1  # One pixel of one frame.
    found = holes.where_it_counts(jnp.asarray(damage))
    np.testing.assert_array_equal(
        np.argwhere(found['frame'].logits[0])[:, :3], [[3, 17, 9]])
    for layer, block in enumerate((2, 4, 8, 2)):
      np.testing.assert_array_equal(
          np.argwhere(found['frame'].features[layer][0])[:, :3],
          [[3, 17 // block, 9 // block]])
    # Frame 3 is in the patches of frames 1 to 3, and 2 to 4.
    np.testing.assert_array_equal(
        np.argwhere(found['clip'].logits[0])[:, 1:4], [[1, 2, 1], [2, 2, 1]])
    real = _verdicts(5)
    for side in gan.SIDES:
      for a, b in zip(found[side].features, real[side].features, strict=True):
        self.assertEqual(a.shape[1:-1], b.shape[:-1], side)

  def test_without_damage_nothing_is_remembered(self):
    batch, state = self._batch(), self._state()
    others = state.params['discriminators']
    none = jnp.zeros_like(batch.damage)
    judged = gan.judge(_JUDGES, others, batch.target, none)
    usual = {s: dict(real=0.5, fake=-0.25, accuracy=0.75) for s in gan.SIDES}
    loss, now = gan.discriminator_loss(
        judged, judged, *_where(none), usual, _RULES)
    new = gan.remembered(usual, now, holes.sums(none))
    self.assertEqual(float(loss), 0)
    self.assertEqual(jax.tree.map(float, new), usual)

  def test_says_when_a_side_has_won(self):
    metrics = {'accuracy/frame': 0.99, 'accuracy/clip': 0.7,
               'adversarial_share': 1.0}
    self.assertIn('of frames is right 99% of the time', gan.won(metrics))
    metrics['accuracy/frame'] = 0.5
    self.assertIn('only guesses', gan.won(metrics))
    metrics['adversarial_share'] = 0.0
    self.assertEqual(gan.won(metrics), '')


if __name__ == '__main__':
  absltest.main()
