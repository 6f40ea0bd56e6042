"""Tests of models/inference.py: what the package offers to other programs."""

import functools
import json

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import revive_jax
from revive_jax import types
from revive_jax.metrics import calibration
from revive_jax.models import fills, inference, restorer, weights
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

  @pytest.mark.slow
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

  @pytest.mark.slow
  def test_shared_out_along_the_batch(self):
    frames = _frames(4, 2, 16, 16)
    layout = sharding.make_layout(4)
    shared, _ = _restore(sharding.put_batch({'x': frames}, layout)['x'])
    alone, _ = _restore(frames)
    self.assertLen(shared.output.sharding.device_set, 4)
    self.assertFalse(shared.output.sharding.is_fully_replicated)
    np.testing.assert_allclose(shared.output, alone.output, atol=1e-5)

  def test_frames_without_a_batch_are_refused(self):
    with self.assertRaises(AssertionError):
      _restore(_frames(1, 2, 16, 16)[0])


class AnswersTest(absltest.TestCase):

  @pytest.mark.slow
  def test_each_by_its_number(self):
    """Of a network with noise; number 0 is what it gives unasked."""
    model = restorer.Restorer(**_SETTINGS, noise=2)
    frames = _frames(1, 2, 32, 32)
    drawn = params.draw(model, jnp.zeros((1, 2, 32, 32, 3)))
    give = lambda **options: np.asarray(revive_jax.restore_frames(
        drawn, frames, model=model, **options)[0].output)
    first, second = give(sample=0), give(sample=1)
    np.testing.assert_array_equal(first, give())
    np.testing.assert_array_equal(second, give(sample=1))
    self.assertGreater(np.abs(first - second).max(), 1e-4)


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
    weights.write_sums(self.folder)  # Somebody meant it.

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


class SampleFramesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.model = fills.FillVae(features=(4, 4, 4), latent=2)
    x = jnp.zeros((1, 16, 16, 3))
    self.params = params.draw(
        self.model, x, x[..., :1], x[..., :1], x, jnp.zeros((1, 2, 2, 2)))

  def _sample(self, num_samples, seed=0):
    frames = _frames(1, 2, 21, 35)
    mask = np.zeros((1, 2, 21, 35, 1), np.float32)
    mask[:, :, 5:15, 8:20] = 1
    return revive_jax.sample_frames(
        _params(), self.params, frames, jax.random.key(seed), model=_MODEL,
        fill_model=self.model, sigma=0.05, num_samples=num_samples, mask=mask)

  def test_differ_in_the_damage_alone(self):
    found = self._sample(3)
    self.assertEqual(found.outputs.shape, (3, 1, 2, 21, 35, 3))
    hole = np.asarray(found.restored.damage[..., 0]) > 0.5
    self.assertGreater(hole.sum(), 200)
    for output in np.asarray(found.outputs):
      np.testing.assert_array_equal(
          output[~hole], np.asarray(found.restored.output)[~hole])
    np.testing.assert_array_equal(
        np.asarray(found.mean)[~hole],
        np.asarray(found.restored.output)[~hole])
    deviation = np.asarray(found.deviation[..., 0])
    self.assertEqual(deviation[~hole].max(), 0)
    self.assertGreater(deviation[hole].mean(), 1e-3)
    np.testing.assert_allclose(
        found.mean, np.asarray(found.outputs).mean(0), atol=1e-6)
    # The variances of what differs, and of the clean picture around each fill.
    spread = np.asarray(found.outputs).var(0, ddof=1).mean(-1)
    np.testing.assert_allclose(
        deviation[hole], np.sqrt(spread + 0.05**2)[hole], atol=1e-5)
    judged = calibration.Calibration.of(
        np.asarray(found.mean[..., :1]) - 0.5, found.deviation,
        np.asarray(found.deviation) > 0)
    self.assertEqual(judged.count.sum(), hole.sum())

  def test_each_by_its_number_and_the_seed(self):
    three, two = self._sample(3), self._sample(2)
    np.testing.assert_allclose(three.outputs[:2], two.outputs, atol=1e-6)
    other = self._sample(2, seed=1)
    self.assertGreater(np.abs(other.outputs - two.outputs).max(), 1e-3)

  @pytest.mark.slow
  def test_one_of_them_goes_into_the_film(self):
    mask = np.zeros((1, 2, 21, 35, 1), np.float32)
    mask[:, :, 5:15, 8:20] = 1
    drawn = self._sample(3)
    found, _ = inference.fill_frames(
        _params(), _frames(1, 2, 21, 35), model=_MODEL, seed=0, num_samples=3,
        fills=inference.Fills(self.model, self.params, 0.05), sample=2,
        mask=mask)
    np.testing.assert_allclose(found.output, drawn.outputs[2], atol=1e-6)
    np.testing.assert_allclose(found.spread, drawn.deviation, atol=1e-6)
    np.testing.assert_array_equal(found.damage, drawn.restored.damage)

  def test_refuses_other_weights(self):
    still = self.create_tempdir().full_path + '/restorer'
    weights.save_weights(still, _params(), model='restorer',
                         settings=_SETTINGS, card='')
    sha = weights.read_weights(still).config['sha256']
    load = functools.partial(revive_jax.load_fills, restorer_weights=still)
    with self.assertRaisesRegex(types.BadInput, 'of a restorer, which makes'):
      load(still)

    def saved(name, **changes):
      folder = f'{self.create_tempdir().full_path}/{name}'
      weights.save_weights(folder, self.params, **(dict(
          model='fill_vae', card='', restorer=sha, sigma=0.05,
          settings=dict(features=(4, 4, 4), latent=2)) | changes))
      return folder

    found = load(saved('good'))
    self.assertEqual((found.model, found.sigma), (self.model, 0.05))
    chex.assert_trees_all_close(found.params, self.params, atol=1e-3)
    with self.assertRaisesRegex(types.BadInput, 'for another restorer'):
      load(saved('other', restorer='0' * 64))
    with self.assertRaisesRegex(types.BadInput, 'not those of a fill_vae'):
      load(saved('strange', settings=dict(colour='red')))

  def test_refuses_what_does_not_fit(self):
    with self.assertRaisesRegex(types.BadInput, '0 samples'):
      self._sample(0)
    frames = _frames(1, 2, 16, 16)
    with self.assertRaisesRegex(types.BadInput, 'mask of shape .* not fit'):
      _restore(frames, mask=np.zeros((1, 2, 16, 24, 1), np.float32))

  def test_frames_share_their_noise(self):
    # Of two equal frames, alone in their shots, the fills are equal.
    frames = np.repeat(_frames(2, 1, 16, 16), 2, 1)
    mask = np.zeros((2, 2, 16, 16, 1), np.float32)
    mask[:, :, 4:12, 4:12] = 1
    found = revive_jax.sample_frames(
        _params(), self.params, frames, jax.random.key(0), model=_MODEL,
        fill_model=self.model, sigma=0.05, num_samples=2, mask=mask,
        cuts=np.ones((2, 2), bool))
    np.testing.assert_allclose(
        found.outputs[:, :, 0], found.outputs[:, :, 1], atol=1e-5)
    self.assertGreater(
        np.abs(found.outputs[:, 0] - found.outputs[:, 1]).max(), 0.01)


if __name__ == '__main__':
  absltest.main()
