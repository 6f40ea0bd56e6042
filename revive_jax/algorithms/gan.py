"""The restorer against discriminators: configs/gan.py."""

import functools

import jax
import ml_collections

from revive_jax import types
from revive_jax.algorithms import assembled, restorer
from revive_jax.losses import adversarial
from revive_jax.models import discriminator
from revive_jax.training import gan, optimizer, sharding


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  restorer.check(c)
  types.check_choice('gan.loss', c.gan.loss, tuple(adversarial.GAMES))
  if c.data.num_frames < 3:
    raise types.BadInput(
        f'--config.data.num_frames={c.data.num_frames}: the discriminator of '
        'clips looks at 3 frames at once; give it as many.')


def assemble(
    c: ml_collections.ConfigDict, mesh: jax.sharding.Mesh
) -> assembled.Assembled:
  """Data, networks and step of c."""
  data = restorer.make_data(c)
  textures = restorer.make_textures(c, sharding.replicated(mesh))
  static = dict(
      model=restorer.make_model(c), judges=_judges(c),
      tx={'generator': restorer.make_optimizer(c),
          'discriminators': _optimizer(c)})
  g = c.gan
  step = gan.compile_step(
      mesh, **static, seed=c.seed, draw=restorer.make_draw(c),
      rules=gan.Rules(
          game=adversarial.GAMES[g.loss],
          adversarial={'frame': g.frame, 'clip': g.clip},
          feature_matching=g.feature_matching, lecam=g.lecam, start=g.start,
          warmup=g.warmup),
      weights=c.losses.to_dict(), damage_weight=c.damage_weight,
      epsilon=c.charbonnier_epsilon, ema_decay=c.ema_decay)
  return assembled.Assembled(
      data=data, init=functools.partial(gan.init_state, **static),
      step=lambda state, batch: step(state, batch['clean'], textures),
      name=c.model.name, settings=c.model.settings.to_dict(), warn=gan.won)


def _judges(c):
  return {'frame': discriminator.FrameDiscriminator(c.gan.features),
          'clip': discriminator.ClipDiscriminator(c.gan.features)}


def _optimizer(c):
  """Of both discriminators: Adam as GANs use it, on the restorer's schedule."""
  o = c.optimizer
  rate = optimizer.schedule(
      peak=c.gan.rate, num_steps=c.num_steps, warmup=o.warmup, shape=o.shape,
      final_decay=o.final_decay)
  return optimizer.adamw(
      rate, b1=0.5, b2=0.99, weight_decay=0.0, clip_norm=c.gan.clip_norm)
