"""Where arrays live: a mesh with one axis, `data`."""

from collections.abc import Callable
import functools
from typing import Any

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np


def make_mesh(num_devices: int | None = None) -> jax.sharding.Mesh:
  """A mesh of the first num_devices devices (None: all) along `data`.

  The axis is Auto: under Explicit, jax.make_mesh's default, a linen Conv with
  a sharded operand raises ShardingTypeError.
  """
  devices = jax.devices()[:num_devices]
  return jax.make_mesh(
      (len(devices),), ('data',), axis_types=(AxisType.Auto,),
      devices=devices)


def replicated(mesh: jax.sharding.Mesh) -> NamedSharding:
  """The same on every device."""
  return NamedSharding(mesh, PartitionSpec())


def by_batch(mesh: jax.sharding.Mesh) -> NamedSharding:
  """The first axis shared out along `data`."""
  return NamedSharding(mesh, PartitionSpec('data'))


def put_batch(batch: dict[str, np.ndarray], mesh: jax.sharding.Mesh):
  """This host's share of a batch, as global arrays over all hosts."""
  sharding = by_batch(mesh)
  return {k: jax.make_array_from_process_local_data(sharding, v)
          for k, v in batch.items()}


def compile_step(
    train_step: Callable[..., Any], mesh: jax.sharding.Mesh,
    constants: int = 0, **static: Any,
) -> Callable[..., Any]:
  """Jits train_step(state, batch, *constants, **static).

  The batch is shared out along `data`, all else is on each device; the memory
  of the state is used again.
  """
  same = replicated(mesh)
  return jax.jit(
      functools.partial(train_step, **static),
      in_shardings=(same, by_batch(mesh), *[same] * constants),
      out_shardings=(same, same), donate_argnums=0)
