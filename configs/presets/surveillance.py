"""Low light and strong compression: --config=presets/surveillance --input=...

For what may be evidence, and for live cameras. Noise is averaged away over a
few frames; nothing is filled, sharpened or generated, no face is made clearer
than it was recorded, and no network runs. Frames wait for a short window only;
of a live camera they do not wait, and the mean is of the frames before.
"""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny' (small sample)."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restore.get_config(size)
  c.weights = ''
  c.denoiser = 'temporal'  # A mean of what was recorded, along the motion.
  c.strength.update(noise=1.0, dust=0.0, scratch=0.0, flicker=0.0, tone=0.0,
                    blur=0.0)
  c.lookahead = 0
  c.window = 8  # No frame waits for more than this.
  c.output.grain = 0.0
  c.interlace = 'off'  # Other lines would be made up.
  c.audio.update(dict.fromkeys(c.audio, 0.0))
  c.output.checksums = True
  c.sample = dict(name='surveillance', width=96 if tiny else 480,
                  height=72 if tiny else 360, num_frames=12 if tiny else 72)
  return c
