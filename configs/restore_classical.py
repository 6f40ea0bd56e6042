"""The classical chain by name: no learning anywhere, all stages, no choice."""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of the pipeline. size: 'base', or 'tiny' (fast)."""
  c = restore.get_config(size)
  c.weights = ''
  c.stages = ('preprocess', 'match', 'detect', 'classical', 'moving',
              'composite', 'optimise', 'output')
  c.strength.noise = 1.0
  c.strength.blur = 0.0
  return c
