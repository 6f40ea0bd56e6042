"""Tests of ops/resize.py."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.ops import resize


def _random(*shape):
  return np.random.default_rng(0).random(shape, np.float32)


class BlocksTest(parameterized.TestCase):

  def test_by_hand(self):
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    blocks = resize.space_to_depth(x)
    self.assertEqual(blocks.shape, (1, 2, 2, 4))
    self.assertEqual(blocks[0, 0, 1].tolist(), [2, 3, 6, 7])
    self.assertEqual(blocks[0, 1, 0].tolist(), [8, 9, 12, 13])
    two = resize.space_to_depth(jnp.arange(8.0).reshape(2, 2, 2))
    self.assertEqual(two.tolist(), [[[0, 1, 2, 3, 4, 5, 6, 7]]])

  @parameterized.parameters((2,), (4,))
  def test_there_and_back(self, block):
    x = _random(2, 3, 8, 12, 5)
    deep = resize.space_to_depth(x, block)
    self.assertEqual(
        deep.shape, (2, 3, 8 // block, 12 // block, 5 * block**2))
    np.testing.assert_array_equal(resize.depth_to_space(deep, block), x)

  def test_a_rest_is_refused(self):
    with self.assertRaises(TypeError):
      resize.space_to_depth(jnp.zeros((1, 5, 4, 1)))

  def test_mean_pool_by_hand(self):
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(
        resize.mean_pool(x)[0, ..., 0], [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(resize.mean_pool(x, 4), [[[[7.5]]]])

  def test_pad_to_multiple(self):
    x = _random(2, 3, 5, 16, 1)
    padded = resize.pad_to_multiple(x, 16)
    self.assertEqual(padded.shape, (2, 3, 16, 16, 1))
    np.testing.assert_array_equal(padded[:, :, :5], x)
    np.testing.assert_array_equal(
        padded[:, :, 5:], np.repeat(x[:, :, 4:], 11, 2))
    np.testing.assert_array_equal(resize.pad_to_multiple(padded, 16), padded)


class DoubleTest(absltest.TestCase):

  def test_against_jax_image(self):
    x = _random(2, 6, 9, 3)
    wanted = jax.image.resize(x, (2, 12, 18, 3), 'linear')
    np.testing.assert_allclose(jax.jit(resize.double)(x), wanted, atol=1e-6)

  def test_by_hand(self):
    x = jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1)
    np.testing.assert_array_equal(
        resize.double(x)[0, ..., 0], [[0, 1, 3, 4]] * 2)


if __name__ == '__main__':
  absltest.main()
