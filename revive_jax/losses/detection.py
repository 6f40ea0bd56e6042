"""Losses of a damage probability against the true mask, [B] each."""

import chex
import jax
import jax.numpy as jnp


def cross_entropy(
    probability: jax.Array, target: jax.Array, *, positive_weight: float = 1.0
) -> jax.Array:
  """-w t log p - (1 - t) log(1 - p), mean over [B, ...]; p kept off 0 and 1.

  positive_weight: of damaged pixels, which are few.
  """
  chex.assert_equal_shape([probability, target])
  p = jnp.clip(probability.astype(jnp.float32), 1e-5, 1 - 1e-5)
  loss = -(positive_weight * target * jnp.log(p)
           + (1 - target) * jnp.log1p(-p))
  return loss.mean(axis=range(1, loss.ndim))


def dice(
    probability: jax.Array, target: jax.Array, *, smooth: float = 1.0
) -> jax.Array:
  """1 - (2 sum p t + s) / (sum p + sum t + s): overlap, blind to the share.

  Milletari et al. 2016, arXiv:1606.04797, with first powers in the denominator.
  smooth, in pixels, makes it 0 where there is neither damage nor a finding.
  """
  chex.assert_equal_shape([probability, target])
  axes = tuple(range(1, target.ndim))
  p = probability.astype(jnp.float32)
  hit = (p * target).sum(axes)
  return 1 - (2 * hit + smooth) / (p.sum(axes) + target.sum(axes) + smooth)
