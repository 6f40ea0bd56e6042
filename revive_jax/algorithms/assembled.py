"""What the loop of train.py needs to know of an algorithm."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import types
from typing import Any, NamedTuple

import numpy as np

from revive_jax.training import state as state_lib

Metrics = dict[str, Any]
# Batches of this host's share, of grain, from the one after `start` steps on:
# data(start=0). They depend on seed and step alone, not on how many hosts.
Data = Callable[..., Iterable[dict[str, np.ndarray]]]
# The batches that come after a state.
Batches = Callable[
    [state_lib.TrainState], Iterable[dict[str, np.ndarray]]]


class Account(NamedTuple):
  """What a private training has given away, by the steps done."""

  mechanism: dict[str, Any]  # In JSON's types; all steps of a run have one.
  epsilon: Callable[[int], float]
  statement: Callable[[int], str]  # For the model card.
  last_step: int  # The budget does not allow more.


def after(data: Data) -> Batches:
  """The batches that come after a state, whose step is the place in data."""
  return lambda state: data(start=int(state.step))


class Assembled(NamedTuple):
  """An algorithm with its data and networks, ready to run."""

  data: Batches
  # (rng, params=None) to the first state; params: of what ships, to go on from.
  init: Callable[..., state_lib.TrainState]
  # Jitted; its batch lies on the mesh.
  step: Callable[..., tuple[state_lib.TrainState, Metrics]]
  name: str  # Of the network whose weights state.ema holds, in models.MODELS.
  settings: dict[str, Any]  # Of that network.
  # (rng, params) to params with all parts; for weights that may lack some.
  complete: Callable[[Any, Any], Any] = lambda rng, params: params
  # state to pictures [H, W, C] uint8, by name; None: there is nothing to see.
  pictures: Callable[[state_lib.TrainState], dict[str, np.ndarray]] | None = (
      None)
  notes: Mapping[str, Any] = types.MappingProxyType({})  # For config.json.
  # What there is to say of metrics that are logged, a sentence or nothing.
  warn: Callable[[Metrics], str] = lambda metrics: ''
  # Names of what is trained on; none where that is a secret.
  trained_on: Sequence[str] = ()
  account: Account | None = None  # Of private training,
  # which puts its secret into the first state.
  keyed: Callable[[state_lib.TrainState], state_lib.TrainState] = (
      lambda state: state)
