"""Tests of the algorithm of configs/vae_restorer.py, through the loop."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import cv2
import numpy as np
import optax
import pytest

from configs import vae_restorer
from revive_jax import train, types
from revive_jax.algorithms import latent
from revive_jax.data import pipeline
from revive_jax.models import inference, weights
from revive_jax.training import batch as batch_lib
from revive_jax.training import latent as training
from tests import compiling
from tests.training import latent_test, problem

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _config(**values):
  c = vae_restorer.get_config('tiny')
  c.data.root = c.data.old = problem.videos()
  c.damage.mix, c.mesh.data, c.checkpoint_every = 'short', 1, 1
  # A schedule that does not depend on the number of steps.
  c.optimizer.update(shape='constant', warmup=1000, peak=1.0)
  c.update_from_flattened_dict(values)
  return c


class LatentTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(problem.mixes())

  def _folder(self):
    return pathlib.Path(self.create_tempdir().full_path)

  @pytest.mark.slow
  def test_trains_and_resumes_exactly(self):
    real, made = training.compile_step, []

    def compile_step(mesh, **static):
      made.append(made[0] if made else real(mesh, **static))
      return made[0]

    self.enter_context(
        mock.patch.object(training, 'compile_step', compile_step))
    self.enter_context(  # Cheaper to compile than real damage.
        mock.patch.object(batch_lib, 'damage', latent_test.damage))
    whole, half = self._folder(), self._folder()
    state = train.train(_config(num_steps=2), whole)
    self.enter_context(mock.patch.object(
        latent, '_pictures', lambda *_: None))  # Once is enough.
    train.train(_config(num_steps=1), half)
    resumed = train.train(_config(num_steps=2), half)
    chex.assert_trees_all_equal(resumed, state)
    # Film is what the discriminator learnt from.
    self.assertGreater(
        optax.tree.norm(state.opt_state['discriminator']), 0)
    # Four clips: damaged, there and back, restored, composite, clean.
    picture = cv2.imread(str(whole / 'pictures/restored_0000002.png'))
    self.assertEqual(picture.shape, (4 * 34, 5 * 34, 3))
    picture = cv2.imread(str(whole / 'pictures/film_0000002.png'))
    self.assertEqual(picture.shape, (4 * 34, 3 * 34, 3))
    # What ships restores.
    model, params = inference.load_latent(whole / 'weights')
    frames = np.full((1, 1, 8, 8, 3), 0.5, np.float32)
    filled = inference.restore_latent(
        params, frames, frames[..., :1] * 0, model=model)
    np.testing.assert_array_equal(filled, frames)
    found = weights.read_weights(whole / 'weights')
    self.assertEqual(set(found.params), {'clean', 'damaged', 'mapping'})

  def test_both_go_on_together(self):
    data = latent.make_data(_config())
    it = iter(data(start=0))
    next(it)
    wanted = next(it)
    chex.assert_trees_all_equal(next(iter(data(start=1))), wanted)
    self.assertEqual(set(wanted), {'clean', 'old'})
    # Of one folder, yet not the same clips.
    self.assertFalse((wanted['clean'] == wanted['old']).all())
    alone = latent.make_data(_config(**{'data.old': ''}))
    self.assertEqual(set(next(iter(alone(start=0)))), {'clean'})

  @parameterized.parameters(
      ({'data.old': '/nowhere'}, '^/nowhere'),
      ({'data.root': ''}, 'nothing to train on'),
      ({'data.size': 36}, 'size=36 does not fit the latents'),
      ({'gan.loss': 'cross'}, 'gan.loss.*least_squares'),
      ({'gan.weight': -1.0}, 'gan.weight=-1.0 is negative'),
      ({'gan.features': 0}, 'features=0 is less than 1'),
      ({'losses.sigma': 0.0}, 'sigma=0 must be above 0'),
      ({'losses.latent': -0.5}, 'losses.latent=-0.5 is negative'),
      ({'model.name': 'clip_vae'}, 'model.name.*latent_restorer'),
      ({'model.settings.features': (4, 4)}, 'three resolutions'),
      ({'model.settings.latent': 0}, 'settings.latent=0'),
      ({'model.settings.num_blocks': 0}, 'num_blocks=0'),
      ({'damage.mix': 'acid'}, 'mix.*film'),
      ({'optimizer.shape': 'zigzag'}, 'shape'),
      ({'init_from': 'restorer'}, 'weights of a restorer'),
      ({'batch_size': 3, 'mesh.data': 2}, 'not a multiple'))
  def test_refuses(self, values, words):
    # What is refused comes before what takes long.
    self.enter_context(mock.patch.object(
        latent, '_pictures', lambda *_: None))
    with self.assertRaisesRegex(types.BadInput, words):
      train.train(_config(**values), self._folder())

  def test_a_run_of_another_algorithm_is_refused(self):
    folder = self._folder()
    (folder / 'config.json').write_text('{"algorithm": "vae"}')
    with self.assertRaisesRegex(
        types.BadInput, 'algorithm vae, not of latent.*another --workdir'):
      train.train(_config(), folder)


class SideBySideTest(absltest.TestCase):

  def test_batches_under_their_names(self):
    part = lambda seed: pipeline.make_dataset(
        [[{'clip': np.full((1, 8, 8, 3), 90, np.uint8)}]], [1], seed=seed,
        batch_size=2, num_frames=1, size=8)
    both = next(iter(pipeline.side_by_side({'a': part(1), 'b': part(2)})))
    for name, seed in (('a', 1), ('b', 2)):
      np.testing.assert_array_equal(
          both[name], next(iter(part(seed)))['clean'])


if __name__ == '__main__':
  absltest.main()
