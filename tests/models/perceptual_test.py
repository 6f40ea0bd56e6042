"""Tests of models/perceptual.py."""

import pathlib

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from scipy import signal

from revive_jax import types
from revive_jax.losses import perceptual as distance_lib
from revive_jax.models import perceptual, restorer
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

# Number in torchvision, channels in and out, of each convolution of VGG-16.
_LAYERS = ((0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128),
           (10, 128, 256), (12, 256, 256), (14, 256, 256), (17, 256, 512),
           (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512),
           (28, 512, 512))


def _tensors():
  rng = np.random.default_rng(0)
  result = {}
  for number, before, after in _LAYERS:
    scale = (2 / (9 * before)) ** 0.5
    result[f'features.{number}.weight'] = scale * rng.standard_normal(
        (after, before, 3, 3)).astype(np.float32)
    result[f'features.{number}.bias'] = 0.1 * rng.standard_normal(
        after).astype(np.float32)
  return result


class VggTest(absltest.TestCase):

  def _file(self, tensors):
    path = pathlib.Path(self.create_tempdir().full_path) / 'vgg.safetensors'
    safetensors.numpy.save_file(tensors, path)
    return path

  def test_shapes_and_the_first_layers_against_scipy(self):
    tensors = _tensors()
    picture = np.random.default_rng(1).random((1, 16, 16, 3), np.float32)
    network = perceptual.of_vgg(self._file(tensors))
    self.assertIsNone(network.channels)
    found = network.features(jnp.asarray(picture))
    self.assertEqual([x.shape[1:] for x in found], [
        (16, 16, 64), (8, 8, 128), (4, 4, 256), (2, 2, 512), (1, 1, 512)])
    x = (picture[0] - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for number in (0, 2):
      kernel = tensors[f'features.{number}.weight']
      x = np.stack([np.maximum(0, sum(
          signal.correlate2d(x[..., i], kernel[o, i], mode='same')
          for i in range(x.shape[-1])) + tensors[f'features.{number}.bias'][o])
                    for o in range(64)], -1)
    np.testing.assert_allclose(found[0][0], x, atol=1e-3)

  def test_lpips_by_its_formula(self):
    rng, tensors = np.random.default_rng(2), _tensors()
    sizes = (64, 128, 256, 512, 512)
    for i, size in enumerate(sizes):
      tensors[f'lin{i}.model.1.weight'] = rng.random(
          (1, size, 1, 1), np.float32)
    features, channels = perceptual.load(self._file(tensors))
    a, b = rng.random((2, 1, 16, 16, 3), np.float32)
    expected = 0.0
    for i, (x, y) in enumerate(zip(features(a), features(b), strict=True)):
      unit = lambda v: np.asarray(v) / np.linalg.norm(
          v, axis=-1, keepdims=True)
      weight = tensors[f'lin{i}.model.1.weight'].reshape(-1)
      expected += ((unit(x) - unit(y)) ** 2 @ weight).mean()
    np.testing.assert_allclose(
        distance_lib.distance(a, b, features=features, channels=channels),
        [expected], rtol=1e-4)
    del tensors['lin3.model.1.weight']
    with self.assertRaisesRegex(types.BadInput, 'lin3.model.1.weight'):
      perceptual.of_vgg(self._file(tensors))

  def test_random_features_are_fixed_and_tell_blur_from_nothing(self):
    one, two = (perceptual.load('random') for _ in range(2))
    x = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    soft = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2)) / 3
    distance = lambda n, a: float(distance_lib.distance(
        jnp.asarray(a), jnp.asarray(x), features=n.features)[0])
    self.assertEqual(distance(one, soft), distance(two, soft))
    self.assertEqual(distance(one, x), 0)
    self.assertGreater(distance(one, soft), distance(one, 0.9 * x + 0.1 * soft))

  def test_load(self):
    network = perceptual.load('restorer')
    shapes = [x.shape for x in network.features(jnp.zeros((1, 32, 48, 3)))]
    self.assertEqual([s[:3] for s in shapes], [(1, 16, 24), (1, 4, 6)])
    with self.assertRaisesRegex(types.BadInput, 'no measure'):
      perceptual.load('niqe')

  def test_refuses_other_files(self):
    tensors = _tensors()
    tensors['features.5.weight'] = tensors['features.5.weight'][:, :3]
    with self.assertRaisesRegex(types.BadInput, 'features.5 is not that of'):
      perceptual.of_vgg(self._file(tensors))
    del tensors['features.0.bias']
    with self.assertRaisesRegex(types.BadInput, 'features.0 is not that of'):
      perceptual.of_vgg(self._file(tensors))
    path = pathlib.Path(self.create_tempdir().full_path) / 'x.safetensors'
    path.write_bytes(b'text')
    with self.assertRaisesRegex(types.BadInput, 'no .safetensors'):
      perceptual.of_vgg(path)
    with self.assertRaisesRegex(types.BadInput, 'no .safetensors'):
      perceptual.of_vgg('/nowhere/vgg.safetensors')


class RestorerTest(absltest.TestCase):

  def test_distances_have_gradients_and_grow(self):
    model = restorer.Restorer(features=8, deep_features=8, num_blocks=1)
    weights = params.draw(model, jnp.zeros((1, 2, 32, 32, 3)))
    features = perceptual.of_restorer(model, weights)
    rng = np.random.default_rng(0)
    x = rng.random((2, 24, 40, 3), np.float32)
    noise = rng.standard_normal(x.shape).astype(np.float32)
    distance = jax.jit(lambda y: distance_lib.distance(
        y, jnp.asarray(x), features=features))
    self.assertEqual([f.shape for f in features(jnp.asarray(x))],
                     [(2, 16, 24, 8), (2, 4, 6, 32)])
    near, far = (np.asarray(distance(x + s * noise)) for s in (0.02, 0.2))
    np.testing.assert_allclose(distance(jnp.asarray(x)), 0, atol=1e-6)
    self.assertTrue((near > 0).all() and (far > near).all())
    slope = jax.grad(lambda y: distance(y).sum())(jnp.asarray(x + 0.02 * noise))
    self.assertTrue(np.isfinite(slope).all())
    self.assertGreater(np.abs(slope).max(), 0)


if __name__ == '__main__':
  absltest.main()
