"""Distances of a picture to its target, one value per example."""

import chex
import jax
import jax.numpy as jnp


def charbonnier(
    prediction: jax.Array,
    target: jax.Array,
    *,
    weight: jax.Array | None = None,
    epsilon: float = 1e-3,
) -> jax.Array:
  """Smooth L1: d^2 / (2 epsilon) near zero, |d| far from it; float32 [B].

  Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553. weight: [..., 1],
  multiplies the pixels; the mean is over all of them, not over the weights.
  """
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32)
  loss = jnp.sqrt(error**2 + epsilon**2) - epsilon
  if weight is not None:
    chex.assert_equal_shape_prefix([prediction, weight], prediction.ndim - 1)
    loss = loss * weight
  return loss.mean(axis=range(1, loss.ndim))


def gaussian_nll(
    prediction: jax.Array,
    target: jax.Array,
    log_variance: jax.Array,
    *,
    beta: float = 0.0,
) -> jax.Array:
  """Negative log-likelihood of target under N(prediction, exp(log_variance)).

  Without the constant: (error^2 exp(-s) + s) / 2, mean over [B, ..., C]; [B].
  log_variance is [B, ..., 1], one for all channels. Kendall and Gal 2017,
  arXiv:1703.04977, equation 5. beta: each pixel counts in proportion to its
  variance^beta, held still (Seitzer et al. 2022, arXiv:2203.09168), so that a
  few wild errors where the network was sure do not decide alone.
  """
  chex.assert_equal_shape([prediction, target])
  chex.assert_equal_shape_prefix(
      [prediction, log_variance], prediction.ndim - 1)
  s = log_variance.astype(jnp.float32)
  error = (prediction - target).astype(jnp.float32)
  square = (error**2).mean(-1, keepdims=True)
  weight = jnp.exp(beta * jax.lax.stop_gradient(s))
  loss = 0.5 * weight * (square * jnp.exp(-s) + s)
  return loss.mean(axis=range(1, s.ndim))
