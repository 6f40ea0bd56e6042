"""Tests of networks.py: which weights a restore takes."""

from absl.testing import absltest
import jax
import ml_collections
from revive_jax.configs import restore

from revive_jax import models, networks, types
from revive_jax.models import fills, weights


def _settings(**changes) -> ml_collections.ConfigDict:
  c = restore.get_config()
  c.update(changes)
  return c.lock()


class WithFillsTest(absltest.TestCase):

  def saved(self, restorer):
    """Weights of fills for a restorer of that sha256."""
    own = dict(features=(4, 4, 4), latent=2)
    model = models.build('fill_vae', own)
    x = jax.numpy.zeros((1, 16, 16, 3))
    params = model.init(
        jax.random.key(0), x, x[..., :1], x[..., :1], x,
        jax.numpy.zeros(fills.noise_shape(x.shape, 2)))['params']
    folder = self.create_tempdir().full_path + '/fills'
    weights.save_weights(folder, params, model='fill_vae', settings=own,
                         card='', restorer=restorer, sigma=0.05)
    return folder

  def test_fills_bring_the_restorer_they_were_trained_for(self):
    where = self.saved(networks.identity('gan'))
    c = _settings(weights=where, seed=7)
    told = networks.with_fills(c)
    self.assertEqual((told.weights, told.fills, told.seed), ('gan', where, 7))
    self.assertEqual(c.weights, where)

  def test_the_fills_that_ship_stand_on_the_default(self):
    told = networks.with_fills(_settings(weights='vae'))
    self.assertEqual((told.weights, told.fills), ('restorer', 'vae'))
    networks.make_network(weights.read_weights(told.weights), told)

  def test_the_report_names_both(self):
    told = networks.with_fills(_settings(weights='vae'))
    text = networks.described(weights.read_weights(told.weights), told.fills)
    for name in ('restorer', 'vae'):
      self.assertIn(networks.identity(name), text)

  def test_other_weights_are_left(self):
    for name in ('', 'restorer', 'gan'):
      c = _settings(weights=name)
      self.assertIs(networks.with_fills(c), c)

  def test_two_kinds_of_fills_are_refused(self):
    where = self.saved(networks.identity('restorer'))
    with self.assertRaisesRegex(types.BadInput, 'leave out one of them'):
      networks.with_fills(_settings(weights='vae', fills=where))

  def test_fills_of_an_unknown_restorer_are_refused(self):
    with self.assertRaisesRegex(
        types.BadInput, 'does not ship; name it with --config.weights'):
      networks.with_fills(_settings(weights=self.saved('0' * 64)))


if __name__ == '__main__':
  absltest.main()
