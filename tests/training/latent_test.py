"""Tests of training/latent.py, with squares for damage."""

import functools
from unittest import mock

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from revive_jax.losses import adversarial
from revive_jax.models import latent as models_latent
from revive_jax.models import vae
from revive_jax.training import batch as batch_lib
from revive_jax.training import latent, sharding
from revive_jax.training import state as state_lib
from tests import compiling
from tests.models import params
from tests.training import layouts

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = models_latent.LatentRestorer(
    features=(4, 6, 8), latent=2, mapping_features=8, num_blocks=1)
_JUDGE = models_latent.LatentDiscriminator(4)
_TX = {'networks': optax.adam(1e-2), 'discriminator': optax.adam(3e-3)}
_NETWORKS = dict(model=_MODEL, judge=_JUDGE, tx=_TX)
_RULES = latent.Rules(
    game=adversarial.GAMES['least_squares'], sigma=0.1, beta=0.1,
    beta_warmup=1, adversarial=0.5, adversarial_warmup=1, latent=1.0,
    picture=4.0, damage_weight=1.0, epsilon=1e-2)


def damage(rng, clean, *, draw, textures):
  """A square is black: cheaper to compile than real damage."""
  del rng, draw, textures
  clean = jnp.asarray(clean, jnp.float32) / 255
  hole = jnp.zeros((*clean.shape[:-1], 1)).at[:, :, 8:16, 4:12].set(1)
  return batch_lib.Batch(
      damaged=clean * (1 - hole), target=clean, damage=hole, mask=hole,
      cuts=jnp.zeros(clean.shape[:2], bool), use_future=jnp.ones(len(clean)))


