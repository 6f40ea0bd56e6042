"""Where verdicts on a filled clip count: where something was filled."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from revive_jax.ops import resize
from revive_jax.training import accumulation
from revive_jax.training import batch as batch_lib


class Weights(NamedTuple):
  """Where the verdicts and the features of one side count, 1 or 0.

  All examples lie in one, [1, ...]: so that each pixel of the damage counts the
  same, however much of it a frame has.
  """

  logits: jax.Array
  features: tuple[jax.Array, ...]


Where = dict[str, Weights]  # By side.


def portions(here: Where, whole: Where, pieces: int) -> Where:
  """What to multiply the means over a piece of a batch by; scalars."""
  return jax.tree.map(
      lambda a, b: accumulation.portion(a.sum(), b, pieces), here, whole)


def where_it_counts(damage: jax.Array) -> Where:
  """On damage [B, T, H, W, 1], and where a patch or a feature sees it."""
  flat = damage.reshape(-1, *damage.shape[2:])
  time = damage.shape[1]
  seen = lambda x, block: (resize.mean_pool(x, block) > 0).astype(jnp.float32)

  def three(block):
    """Any of the three frames of a patch."""
    at = seen(damage, block)
    return jnp.stack([at[:, i:time - 2 + i] for i in range(3)]).max(0)

  return {
      'frame': Weights(as_one(flat), tuple(
          as_one(seen(flat, block)) for block in (2, 4, 8, 2))),
      'clip': Weights(as_one(three(8)), tuple(
          as_one(three(block)) for block in (2, 4, 8)))}


def as_one(x):
  """[B, ...] as one example [1, B, ...]."""
  return x[None]


def filled(output: jax.Array, batch: batch_lib.Batch) -> jax.Array:
  """The clean clip, its damage filled by output."""
  return jnp.where(batch.damage > 0, jnp.clip(output, 0, 1), batch.target)


def sums(damage: jax.Array) -> Where:
  """Of where_it_counts on damage [B, T, H, W, 1]; scalars."""
  return jax.tree.map(jnp.sum, where_it_counts(damage))
