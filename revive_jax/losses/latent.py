"""Losses of a latent distribution, one value per example."""

import chex
import jax
import jax.numpy as jnp


def kl(
    mean: jax.Array, log_variance: jax.Array,
    prior_mean: jax.Array | float = 0.0,
    prior_log_variance: jax.Array | float = 0.0, *, free_bits: float = 0.0,
) -> jax.Array:
  """KL(N(mean, var) || N(prior_mean, prior_var)), nats, summed, [B].

  0.5 (log(pv / v) + (v + (m - pm)^2) / pv - 1): Kingma and Welling 2014,
  arXiv:1312.6114, appendix B, for any Gaussian prior.

  Args:
    mean: [B, ..., Z].
    log_variance: [B, ..., Z].
    prior_mean: like mean, or a number.
    prior_log_variance: like mean, or a number.
    free_bits: nats that each of the Z channels may hold for nothing: the
      mean over the batch (and places) of a channel's KL is not pressed below
      (Kingma et al. 2016, arXiv:1606.04934, appendix C.8).
  """
  chex.assert_equal_shape([mean, log_variance])
  m, s = mean.astype(jnp.float32), log_variance.astype(jnp.float32)
  ps = jnp.asarray(prior_log_variance, jnp.float32)
  each = 0.5 * (ps - s + jnp.exp(s - ps)
                + (m - prior_mean) ** 2 * jnp.exp(-ps) - 1)
  if free_bits:
    usual = each.mean(range(each.ndim - 1), keepdims=True)
    # Below the limit it counts as the limit, and has no gradient.
    each = jnp.where(usual > free_bits, each, free_bits)
  return each.sum(range(1, each.ndim))


def beta_schedule(
    step: jax.Array, *, beta: float, warmup: int, period: int = 0
) -> jax.Array:
  """The weight of the KL at a step: from 0 linearly to beta in warmup steps.

  A scalar. With a warmup of 0 it is beta from step 1 on.
  Bowman et al. 2016, arXiv:1511.06349. period: the rise begins anew every so
  many steps (Fu et al. 2019, arXiv:1903.10145); 0: never.
  """
  step = jnp.asarray(step, jnp.float32)
  if period:
    step = step % period
  return beta * jnp.minimum(1.0, step / max(warmup, 1))
