"""Tests of losses/detection.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

from revive_jax.losses import detection


class CrossEntropyTest(absltest.TestCase):

  def test_by_hand(self):
    p, t = jnp.array([[0.25, 0.5]]), jnp.array([[1.0, 0.0]])
    # -(log 1/4 + log 1/2) / 2 = 3/2 log 2; then with a weight of 3.
    np.testing.assert_allclose(
        detection.cross_entropy(p, t), [1.5 * np.log(2)], rtol=1e-5)
    np.testing.assert_allclose(
        detection.cross_entropy(p, t, positive_weight=3.0),
        [3.5 * np.log(2)], rtol=1e-5)

  def test_against_optax(self):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3, 4, 5, 1)).astype(np.float32)
    target = (rng.random((3, 4, 5, 1)) < 0.3).astype(np.float32)
    wanted = optax.sigmoid_binary_cross_entropy(logits, target)
    found = jax.jit(detection.cross_entropy)(jax.nn.sigmoid(logits), target)
    np.testing.assert_allclose(found, wanted.mean((1, 2, 3)), rtol=1e-4)

  def test_finite_at_zero_and_one(self):
    p = jnp.array([[0.0, 1.0, 0.0, 1.0]])
    loss, slope = jax.jit(jax.value_and_grad(
        lambda p: detection.cross_entropy(p, 1 - p).sum()))(p)
    self.assertTrue(np.isfinite(loss) and np.isfinite(slope).all())
    np.testing.assert_allclose(loss, -np.log(1e-5), rtol=1e-2)

  def test_wrong_shape_is_refused(self):
    with self.assertRaises(AssertionError):
      detection.cross_entropy(jnp.zeros((2, 4, 1)), jnp.zeros((2, 4)))


class DiceTest(absltest.TestCase):

  def test_by_hand(self):
    p = jnp.array([[1.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    t = jnp.array([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    # 1 - (2 * 1 + 1) / (1.5 + 2 + 1), and nothing to find and nothing found.
    np.testing.assert_allclose(
        jax.jit(detection.dice)(p, t), [1 / 3, 0.0], atol=1e-6)

  def test_perfect_and_opposite(self):
    t = jnp.zeros((1, 40)).at[:, :10].set(1)
    self.assertEqual(detection.dice(t, t).item(), 0.0)
    np.testing.assert_allclose(
        detection.dice(1 - t, t), [1 - 1 / 41], rtol=1e-6)

  def test_does_not_depend_on_the_order_of_pixels(self):
    rng = np.random.default_rng(0)
    p, t = rng.random((2, 2, 30), np.float32)
    order = rng.permutation(30)
    np.testing.assert_allclose(
        detection.dice(p[:, order], t[:, order]), detection.dice(p, t),
        rtol=1e-5)

  def test_gradient_is_finite_at_zero(self):
    zero = jnp.zeros((1, 4))
    slope = jax.grad(lambda p: detection.dice(p, zero).sum())(zero)
    np.testing.assert_allclose(slope, 1.0)  # Of 1 - 1 / (sum p + 1).

  def test_wrong_shape_is_refused(self):
    with self.assertRaises(AssertionError):
      detection.dice(jnp.zeros((2, 4, 1)), jnp.zeros((1, 4, 1)))


if __name__ == '__main__':
  absltest.main()
