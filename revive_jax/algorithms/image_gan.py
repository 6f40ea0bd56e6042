"""A GAN that makes pictures from noise: configs/mnist_gan.py."""

import functools

import jax
import ml_collections
import numpy as np
import optax

from revive_jax import models, types
from revive_jax.algorithms import assembled, images, privately
from revive_jax.losses import adversarial
from revive_jax.models import dense
from revive_jax.training import image_gan, private, sharding
from revive_jax.video import sheet

_COUNT = 100  # Samples in a picture.


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  images.check(c)
  types.check_choice('model.name', c.model.name, ('dense_generator',))
  types.check_choice('loss', c.loss, tuple(adversarial.GAMES))
  if c.gradient_penalty < 0:
    raise types.BadInput(
        f'--config.gradient_penalty={c.gradient_penalty} is negative.')
  privately.check(c)
  if privately.is_wanted(c) and c.loss == 'relativistic':
    raise types.BadInput(
        '--config.loss=relativistic shows real pictures to the generator, '
        'whose gradient is not private; choose another loss.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, both networks and the step of c."""
  training = None
  if privately.is_wanted(c):
    training = privately.prepare_pictures(
        c, layout, images.pictures(c, 'train'))
  settings = c.model.settings.to_dict()
  generator = models.build(c.model.name, settings)
  rates = c.optimizer.to_dict()
  b1, b2 = rates.pop('b1'), rates.pop('b2')
  static = dict(
      generator=generator,
      discriminator=dense.Discriminator(**c.discriminator.to_dict()),
      tx={side: optax.adam(rate, b1=b1, b2=b2) for side, rate in rates.items()})
  init = functools.partial(image_gan.init_state, **static)
  common = dict(
      **static, game=adversarial.GAMES[c.loss], seed=c.seed,
      gamma=c.gradient_penalty, ema_decay=c.ema_decay)

  def pictures(state):
    made = image_gan.samples(
        state.ema, jax.random.key(c.seed), generator=generator, count=_COUNT)
    return {'samples': sheet.grid(np.asarray(made), 10)}

  whole = functools.partial(
      assembled.Assembled, name=c.model.name, settings=settings,
      pictures=pictures)
  if training:
    return whole(
        data=training.data, init=private.with_room(init),
        step=private.compile_step(
            layout, private.picture_step, noise=training.noise, **common),
        account=training.account, keyed=training.keyed)
  step = image_gan.compile_step(layout, parts=c.accumulate, **common)
  return whole(
      data=assembled.after(images.make_data(c)), init=init,
      step=lambda state, batch: step(state, batch['image']))
