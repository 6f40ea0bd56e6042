"""Tests of losses/reconstruction.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from revive_jax.losses import reconstruction


class CharbonnierTest(absltest.TestCase):

  def test_by_hand(self):
    x = jnp.array([[0.0, 3e-3], [1.0, 0.0]])
    loss = jax.jit(reconstruction.charbonnier)(x, jnp.zeros((2, 2)))
    # (sqrt(10) - 1) * 1e-3 / 2, and (sqrt(1 + 1e-6) - 1e-3) / 2.
    np.testing.assert_allclose(loss, [1.081139e-3, 0.4995002], rtol=1e-4)

  def test_weight_multiplies_pixels(self):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3, 4, 5, 3), np.float32)
    weight = np.ones((3, 4, 5, 1), np.float32)
    plain = reconstruction.charbonnier(x, y)
    np.testing.assert_allclose(
        reconstruction.charbonnier(x, y, weight=weight), plain, rtol=1e-6)
    weight[0] = 3
    weight[1, :2] = 0
    loss = reconstruction.charbonnier(x, y, weight=weight)
    np.testing.assert_allclose(loss[0], 3 * plain[0], rtol=1e-5)
    half = reconstruction.charbonnier(x[:, 2:], y[:, 2:])
    np.testing.assert_allclose(loss[1], half[1] / 2, rtol=1e-5)

  def test_sign_and_a_common_shift_do_not_matter(self):
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 2, 8), np.float32)
    loss = reconstruction.charbonnier(x, y)
    np.testing.assert_allclose(
        reconstruction.charbonnier(y, x), loss, rtol=1e-6)
    np.testing.assert_allclose(
        reconstruction.charbonnier(x + 0.5, y + 0.5), loss, rtol=1e-4)

  def test_gradient_at_zero(self):
    slope = jax.grad(lambda x: reconstruction.charbonnier(
        x, jnp.zeros((1, 2))).sum())(jnp.zeros((1, 2)))
    self.assertEqual(slope.tolist(), [[0.0, 0.0]])

  def test_wrong_shapes_are_refused(self):
    x = jnp.zeros((2, 4, 4, 3))
    with self.assertRaises(AssertionError):
      reconstruction.charbonnier(x, x[:1])
    with self.assertRaises(AssertionError):
      reconstruction.charbonnier(x, x, weight=jnp.ones((2, 4, 1)))


class LikelihoodTest(absltest.TestCase):

  def test_against_scipy(self):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 2, 4, 5, 3), np.float32)
    s = rng.normal(-1, 1, (2, 4, 5, 1)).astype(np.float32)
    wanted = -stats.norm.logpdf(y, x, np.exp(s / 2)).mean((1, 2, 3))
    found = jax.jit(reconstruction.gaussian_nll)(x, y, s)
    np.testing.assert_allclose(
        found, wanted - 0.5 * np.log(2 * np.pi), atol=1e-5)

  def test_beta_by_hand(self):
    # Two pixels of variance 1 and 1/4, weighed 1 and 1/2, errors 1 and 1/2:
    # (1 (1 + 0) + 1/2 (1 - 2 log 2)) / 2 / 2.
    x, y = jnp.zeros((1, 2, 1)), jnp.array([[[1.0], [0.5]]])
    s = jnp.log(jnp.array([[[1.0], [0.25]]]))
    loss = lambda s: reconstruction.gaussian_nll(x, y, s, beta=0.5).sum()
    np.testing.assert_allclose(loss(s), 3 / 8 - np.log(2) / 4, rtol=1e-5)
    # The weight is held still: right variances are where the slope is zero.
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(s), 0, atol=1e-6)

  def test_least_where_it_says_the_true_variance(self):
    x, y = jnp.zeros((1, 6, 3)), jnp.full((1, 6, 3), 0.2)
    slope = jax.jit(
        jax.grad(lambda s: reconstruction.gaussian_nll(x, y, s).sum()))
    at = lambda v: slope(jnp.full((1, 6, 1), v))
    np.testing.assert_allclose(at(2 * np.log(0.2)), 0, atol=1e-6)
    self.assertLess(at(-4.0).max(), 0)
    self.assertGreater(at(-2.0).min(), 0)

  def test_without_error_the_gradient_is_finite(self):
    x = jnp.zeros((1, 2, 3))
    slopes = jax.grad(lambda *a: reconstruction.gaussian_nll(*a).sum(), (0, 2))(
        x, x, jnp.full((1, 2, 1), -20.0))
    self.assertTrue(all(np.isfinite(s).all() for s in slopes))

  def test_wrong_shapes_are_refused(self):
    x = jnp.zeros((2, 4, 3))
    with self.assertRaises(AssertionError):
      reconstruction.gaussian_nll(x, x[:, :1], x[..., :1])
    with self.assertRaises(AssertionError):
      reconstruction.gaussian_nll(x, x, x[:1, :, :1])


class PyramidTest(absltest.TestCase):

  def test_a_constant_is_all_in_the_low_pass(self):
    x = jnp.zeros((2, 16, 8, 3))
    found = jax.jit(reconstruction.laplacian_pyramid)(
        x, x.at[1].set(0.25))
    np.testing.assert_allclose(found, [0, 0.25], atol=1e-6)

  def test_a_fine_pattern_is_all_in_the_first_band(self):
    board = (-1.0) ** jnp.arange(8)[:, None] * jnp.ones((1, 8))
    x = board[None, ..., None]
    np.testing.assert_allclose(reconstruction.laplacian_pyramid(
        x, jnp.zeros_like(x), levels=3), [1], atol=1e-6)

  def test_one_level_is_l1(self):
    x, y = np.random.default_rng(0).random((2, 3, 2, 4, 6, 3), np.float32)
    np.testing.assert_allclose(
        reconstruction.laplacian_pyramid(x, y, levels=1),
        reconstruction.l1(x, y), rtol=1e-5)
    np.testing.assert_allclose(
        reconstruction.l1(x, y), np.abs(x - y).mean((1, 2, 3, 4)), rtol=1e-5)

  def test_sizes_that_cannot_be_halved_are_refused(self):
    with self.assertRaises(TypeError):
      reconstruction.laplacian_pyramid(
          jnp.zeros((1, 6, 8, 3)), jnp.zeros((1, 6, 8, 3)))


class FocalFrequencyTest(absltest.TestCase):

  def test_one_wave_by_hand(self):
    # All in two of 8 coefficients, 0.3 sqrt(8) / 2 each, both of weight 1:
    # 2 (0.09 * 2) / 8.
    wave = 0.3 * jnp.cos(2 * jnp.pi * jnp.arange(8) / 8)
    x = wave.reshape(1, 1, 8, 1)
    np.testing.assert_allclose(
        jax.jit(reconstruction.focal_frequency)(x, jnp.zeros_like(x)),
        [2 * 0.18 / 8], rtol=1e-5)

  def test_alpha_zero_is_the_mean_square(self):
    x, y = np.random.default_rng(0).random((2, 3, 4, 6, 3), np.float32)
    np.testing.assert_allclose(
        reconstruction.focal_frequency(x, y, alpha=0.0),
        ((x - y) ** 2).mean((1, 2, 3)), rtol=1e-4)

  def test_no_error_no_gradient(self):
    x = jnp.ones((1, 4, 4, 3))
    loss, slope = jax.value_and_grad(
        lambda x: reconstruction.focal_frequency(x, x * 0 + 1).sum())(x)
    self.assertEqual(float(loss), 0)
    np.testing.assert_array_equal(slope, 0)


class CodedLikelihoodTest(absltest.TestCase):

  def test_against_scipy(self):
    rng = np.random.default_rng(0)
    y, x = rng.standard_normal((3, 4, 5)), rng.random((3, 4, 5))
    p = 1 / (1 + np.exp(-y))
    expected = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2))
    np.testing.assert_allclose(
        reconstruction.bernoulli_nll(jnp.asarray(y), jnp.asarray(x)), expected,
        rtol=1e-5)
    np.testing.assert_allclose(
        reconstruction.normal_nll(jnp.asarray(y), jnp.asarray(x), sigma=0.7),
        -stats.norm(y, 0.7).logpdf(x).sum((1, 2)), rtol=1e-5)

  def test_does_not_overflow(self):
    y, x = jnp.array([[-1e4, 1e4]]), jnp.array([[0.0, 1.0]])
    np.testing.assert_allclose(reconstruction.bernoulli_nll(y, x), [0])
    grad = jax.grad(lambda y: reconstruction.bernoulli_nll(y, 1 - x).sum())(y)
    np.testing.assert_allclose(grad, [[-1, 1]])


if __name__ == '__main__':
  absltest.main()
