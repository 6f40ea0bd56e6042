"""Variational autoencoders: what their latents are."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_LEAST, _MOST = -14.0, 10.0  # Of log-variances: exp() of them is of use.


class Gaussian(NamedTuple):
  """Independent normal distributions, [B, ..., Z]."""

  mean: jax.Array
  log_variance: jax.Array

  @classmethod
  def of(cls, x: jax.Array) -> 'Gaussian':
    """From channels [B, ..., 2 Z] of a network: means, then log-variances."""
    mean, log_variance = jnp.split(x.astype(jnp.float32), 2, -1)
    return cls(mean, jnp.clip(log_variance, _LEAST, _MOST))

  def sample(self, noise: jax.Array) -> jax.Array:
    """mean + sigma noise: the reparameterised draw, arXiv:1312.6114, 2.4."""
    return self.mean + jnp.exp(0.5 * self.log_variance) * noise


class Coded(NamedTuple):
  """What an autoencoder makes of x."""

  latent: Gaussian  # q(z | x).
  output: jax.Array  # Of p(x | z): as the likelihood wants it, logits or mean.
