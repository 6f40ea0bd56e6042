"""Tests of models/inference.py: what the package offers to other programs."""

import functools
import json

from absl.testing import absltest, parameterized
import chex
import jax.numpy as jnp
import numpy as np

import revive_jax
from revive_jax import types
from revive_jax.models import restorer, weights
from revive_jax.training import sharding
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_SETTINGS = dict(features=8, deep_features=8, num_blocks=1)
_MODEL = restorer.Restorer(**_SETTINGS)


@functools.cache
def _params():
  return params.draw(_MODEL, jnp.zeros((1, 2, 32, 32, 3)))


def _frames(batch, time, height, width):
  return np.random.default_rng(0).random(
      (batch, time, height, width, 3), np.float32)


def _restore(frames, **kwargs):
  return revive_jax.restore_frames(_params(), frames, model=_MODEL, **kwargs)


class RestoreFramesTest(absltest.TestCase):

  def test_any_size_and_on_from_a_state(self):
    frames = _frames(1, 4, 21, 35)
    whole, last = _restore(frames, causal=True)
    self.assertEqual(whole.output.shape, (1, 4, 21, 35, 3))
    self.assertEqual(whole.damage.shape, (1, 4, 21, 35, 1))
    self.assertEqual(whole.flow.shape, (1, 4, 2, 11, 18, 2))
    self.assertBetween(whole.output.min(), 0, 1)
    self.assertBetween(whole.output.max(), 0, 1)
    first, state = _restore(frames[:, :2], causal=True)
    second, end = _restore(frames[:, 2:], causal=True, state=state)
    np.testing.assert_allclose(
        np.concatenate([first.output, second.output], 1), whole.output,
        atol=1e-5)
    chex.assert_trees_all_close(end, last, atol=1e-5)

  def test_cuts_and_marks_as_numbers(self):
    frames = _frames(1, 3, 16, 16)
    cuts = np.array([[0, 1, 0]])
    mask = np.zeros((1, 3, 16, 16, 1), np.uint8)
    mask[:, 1, 4:8] = 255
    found, _ = _restore(frames, cuts=cuts, mask=mask)
    wanted, _ = _restore(
        frames, cuts=cuts > 0, mask=(mask > 0).astype(np.float32))
    np.testing.assert_allclose(found.output, wanted.output, atol=1e-6)
    self.assertEqual(found.damage[:, 1, 4:8].min(), 1)
    self.assertEqual(found.damage.max(), 1)
    plain, _ = _restore(frames)
    self.assertGreater(np.abs(plain.output - found.output).max(), 1e-3)

  def test_shared_out_along_the_batch(self):
    frames = _frames(4, 2, 16, 16)
    mesh = sharding.make_mesh(4)
    shared, _ = _restore(sharding.put_batch({'x': frames}, mesh)['x'])
    alone, _ = _restore(frames)
    self.assertLen(shared.output.sharding.device_set, 4)
    self.assertFalse(shared.output.sharding.is_fully_replicated)
    np.testing.assert_allclose(shared.output, alone.output, atol=1e-5)

  def test_frames_without_a_batch_are_refused(self):
    with self.assertRaises(AssertionError):
      _restore(_frames(1, 2, 16, 16)[0])


class LoadWeightsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path + '/net'
    weights.save_weights(self.folder, _params(), model='restorer',
                         settings=_SETTINGS, card='')

  def _edit(self, **changes):
    path = f'{self.folder}/config.json'
    with open(path) as file:
      config = json.load(file)
    with open(path, 'w') as file:
      json.dump(config | changes, file)

  def test_makes_the_network_of_the_folder(self):
    model, found = revive_jax.load_weights(self.folder)
    self.assertEqual(model, _MODEL)
    chex.assert_trees_all_close(found, _params(), atol=1e-3)

  @parameterized.parameters(
      (dict(model='painter'), "model 'painter'"),
      (dict(settings={'colour': 3}), 'another version'),
      (dict(settings=_SETTINGS | {'features': '48'}), 'damaged'),
      (dict(settings=_SETTINGS | {'features': 0}), 'damaged|another'),
      (dict(settings=_SETTINGS | {'features': -1}), 'damaged|another'),
      (dict(settings=_SETTINGS | {'features': 2.5}), 'damaged|another'),
      (dict(settings=_SETTINGS | {'features': 16}), 'another architecture'))
  def test_refuses(self, changes, words):
    self._edit(**changes)
    with self.assertRaisesRegex(types.BadInput, words):
      revive_jax.load_weights(self.folder)


if __name__ == '__main__':
  absltest.main()
