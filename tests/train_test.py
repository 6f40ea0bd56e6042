"""Tests of train.py: the loop, its restarts, its refusals."""

import functools
import json
import os
import pathlib
import shutil
import signal
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np
import pytest

from configs import restorer as config
from revive_jax import train, types
from revive_jax.algorithms import restorer
from revive_jax.data import splits
from revive_jax.models import weights
from tests import compiling
from tests.data import clips
from tests.training import problem

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _steps(folder):
  """The steps in metrics.jsonl, and the steps of the checkpoints."""
  lines = pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()
  saved = pathlib.Path(folder, 'checkpoints').iterdir()
  return ([json.loads(line)['step'] for line in lines],
          sorted(int(p.name) for p in saved))


def _at(step, do):
  """A hook that calls do on the state after so many steps."""
  return lambda state: do(state) if int(state.step) == step else state


def _terminate(state):
  os.kill(os.getpid(), signal.SIGTERM)
  return state


def _poison(state):
  """One weight of the matcher is not a number."""
  return state.replace(params=state.params | {'matcher': {
      **state.params['matcher'],
      'sharpness': state.params['matcher']['sharpness'] * np.nan}})


@functools.cache
def _whole():
  """The state after four steps without a break, and the folder of the run."""
  folder = f'{problem.folder().name}/whole'
  with problem.shared_step():
    return train.train(problem.make_config(), folder), folder


class TrainTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(problem.mixes())

  def _folder(self) -> str:
    return self.create_tempdir().full_path

  def _train(self, folder, hook=lambda state: state, **values):
    with problem.shared_step(hook):
      return train.train(problem.make_config(**values), folder)

  def test_files(self):
    _, folder = _whole()
    for name in ('config.json', 'plots/metrics.png', 'weights/README.md'):
      self.assertTrue(pathlib.Path(folder, name).is_file(), name)
    self.assertEqual(_steps(folder), ([1, 2, 3, 4], [2, 4]))
    values = json.loads(
        pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()[0])
    told = json.loads(pathlib.Path(folder, 'weights/config.json').read_text())
    self.assertEqual(told['trained_on'], splits.marks(os.listdir(
        problem.make_config().data.root)))
    weights = problem.make_config().losses
    self.assertLess({'loss', 'psnr', 'psnr_damaged', 'grad_norm/heads',
                     *(k for k, w in weights.items() if w)}, set(values))

  def test_sigterm_saves_and_resumed_equals_uninterrupted(self):
    whole, whole_folder = _whole()
    before = signal.getsignal(signal.SIGTERM)
    folder = self._folder()
    # Terminated during the third step, which is not a step of checkpoints.
    stopped = self._train(folder, _at(2, _terminate))
    self.assertEqual(int(stopped.step), 3)
    self.assertEqual(_steps(folder), ([1, 2, 3], [2, 3]))
    self.assertEqual(signal.getsignal(signal.SIGTERM), before)
    resumed = self._train(folder)
    chex.assert_trees_all_equal(resumed, whole)
    self.assertEqual(_steps(folder)[0], [1, 2, 3, 4])
    without_time = lambda folder: [
        {k: v for k, v in json.loads(line).items() if k != 'time'} for line in
        pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()]
    self.assertEqual(without_time(folder), without_time(whole_folder))
    chex.assert_trees_all_equal(
        *(weights.read_weights(f'{f}/weights').params
          for f in (folder, whole_folder)))
    # Once more: there is nothing left to do.
    chex.assert_trees_all_equal(self._train(folder), whole)
    self.assertEqual(_steps(folder)[0], [1, 2, 3, 4])

  def test_what_is_not_finite_stops_the_run_and_is_not_saved(self):
    folder = self._folder()
    with self.assertRaisesRegex(
        FloatingPointError, r'Step 3: .*grad_norm/matcher.*photometric.*'
        r'not finite; the last good checkpoint is in .*checkpoints'):
      self._train(folder, _at(2, _poison))
    self.assertEqual(_steps(folder), ([1, 2], [2]))
    self.assertEqual(
        weights.read_weights(f'{folder}/weights').config['steps'], 2)
    # The checkpoint is whole: without the poison all goes on as it should.
    chex.assert_trees_all_equal(self._train(folder), _whole()[0])

  def test_the_last_step_is_looked_at_too(self):
    folder = self._folder()
    with self.assertRaisesRegex(FloatingPointError, 'Step 4: '):
      self._train(folder, _at(3, _poison))
    self.assertEqual(_steps(folder)[1], [2])

  # Steps on layouts are compared in the fast suite; this is a whole run.
  @pytest.mark.slow
  def test_one_device_equals_four(self):
    one, _ = _whole()
    folder = self._folder()
    first = []
    four = self._train(
        folder, lambda s: first.append(jax.device_get(s.params)) or s,
        mesh={'data': 4})
    self.assertLen(jax.tree.leaves(four.params)[0].sharding.device_set, 4)
    # The same numbers in another order: Adam divides by their size, so a few
    # weights whose gradients are all rounding go elsewhere.
    one, four = (jax.device_get(s.ema) for s in (one, four))
    apart = lambda x, y: np.concatenate([
        np.abs(a - b).ravel() for a, b in zip(
            *map(jax.tree.leaves, (x, y)), strict=True)])
    moved, error = apart(one, first[0]), apart(one, four)
    self.assertLess(error.mean(), 0.02 * moved.mean())
    self.assertLess(np.quantile(error, 0.99), 0.2 * moved.mean())
    # And a run may go on with another number.
    self.assertEqual(int(self._train(folder, num_steps=5).step), 5)

  def test_weights_that_a_killed_run_did_not_write(self):
    state, source = _whole()
    folder = f'{self._folder()}/run'
    shutil.copytree(source, folder)
    found = weights.read_weights(f'{folder}/weights')
    shutil.rmtree(f'{folder}/weights')
    self._train(folder)
    again = weights.read_weights(f'{folder}/weights')
    chex.assert_trees_all_equal(found.params, again.params)
    self.assertEqual(again.config['steps'], int(state.step))

  def test_says_what_a_run_began_with_otherwise(self):
    _, source = _whole()
    folder = f'{self._folder()}/run'
    shutil.copytree(source, folder)
    with self.assertLogs(level='WARNING') as seen:
      self._train(folder, num_steps=5, checkpoint_every=5,
                  data={'photo_share': 0.5})
    self.assertIn('data.photo_share=0.5', ''.join(seen.output))
    self.assertNotIn('num_steps', ''.join(seen.output))

  def test_goes_on_from_weights(self):
    _, source = _whole()
    start, folder = f'{self._folder()}/start', self._folder()
    shutil.copytree(f'{source}/weights', start)
    first = []
    self._train(folder, lambda s: first.append(s.params) or s, num_steps=1,
                init_from=start, checkpoint_every=1)
    found = weights.read_weights(f'{folder}/weights')
    self.assertEqual(found.config['steps'], 4 + 1)
    self.assertEqual(found.config['model'], 'restorer')
    # The rate of the first step is 0.
    chex.assert_trees_all_equal(
        found.params, weights.read_weights(start).params)
    shutil.rmtree(start)  # Once begun, a run no longer needs them.
    self._train(folder, num_steps=2, init_from=start)
    self.assertEqual(
        weights.read_weights(f'{folder}/weights').config['steps'], 4 + 2)

  def test_photographs_and_textures(self):
    folder = pathlib.Path(self._folder())
    clips.write_pictures(folder / 'photos', 3)
    clips.write_pictures(folder / 'dust', 2)
    c = problem.make_config(num_steps=1)
    c.data.photos, c.data.textures = f'{folder}/photos', f'{folder}/dust'
    seen = []
    step = lambda state, clean, textures: seen.append(
        (clean.shape, textures.shape)) or (state, {'loss': 1.0})
    init, _ = problem.trainer()
    with mock.patch.object(restorer, 'make_trainer', lambda *_: (init, step)):
      train.train(c, f'{folder}/run')
    self.assertEqual(seen, [((8, 3, 32, 32, 3), (2, 96, 96))])
    c.data.root = ''  # Photographs alone will do.
    batch = next(iter(restorer.make_data(c)(start=0)))['clean']
    self.assertEqual((batch.shape, batch.dtype), ((8, 3, 32, 32, 3), np.uint8))

  def test_weights_of_another_architecture_are_refused(self):
    _, source = _whole()
    c = problem.make_config(init_from=f'{source}/weights')
    c.model.settings.features = 16
    with self.assertRaisesRegex(types.BadInput, 'another architecture'):
      train.train(c, self._folder())

  @pytest.mark.slow
  def test_checkpoints_of_another_architecture_are_refused(self):
    _, source = _whole()
    c = problem.make_config()
    c.model.settings.features = 16
    folder = f'{self._folder()}/run'
    shutil.copytree(source, folder)
    with self.assertRaisesRegex(types.BadInput, 'another model'):
      train.train(c, folder)

  @parameterized.parameters(
      (dict(algorithm='alchemy'), 'algorithm.*supervised'),
      ({'batch_size': 3, 'mesh.data': 2}, 'multiple'),
      (dict(num_steps=0), 'num_steps'),
      (dict(apart=True), 'apart.*8 devices'),
      ({'mesh.data': 99}, 'mesh.data=99 .* 8 devices'),
      ({'mesh.data': 4, 'mesh.model': 3}, 'mesh.model=3 does not fit'),
      ({'mesh.data': 0, 'mesh.model': 0}, 'mesh.model=0'),
      ({'mesh.data': 1, 'mesh.model': 5, 'data.size': 64},
       'cannot share out frames of 64 rows'),
      ({'mesh.data': 1, 'mesh.model': 2}, 'frames of 32 rows.*64 at least'),
      ({'accumulate': 3}, 'not a multiple .*accumulate=3'),
      ({'max_skipped': -1}, 'max_skipped'),
      ({'model.remat': 'all'}, 'remat.*nothing'),
      (dict(init_from='nowhere'), 'nowhere'),
      ({'data.root': ''}, 'data.root'),
      ({'data.root': '/nowhere'}, '/nowhere'),
      ({'data.photos': '/nowhere'}, '/nowhere'),
      ({'data.size': 40}, '40 is not a multiple of 16'),
      ({'data.textures': '/nowhere'}, 'data.textures'),
      ({'damage.mix': 'acid'}, 'mix.*film'),
      ({'damage.severity': (2.0, 0.5)}, 'severity'),
      ({'damage.severity': (0.0, 0.5)}, 'severity'),
      ({'model.name': 'painter'}, 'model.name.*restorer'),
      ({'model.dtype': 'int8'}, 'dtype'),
      ({'optimizer.name': 'sgd'}, 'optimizer.name.*muon'),
      ({'data.tfds': 'nowhere', 'data.tfds_dir': '/nowhere'}, 'nowhere'),
      ({'data.held_out': ('0.mkv', '9.mkv')}, '9.mkv is to be held out'),
      ({'only': ('head',)}, "no part 'head'.*heads"),
      ({'optimizer.shape': 'zigzag'}, 'shape'))
  def test_refuses(self, values, words):
    c = problem.make_config()
    c.update_from_flattened_dict(values)
    with self.assertRaisesRegex(types.BadInput, words):
      train.train(c, self._folder())

  @pytest.mark.slow
  def test_the_tiny_config_as_it_ships(self):
    c = config.get_config('tiny')
    c.data.root = problem.videos()
    folder = self._folder()
    self.assertEqual(int(train.train(c, folder).step), 4)
    self.assertEqual(_steps(folder), ([1, 2, 3, 4], [2, 4]))


if __name__ == '__main__':
  absltest.main()
