"""Tests of embeddings of the user's."""

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.faces import embedding
from tests.faces import onnx


class EmbeddingTest(absltest.TestCase):

  def test_onnx(self):
    path = self.create_tempfile('e.onnx', onnx.means(), mode='wb').full_path
    found = embedding.onnx(path)
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (2, 112, 112, 3)).astype(np.uint8)
    expected = faces.reshape(2, 4, 28, 4, 28, 3).mean((2, 4))
    expected = expected.transpose(0, 3, 1, 2).reshape(2, -1)  # RGB first.
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    self.assertEqual(found.side, 112)
    np.testing.assert_allclose(found.embed(faces), expected, atol=1e-5)
    self.assertEmpty(found.embed(faces[:0]))

  def test_what_is_none_is_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'there is no such file'):
      embedding.onnx('nowhere.onnx')
    path = self.create_tempfile('e.onnx', 'no network').full_path
    with self.assertRaisesRegex(types.BadInput, 'not an ONNX file'):
      embedding.onnx(path)


if __name__ == '__main__':
  absltest.main()
