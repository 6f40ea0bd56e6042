"""Tests of losses/adversarial.py: by hand, and what the gradients do."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

from revive_jax.losses import adversarial

_REAL = np.float32([[2.0, 0.0], [-1.0, 3.0]])
_FAKE = np.float32([[-1.0, 1.0], [0.5, -3.0]])
_softplus = lambda x: np.log1p(np.exp(x))


class GamesTest(parameterized.TestCase):

  def test_hinge_by_hand(self):
    game = adversarial.GAMES['hinge']
    # (0 + 1)/2 + (0 + 2)/2; (2 + 0)/2 + (1.5 + 0)/2.
    np.testing.assert_allclose(game.discriminator(_REAL, _FAKE), [1.5, 1.75])
    np.testing.assert_allclose(game.generator(_REAL, _FAKE), [0, 1.25])

  def test_least_squares_by_hand(self):
    game = adversarial.GAMES['least_squares']
    np.testing.assert_allclose(
        game.discriminator(_REAL, _FAKE),
        [0.25 * (1 + 1 + 1 + 1), 0.25 * (4 + 4 + 0.25 + 9)])
    np.testing.assert_allclose(
        game.generator(_REAL, _FAKE), [0.25 * 4, 0.25 * (0.25 + 16)])

  def test_non_saturating_is_binary_cross_entropy(self):
    game = adversarial.GAMES['non_saturating']
    bce = optax.sigmoid_binary_cross_entropy
    np.testing.assert_allclose(
        game.discriminator(_REAL, _FAKE),
        (bce(_REAL, 1.0) + bce(_FAKE, 0.0)).mean(-1), rtol=1e-5)
    np.testing.assert_allclose(
        game.generator(_REAL, _FAKE), bce(_FAKE, 1.0).mean(-1), rtol=1e-5)

  def test_relativistic_by_hand(self):
    game = adversarial.GAMES['relativistic']
    np.testing.assert_allclose(
        game.discriminator(_REAL, _FAKE), _softplus(_FAKE - _REAL).mean(-1),
        rtol=1e-5)
    # What one side wins the other loses: exchanging them gives the generator.
    np.testing.assert_allclose(
        game.generator(_REAL, _FAKE), game.discriminator(_FAKE, _REAL),
        rtol=1e-6)
    with self.assertRaises(AssertionError):
      game.generator(_REAL, _FAKE[:1])

  @parameterized.parameters(*adversarial.GAMES)
  def test_weights_choose(self, name):
    game = adversarial.GAMES[name]
    weight = np.float32([[0, 2], [0, 0]])
    for pay in game[:2]:
      # The second of the first example alone counts; nothing of the second.
      chosen = pay(_REAL[:1, 1:], _FAKE[:1, 1:])[0]
      np.testing.assert_allclose(
          pay(_REAL, _FAKE, weight), [chosen, 0], rtol=1e-6, atol=1e-7)
      np.testing.assert_allclose(
          pay(_REAL, _FAKE, np.ones_like(_REAL)), pay(_REAL, _FAKE), rtol=1e-6)

  @parameterized.parameters(*adversarial.GAMES)
  def test_each_side_pulls_its_way(self, name):
    game = adversarial.GAMES[name]
    zero = jnp.zeros((3, 4, 5, 1))
    to_real, to_fake = jax.grad(
        lambda r, f: game.discriminator(r, f).sum(), (0, 1))(zero, zero)
    self.assertLess(to_real.max(), 0)  # Descent raises the verdict on real,
    self.assertGreaterEqual(to_fake.min(), 0)  # and lowers that on fake.
    slope = jax.grad(lambda f: game.generator(zero, f).sum())(zero)
    self.assertLess(slope.max(), 0)
    self.assertEqual(game.generator(zero, zero).shape, (3,))
    # A verdict of another example does not count.
    other = zero.at[1].set(2.0)
    np.testing.assert_array_equal(
        game.generator(zero, other)[jnp.array([0, 2])],
        game.generator(zero, zero)[jnp.array([0, 2])])


class RegularisersTest(absltest.TestCase):

  def test_gradient_penalty_of_a_plane(self):
    slope = jnp.array([3.0, -4.0])
    x = jax.random.normal(jax.random.key(0), (5, 2))
    found = adversarial.gradient_penalty(
        lambda x: (x @ slope)[:, None], x)
    np.testing.assert_allclose(found, np.full(5, 12.5), rtol=1e-6)

  def test_gradient_penalty_of_patches_is_of_their_mean(self):
    x = jnp.array([[1.0, 2.0]])
    # Verdicts x^2: the mean's gradient is x.
    np.testing.assert_allclose(
        adversarial.gradient_penalty(lambda x: x**2, x), [2.5])

  def test_lecam_by_hand(self):
    np.testing.assert_allclose(
        adversarial.lecam(_REAL, _FAKE, jnp.float32(1), jnp.float32(-1)),
        [(9 + 1) / 2 + (4 + 0) / 2, (0 + 16) / 2 + (0.25 + 16) / 2])

  def test_feature_matching_by_hand(self):
    real = [jnp.zeros((2, 3)), jnp.ones((2, 2, 2))]
    fake = [jnp.ones((2, 3)), jnp.ones((2, 2, 2)).at[1].set(3)]
    np.testing.assert_allclose(
        adversarial.feature_matching(real, fake), [0.5, 1.5])
    slopes = jax.grad(
        lambda a, b: adversarial.feature_matching(a, b).sum(), (0, 1))(
            real, fake)
    self.assertEqual(max(np.abs(x).max() for x in slopes[0]), 0)
    self.assertGreater(np.abs(slopes[1][0]).max(), 0)

  def test_accuracy_by_hand(self):
    np.testing.assert_allclose(
        adversarial.accuracy(_REAL, _FAKE, adversarial.GAMES['hinge']),
        [0.5, 0.5])
    np.testing.assert_allclose(
        adversarial.accuracy(jnp.ones((1, 4)), -jnp.ones((1, 4)),
                             adversarial.GAMES['hinge']), [1])
    # What each loss aims at counts as right, and equal verdicts as guesses.
    for name, real, fake in (
        ('hinge', 1, -1), ('non_saturating', 3, -3), ('least_squares', 1, 0),
        ('relativistic', -5, -7)):
      verdicts = jnp.full((1, 4), real), jnp.full((1, 4), fake)
      game = adversarial.GAMES[name]
      self.assertEqual(float(adversarial.accuracy(*verdicts, game)[0]), 1, name)
      self.assertEqual(
          float(adversarial.accuracy(*verdicts[::-1], game)[0]), 0, name)
      # Of the first half alone, where the weights say so.
      mixed = (jnp.array([[real, real, fake, fake]]),
               jnp.array([[fake, fake, real, real]]))
      weight = jnp.array([[1.0, 1, 0, 0]])
      self.assertEqual(
          float(adversarial.accuracy(*mixed, game, weight)[0]), 1, name)


if __name__ == '__main__':
  absltest.main()
