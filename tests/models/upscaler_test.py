"""Tests of models/upscaler.py: what it keeps, and against Pillow's Lanczos."""

import functools

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image

from revive_jax.models import upscaler
from revive_jax.ops import resize
from tests import compiling
from tests.models import params as params_lib

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


@functools.cache
def made():
  """A tiny network of random weights, and them."""
  model = upscaler.Upscaler(features=8, num_blocks=1)
  return model, params_lib.draw(model, jnp.zeros((1, 8, 8, 3)))


def applied(frames):
  model, params = made()
  return np.asarray(jax.jit(model.apply)({'params': params}, frames))


def _frames(*shape, seed=0):
  """Frames from black to white, with much of both."""
  values = np.random.default_rng(seed).normal(0.5, 0.5, shape)
  return np.clip(values, 0, 1).astype(np.float32)


class UpscalerTest(parameterized.TestCase):

  @parameterized.parameters(
      ((1, 1, 3),), ((7, 10, 3),), ((2, 9, 8, 3),), ((1, 2, 6, 5, 3),))
  def test_means_are_the_source(self, shape):
    """Of weights that were never trained: it is so by construction."""
    frames = _frames(*shape)
    output = applied(frames)
    self.assertEqual(output.shape, (
        *shape[:-3], 2 * shape[-3], 2 * shape[-2], 3))
    np.testing.assert_allclose(resize.mean_pool(output), frames, atol=1e-6)
    self.assertGreaterEqual(output.min(), -1e-6)
    self.assertLessEqual(output.max(), 1 + 1e-6)
    if min(shape[-3:-1]) > 4:  # And it adds something to the source.
      plain = frames.repeat(2, -3).repeat(2, -2)
      self.assertGreater(abs(output - plain).mean(), 0.01)

  def test_means_are_kept_at_black_and_white(self):
    """By hand: a block of mean 0.9 may differ by 0.1 upwards, no more."""
    x = np.full((1, 1, 1, 1), 0.9, np.float32)
    y = np.array([[1.4, 0.9], [0.9, 0.4]], np.float32).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(
        upscaler.kept_means(y, x).ravel(), [1.0, 0.9, 0.9, 0.8], atol=1e-6)
    np.testing.assert_array_equal(
        upscaler.kept_means(y, np.ones_like(x)), np.ones((1, 2, 2, 1)))

  def test_enlarges_as_pillow_does(self):
    frame = _frames(12, 16)
    wanted = np.asarray(PIL.Image.fromarray(frame).resize(
        (32, 24), PIL.Image.Resampling.LANCZOS))
    got = np.asarray(upscaler.enlarge(frame[None, ..., None]))[0, ..., 0]
    # At the border it repeats the last pixel, and Pillow leaves it out.
    np.testing.assert_allclose(
        got[6:-6, 6:-6], wanted[6:-6, 6:-6], atol=1e-5)

  def test_begins_as_lanczos_with_the_means_of_the_source(self):
    model, params = made()
    params = params | {'out': jax.tree.map(np.zeros_like, params['out'])}
    frame = 0.4 + 0.2 * _frames(1, 8, 8, 3)  # Nothing leaves [0, 1].
    plain = upscaler.enlarge(frame)
    kept = plain + (frame - resize.mean_pool(plain)).repeat(2, 1).repeat(2, 2)
    output = jax.jit(model.apply)({'params': params}, frame)
    np.testing.assert_allclose(output, kept, atol=1e-5)

  def test_reach(self):
    """What lies farther away than reach() does not matter; what is nearer does.
    """
    model, _ = made()
    reach = model.reach()
    frame = _frames(1, 4, 2 * reach + 8, 3)
    other = frame.copy()
    other[:, :, 0] = 1 - other[:, :, 0]
    apart = abs(applied(frame) - applied(other)).max((0, 1, 3))
    self.assertGreater(apart[2 * reach], 0)
    np.testing.assert_allclose(apart[2 * reach + 2:], 0, atol=1e-6)


if __name__ == '__main__':
  absltest.main()
