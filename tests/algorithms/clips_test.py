"""Tests of the algorithms on clips other than the supervised one."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import cv2
import pytest

from configs import fills, gan, vae
from revive_jax import train, types
from revive_jax.algorithms import fills as fills_algorithm
from revive_jax.models import inference, weights
from revive_jax.training import batch as batch_lib
from revive_jax.training import fills as fills_training
from revive_jax.training import gan as gan_training
from tests import compiling
from tests.training import latent_test, problem

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_CONFIGS = {'fills': fills, 'gan': gan, 'vae': vae}


def _config(name, **values):
  c = _CONFIGS[name].get_config('tiny')
  c.data.root, c.mesh.data, c.checkpoint_every = problem.videos(), 1, 1
  if name != 'vae':
    c.damage.mix = 'short'
  # A schedule that does not depend on the number of steps.
  c.optimizer.update(shape='constant', warmup=1000, peak=1.0)
  c.update_from_flattened_dict(values)
  return c


def _compiled_once(module):
  """Lets runs of one config share their step, whatever their number of steps.
  """
  real, made = module.compile_step, []

  def compile_step(mesh, **static):
    if not made:
      made.append(real(mesh, **static))
    return made[0]

  return mock.patch.object(module, 'compile_step', compile_step)


class ClipsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(problem.mixes())

  def _folder(self):
    return pathlib.Path(self.create_tempdir().full_path)

  @pytest.mark.slow
  def test_vae_trains_and_resumes_exactly(self):
    whole, folder = self._folder(), self._folder()
    state = train.train(_config('vae', num_steps=3), whole)
    train.train(_config('vae', num_steps=2), folder)
    resumed = train.train(_config('vae', num_steps=3), folder)
    chex.assert_trees_all_equal(resumed, state)
    found = weights.read_weights(whole / 'weights')
    self.assertEqual(found.config['model'], 'clip_vae')
    picture = cv2.imread(str(whole / 'pictures/reconstructions_0000003.png'))
    # Four clips of three frames of 32 px, each above what comes back.
    self.assertEqual(picture.shape, (8 * 34, 3 * 34, 3))

  @pytest.mark.slow
  def test_gan_trains_and_resumes_exactly(self):
    folder, half = self._folder(), self._folder()
    with _compiled_once(gan_training):
      state = train.train(_config('gan', num_steps=2), folder)
      train.train(_config('gan', num_steps=1), half)
      chex.assert_trees_all_equal(
          train.train(_config('gan', num_steps=2), half), state)
    picture = cv2.imread(str(folder / 'pictures/restored_0000002.png'))
    self.assertEqual(picture.shape, (4 * 34, 3 * 34, 3))
    # What ships is the restorer alone, and restores.
    found = weights.read_weights(folder / 'weights')
    self.assertEqual(found.config['model'], 'restorer')
    self.assertIn('heads', found.params)

  @pytest.mark.slow
  def test_fills_train_on_a_restorer(self):
    folder = self._folder()
    still = folder / 'restorer'
    weights.save_weights(
        still, problem.first_params(), model='restorer', card='',
        settings=problem.make_config().model.settings.to_dict())
    run = folder / 'run'
    self.enter_context(_compiled_once(fills_training))
    self.enter_context(  # Cheaper to compile than real damage.
        mock.patch.object(batch_lib, 'damage', latent_test.damage))
    state = train.train(
        _config('fills', num_steps=2, restorer=str(still)), run)
    self.assertEqual(int(state.step), 2)
    found = weights.read_weights(run / 'weights')
    self.assertEqual(found.config['model'], 'fill_vae')
    self.assertEqual(found.config['restorer'],
                     weights.read_weights(still).config['sha256'])
    inference.load_fills(run / 'weights', restorer_weights=still)
    # Four clips: damaged, restored, three fills, their deviation, clean.
    picture = cv2.imread(str(run / 'pictures/fills_0000002.png'))
    self.assertEqual(picture.shape, (4 * 34, 7 * 34, 3))
    # What was stopped after a step goes on to the same end.
    self.enter_context(mock.patch.object(
        fills_algorithm, '_pictures', lambda *_: None))  # Once is enough.
    folder = self._folder()
    train.train(_config('fills', num_steps=1, restorer=str(still)), folder)
    chex.assert_trees_all_equal(train.train(
        _config('fills', num_steps=2, restorer=str(still)), folder), state)

  @parameterized.parameters(
      ('fills', {'restorer': ''}, 'name the weights of a restorer'),
      ('fills', {'losses.sigma': 0.0}, 'sigma must be above 0'),
      ('fills', {'damage.mix': 'acid'}, 'mix.*film'),
      ('vae', {'data.size': 36}, 'size=36 does not fit the latents'),
      ('vae', {'data.root': ''}, 'nothing to train on'),
      ('vae', {'losses.sigma': -1.0}, 'sigma=-1'),
      ('vae', {'model.name': 'restorer'}, 'model.name.*clip_vae'),
      ('vae', {'model.settings.features': (4, 4)}, 'three resolutions'),
      ('fills', {'model.settings.latent': 0}, 'latent is at least 1'),
      ('fills', {'ema_decay': 1.0}, 'ema_decay=1'),
      ('gan', {'gan.lecam': -0.1}, 'lecam=-0.1 is negative'),
      ('gan', {'gan.perceptual': 0.1, 'gan.features_of': ''},
       'features_of: name the weights'),
      ('gan', {'gan.start': 4}, 'start=4 is not before the last step'),
      ('gan', {'gan.features': 0}, 'features=0'),
      ('gan', {'gan.loss': 'cross'}, 'gan.loss.*relativistic'),
      ('gan', {'data.num_frames': 2}, 'num_frames=2.*3 frames at once'),
      ('gan', {'batch_size': 3, 'mesh.data': 2}, 'not a multiple'))
  def test_refuses(self, name, values, words):
    with self.assertRaisesRegex(types.BadInput, words):
      train.train(_config(name, **values), self._folder())


if __name__ == '__main__':
  absltest.main()
