"""What algorithms on small pictures share: their data."""

import functools

import jax
import ml_collections

from revive_jax import types
from revive_jax.algorithms import assembled
from revive_jax.data import digits, pipeline


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings of both algorithms that cannot be."""
  types.check_choice('data.name', c.data.name, ('mnist', 'embedded'))
  if c.data.name == 'embedded' and c.data.root:
    raise types.BadInput(
        f'--config.data.root={c.data.root} is not looked at with the embedded '
        'digits; leave it out, or add --config.data.name=mnist.')
  if c.model.settings.latent < 2:
    raise types.BadInput(
        f'--config.model.settings.latent={c.model.settings.latent} is less '
        'than 2.')


def pictures(c: ml_collections.ConfigDict, split: str):
  """{'image': [28, 28, 1] uint8, 'label'} by index, of a split of c.data."""
  if c.data.name == 'embedded':
    return digits.embedded(split)
  return digits.mnist(split, root=c.data.root, prepared=c.data.prepared)


def make_data(c: ml_collections.ConfigDict) -> assembled.Data:
  """Batches of pictures of c.data, this host's share."""
  return functools.partial(
      pipeline.make_pictures, pictures(c, 'train'), seed=c.seed,
      batch_size=c.batch_size,
      host_index=jax.process_index(), host_count=jax.process_count())
