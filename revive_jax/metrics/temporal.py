"""Measures over time."""

import chex
import jax
import jax.numpy as jnp


def flicker(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Standard deviation over time of the mean error, [B] from [B, T, H, W, C].

  0 where the brightness of all frames is off by the same; in units of the
  pictures.
  """
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32)
  return jnp.std(error.mean(axis=(2, 3, 4)), axis=1)
