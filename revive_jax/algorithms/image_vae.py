"""A variational autoencoder of pictures: configs/mnist_vae.py."""

import functools

import jax
import ml_collections
import numpy as np

from revive_jax import models, types
from revive_jax.algorithms import assembled, images
from revive_jax.training import optimizer, sharding, vae
from revive_jax.video import sheet


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  images.check(c)
  types.check_choice('model.name', c.model.name, ('dense_vae',))
  types.check_choice('likelihood', c.likelihood, vae.LIKELIHOODS)
  types.check_choice('optimizer.shape', c.optimizer.shape,
                     ('cosine', 'constant'))
  check_losses(c)


def check_losses(c: ml_collections.ConfigDict) -> None:
  """Refuses weights of an autoencoder's losses that cannot be."""
  losses = c.losses
  if losses.sigma <= 0:
    raise types.BadInput(
        f'--config.losses.sigma={losses.sigma} is not above 0.')
  for key in ('beta', 'beta_warmup', 'beta_period', 'free_bits'):
    if losses[key] < 0:
      raise types.BadInput(f'--config.losses.{key}={losses[key]} is negative.')
  if 0 < losses.beta_period <= losses.beta_warmup:
    raise types.BadInput(
        f'--config.losses.beta_period={losses.beta_period} is over before beta '
        f'is reached; make it more than beta_warmup={losses.beta_warmup}.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, network and step of c."""
  data, held_out = images.make_data(c), images.pictures(c, 'test')
  settings = c.model.settings.to_dict()
  model = models.build(c.model.name, settings)
  tx = optimizer.scheduled_adamw(
      num_steps=c.num_steps, **c.optimizer.to_dict())
  step = vae.compile_step(
      layout, parts=c.accumulate,
      model=model, tx=tx, seed=c.seed, likelihood=c.likelihood,
      ema_decay=c.ema_decay, **c.losses.to_dict())
  seen = np.stack([held_out[i % len(held_out)]['image'] for i in range(50)])
  seen = seen.astype(np.float32) / 255
  show = functools.partial(
      vae.show, x=seen, rng=jax.random.key(c.seed), model=model,
      likelihood=c.likelihood)
  return assembled.Assembled(
      data=assembled.after(data),
      init=functools.partial(
          vae.init_state, model=model, tx=tx, shape=seen.shape[1:]),
      step=lambda state, batch: step(state, batch['image']),
      name=c.model.name, settings=settings,
      notes={'likelihood': c.likelihood},
      pictures=lambda state: {
          name: sheet.grid(np.asarray(x), 10)
          for name, x in show(state.ema).items()})
