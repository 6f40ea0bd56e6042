"""A film scan: --config=presets/film --input=scan.mov.

Dust, scratches and flicker are treated fully. The grain is part of the picture
and stays: nothing is denoised, and what is filled in is given grain as well.
The tone is left as it is: whether it has faded is for somebody to say
(--config.strength.tone=1).
"""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny' (fast, no network)."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restore.get_config(size)
  c.strength.update(scratch=1.0, dust=1.0, flicker=1.0, tone=0.0, noise=0.0,
                    blur=0.0)
  c.fill = 'temporal_median'  # Other frames have the grain, too.
  c.output.grain = 1.0
  c.audio.update(clicks=-1.0, hum=-1.0, hiss=-1.0)
  c.sample = dict(name='film', width=96 if tiny else 480,
                  height=72 if tiny else 360, num_frames=12 if tiny else 72)
  return c
