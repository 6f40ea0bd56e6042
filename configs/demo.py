"""The main job on embedded input: make a clip, damage it, restore it."""

import ml_collections
from revive_jax.configs import restore


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny', half a second."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restore.get_config(size)
  c.mode = 'demo'
  c.weights = '' if tiny else 'restorer'  # Beside the classical stages.
  c.severity = 'medium'  # light, medium, heavy: degradations/chain.py
  c.width, c.height = (96, 72) if tiny else (480, 360)
  c.num_frames = 12 if tiny else 72  # Of all shots together.
  c.frame_rate = 24.0
  c.strength.noise = 1.0  # Here the clean clip is known: come close to it.
  c.output.grain = 0.0
  c.output.keep_original = True  # For --mode=restore-original on what it makes.
  return c
