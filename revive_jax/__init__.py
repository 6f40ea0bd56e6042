"""revive_jax: restores damaged film and video; it does not reinvent it.

  model, params = revive_jax.load_weights('restorer')
  restored, state = revive_jax.restore_frames(params, frames, model=model)

and, where fills were trained (configs/fills.py), several plausible ones:

  fills = revive_jax.load_fills(
      'runs/fills/weights', restorer_weights='restorer')
  samples = revive_jax.sample_frames(
      params, fills.params, frames, jax.random.key(0), model=model,
      fill_model=fills.model, sigma=fills.sigma, num_samples=5)

or, of a mask that is known, one from another domain (configs/vae_restorer.py):

  model, params = revive_jax.load_latent('runs/vae_restorer/weights')
  filled = revive_jax.restore_latent(params, frames, mask, model=model)

Frames of twice the size:

  model, params = revive_jax.load_upscaler('upscaler')
  larger = revive_jax.upscale_frames(params, frames, model=model)

All that the program does to a film, on arrays (docs/integrations.md):

  from revive_jax import frames
  found = frames.restore_frames(frames.settings(), film)

What --mode=export wrote, run without the code of the network:

  restore = revive_jax.load_exported('exported/restorer')
  restored, state = restore(frames)
"""

import importlib

__version__ = '0.1.0'
__all__ = ('load_exported', 'load_fills', 'load_latent', 'load_upscaler',
           'load_weights', 'restore_frames', 'restore_latent', 'sample_frames',
           'upscale_frames')


def __getattr__(name: str):
  # On first use, so that a program that wants something else starts quickly.
  if name in __all__:
    module = 'exported' if name == 'load_exported' else 'models.inference'
    return getattr(importlib.import_module(f'revive_jax.{module}'), name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
