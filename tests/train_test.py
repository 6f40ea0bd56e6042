"""Tests of train.py: the loop, its restarts, its refusals."""

import functools
import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import jax
import numpy as np

from configs import restorer as config
from revive_jax import train, types
from revive_jax.degradations import chain
from revive_jax.models import weights
from revive_jax.video import writer
from tests.pipeline import clips

# A short mix: what is tested here is the loop, and it compiles in seconds.
_MIX = chain.Mix({'grain': 1.0, 'scratches': 0.7}, shuffled=0.0)


@functools.cache
def _videos() -> str:
  """A folder with two short videos; it lives as long as the tests."""
  folder = tempfile.mkdtemp()
  for seed in range(2):
    film = np.round(255 * clips.panning(8, 48, 64, seed=seed)).astype(np.uint8)
    writer.write_rgb(pathlib.Path(folder) / f'{seed}.mkv', film, frame_rate=24)
  return folder


def _config(**values):
  c = config.get_config('tiny')
  c.data.root = _videos()
  c.damage.mix = 'short'
  c.devices = 1
  c.batch_size = 4
  c.update(values)
  return c


class TrainTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.dict(chain.MIXES, short=_MIX))

  def _folder(self) -> str:
    return self.create_tempdir().full_path

  def test_resumed_run_equals_uninterrupted(self):
    whole = train.train(_config(num_steps=4), self._folder())
    folder = self._folder()
    c = _config(num_steps=4)
    stopped = mock.patch.object(
        train._Loop, 'write_weights', side_effect=[KeyboardInterrupt])
    with stopped, self.assertRaises(KeyboardInterrupt):
      train.train(c, folder)  # Interrupted just after step 2 was saved.
    resumed = train.train(c, folder)
    chex.assert_trees_all_equal(whole, resumed)
    lines = pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()
    self.assertEqual([json.loads(x)['step'] for x in lines], [1, 2, 3, 4])

  def test_one_device_equals_four(self):
    one, four = (
        train.train(_config(num_steps=1, devices=n), self._folder())
        for n in (1, 4))
    # The first moments of Adam are the gradients: rounding is not blown up
    # there as it is in the steps, which divide by their own size.
    moments = [jax.device_get(s.opt_state[1][0].mu) for s in (one, four)]
    largest = max(np.abs(x).max() for x in jax.tree.leaves(moments[0]))
    chex.assert_trees_all_close(*moments, atol=1e-4 * largest)

  def test_loss_falls_and_weights_can_be_used_again(self):
    folder = self._folder()
    c = _config(num_steps=60, log_every=1, checkpoint_every=100)
    c.optimizer.peak = 3e-3
    c.damage.clean_share = 0.0
    train.train(c, folder)
    lines = pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()
    loss = [json.loads(line)['loss'] for line in lines]
    self.assertLess(np.mean(loss[-15:]), 0.9 * np.mean(loss[:15]))
    found = weights.read_weights(f'{folder}/weights')
    self.assertEqual(found.config['steps'], 60)
    again = self._folder()
    train.train(_config(num_steps=1, init_from=f'{folder}/weights'), again)
    self.assertEqual(
        weights.read_weights(f'{again}/weights').config['steps'], 61)
    c = _config(num_steps=1, init_from=f'{folder}/weights')
    c.model.settings.features = 16
    with self.assertRaisesRegex(types.BadInput, 'another architecture'):
      train.train(c, self._folder())

  def test_stops_where_the_loss_is_not_finite(self):
    folder = self._folder()
    train.train(_config(num_steps=2), folder)
    c = _config(num_steps=6)
    c.losses.dice = float('nan')
    with self.assertRaisesRegex(FloatingPointError, 'Step 3: .*loss'):
      train.train(c, folder)
    saved = sorted(
        p.name for p in pathlib.Path(folder, 'checkpoints').iterdir())
    self.assertEqual(saved, ['2'])

  def test_sigterm_saves_and_returns(self):
    folder = self._folder()
    with mock.patch.object(train, '_stopped_by_sigterm') as stopped:
      event = mock.Mock(is_set=mock.Mock(side_effect=[False, False, True]))
      stopped.return_value.__enter__.return_value = event
      stopped.return_value.__exit__.return_value = None
      state = train.train(_config(num_steps=9, checkpoint_every=9), folder)
    self.assertEqual(int(state.step), 3)
    self.assertTrue(pathlib.Path(folder, 'checkpoints', '3').is_dir())

  @parameterized.parameters(
      (dict(algorithm='alchemy'), 'algorithm'),
      (dict(batch_size=3, devices=2), 'multiple'),
      (dict(num_steps=0), 'num_steps'),
      (dict(devices=99), 'devices'),
      (dict(init_from='nowhere'), 'nowhere'),
      ({'data.root': ''}, 'data.root'),
      ({'data.root': '/nowhere'}, 'nowhere'),
      ({'data.size': 40}, '16'),
      ({'data.textures': '/nowhere'}, 'textures'),
      ({'damage.mix': 'acid'}, 'mix'),
      ({'model.name': 'painter'}, 'model.name'),
      ({'optimizer.shape': 'zigzag'}, 'shape'))
  def test_refuses(self, values, word):
    c = _config()
    c.update_from_flattened_dict(values)
    with self.assertRaisesRegex(types.BadInput, word):
      train.train(c, self._folder())


if __name__ == '__main__':
  absltest.main()
