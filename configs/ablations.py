"""The restorer with one thing left out: what each part is worth."""

import ml_collections
from revive_jax.configs import restorer


def get_config(without: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training that all rows of the table share.

  Args:
    without: 'base', nothing; 'no_matcher', nothing follows motion;
      'no_detector', nothing teaches what damage is; 'no_flicker', no clip
      flickers; 'half_width', half the channels; 'single_frame', clips of one
      frame; or 'tiny', for tests. Row 'causal' of the benchmark is 'base',
      shown no future.
  """
  tiny = without == 'tiny'
  c = restorer.get_config('tiny' if tiny else 'base')
  c.num_steps = 4 if tiny else 1000
  c.batch_size = 8 if tiny else 16
  c.data.update(num_frames=3 if tiny else 6, size=32 if tiny else 96)
  c.damage.mix = 'film' if tiny else 'restoration:0.8,noise:0.2'
  c.optimizer.final_decay = 0.5
  if without == 'no_matcher':
    c.model.settings.aligned = False
  elif without == 'no_detector':
    c.losses.update(cross_entropy=0.0, dice=0.0)
  elif without == 'no_flicker':
    c.damage.mix = 'restoration-flicker:0.8,noise:0.2'
  elif without == 'half_width':
    c.model.settings.update(features=24, deep_features=32)
  elif without == 'single_frame':  # As many frames a step as the others see.
    c.batch_size, c.data.num_frames = 16 * 6, 1
  elif without not in ('base', 'tiny'):
    raise KeyError(without)  # As configs do that look their sizes up.
  return c
