"""Networks of a table: what each checkpoint does in the stage restore."""

from collections.abc import Callable, Iterator
import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from revive_jax import models, types
from revive_jax.models import inference, weights


class Network(NamedTuple):
  """A checkpoint that can restore."""

  # (frames, mask=, cuts=, state=, carry_after=) to (Restored, state).
  call: Callable[..., tuple[Any, Any]]
  about: dict[str, Any]  # weights, sha256, steps, parameters.
  predicts: bool = True  # Its log-variance is of what it gives.
  # Marks of the clips that it was trained on (data/splits.py).
  trained_on: frozenset[str] = frozenset()


def load(
    where: str, *, num_samples: int, causal: bool, seed: int
) -> Iterator[tuple[str, Network]]:
  """Row names and networks of checkpoints of any kind that restores.

  Restorers stand alone. Fills (configs/fills.py) stand on the restorer they
  were trained for, which must be among the checkpoints; they give two rows: the
  mean of num_samples fills, and the first of them. A latent restorer
  (configs/vae_restorer.py) fills what the first restorer found.

  Args:
    where: names that ship, folders, files, hub ids; comma-separated.
    num_samples: fills to draw.
    causal: let restorers see no future frames.
    seed: of the fills.

  Raises:
    types.BadInput: there are none, or they are of something else.
  """
  places = [w.strip() for w in where.split(',') if w.strip()]
  found = {place: weights.read_weights(place) for place in places}
  restorers = {}
  for place, w in found.items():
    if w.config['model'] in models.RESTORERS:
      model, params = inference.build(w)
      restorers[w.config['sha256']] = place, functools.partial(
          inference.restore_frames, jax.device_put(params), model=model,
          causal=causal)
  for place, w in found.items():
    name = _row(place)
    if w.config['model'] == 'fill_vae':
      under, restore = _restorer_of(w, restorers)
      fills = inference.load_fills(place, restorer_weights=under)
      for row, count in ((f'{name}, mean of {num_samples}', num_samples),
                         (f'{name}, one of them', 1)):
        yield row + ', causal' * causal, Network(
            functools.partial(_filled, restore=restore, fills=fills, seed=seed,
                              num_samples=count),
            _about(w, found[under]), predicts=count > 1,
            trained_on=_seen(w, found[under]))
    elif w.config['model'] == 'latent_restorer':
      under, restore = _first(w, restorers)
      model, params = inference.load_latent(place)
      yield name + ', causal' * causal, Network(functools.partial(
          _translated, restore=restore, fill=functools.partial(
              inference.restore_latent, jax.device_put(params), model=model)),
          _about(w, found[under]), predicts=False,
          trained_on=_seen(w, found[under]))
    elif w.config['sha256'] in restorers:
      yield name + ', causal' * causal, Network(
          restorers[w.config['sha256']][1], _about(w), trained_on=_seen(w))
    else:
      inference.build(w)  # Refuses it in a sentence.


def _row(where: str) -> str:
  """What weights are called in the table: the last parts of their place."""
  return f'ours ({"/".join(pathlib.Path(where).parts[-2:])})'


def _about(*found: weights.Weights) -> dict[str, Any]:
  """What the table says of weights; parameters are of all of them."""
  first = found[0]
  return {
      'weights': first.name, 'sha256': first.config['sha256'],
      'steps': first.config.get('steps', 0),
      'parameters': sum(
          x.size for w in found for x in jax.tree.leaves(w.params))}


def _seen(*found: weights.Weights) -> frozenset[str]:
  """Marks of what any of them was trained on; weights of others have none."""
  return frozenset().union(*(w.config.get('trained_on', ()) for w in found))


def _restorer_of(found, restorers):
  """(place, network) of the restorer that fills were trained for."""
  wanted = found.config.get('restorer')
  if wanted not in restorers:
    raise types.BadInput(
        f'{found.name}: fills for {_called(wanted)}, which is not among '
        '--config.weights; name its weights there, too.')
  return restorers[wanted]


def _called(sha256):
  """The weights that ship of a sha256; else itself."""
  return next((name for name in weights.shipped() if weights.read_weights(
      name).config['sha256'] == sha256), f'a restorer of sha256 {sha256}')


def _first(found, restorers):
  """(place, network) of the restorer that finds the damage for others."""
  if not restorers:
    raise types.BadInput(
        f'{found.name}: they fill what a restorer found; name the weights of '
        'one in --config.weights, too.')
  return next(iter(restorers.values()))


def _translated(frames, *, restore, fill, **more):
  """Restores, and puts what fill makes in the place of what was damaged."""
  restored, state = restore(frames, **more)
  hole = restored.damage > 0.5
  made = fill(jnp.asarray(frames), hole.astype(jnp.float32))
  return restored.replace(
      output=jnp.where(hole, made, restored.output)), state


def _filled(frames, *, restore, fills, seed, num_samples, **more):
  """Restores, and fills what was found damaged by the mean of samples."""
  restored, state = restore(frames, **more)
  samples = inference.sample_fills(
      fills.params, restored, jax.random.key(seed), fill_model=fills.model,
      sigma=fills.sigma, num_samples=num_samples)
  hole = restored.damage > 0.5
  known = jnp.where(hole, samples.deviation, 1)
  return restored.replace(
      output=samples.mean,
      log_variance=jnp.where(
          hole, 2 * jnp.log(known), restored.log_variance)), state
