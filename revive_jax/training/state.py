"""What training changes: a struct of arrays."""

from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax


class TrainState(flax.struct.PyTreeNode):
  """All that must be saved to go on with a training as if never stopped."""

  step: jax.Array  # [] int32, steps done.
  params: Any  # Of the network(s).
  opt_state: Any
  ema: Any  # Averaged params: what is evaluated and shipped.
  secret: Any = ()  # Key of private training's noise, [2] uint32: see private.


def averaged(
    ema: Any, params: Any, step: jax.Array, *, decay: float
) -> Any:
  """The exponential average after a step, of params as they are now.

  step: [] int32, done before this one. Early on the average follows quickly, or
  it would average noise: its decay is (1 + step) / (10 + step) at most.
  """
  done = step.astype(jnp.float32)
  decay = jnp.minimum(decay, (1 + done) / (10 + done))
  return optax.incremental_update(params, ema, step_size=1 - decay)
