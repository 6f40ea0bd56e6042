"""What training changes: a struct of arrays."""

from typing import Any

import flax
import jax


class TrainState(flax.struct.PyTreeNode):
  """All that must be saved to go on with a training as if never stopped."""

  step: jax.Array  # [] int32, steps done.
  params: Any  # Of the network(s).
  opt_state: Any
  ema: Any  # Averaged params: what is evaluated and shipped.
