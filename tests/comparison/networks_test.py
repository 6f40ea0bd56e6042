"""Tests of comparison/networks.py."""

import pathlib

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np
import pytest

from revive_jax import types
from revive_jax.comparison import networks
from revive_jax.models import fills, latent, restorer, weights
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_RESTORER = dict(features=8, deep_features=8, num_blocks=1)
_FILLS = dict(features=(4, 4, 4), latent=2)


class NetworksTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    values = params.draw(
        restorer.Restorer(**_RESTORER), jnp.zeros((1, 2, 32, 32, 3)))
    weights.save_weights(self.dir / 'w', values, model='restorer', steps=3,
                         settings=_RESTORER, card='')
    model, x = fills.FillVae(**_FILLS), jnp.zeros((1, 16, 16, 3))
    values = params.draw(model, x, x[..., :1], x[..., :1], x, jnp.zeros(
        fills.noise_shape(x.shape, 2)))
    weights.save_weights(
        self.dir / 'f', values, model='fill_vae', steps=5, card='',
        settings=_FILLS, sigma=0.05,
        restorer=weights.read_weights(self.dir / 'w').config['sha256'])

  def _load(self, *names):
    return dict(networks.load(','.join(str(self.dir / n) for n in names),
                              num_samples=3, causal=False, seed=0))

  def test_fills_change_the_damage_alone(self):
    rows = self._load('f', 'w')
    self.assertEqual([r.split(', ')[-1] for r in rows][:2],
                     ['mean of 3', 'one of them'])
    mean, one, plain = rows.values()
    self.assertGreater(mean.about['parameters'], plain.about['parameters'])
    self.assertEqual((mean.about['steps'], plain.about['steps']), (5, 3))
    frames = np.random.default_rng(0).random((1, 2, 32, 48, 3), np.float32)
    mask = np.zeros((1, 2, 32, 48, 1), np.float32)
    mask[:, :, 8:16, 8:24] = 1
    made = [np.asarray(n.call(frames, mask=mask, cuts=None)[0].output)
            for n in (mean, one, plain)]
    hole = np.asarray(plain.call(frames, mask=mask, cuts=None)[0].damage) > 0.5
    hole = np.broadcast_to(hole, frames.shape)
    self.assertTrue(hole[:, :, 8:16, 8:24].all())
    for filled in made[:2]:
      np.testing.assert_array_equal(filled[~hole], made[2][~hole])
      self.assertTrue((filled[hole] != made[2][hole]).any())
    self.assertTrue((made[0] != made[1]).any())

  @pytest.mark.slow
  def test_a_latent_restorer_fills_what_a_restorer_found(self):
    settings = dict(features=(4, 4, 4), latent=2, mapping_features=4,
                    num_blocks=1)
    model = latent.LatentRestorer(**settings)
    clip = jnp.zeros((1, 1, 16, 16, 3))
    values = params.draw(
        model, clip, clip[..., :1], jnp.zeros(model.noise_shape(clip.shape)))
    weights.save_weights(self.dir / 'l', values, model='latent_restorer',
                         settings=settings, card='', steps=7)
    with self.assertRaisesRegex(types.BadInput, 'a restorer found'):
      self._load('l')
    made, plain = self._load('l', 'w').values()
    frames = np.random.default_rng(0).random((1, 2, 32, 48, 3), np.float32)
    mask = np.zeros((1, 2, 32, 48, 1), np.float32)
    mask[:, :, 8:16, 8:24] = 1
    a, b = (n.call(frames, mask=mask, cuts=None)[0] for n in (made, plain))
    hole = np.broadcast_to(np.asarray(b.damage) > 0.5, frames.shape)
    a, b = np.asarray(a.output), np.asarray(b.output)
    np.testing.assert_array_equal(a[~hole], b[~hole])
    self.assertTrue((a[hole] != b[hole]).any())

  def test_refusals(self):
    with self.assertRaisesRegex(types.BadInput, 'which is not among'):
      self._load('f')
    weights.save_weights(self.dir / 'g', {'a': np.zeros(1, np.float32)},
                         model='dense_generator', settings={}, card='')
    with self.assertRaisesRegex(types.BadInput, 'does not restore frames'):
      self._load('g')


if __name__ == '__main__':
  absltest.main()
