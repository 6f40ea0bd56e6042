"""Tests of ops/selection.py."""

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np

from revive_jax.ops import selection


class MedianTest(parameterized.TestCase):

  @parameterized.parameters((1, 1), (3, 5), (4, 6))
  def test_as_numpy_says(self, height, width):
    x = np.random.default_rng(0).normal(0, 1e3, (2, height, width, 2))
    x = x.astype(np.float32)
    np.testing.assert_array_equal(
        selection.by_bits(jnp.asarray(x)), np.median(x, (1, 2)))
    np.testing.assert_array_equal(selection.median(x), np.median(x, (1, 2)))

  def test_equal_numbers_zeros_and_signs(self):
    x = np.float32([-2, -0.0, 0, 0, 1e-40, 3]).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(selection.by_bits(jnp.asarray(x)), [[0]])
    x = np.full((1, 4, 4, 1), -1.5, np.float32)
    np.testing.assert_array_equal(selection.by_bits(jnp.asarray(x)), [[-1.5]])

  def test_order_does_not_matter(self):
    x = np.random.default_rng(1).normal(size=(1, 8, 9, 1)).astype(np.float32)
    mixed = x.reshape(1, 9, 8, 1)[:, ::-1]
    np.testing.assert_array_equal(
        selection.by_bits(jnp.asarray(x)), selection.by_bits(
            jnp.asarray(mixed)))

  def test_planes_alone_are_refused(self):
    with self.assertRaises(ValueError):
      selection.by_bits(jnp.zeros((4, 4)))


if __name__ == '__main__':
  absltest.main()
