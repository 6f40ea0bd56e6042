"""Steps that keep to themselves what a clip was: privacy/private_sgd.py.

One mechanism a step, whose gradient is of all that looks at clips. Of the
restorer against discriminators that is both sides: the restorer's own losses
see clean clips, too, so that noise on the discriminators alone would hide
nothing. (A generator that makes pictures of noise sees real ones through its
discriminator alone: there, noise on the discriminator is enough.)
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from revive_jax.losses import adversarial
from revive_jax.privacy import private_sgd
from revive_jax.training import batch as batch_lib
from revive_jax.training import gan, holes, image_gan, sharding, supervised
from revive_jax.training import state as state_lib


class Noise(NamedTuple):
  """How gradients are made private; see private_sgd.gradient."""

  clip_norm: float
  noise_multiplier: float
  expected: float
  micro_batch: int
  mesh: jax.sharding.Mesh


def with_room(init: Callable[..., Any]) -> Callable[..., Any]:
  """init, whose state has room for the key of a secret."""
  return lambda *args, **kwargs: init(*args, **kwargs).replace(
      secret=jnp.zeros((2,), jnp.uint32))


def with_secret(
    state: state_lib.TrainState, secret: int, place: Any = None
) -> state_lib.TrainState:
  """A first state with the key of a secret, which a checkpoint keeps.

  Never within what is compiled: programs are kept on disks, with their
  constants. place: the key's sharding.
  """
  key = np.asarray(jax.random.key_data(private_sgd.noise_key(secret)))
  return state.replace(secret=jax.device_put(key, place))


def secret_of(state: state_lib.TrainState) -> int:
  """The secret that with_secret put there."""
  high, low = (int(x) for x in jax.device_get(state.secret))
  return (high << 32) + low


def _gradient(loss_of, state, examples, real, noise, params=None):
  """(terms, gradient); the terms are finite, whatever the clips are."""
  key = jax.random.fold_in(
      jax.random.wrap_key_data(state.secret, impl='threefry2x32'), state.step)
  terms, grads = private_sgd.gradient(
      loss_of, state.params if params is None else params, examples, real,
      key, **noise._asdict())
  # A step that is left out because of a term would tell of it.
  return jax.tree.map(jnp.nan_to_num, terms), grads


def train_step(
    state: state_lib.TrainState, data: Mapping[str, jax.Array],
    textures: jax.Array | None, *, model: nn.Module,
    tx: optax.GradientTransformation, seed: int, draw: batch_lib.Draw,
    noise: Noise, ema_decay: float, **costs: Any,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """supervised.train_step with a private gradient.

  data: 'clean' [B, T, H, W, 3] uint8 and 'real' [B], of data/poisson.py. costs:
  what else supervised.batch_loss takes.
  """
  def loss_of(params, example):
    clip = _damaged(*example, draw, textures)
    loss, terms = supervised.batch_loss(params, clip, model=model, **costs)
    return loss, terms | {
        'loss': loss,
        'error_damaged': supervised.error(clip.damaged, clip.target)}

  examples = data['clean'], _keys(seed, state.step, len(data['real']))
  metrics, grads = _gradient(loss_of, state, examples, data['real'], noise)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(state.ema, params, state.step, decay=ema_decay)
  return state.replace(
      step=state.step + 1, params=params, opt_state=opt_state, ema=ema
  ), _measured(metrics) | {
      f'grad_norm/{k}': optax.tree.norm(v) for k, v in grads.items()}


def _keys(seed, step, count):
  """What each slot's damage is drawn from, [count, 2] uint32."""
  rng = jax.random.fold_in(jax.random.key(seed), step)
  return jax.random.key_data(jax.random.split(rng, count))


def _damaged(clean, key, draw, textures):
  """A batch of one; made where it is needed, so that few are in memory."""
  return batch_lib.damage(
      jax.random.wrap_key_data(key[0]), clean, draw=draw, textures=textures)


