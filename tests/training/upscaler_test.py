"""Tests of training/upscaler.py, algorithms/upscaler.py and their config."""

import functools
import pathlib

from absl.testing import absltest, parameterized
import chex
import cv2
import jax
import numpy as np
import optax
import pytest

from configs import upscaler as config
from revive_jax import train, types
from revive_jax.algorithms import upscaler as algorithm
from revive_jax.models import inference, weights
from revive_jax.models import upscaler as upscaler_lib
from revive_jax.ops import resize
from revive_jax.training import upscaler
from tests import compiling
from tests.models import params as params_lib
from tests.training import layouts, problem

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_PLAIN = upscaler.Draw(bicubic_share=0.0, noise_share=0.0, noise=2.0,
                       coded_share=0.0, coarseness=0.4)


def _clips():
  return problem.clean()[:4, :1].astype(np.float32) / 255


_make_small = jax.jit(upscaler.make_small)  # Once for all of them.


def _small(**changes):
  return np.asarray(_make_small(
      jax.random.key(0), _clips(), _PLAIN._replace(**changes)))


class MakeSmallTest(parameterized.TestCase):

  def test_means_as_opencv_has_them(self):
    for clip, small in zip(_clips(), _small(), strict=True):
      wanted = cv2.resize(clip[0], (16, 16), interpolation=cv2.INTER_AREA)
      np.testing.assert_allclose(small[0], wanted, atol=0.5001 / 255)
    codes = 255 * _small()
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)

  @parameterized.parameters(
      dict(bicubic_share=1.0), dict(noise_share=1.0), dict(coded_share=1.0))
  def test_each_share_changes_its_clips(self, **changes):
    apart = abs(_small(**changes) - _small()).max((1, 2, 3, 4))
    self.assertTrue((apart > 0.9 / 255).all(), apart)
    # And little: what was coded coarsely could not be made out again.
    self.assertLess(np.mean((_small(**changes) - _small()) ** 2), 0.04**2)


_MODEL = upscaler_lib.Upscaler(features=8, num_blocks=1)


def _compile(layout, parts=1):
  return upscaler.compile_step(
      layout, model=_MODEL, tx=optax.adam(1e-3), seed=0, epsilon=1e-2,
      ema_decay=0.999, parts=parts, draw=_PLAIN._replace(
          bicubic_share=0.5, noise_share=0.5, coded_share=0.5))


@functools.cache
def _after(**layout):
  params = params_lib.draw(_MODEL, np.zeros((1, 8, 8, 3), np.float32))
  state = upscaler.init_state(
      jax.random.key(0), model=_MODEL, tx=optax.adam(1e-3), params=params)
  return layouts.steps(
      _compile, state, [problem.clean(64)[:, :1]] * 2, **layout)


class LayoutsTest(layouts.TestCase):

  after = staticmethod(_after)


class TrainTest(parameterized.TestCase):

  def _config(self, **values):
    c = config.get_config('tiny')
    c.data.root, c.mesh.data, c.checkpoint_every = problem.videos(), 1, 2
    c.optimizer.update(warmup=1)
    c.update_from_flattened_dict(values)
    return c

  def test_learns_and_leaves_weights(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    state = train.train(self._config(num_steps=3), folder)
    self.assertEqual(int(state.step), 3)
    model, params = inference.load_upscaler(folder / 'weights')
    frames = np.float32(_clips()[:1])
    output = inference.upscale_frames(params, frames, model=model)
    np.testing.assert_allclose(resize.mean_pool(output), frames, atol=1e-6)
    flat = frames[:, 0]
    self.assertGreater(
        abs(output[:, 0] - upscaler_lib.enlarge(flat)).max(), 1e-3)
    picture = cv2.imread(str(folder / 'pictures/enlarged_0000003.png'))
    self.assertEqual(picture.shape, (4 * 34, 4 * 34, 3))
    self.assertNotIn(folder.name, weights.shipped())

  @pytest.mark.slow
  def test_resumes_exactly(self):
    whole, half = (pathlib.Path(self.create_tempdir().full_path)
                   for _ in range(2))
    c = dict(**{'optimizer.final_decay': 0.0})
    state = train.train(self._config(num_steps=4, **c), whole)
    train.train(self._config(num_steps=2, **c), half)
    chex.assert_trees_all_equal(
        train.train(self._config(num_steps=4, **c), half), state)

  @parameterized.parameters(
      ({'data.size': 33}, 'not a multiple of 2'),
      ({'small.noise_share': 1.5}, 'noise_share=1.5 is not between 0 and 1'),
      ({'small.coarseness': 0.0}, 'coarseness above it'),
      ({'model.name': 'restorer'}, 'choose one of upscaler'),
      ({'data.root': ''}, 'nothing to train on'))
  def test_refusals(self, values, sentence):
    with self.assertRaisesRegex(types.BadInput, sentence):
      algorithm.check(self._config(**values))

  def test_weights_of_something_else_are_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'does not enlarge frames'):
      inference.load_upscaler('restorer')
    with self.assertRaisesRegex(types.BadInput, 'does not restore frames'):
      inference.load_weights('upscaler')


if __name__ == '__main__':
  absltest.main()
