"""Distance of pictures in the features of a network that stays fixed."""

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp

Features = Callable[[jax.Array], Sequence[jax.Array]]


def distance(
    prediction: jax.Array, target: jax.Array, *, features: Features
) -> jax.Array:
  """Squared difference of unit features, mean over places and layers, [B].

  As LPIPS (Zhang et al. 2018, arXiv:1801.03924, equation 1) with all weights
  one: each feature vector is scaled to unit length over its channels.

  Args:
    prediction: [B, H, W, 3] in [0, 1].
    target: as prediction.
    features: pictures to maps [B, h, w, C], one for each layer.
  """
  chex.assert_equal_shape([prediction, target])
  total, layers = jnp.zeros(len(prediction)), 0
  for a, b in zip(features(prediction), features(target), strict=True):
    square = ((_unit(a) - _unit(b)) ** 2).sum(-1)
    total += square.mean(range(1, square.ndim))
    layers += 1
  return total / layers


def _unit(x):
  x = x.astype(jnp.float32)
  return x * jax.lax.rsqrt((x * x).sum(-1, keepdims=True) + 1e-10)