def _measured(terms):
  """Terms as metrics: errors as PSNR, dB."""
  terms = dict(terms)
  return terms | {
      'psnr_damaged': supervised.psnr(terms.pop('error_damaged')),
      'psnr': supervised.psnr(terms.pop('error'))}


def gan_step(
    state: state_lib.TrainState, data: Mapping[str, jax.Array],
    textures: jax.Array | None, *, model: nn.Module,
    judges: Mapping[str, nn.Module],
    tx: Mapping[str, optax.GradientTransformation], seed: int,
    draw: batch_lib.Draw, rules: gan.Rules, noise: Noise, ema_decay: float,
    **costs: Any,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """gan.train_step with a private gradient of both sides, clipped as one.

  rules.lecam is 0, since the usual verdicts that it needs are of real clips.
  """
  rise, usual = gan.share(state.step, rules), state.opt_state['usual']
  hold = jax.lax.stop_gradient

  def loss_of(params, example):
    clip = _damaged(*example, draw, textures)
    texture = jax.random.normal(
        jax.random.fold_in(jax.random.wrap_key_data(example[1][0]), 1),
        model.noise_shape(clip.target.shape))
    loss, (fake, terms) = gan.generator_loss(
        params['generator'], (clip, texture), hold(params['discriminators']),
        rise, clip.damage, model=model, judges=judges, rules=rules, pieces=1,
        **costs)
    loss_d, now = gan.judges_loss(
        params['discriminators'], clip.target, hold(fake), clip.damage,
        holes.sums(clip.damage), usual, judges=judges, rules=rules, pieces=1)
    terms |= {f'accuracy/{side}': now[side]['accuracy'] for side in gan.SIDES}
    return loss + loss_d, terms | {
        'loss': loss, 'discriminator': loss_d,
        'error_damaged': supervised.error(clip.damaged, clip.target)}

  examples = data['clean'], _keys(seed, state.step, len(data['real']))
  metrics, grads = _gradient(loss_of, state, examples, data['real'], noise)
  params, opt_state = gan.updated(state, grads, tx)
  ema = state_lib.averaged(
      state.ema, params['generator'], state.step, decay=ema_decay)
  return state.replace(
      step=state.step + 1, params=params, opt_state=opt_state | {
          'usual': usual}, ema=ema
  ), _measured(metrics) | {'adversarial_share': rise} | {
      f'grad_norm/{k}': optax.tree.norm(v) for k, v in grads.items()}


def picture_step(
    state: state_lib.TrainState, data: Mapping[str, jax.Array], *,
    generator: nn.Module, discriminator: nn.Module,
    tx: Mapping[str, optax.GradientTransformation], game: adversarial.Game,
    seed: int, gamma: float, noise: Noise, ema_decay: float,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """image_gan.train_step with a private gradient of the discriminator alone.

  What follows from it is as private: the generator, which sees no real picture.

  data: 'image' [B, H, W, C] uint8 and 'real' [B], of data/poisson.py. game: not
  one whose generator looks at real verdicts.
  """
  real = image_gan.seen(data['image'])
  noises = image_gan.drawn(seed, state.step, len(real), generator)
  fake = generator.apply({'params': state.params['generator']}, noises[0])

  def loss_of(params, example):
    loss, accuracy = image_gan.discriminator_loss(
        params, example, discriminator=discriminator, game=game, gamma=gamma)
    return loss, {'loss': loss, 'accuracy': accuracy}

  terms, grads = _gradient(loss_of, state, (real, fake), data['real'], noise,
                           state.params['discriminator'])
  state, metrics = image_gan.judged(state, terms.pop('loss'), grads, terms, tx)
  return image_gan.generated(
      state, metrics, None, noises[1], generator=generator,
      discriminator=discriminator, tx=tx, game=game, ema_decay=ema_decay)


def compile_step(layout: sharding.Layout, step: Any, **static: Any):
  """Jits one of these steps for devices as the layout says."""
  return sharding.compile_step(step, layout, **static)
