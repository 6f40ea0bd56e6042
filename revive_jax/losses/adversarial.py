"""Losses of a generator and a discriminator, and regularisers, [B] each.

Verdicts are logits [B, ...]: of a frame, of patches, of pixels; the mean over
all but the first axis, weighted if a weight [B, ...] is given, is one example's
loss.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp


class Game(NamedTuple):
  """One adversarial loss: what each side pays for verdicts [B, ...].

  discriminator, generator: (real, fake, weight=None) to [B]; most generators
  ignore real. right: (real, fake) to 1 where the verdicts are right, half where
  one is, [B, ...].
  """

  discriminator: Callable[..., jax.Array]
  generator: Callable[..., jax.Array]
  right: Callable[[jax.Array, jax.Array], jax.Array]


def _non_saturating_discriminator(real, fake, weight=None):
  return (_mean(jax.nn.softplus(-real), weight)
          + _mean(jax.nn.softplus(fake), weight))


def _non_saturating_generator(real, fake, weight=None):
  del real
  return _mean(jax.nn.softplus(-fake), weight)


def _hinge_discriminator(real, fake, weight=None):
  return (_mean(jax.nn.relu(1 - real), weight)
          + _mean(jax.nn.relu(1 + fake), weight))


def _hinge_generator(real, fake, weight=None):
  del real
  return -_mean(fake, weight)


def _least_squares_discriminator(real, fake, weight=None):
  return 0.5 * (_mean((real - 1) ** 2, weight) + _mean(fake**2, weight))


def _least_squares_generator(real, fake, weight=None):
  del real
  return 0.5 * _mean((fake - 1) ** 2, weight)


def _relativistic_discriminator(real, fake, weight=None):
  chex.assert_equal_shape([real, fake])
  return _mean(jax.nn.softplus(fake - real), weight)


def _relativistic_generator(real, fake, weight=None):
  chex.assert_equal_shape([real, fake])
  return _mean(jax.nn.softplus(real - fake), weight)


def _right_side(limit):
  """Real above the limit, fake below it."""
  return lambda real, fake: 0.5 * ((real > limit) + 1.0 * (fake <= limit))


def _right_order(real, fake):
  """Real above fake: its logits are free up to a constant."""
  return 1.0 * (real > fake)


GAMES = {
    # -log D(x) - log(1 - D(G(z))), and -log D(G(z)): Goodfellow et al. 2014,
    # arXiv:1406.2661, section 3. The article's binary cross-entropy.
    'non_saturating': Game(
        _non_saturating_discriminator, _non_saturating_generator,
        _right_side(0)),
    # Lim and Ye 2017, arXiv:1705.02894; Miyato et al., arXiv:1802.05957, (16).
    'hinge': Game(_hinge_discriminator, _hinge_generator, _right_side(0)),
    # Mao et al. 2017, arXiv:1611.04076, equation 9: a = 0, b = c = 1.
    'least_squares': Game(
        _least_squares_discriminator, _least_squares_generator,
        _right_side(0.5)),
    # Each fake against a real one: Jolicoeur-Martineau 2018, arXiv:1807.00734;
    # regularised, of known convergence: arXiv:2501.05441, equation 2.
    'relativistic': Game(
        _relativistic_discriminator, _relativistic_generator, _right_order),
}


def gradient_penalty(
    discriminate: Callable[[jax.Array], jax.Array], x: jax.Array
) -> jax.Array:
  """R1 at real x, R2 at fake x: half the squared gradient of the verdict, [B].

  Mescheder et al. 2018, arXiv:1801.04406, equation 9, without its gamma.

  Args:
    discriminate: x [B, ...] to logits [B, ...], each example for itself; its
      verdict is the mean over all but the first axis.
    x: [B, ...].
  """
  slope = jax.grad(lambda x: _mean(discriminate(x)).sum())(x)
  return 0.5 * (slope.astype(jnp.float32) ** 2).sum(range(1, x.ndim))


def lecam(
    real: jax.Array, fake: jax.Array, real_mean: jax.Array,
    fake_mean: jax.Array, weight: jax.Array | None = None,
) -> jax.Array:
  """Distance of verdicts [B, ...] from the other side's usual one, [B].

  (D(x) - fake_mean)^2 + (D(G(z)) - real_mean)^2: Tseng et al. 2021,
  arXiv:2104.03310, equation 3. real_mean, fake_mean: running means, scalars.
  """
  return (_mean((real - fake_mean) ** 2, weight)
          + _mean((fake - real_mean) ** 2, weight))


def feature_matching(
    real: Sequence[jax.Array], fake: Sequence[jax.Array],
    weights: Sequence[jax.Array] | None = None,
) -> jax.Array:
  """Mean |difference| of a discriminator's features, mean over layers, [B].

  Wang et al. 2018, arXiv:1711.11585, equation 4. The real ones are held still.
  weights: [B, ..., 1] by layer, for weighted means.
  """
  chex.assert_trees_all_equal_shapes(real, fake)
  weights = [None] * len(real) if weights is None else weights
  return sum(
      _mean(jnp.abs(jax.lax.stop_gradient(a) - b).mean(-1, keepdims=True), w)
      for a, b, w in zip(real, fake, weights, strict=True)) / len(real)


def accuracy(
    real: jax.Array, fake: jax.Array, game: Game,
    weight: jax.Array | None = None,
) -> jax.Array:
  """Share of right verdicts [B, ...]: half when it only guesses, [B]."""
  return _mean(game.right(real, fake), weight)


def _mean(x, weight=None):
  """Over all but the first axis; 0 where all weights are."""
  x, axes = jnp.asarray(x, jnp.float32), tuple(range(1, x.ndim))
  if weight is None:
    return x.mean(axes)
  chex.assert_equal_shape([x, weight])
  total = weight.sum(axes)
  return (x * weight).sum(axes) / jnp.where(total > 0, total, 1)
