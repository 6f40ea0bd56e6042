"""Tests of the network that tells faces apart."""

import functools
import pathlib

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import types
from revive_jax.faces import similarity
from revive_jax.models import face, weights
from tests import compiling
from tests.faces import people

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


@functools.cache
def _small():
  model = face.Embedder((4, 4, 4, 4), 8)
  params = jax.jit(model.init)(
      jax.random.key(0), jnp.zeros((1, 64, 64, 3)))['params']
  return model, params


class FaceTest(absltest.TestCase):

  def test_unit_vectors_whatever_the_light(self):
    embed = face.of(*_small())
    faces = similarity.cut(
        people.picture().astype(np.float32) / 255, people.FACE)[None]
    dark = np.round(0.5 * faces + 20).astype(np.uint8)
    a, b = embed(faces), embed(dark)
    np.testing.assert_allclose(np.linalg.norm(a, axis=-1), 1, atol=1e-5)
    self.assertGreater((a * b).sum(), 0.99)

  def test_any_number_of_faces(self):
    embed = face.of(*_small())
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (21, 64, 64, 3)).astype(np.uint8)
    together = embed(faces)
    self.assertEqual(together.shape, (21, 8))
    np.testing.assert_allclose(together[17:18], embed(faces[17:18]), atol=1e-5)
    self.assertEqual(embed(faces[:0]).shape, (0, 8))

  def test_what_ships_knows_a_person_again(self):
    embed = face.load()
    picture = people.picture().astype(np.float32) / 255
    rng = np.random.default_rng(0)
    noisy = np.clip(picture + rng.normal(0, 0.08, picture.shape), 0, 1)
    other = people.stranger(320).astype(np.float32) / 255
    whole = np.array([0.1, 0.1, 0.8, 0.8])
    me, again, grey, stranger = embed(np.stack([
        similarity.cut(picture, people.FACE),
        similarity.cut(noisy.astype(np.float32), people.FACE),
        similarity.cut(np.repeat(picture.mean(-1, keepdims=True), 3, -1),
                       people.FACE),
        similarity.cut(other, whole)]))
    self.assertGreater(me @ again, 0.7)
    self.assertGreater(me @ grey, 0.7)
    self.assertLess(me @ stranger, 0.4)

  def test_what_ships_is_small(self):
    folder = pathlib.Path(face.__file__).parents[1] / 'weights'
    self.assertLess(
        (folder / 'face/model.safetensors').stat().st_size, 600_000)
    # All networks together.
    self.assertLess(sum(p.stat().st_size for p in folder.rglob('*.safetensors')
                        ), 12_000_000)

  def test_other_weights_are_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'does not tell faces apart'):
      face.load('restorer')
    folder = self.create_tempdir().full_path + '/face'
    _, params = _small()
    weights.save_weights(folder, jax.tree.map(np.asarray, params), model='face',
                         settings={'features': [4, 4, 4, 5], 'size': 8},
                         card='')
    with self.assertRaisesRegex(types.BadInput, 'another architecture'):
      face.load(folder)


if __name__ == '__main__':
  absltest.main()
