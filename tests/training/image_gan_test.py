"""Tests of training/image_gan.py."""

import functools

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

from revive_jax.losses import adversarial
from revive_jax.models import dense
from revive_jax.training import image_gan, sharding
from tests import compiling
from tests.training import layouts

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_NETWORKS = dict(
    generator=dense.Generator(hidden=(8,), shape=(4, 4, 1), latent=3),
    discriminator=dense.Discriminator(hidden=(8,)),
    tx={'generator': optax.adam(4e-3), 'discriminator': optax.adam(1e-3)})


def _compile(layout, parts=1, gamma=0.5):
  return image_gan.compile_step(
      layout, **_NETWORKS, gamma=gamma, seed=0, parts=parts,
      game=adversarial.GAMES['non_saturating'], ema_decay=0.999)


@functools.cache
def _step(gamma=0.0):
  return _compile(sharding.make_layout(1), gamma=gamma)


@functools.cache
def _after(**layout):
  return layouts.steps(
      _compile, _state(), [_images(i) for i in range(2)], **layout)


def _state():
  return image_gan.init_state(jax.random.key(0), **_NETWORKS)


def _images(seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)


class ImageGanTest(layouts.TestCase):

  after = staticmethod(_after)

  def test_the_discriminators_step_by_hand(self):
    state = _state()
    first = jax.device_get(state.params)
    noise = jax.random.normal(
        jax.random.split(jax.random.fold_in(jax.random.key(0), 0))[0], (8, 3))
    fake = _NETWORKS['generator'].apply({'params': first['generator']}, noise)
    real = jnp.float32(_images()) / 127.5 - 1

    def cross_entropy(params):
      # The article's: -[log D(x) + log(1 - D(G(z)))], D behind its sigmoid.
      judge = lambda x: jax.nn.sigmoid(
          _NETWORKS['discriminator'].apply({'params': params}, x))
      return -(jnp.log(judge(real)) + jnp.log(1 - judge(fake))).mean()

    loss, grads = jax.value_and_grad(cross_entropy)(first['discriminator'])
    after, metrics = _step()(state, _images())
    np.testing.assert_allclose(
        metrics['adversarial/discriminator'], loss, rtol=1e-4)
    # Adam's first step is the rate times the sign of the gradient.
    moved = jax.tree.map(
        lambda a, b: a - b, after.params['discriminator'],
        first['discriminator'])
    for step, grad in zip(jax.tree.leaves(moved), jax.tree.leaves(grads),
                          strict=True):
      large = np.abs(grad) > 1e-5
      np.testing.assert_allclose(
          step[large], -1e-3 * np.sign(grad)[large], rtol=2e-2)

  def test_the_generators_step_by_hand(self):
    state = _state()
    first = jax.device_get(state.params['generator'])
    after, metrics = _step()(state, _images())
    noise = jax.random.normal(
        jax.random.split(jax.random.fold_in(jax.random.key(0), 0))[1], (8, 3))

    def loss_of(params):  # -log D(G(z)), D as it is after its own step.
      fake = _NETWORKS['generator'].apply({'params': params}, noise)
      return -jnp.log(jax.nn.sigmoid(_NETWORKS['discriminator'].apply(
          {'params': after.params['discriminator']}, fake))).mean()

    loss, grads = jax.value_and_grad(loss_of)(first)
    np.testing.assert_allclose(
        metrics['adversarial/generator'], loss, rtol=1e-4)
    for a, b, grad in zip(*map(jax.tree.leaves, (
        after.params['generator'], first, grads)), strict=True):
      large = np.abs(grad) > 1e-5
      np.testing.assert_allclose(
          (a - b)[large], -4e-3 * np.sign(grad)[large], rtol=2e-2)

  def test_the_penalty_counts_as_its_weight_says(self):
    state = _state()
    real = jnp.float32(_images()) / 127.5 - 1
    judge = lambda x: _NETWORKS['discriminator'].apply(
        {'params': state.params['discriminator']}, x)
    penalty = adversarial.gradient_penalty(judge, real).mean()
    loss = [float(_step(gamma)(_state(), _images())[1][
        'adversarial/discriminator']) for gamma in (0.0, 0.5)]
    np.testing.assert_allclose(loss[1] - loss[0], 0.5 * penalty, rtol=1e-3)

  def test_both_sides_move_and_the_average_follows(self):
    state = _state()
    first = jax.device_get(state)
    for i in range(3):
      state, metrics = _step()(state, _images(i))
    for side in ('generator', 'discriminator'):
      self.assertFalse(any(
          np.array_equal(a, b) for a, b in zip(
              jax.tree.leaves(state.params[side]),
              jax.tree.leaves(first.params[side]), strict=True)))
    self.assertEqual(int(state.step), 3)
    self.assertBetween(float(metrics['accuracy']), 0, 1)
    apart = lambda a, b: sum(
        float(jnp.abs(x - y).sum()) for x, y in zip(
            jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    params = state.params['generator']
    self.assertLess(apart(state.ema, params),
                    apart(first.params['generator'], params))

  def test_samples_depend_on_the_seed_alone(self):
    make = functools.partial(
        image_gan.samples, _state().ema, generator=_NETWORKS['generator'],
        count=5)
    a, b = make(jax.random.key(1)), make(jax.random.key(1))
    np.testing.assert_array_equal(a, b)
    self.assertEqual(a.shape, (5, 4, 4, 1))
    self.assertTrue(((a >= 0) & (a <= 1)).all())
    self.assertGreater(np.abs(a - make(jax.random.key(2))).max(), 1e-3)


if __name__ == '__main__':
  absltest.main()
