"""Measures of damage masks."""

import chex
import jax
import jax.numpy as jnp


def counts(prediction: jax.Array, target: jax.Array) -> dict[str, jax.Array]:
  """True and false positives and false negatives of masks [B, ...], each [B].

  Add them up over batches before taking precision_recall: sums, never means of
  means.
  """
  chex.assert_equal_shape([prediction, target])
  found, true = prediction > 0.5, target > 0.5
  axes = tuple(range(1, found.ndim))
  count = lambda x: jnp.sum(x, axis=axes, dtype=jnp.float32)
  return {'true_positive': count(found & true),
          'false_positive': count(found & ~true),
          'false_negative': count(~found & true)}


def precision_recall(counted: dict[str, jax.Array]) -> dict[str, jax.Array]:
  """precision, recall and f1 from counts; 1 where there is nothing to find."""
  hit = counted['true_positive']
  def share(part):
    return jnp.where(part > 0, hit / jnp.maximum(part, 1), 1.0)
  precision = share(hit + counted['false_positive'])
  recall = share(hit + counted['false_negative'])
  f1 = 2 * precision * recall / jnp.maximum(precision + recall, 1e-9)
  return {'precision': precision, 'recall': recall, 'f1': f1}
