"""Tape and phone: --config=presets/home_video --input=tape.avi.

Interlace is found by measurement, and undone. Noise of the tape, its false
colours, and the blocks of compression are one repair, the denoiser's. The sound
is restored as far as its measured noise asks for it.
"""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny' (fast, no network)."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restore.get_config(size)
  # Dropouts look like dust; a tape has no scratches that stay.
  c.strength.update(dust=1.0, scratch=0.0, noise=1.0, flicker=0.5, tone=0.0,
                    blur=0.5)
  c.fill, c.denoiser = 'temporal_median', 'auto'
  c.output.grain = 0.0
  c.interlace = 'auto'
  c.audio.update(clicks=-1.0, hum=-1.0, hiss=-1.0, clipping=-1.0,
                 level=0.5)
  c.sample = dict(name='home_video', width=96 if tiny else 480,
                  height=72 if tiny else 360, num_frames=12 if tiny else 72)
  return c
