"""Tests of the algorithms on small pictures, through the loop."""

import json
import pathlib

from absl.testing import absltest, parameterized
import chex
import cv2
import jax
import numpy as np

from configs import mnist_gan, mnist_vae
from revive_jax import train, types
from revive_jax.models import inference, weights
from tests import compiling
from tests.data import digits_test

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_CONFIGS = {'gan': mnist_gan, 'vae': mnist_vae}
_PICTURES = {'gan': {'samples'}, 'vae': {'samples', 'reconstructions', 'walk'}}


def _config(name, **values):
  c = _CONFIGS[name].get_config('tiny')
  c.batch_size, c.mesh.data = 16, 1
  c.update_from_flattened_dict(values)
  return c


class ImagesTest(parameterized.TestCase):

  def _folder(self):
    return pathlib.Path(self.create_tempdir().full_path)

  @parameterized.parameters('gan', 'vae')
  def test_trains_and_resumes_exactly(self, name):
    whole, folder = self._folder(), self._folder()
    # A schedule that does not depend on the number of steps.
    values = {} if name == 'gan' else {
        'optimizer.shape': 'constant', 'optimizer.warmup': 1000,
        'optimizer.peak': 1.0}
    state = train.train(_config(name, **values), whole)
    train.train(_config(name, **values, num_steps=2), folder)
    chex.assert_trees_all_equal(
        train.train(_config(name, **values), folder), state)
    for kind in _PICTURES[name]:
      picture = cv2.imread(str(whole / 'pictures' / f'{kind}_0000003.png'))
      self.assertEqual(picture.shape, (300, 300, 3))
    found = weights.read_weights(whole / 'weights')
    self.assertEqual(found.config['steps'], 3)
    # They restore nothing, and are refused where that is wanted.
    with self.assertRaisesRegex(types.BadInput, 'does not restore frames'):
      inference.build(found)
    # What ships can be gone on from.
    onward = self._folder()
    train.train(_config(name, init_from=str(whole / 'weights'), num_steps=1),
                onward)
    again = weights.read_weights(onward / 'weights')
    self.assertEqual(again.config['steps'], 3 + 1)
    # The average of one step is still near where it began.
    for a, b in zip(*map(jax.tree.leaves, (again.params, found.params)),
                    strict=True):
      np.testing.assert_allclose(a, b, atol=3e-3)

  def test_a_run_of_another_algorithm_is_refused(self):
    folder = self._folder()
    train.train(_config('vae', num_steps=1), folder)
    before = (folder / 'config.json').read_text()
    with self.assertRaisesRegex(
        types.BadInput, 'of the algorithm image_vae.*another --workdir'):
      train.train(_config('gan'), folder)
    self.assertEqual((folder / 'config.json').read_text(), before)

  def test_weights_of_another_model_are_refused(self):
    folder = self._folder()
    train.train(_config('vae', num_steps=1), folder)
    with self.assertRaisesRegex(types.BadInput, 'weights of a dense_vae'):
      train.train(_config('gan', init_from=str(folder / 'weights')),
                  self._folder())

  @parameterized.parameters(
      ('gan', {'data.name': 'letters'}, 'data.name.*embedded'),
      ('gan', {'loss': 'cross'}, 'loss.*hinge'),
      ('gan', {'data.name': 'mnist', 'data.root': '/nowhere'}, '^/nowhere'),
      ('gan', {'data.root': '/nowhere'}, 'data.root=/nowhere is not looked at'),
      ('gan', {'gradient_penalty': -1.0}, 'gradient_penalty=-1'),
      ('gan', {'ema_decay': 1.0}, 'ema_decay=1'),
      ('gan', {'model.settings.latent': 1}, 'latent=1'),
      ('vae', {'losses.sigma': 0.0}, 'sigma=0'),
      ('vae', {'losses.beta_period': -3}, 'beta_period=-3 is negative'),
      ('vae', {'losses.beta_period': 1000}, 'beta_period=1000 is over before'),
      ('gan', {'model.name': 'dense_vae'}, 'model.name.*dense_generator'),
      ('vae', {'likelihood': 'poisson'}, 'likelihood.*bernoulli'),
      ('vae', {'optimizer.shape': 'zigzag'}, 'shape'))
  def test_refuses(self, name, values, words):
    with self.assertRaisesRegex(types.BadInput, words):
      train.train(_config(name, **values), self._folder())

  def test_the_articles_example(self):
    c = mnist_gan.get_config()
    self.assertEqual(c.model.settings.hidden, (128, 256, 512, 1024))
    self.assertEqual(c.model.settings.latent, 100)
    self.assertEqual(c.discriminator.hidden, (1024, 512, 256))
    self.assertEqual(c.optimizer.discriminator, 1e-4)
    self.assertEqual(c.optimizer.generator, 4e-4)
    self.assertEqual(c.loss, 'non_saturating')
    embedded = mnist_gan.get_config('embedded')
    for key in ('model', 'discriminator', 'loss'):
      self.assertEqual(embedded[key], c[key])

  def test_from_records_of_mnist(self):
    folder = self._folder()
    digits_test.write_all(folder, train=40, test=7)
    c = _config('vae', num_steps=1)
    c.data.update(name='mnist', root=str(folder), prepared=f'{folder}/records')
    self.assertEqual(int(train.train(c, folder / 'run').step), 1)

  def test_metrics(self):
    folder = self._folder()
    train.train(_config('gan', num_steps=1), folder)
    line = json.loads((folder / 'metrics.jsonl').read_text())
    self.assertLess({'accuracy', 'adversarial/generator',
                     'grad_norm/discriminator'}, set(line))


if __name__ == '__main__':
  absltest.main()
