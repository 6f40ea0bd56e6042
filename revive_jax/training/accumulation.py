"""The gradient of a batch as the mean of those of its pieces.

Each device along `data` takes its own clips, `parts` lots of them one after the
other, so that large batches fit. A loss is written as for one batch: it must be
a mean over examples, or scaled by portion().
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

# (params, batch) to (loss, (each, terms)): a mean over the examples of batch, a
# tree of arrays [B, ...]; each: what is wanted of every example, [B, ...];
# terms: further means.
Loss = Callable[[Any, Any], tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]]
Taken = tuple[tuple[jax.Array, tuple[Any, dict[str, jax.Array]]], Any]


def split(batch: Any, parts: int) -> Any:
  """Arrays [B, ...] as [parts, B / parts, ...], every parts-th together."""
  return jax.tree.map(
      lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch)


def join(batch: Any) -> Any:
  """The inverse of split."""
  return jax.tree.map(
      lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:]), batch)


def devices() -> int:
  """Along `data`, of the mesh that a step is compiled for."""
  return dict(jax.sharding.get_abstract_mesh().shape).get('data', 1)


def value_and_grad(
    loss_of: Loss, params: Any, batch: Any, *, parts: int
) -> Taken:
  """((loss, (each, terms)), gradient) of a batch, as of all of it at once.

  Args:
    loss_of: see Loss.
    params: what the gradient is by. Each device has all of them meanwhile, also
      where the state is shared out.
    batch: a tree of arrays [B, ...].
    parts: of a device's examples, one after the other. In memory are the
      activations of one part at a time, and the sum of the gradients.
  """
  if devices() == 1:
    return _in_parts(loss_of, params, batch, parts)

  def of_own(params, batch):
    (loss, (each, terms)), grads = _in_parts(loss_of, params, batch, parts)
    return each, jax.lax.pmean((loss, terms, grads), 'data')

  # Left to the compiler (jaxlib 0.10.2), sums over two axes of a mesh were
  # sometimes added up twice: docs/training.md. So `data` is spelt out, and
  # the compiler shares out rows along `model` alone.
  own = PartitionSpec('data')
  each, (loss, terms, grads) = jax.shard_map(
      of_own, in_specs=(PartitionSpec(), own),
      out_specs=(own, PartitionSpec()), axis_names={'data'},
      check_vma=False)(params, batch)
  return (loss, (each, terms)), grads


def _in_parts(loss_of, params, batch, parts) -> Taken:
  take = jax.value_and_grad(loss_of, has_aux=True)
  if parts == 1:
    return take(params, batch)

  def body(total, part):
    (loss, (each, terms)), grads = take(params, part)
    total = jax.tree.map(lambda a, b: a + b / parts, total, grads)
    return total, (loss, each, terms)

  zeros = jax.tree.map(jnp.zeros_like, params)
  grads, (loss, each, terms) = jax.lax.scan(body, zeros, split(batch, parts))
  mean = lambda tree: jax.tree.map(lambda x: x.mean(0), tree)
  return (mean(loss), (join(each), mean(terms))), grads


def portion(piece: jax.Array, whole: jax.Array, pieces: int) -> jax.Array:
  """What to multiply a weighted mean over a piece of a batch by.

  So that the mean over all pieces (parts times devices()) is the weighted mean
  over the batch. piece, whole: sums of the weights.
  """
  return jnp.where(
      whole > 0, pieces * piece / jnp.where(whole > 0, whole, 1), 0)
