"""Networks: what the learned stage of a restore runs, of weights."""

import functools

import jax
import ml_collections

from revive_jax import types
from revive_jax.models import inference, weights


def make_network(
    found: weights.Weights, c: ml_collections.ConfigDict | None = None
):
  """What the learned stage runs (pipeline.restore.Network), of weights.

  c: says whether there are fills, or other answers; None: there are none.

  Raises:
    types.BadInput: there is but one answer, and c asks for several.
  """
  several = c is not None and c.num_samples > 1 and not c.fills
  if several and not found.config['settings'].get('noise'):
    raise types.BadInput(
        f'--config.num_samples={c.num_samples}: {found.name} gives one answer '
        'only; take weights with noise (gan), or name fills that were trained '
        'for it with --config.fills (--config=fills trains some).')
  model, params = inference.build(found)
  params = jax.device_put(params)  # Once, not with every window.
  if c is not None and c.fills:
    return functools.partial(
        inference.fill_frames, params, model=model, seed=c.seed,
        num_samples=c.num_samples, fills=inference.load_fills(
            c.fills, restorer_weights=c.weights))
  return functools.partial(inference.restore_window, params, model=model)


def described(found: weights.Weights) -> str:
  """Which weights these are, for the report: name, steps, hash."""
  return (f'{found.name}, {found.config.get("steps", 0)} steps, sha256 '
          f'{found.config["sha256"]}')


def identity(name: str) -> str | None:
  """What tells weights from others, their SHA-256; None: there are none."""
  return weights.read_weights(name).config['sha256'] if name else None
