"""Where arrays live: a mesh with the axes `data` and `model`.

`data` shares out the clips of a batch and, with FSDP, the state; `model` shares
out the rows of each frame, for frames too large for one device. A step is
written as for one device: what they must tell each other (rows beyond a border,
weights that another holds) is the compiler's to add, but for the gradient's
mean along `data`, which accumulation.py spells out.
"""

from collections.abc import Callable, Mapping
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np

_SMALL = 4096  # Fewer numbers than that are not worth sharing out.


class Layout(NamedTuple):
  """How a training lies on devices."""

  mesh: jax.sharding.Mesh
  fsdp: bool = False  # Whether the state is shared out along `data`.


def make_layout(
    data: int | None = None, model: int = 1, *, fsdp: bool = False
) -> Layout:
  """A layout on the first data * model devices (data None: as many as fit).

  The axes are Auto: under Explicit, jax.make_mesh's default, a linen Conv with
  a sharded operand raises ShardingTypeError.
  """
  data = data or jax.device_count() // model
  mesh = jax.make_mesh(
      (data, model), ('data', 'model'), axis_types=(AxisType.Auto,) * 2,
      devices=jax.devices()[:data * model])
  return Layout(mesh, fsdp)


def replicated(layout: Layout) -> NamedSharding:
  """The same on every device."""
  return NamedSharding(layout.mesh, PartitionSpec())


def by_batch(layout: Layout, ndim: int) -> NamedSharding:
  """Of arrays [B, ..., H, W, C]: B along `data`, H along `model`.

  Arrays of fewer than four axes are no pictures: of them B alone.
  """
  if ndim < 4 or layout.mesh.shape['model'] == 1:
    return NamedSharding(layout.mesh, PartitionSpec('data'))
  return NamedSharding(
      layout.mesh, PartitionSpec('data', *[None] * (ndim - 4), 'model'))


def of_state(state: Any, layout: Layout) -> Any:
  """The sharding of each array of a state, by its shape.

  With fsdp: along `data`, by the longest axis that it divides; of equally long
  ones the last. So parameters, what an optimizer keeps of them, and their
  average lie alike (ZeRO, Rajbhandari et al. 2020, arXiv:1910.02054).
  """
  def place(x):
    parts = layout.mesh.shape['data']
    axes = [i for i, n in enumerate(x.shape) if n % parts == 0]
    if not layout.fsdp or x.size < _SMALL or not axes:
      return replicated(layout)
    longest = max(axes, key=lambda i: (x.shape[i], i))
    return NamedSharding(
        layout.mesh, PartitionSpec(*[None] * longest, 'data'))

  return jax.tree.map(place, state)


def abstract(make: Callable[..., Any], layout: Layout, *args: Any) -> Any:
  """The shapes of make(*args), a state, with their shardings; makes nothing."""
  shapes = jax.eval_shape(make, *args)
  return jax.tree.map(
      lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
      shapes, of_state(shapes, layout))


def make_state(make: Callable[..., Any], layout: Layout, *args: Any) -> Any:
  """make(*args), a state; no device ever holds more than its share of it."""
  places = of_state(jax.eval_shape(make, *args), layout)
  return jax.jit(make, out_shardings=places)(*args)


def put_batch(batch: Mapping[str, np.ndarray], layout: Layout):
  """This host's share of a batch, as global arrays over all hosts."""
  return {k: jax.make_array_from_process_local_data(
      by_batch(layout, np.ndim(v)), v) for k, v in batch.items()}


def gather(tree: Any, layout: Layout) -> Any:
  """Arrays on this host, whole; all processes must ask for it."""
  return jax.device_get(_together(layout)(tree))


@functools.cache
def _together(layout):
  return jax.jit(lambda x: x, out_shardings=replicated(layout))


def compile_step(
    train_step: Callable[..., Any], layout: Layout, **static: Any,
) -> Callable[..., Any]:
  """Jits train_step(state, batch, *constants, **static) to (state, metrics).

  The state stays where of_state puts it, and its memory is used again. A step
  with a metric that is not finite (the norms of the gradients are among them)
  is counted in state.step and otherwise left out.
  """
  @functools.wraps(train_step)
  def step(state, batch, *constants):
    with jax.sharding.use_abstract_mesh(layout.mesh.abstract_mesh):
      new, metrics = train_step(state, batch, *constants, **static)
    finite = jnp.stack(
        [jnp.isfinite(x).all() for x in jax.tree.leaves(metrics)]).all()
    new = jax.tree.map(lambda x, old: jnp.where(finite, x, old), new, state)
    new = new.replace(step=state.step + 1)
    return (jax.lax.with_sharding_constraint(new, of_state(new, layout)),
            jax.lax.with_sharding_constraint(metrics, replicated(layout)))

  return jax.jit(step, donate_argnums=0)
