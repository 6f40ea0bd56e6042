"""How an operator goes through the frames of a clip."""

from collections.abc import Callable
from typing import Any

import jax


def each(function: Callable[[Any], Any], inputs: Any) -> Any:
  """function of every frame: inputs, a tree of arrays [T, ...], by entry.

  One after the other on CPUs, where a frame then stays in the cache; all at
  once elsewhere, where many small steps would leave a device waiting.
  """
  if jax.default_backend() == 'cpu':
    return jax.lax.map(function, inputs)
  return jax.vmap(function)(inputs)
