"""The restorer against discriminators: configs/gan.py."""

import functools

import jax
import ml_collections

from revive_jax import types
from revive_jax.algorithms import assembled, privately, restorer, shown
from revive_jax.losses import adversarial
from revive_jax.models import discriminator, perceptual
from revive_jax.training import gan, optimizer, private, sharding


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  restorer.check(c)
  types.check_choice('gan.loss', c.gan.loss, tuple(adversarial.GAMES))
  g = c.gan
  for key in ('frame', 'clip', 'feature_matching', 'perceptual', 'warping',
              'lecam', 'start', 'warmup', 'rate', 'clip_norm'):
    if g[key] < 0:
      raise types.BadInput(f'--config.gan.{key}={g[key]} is negative.')
  if g.perceptual and not g.features_of:
    raise types.BadInput(
        '--config.gan.features_of: name the weights of a restorer or of a '
        'VGG-16, or set --config.gan.perceptual=0.')
  if g.features < 1:
    raise types.BadInput(f'--config.gan.features={g.features} is less than 1.')
  if g.start >= c.num_steps:
    raise types.BadInput(
        f'--config.gan.start={g.start} is not before the last step '
        f'({c.num_steps}): the discriminators would never count.')
  if c.data.num_frames < 3:
    raise types.BadInput(
        f'--config.data.num_frames={c.data.num_frames}: the discriminator of '
        'clips looks at 3 frames at once; give it as many.')
  if privately.is_wanted(c) and g.lecam:
    raise types.BadInput(
        '--config.gan.lecam keeps verdicts on real clips in mind, which is not '
        'private; set --config.gan.lecam=0.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, networks and step of c."""
  training = privately.prepare(c, layout) if privately.is_wanted(c) else None
  if training:
    c = privately.within_budget(c, training)
  data = None if training else restorer.make_data(c)
  textures = restorer.make_textures(c, sharding.replicated(layout))
  model = restorer.make_model(c)
  static = dict(
      model=model, judges=_judges(c, model.dtype),
      tx={'generator': restorer.make_optimizer(c),
          'discriminators': _optimizer(c)})
  common = dict(
      **static, seed=c.seed, draw=restorer.make_draw(c), rules=_rules(c),
      features=perceptual.load(c.gan.features_of) if c.gan.perceptual else None,
      ema_decay=c.ema_decay, **restorer.make_costs(c))
  init = functools.partial(gan.init_state, **static)
  if training:
    compiled = private.compile_step(
        layout, private.gan_step, noise=training.noise, **common)
    init = private.with_room(init)
    step = lambda state, batch: compiled(state, batch, textures)
  else:
    compiled = gan.compile_step(layout, parts=c.accumulate, **common)
    step = lambda state, batch: compiled(state, batch['clean'], textures)
  return assembled.Assembled(
      data=training.data if training else assembled.after(data), init=init,
      step=step, name=c.model.name, settings=c.model.settings.to_dict(),
      complete=functools.partial(gan.completed, model=model),
      pictures=None if training else _pictures(c, model, textures),
      **(dict(account=training.account, keyed=training.keyed) if training
         else dict(warn=gan.won, trained_on=restorer.names(c))))


def _pictures(c, model, textures):
  """What the restorer makes of clips of the run, by state."""
  clean = shown.clips(c)
  batch = shown.damaged(c, clean, textures)
  restore = jax.jit(lambda params: model.apply(
      {'params': params}, batch.damaged, mask=batch.mask, cuts=batch.cuts,
      use_future=batch.use_future)[0].output)

  def pictures(state):
    middle = clean.shape[1] // 2
    return {'restored': shown.rows({
        name: x[:, middle] for name, x in (
            ('damaged', batch.damaged), ('restored', restore(state.ema)),
            ('clean', batch.target))})}

  return pictures


def _rules(c):
  g = c.gan
  return gan.Rules(
      game=adversarial.GAMES[g.loss],
      adversarial={'frame': g.frame, 'clip': g.clip},
      **{key: g[key] for key in ('feature_matching', 'perceptual', 'warping',
                                 'lecam', 'start', 'warmup')})


def _judges(c, dtype):
  return {'frame': discriminator.FrameDiscriminator(c.gan.features, dtype),
          'clip': discriminator.ClipDiscriminator(c.gan.features, dtype)}


def _optimizer(c):
  """Of both discriminators: Adam as GANs use it, on the restorer's schedule."""
  o = c.optimizer
  return optimizer.scheduled_adamw(
      num_steps=c.num_steps, peak=c.gan.rate, warmup=o.warmup, shape=o.shape,
      final_decay=o.final_decay, b1=0.5, b2=0.99, weight_decay=0.0,
      clip_norm=c.gan.clip_norm)
