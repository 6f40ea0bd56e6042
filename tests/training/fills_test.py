"""Tests of training/fills.py, with a stand-in for the restorer."""

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
from scipy import stats

from revive_jax.models import fills as fills_lib
from revive_jax.models import vae
from revive_jax.training import batch as batch_lib
from revive_jax.training import fills, sharding
from tests import compiling
from tests.training import layouts

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = fills_lib.FillVae(features=(6, 8, 8), latent=2)
_TX = optax.adam(3e-3)


class _Grey(nn.Module):
  """A restorer that finds what is black, and makes it grey."""

  @nn.compact
  def __call__(self, frames, *, mask=None, cuts=None, use_future=None):
    del mask, cuts, use_future
    hole = (frames.max(-1, keepdims=True) == 0).astype(jnp.float32)
    return SimpleNamespace(
        output=frames + 0.5 * hole, damage=hole,
        log_variance=jnp.full_like(hole, -5)), None, ()


def _damage(rng, clean, *, draw, textures):
  """A square is black."""
  del rng, draw, textures
  clean = clean.astype(jnp.float32) / 255
  damage = jnp.zeros((*clean.shape[:-1], 1)).at[:, :, 8:16, 8:16].set(1)
  return batch_lib.Batch(
      damaged=clean * (1 - damage), target=clean, damage=damage, mask=damage,
      cuts=jnp.zeros(clean.shape[:2], bool), use_future=jnp.ones(len(clean)))


def _uneven(rng, clean, *, draw, textures):
  """Of one frame of one clip, more is black."""
  batch = _damage(rng, clean, draw=draw, textures=textures)
  damage = batch.damage.at[0, 1, 16:28, 4:28].set(1)
  return batch.replace(
      damage=damage, mask=damage, damaged=batch.target * (1 - damage))


def _compile(layout, parts=1):
  return fills.compile_step(
      layout, restorer=_Grey(), model=_MODEL, tx=_TX, seed=0, draw=None,
      sigma=0.1, beta=1.0, beta_warmup=20, ema_decay=0.99, parts=parts)


@functools.cache
def _step():
  return _compile(sharding.make_layout(1))


@functools.cache
def _after(**layout):
  with mock.patch.object(batch_lib, 'damage', _uneven):
    return layouts.steps(
        _compile, fills.init_state(jax.random.key(0), model=_MODEL, tx=_TX),
        [_clean(i) for i in range(2)],
        constants=({'restorer': {}, 'textures': None},), **layout)


def _clean(seed):
  """Half of the clips have white behind the square, half black."""
  clean = np.full((4, 2, 32, 32, 3), 128, np.uint8)
  clean[np.random.default_rng(seed).permutation(4)[:2], :, 8:16, 8:16] = 255
  clean[..., 8:16, 8:16, :][clean[..., 8:16, 8:16, :] == 128] = 1
  return clean


class FillsTest(layouts.TestCase):

  @pytest.mark.slow
  def test_the_most_mixed_layout_does_the_same(self):
    super().test_the_most_mixed_layout_does_the_same()

  after = staticmethod(_after)

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.object(batch_lib, 'damage', _damage))
    self.fixed = {'restorer': {}, 'textures': None}

  def _state(self):
    return fills.init_state(jax.random.key(0), model=_MODEL, tx=_TX)

  def test_bound_against_scipy(self):
    rng = np.random.default_rng(0)
    fill, clean = rng.random((2, 2, 8, 8, 3))
    hole = np.zeros((2, 8, 8, 1))
    hole[0, 2:5, 1:6] = 1  # The second picture has none: its KL costs nothing.
    q, p = (vae.Gaussian(*rng.standard_normal((2, 2, 1, 1, 4)))
            for _ in range(2))
    terms = fills.bound(*map(jnp.asarray, (fill, clean, hole)), q, p,
                        sigma=0.1)
    logs = stats.norm(fill, 0.1).logpdf(clean).sum(-1)[hole[..., 0] > 0]
    np.testing.assert_allclose(terms['likelihood'], -logs.mean(), rtol=1e-5)
    sq, sp = (np.exp(x.log_variance / 2) for x in (q, p))
    kl = np.log(sp / sq) + (sq**2 + (q.mean - p.mean)**2) / (2 * sp**2) - 0.5
    np.testing.assert_allclose(terms['kl'], kl[0].sum() / 15, rtol=1e-5)

  def test_two_answers_are_both_drawn(self):
    state = self._state()
    for i in range(250):
      state, metrics = _step()(state, _clean(i), self.fixed)
    # The posterior was told, so it knows; the restorer's grey knows nothing.
    self.assertGreater(metrics['psnr_hole/posterior'],
                       metrics['psnr_hole/restorer'] + 6)
    batch = _damage(None, jnp.asarray(_clean(0)), draw=None, textures=None)
    restored, _, _ = _Grey().apply({}, batch.damaged[:1, 0])
    noise = jax.random.normal(jax.random.key(1), (24, 1, 4, 4, 2))
    drawn = _MODEL.apply(
        {'params': state.params}, restored.output, restored.damage,
        restored.log_variance, noise, method='draw')
    means = np.asarray(drawn[:, 0, 9:15, 9:15]).mean((1, 2, 3))
    # Some of the fills are dark, and some are bright.
    self.assertLess(means.min(), 0.35)
    self.assertGreater(means.max(), 0.65)


if __name__ == '__main__':
  absltest.main()
