"""Distance of pictures in the features of a network that stays fixed."""

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp

Features = Callable[[jax.Array], Sequence[jax.Array]]


def distance(
    prediction: jax.Array, target: jax.Array, weight: jax.Array | None = None,
    *, features: Features, channels: Sequence[jax.Array] | None = None,
) -> jax.Array:
  """Squared difference of unit features, mean over places and layers, [B].

  Each feature vector is scaled to unit length over its channels: LPIPS (Zhang
  et al. 2018, arXiv:1801.03924, equation 1) with all weights one; or, with
  channels, as it is, where the layers are added up.

  Args:
    prediction: [B, H, W, 3] in [0, 1].
    target: as prediction.
    weight: [B, H, W, 1], where to look; at each layer's resolution the means
      are weighted by it. None: everywhere. 0 everywhere: the distance is 0.
    features: pictures to maps [B, h, w, C], one for each layer.
    channels: LPIPS's weights [C] of each layer.
  """
  maps = differences(
      prediction, target, features=features, channels=channels)
  return sum(mean_over(m, weight) for m in maps) / len(maps)


def differences(
    prediction: jax.Array, target: jax.Array, *, features: Features,
    channels: Sequence[jax.Array] | None = None,
) -> list[jax.Array]:
  """Maps [B, h, w], one for each layer, whose mean over layers counts.

  Squared differences of unit features; see distance.
  """
  chex.assert_equal_shape([prediction, target])
  squares = [(_unit(a) - _unit(b)) ** 2 for a, b in zip(
      features(prediction), features(target), strict=True)]
  if channels is None:
    return [x.sum(-1) for x in squares]
  return [len(squares) * (x @ c)  # So that their mean is the sum.
          for x, c in zip(squares, channels, strict=True)]


def mean_over(values: jax.Array, weight: jax.Array | None = None) -> jax.Array:
  """Mean of values [B, h, w], weighted by a weight [B, H, W, 1], [B]."""
  if weight is None:
    return values.mean((1, 2))
  weight = jax.image.resize(weight[..., 0], values.shape, 'linear')
  return (values * weight).sum((1, 2)) / jnp.maximum(
      weight.sum((1, 2)), 1e-6)


def _unit(x):
  x = x.astype(jnp.float32)
  return x * jax.lax.rsqrt((x * x).sum(-1, keepdims=True) + 1e-10)
