"""An autoencoder of clean clips, or of frames: configs/vae.py."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import models, types
from revive_jax.algorithms import assembled, image_vae, restorer, shown
from revive_jax.models import vae as vae_lib
from revive_jax.training import optimizer, sharding, vae
from revive_jax.video import sheet


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('model.name', c.model.name, ('clip_vae',))
  types.check_choice('model.dtype', c.model.dtype, ('', 'float32', 'bfloat16'))
  types.check_choice('optimizer.shape', c.optimizer.shape,
                     ('cosine', 'constant'))
  image_vae.check_losses(c)
  restorer.check_data(c)
  if len(c.model.settings.features) != 3 or c.model.settings.latent < 1:
    raise types.BadInput(
        '--config.model.settings: features are of three resolutions, and '
        'latent is at least 1.')
  if c.data.size % vae_lib.BLOCK:
    raise types.BadInput(
        f'--config.data.size={c.data.size} does not fit the latents, which are '
        f'of 1/{vae_lib.BLOCK} of the resolution: make it a multiple.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, network and step of c."""
  data = restorer.make_data(c)
  settings = c.model.settings.to_dict()
  default = 'float32' if jax.default_backend() == 'cpu' else 'bfloat16'
  model = models.build(c.model.name, settings,
                       dtype=jnp.dtype(c.model.dtype or default))
  tx = optimizer.scheduled_adamw(
      num_steps=c.num_steps, **c.optimizer.to_dict())
  step = vae.compile_step(
      layout, parts=c.accumulate,
      model=model, tx=tx, seed=c.seed, likelihood='gaussian',
      ema_decay=c.ema_decay, **c.losses.to_dict())
  shape = (c.data.num_frames, c.data.size, c.data.size, 3)
  clean = shown.clips(c).astype(np.float32) / 255

  def pictures(state):
    back = np.asarray(vae.rebuilt(state.ema, clean, model=model))
    rows = np.stack([clean, back], 1).reshape(-1, *clean.shape[2:])
    return {'reconstructions': sheet.grid(rows, clean.shape[1])}

  return assembled.Assembled(
      data=assembled.after(data),
      init=functools.partial(
          vae.init_state, model=model, tx=tx, shape=shape),
      step=lambda state, batch: step(state, batch['clean']),
      name=c.model.name, settings=settings, pictures=pictures,
      trained_on=restorer.names(c))
