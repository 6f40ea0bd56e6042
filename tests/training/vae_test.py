"""Tests of training/vae.py."""

import functools

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from revive_jax.models import dense
from revive_jax.training import sharding, vae
from tests import compiling
from tests.training import layouts

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = dense.Vae(hidden=(8,), shape=(4, 4, 1), latent=3)
_LOSSES = dict(sigma=0.3, beta=0.5, beta_warmup=0, beta_period=0,
               free_bits=0.0)


def _compile(layout, parts=1, likelihood='bernoulli'):
  return vae.compile_step(
      layout, model=_MODEL, tx=optax.adam(1e-2), seed=0, likelihood=likelihood,
      ema_decay=0.999, parts=parts, **_LOSSES)


@functools.cache
def _step(likelihood='bernoulli'):
  return _compile(sharding.make_layout(1), likelihood=likelihood)


@functools.cache
def _after(**layout):
  return layouts.steps(
      _compile, _state(), [_images(i) for i in range(2)], **layout)


def _state():
  return vae.init_state(
      jax.random.key(0), model=_MODEL, tx=optax.adam(1e-2), shape=(4, 4, 1))


def _images(seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (8, 4, 4, 1)).astype(np.uint8)


class VaeTest(layouts.TestCase):

  after = staticmethod(_after)

  def test_loss_against_scipy(self):
    # At step 1: at step 0 the KL has no weight.
    at_one = lambda: _state().replace(step=jnp.ones((), jnp.int32))
    state, x = at_one(), np.float64(_images()) / 255
    noise = jax.random.normal(
        jax.random.fold_in(jax.random.key(0), 1), (8, 3))
    coded = _MODEL.apply(
        {'params': state.params}, jnp.asarray(x, 'float32'), noise)
    output, mean = np.float64(coded.output), np.float64(coded.latent.mean)
    sigma = np.exp(np.float64(coded.latent.log_variance) / 2)
    # KL of normal distributions is the cross-entropy less the entropy.
    kl = (0.5 * (np.log(2 * np.pi) + sigma**2 + mean**2)
          - stats.norm(mean, sigma).entropy()).sum(1).mean()
    p = 1 / (1 + np.exp(-output))
    bernoulli = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2, 3))
    gaussian = -stats.norm(output, 0.3).logpdf(x).sum((1, 2, 3))
    for likelihood, expected in (('bernoulli', bernoulli.mean()),
                                 ('gaussian', gaussian.mean())):
      _, metrics = _step(likelihood)(at_one(), _images())
      np.testing.assert_allclose(metrics['likelihood'], expected, rtol=1e-4)
      np.testing.assert_allclose(metrics['kl'], kl, rtol=1e-3)
      np.testing.assert_allclose(
          metrics['loss'], expected + 0.5 * kl, rtol=1e-4)

  def test_learns(self):
    # Black pictures and white ones: one bit is to be told, at most.
    images = np.repeat(np.uint8([0, 255] * 4), 16).reshape(8, 4, 4, 1)
    state, losses = _state(), []
    for _ in range(60):
      state, metrics = _step()(state, images)
      losses.append(float(metrics['loss']))
    self.assertLess(losses[-1], 0.7 * losses[0])

  def test_show(self):
    model = dense.Vae(hidden=(8,), shape=(4, 4, 1), latent=3)
    x = jnp.asarray(np.random.default_rng(0).random((50, 4, 4, 1)), 'float32')
    params = _state().params
    shown = vae.show(params, x, jax.random.key(0), model=model,
                     likelihood='bernoulli')
    for name, pictures in shown.items():
      self.assertEqual(pictures.shape, (100, 4, 4, 1), name)
    rows = shown['reconstructions'].reshape(5, 2, 10, 4, 4, 1)
    np.testing.assert_array_equal(rows[1, 0, 3], x[13])
    latent = model.apply({'params': params}, x[13:14], method='encode')
    back = jax.nn.sigmoid(model.apply(
        {'params': params}, latent.mean, method='decode'))
    np.testing.assert_allclose(rows[1, 1, 3], back[0], rtol=1e-5)

  def test_slerp(self):
    a, b = jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.0]])
    walk = vae.slerp(a, b, jnp.array([0.0, 1 / 3, 1.0]))
    np.testing.assert_allclose(
        walk[0], [[1, 0], [np.sqrt(3) / 2, 0.5], [0, 1]], atol=1e-6)
    for b in (2 * a, -a):  # There is no one circle.
      np.testing.assert_allclose(
          vae.slerp(a, b, jnp.array([0.25]))[:, 0], 0.75 * a + 0.25 * b,
          atol=1e-6)


if __name__ == '__main__':
  absltest.main()