def _data(seed=0, old=True):
  """Clips are dark or bright all over; film is never as bright."""
  light = np.random.default_rng(seed).permutation(np.uint8([30, 30, 220, 220]))
  clean = np.zeros((4, 1, 16, 16, 3), np.uint8) + light.reshape(4, 1, 1, 1, 1)
  return {'clean': clean} | ({'old': clean[::-1] // 2} if old else {})


def _compile(layout, parts=1):
  return latent.compile_step(
      layout, **_NETWORKS, seed=0, draw=None, rules=_RULES, ema_decay=0.9,
      parts=parts)


@functools.cache
def _step():
  return _compile(sharding.make_layout(1))


@functools.cache
def _after(**layout):
  # Of more rows: of two at the coarsest level XLA makes something else.
  large = lambda i: {k: np.tile(x, (1, 1, 2, 2, 1))
                     for k, x in _data(i).items()}
  return layouts.steps(_compile, _state(), [large(i) for i in range(2)],
                       constants=(None,), **layout)


@functools.cache
def _state():
  clip = np.zeros((1, 1, 16, 16, 3), np.float32)
  noise = np.zeros((1, 1, 2, 2, 2), np.float32)
  drawn = {'networks': params.draw(_MODEL, clip, clip[..., :1], noise),
           'discriminator': params.draw(_JUDGE, noise[:, 0])}
  # Not on a device, where a step would use their memory again.
  return jax.device_get(state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=drawn,
      opt_state={side: _TX[side].init(drawn[side]) for side in latent.SIDES},
      ema=drawn['networks']))


def _placed():
  """The first state where the step wants it, or it would compile twice."""
  return jax.device_put(
      _state(), sharding.replicated(sharding.make_layout(1)))


@functools.cache
def _slopes():
  """The gradient of the networks by term: costs, shares of it, to grads."""
  data = _data()
  batch = damage(None, jnp.asarray(data['clean']), draw=None, textures=None)
  old = data['old'].astype(np.float32) / 255
  shape = _MODEL.noise_shape(batch.target.shape)
  drawn = latent.Drawn(batch, old, (jnp.ones(shape),) * 3)

  def price(params, costs):
    judged = params['discriminator']
    _, (_, terms) = latent.networks_loss(
        params['networks'], drawn, judged, jnp.ones(()), model=_MODEL,
        judge=_JUDGE, rules=_RULES)
    return sum(costs[k] * v for k, v in terms.items())

  return jax.jit(jax.grad(price))


_TERMS = ('likelihood/clean', 'likelihood/damaged', 'kl/clean', 'kl/damaged',
          'adversarial', 'latent', 'picture')


def _moved(*terms):
  """The parts of the networks that terms have a gradient for, decoders apart.
  """
  grads = _slopes()(_state().params, {k: float(k in terms) for k in _TERMS})
  return {
      f'{part}/{layer}' if part != 'mapping' else part
      for part, layers in grads['networks'].items()
      for layer, tree in layers.items()
      if any(np.abs(g).max() > 0 for g in jax.tree.leaves(tree))}


_ENCODER, _DECODER = {'encoder', 'to_latent'}, {'decoder', 'out'}
_of = lambda part, layers: {f'{part}/{layer}' for layer in layers}


class LatentTest(layouts.TestCase):

  after = staticmethod(_after)

  @pytest.mark.slow  # It takes a minute to compile.
  def test_the_most_mixed_layout_does_the_same(self):
    super().test_the_most_mixed_layout_does_the_same()

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(batch_lib, 'damage', damage))

  def test_the_mapping_leaves_the_autoencoders_alone(self):
    self.assertEqual(_moved('latent'), {'mapping'})
    self.assertEqual(_moved('picture'), {'mapping'})

  def test_each_bound_is_of_its_own_autoencoder(self):
    for part in ('clean', 'damaged'):
      self.assertEqual(_moved(f'likelihood/{part}'),
                       _of(part, _ENCODER | _DECODER))
      self.assertEqual(_moved(f'kl/{part}'), _of(part, _ENCODER))

  def test_verdicts_move_the_encoder_of_damaged_clips_alone(self):
    self.assertEqual(_moved('adversarial'), _of('damaged', _ENCODER))

  def test_only_the_latents_of_film_are_moved(self):
    z = np.random.default_rng(0).normal(size=(8, 1, 3, 3, 2)).astype('f')
    judged = _state().params['discriminator']
    synthetic, real = latent.apart(z)
    np.testing.assert_array_equal(latent.beside(synthetic, real), z)
    np.testing.assert_array_equal(real, z[1::2])
    other, own = map(np.asarray, latent.verdicts(_JUDGE, judged, z))
    alone = _JUDGE.apply({'params': judged}, real[:, 0]).logits
    np.testing.assert_allclose(own[:, 0], alone, rtol=1e-4, atol=1e-5)
    loss, (_, right) = latent.discriminator_loss(
        judged, latent.apart(z), judge=_JUDGE, rules=_RULES)
    # 1/2 (D - 1)^2 of synthetic latents, 1/2 D^2 of those of film.
    np.testing.assert_allclose(
        loss, 0.5 * (((other - 1)**2).mean() + (own**2).mean()), rtol=1e-5)
    np.testing.assert_allclose(
        right, 0.5 * ((other > 0.5).mean() + (own <= 0.5).mean()))

  def test_bound_against_scipy(self):
    rng = np.random.default_rng(0)
    x, output = rng.random((2, 2, 1, 8, 16, 3))
    mean, log_variance = rng.standard_normal((2, 2, 1, 1, 2, 4))
    coded = vae.Coded(vae.Gaussian(mean, log_variance), output)
    terms = latent.bound(
        jax.tree.map(jnp.asarray, coded), jnp.asarray(x), sigma=0.1)
    np.testing.assert_allclose(
        terms['likelihood'],
        -stats.norm(output, 0.1).logpdf(x).sum() / (2 * 8 * 16), rtol=1e-4)
    sigma = np.exp(log_variance / 2)
    cross = 0.5 * (np.log(2 * np.pi) + sigma**2 + mean**2)
    kl = (cross - stats.norm(mean, sigma).entropy()).sum()
    np.testing.assert_allclose(terms['kl'], kl / (2 * 8 * 16), rtol=1e-4)

  @pytest.mark.slow
  def test_learns(self):
    state, seen = _placed(), []
    for _ in range(70):
      state, metrics = _step()(state, _data(), None)
      seen.append(metrics)
    # At the first step the KL has no weight.
    for term in ('loss', 'likelihood/clean', 'likelihood/damaged', 'picture'):
      self.assertLess(seen[-1][term], 0.5 * seen[1][term], term)
    # Behind the square was what is around it.
    self.assertGreater(seen[-1]['psnr_masked'], seen[1]['psnr_masked'] + 6)
    for a, b in zip(jax.tree.leaves(_state().params),
                    jax.tree.leaves(state.params), strict=True):
      self.assertFalse(np.array_equal(a, b))
    chex.assert_trees_all_equal_shapes(state.ema, state.params['networks'])

  def test_without_film_the_discriminator_stays_as_it_is(self):
    def step(state, data):
      new, metrics = latent.train_step(
          state, data, None, **_NETWORKS, seed=0, draw=None, rules=_RULES,
          ema_decay=0.9)
      for before, after in ((state.params, new.params),
                            (state.opt_state, new.opt_state)):
        jax.tree.map(self.assertIs, before['discriminator'],
                     after['discriminator'])
      return metrics

    metrics = jax.eval_shape(step, _state(), _data(old=False))
    self.assertContainsSubset(('latent', 'psnr', 'grad_norm/mapping'), metrics)
    for name in ('adversarial', 'accuracy', 'grad_norm/discriminator'):
      self.assertNotIn(name, metrics)

  def test_the_first_state(self):
    first = jax.eval_shape(
        functools.partial(latent.init_state, **_NETWORKS), jax.random.key(0))
    chex.assert_trees_all_equal_shapes_and_dtypes(first, _state())


if __name__ == '__main__':
  absltest.main()
