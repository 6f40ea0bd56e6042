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

from revive_jax.privacy import private_sgd
from revive_jax.training import batch as batch_lib
from revive_jax.training import gan, holes, sharding, supervised
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


def _gradient(loss_of, state, examples, real, noise):
  """(terms, gradient); the terms are finite, whatever the clips are."""
  key = jax.random.fold_in(
      jax.random.wrap_key_data(state.secret, impl='threefry2x32'), state.step)
  terms, grads = private_sgd.gradient(
      loss_of, state.params, examples, real, key, **noise._asdict())
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
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  batch = batch_lib.damage(rng, data['clean'], draw=draw, textures=textures)

  def loss_of(params, example):
    loss, terms = supervised.batch_loss(params, example, model=model, **costs)
    return loss, terms | {
        'loss': loss,
        'error_damaged': supervised.error(example.damaged, example.target)}

  metrics, grads = _gradient(loss_of, state, batch, data['real'], noise)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(state.ema, params, state.step, decay=ema_decay)
  return state.replace(
      step=state.step + 1, params=params, opt_state=opt_state, ema=ema
  ), _measured(metrics) | {
      f'grad_norm/{k}': optax.tree.norm(v) for k, v in grads.items()}


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
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  batch = batch_lib.damage(rng, data['clean'], draw=draw, textures=textures)
  texture = jax.random.normal(
      jax.random.fold_in(rng, 1), model.noise_shape(data['clean'].shape))
  rise, usual = gan.share(state.step, rules), state.opt_state['usual']
  hold = jax.lax.stop_gradient

  def loss_of(params, example):
    clip = example[0]
    loss, (fake, terms) = gan.generator_loss(
        params['generator'], example, hold(params['discriminators']), rise,
        clip.damage, model=model, judges=judges, rules=rules, pieces=1, **costs)
    loss_d, now = gan.judges_loss(
        params['discriminators'], clip.target, hold(fake), clip.damage,
        holes.sums(clip.damage), usual, judges=judges, rules=rules, pieces=1)
    terms |= {f'accuracy/{side}': now[side]['accuracy'] for side in gan.SIDES}
    return loss + loss_d, terms | {
        'loss': loss, 'discriminator': loss_d,
        'error_damaged': supervised.error(clip.damaged, clip.target)}

  metrics, grads = _gradient(
      loss_of, state, (batch, texture), data['real'], noise)
  params, opt_state = gan.updated(state, grads, tx)
  ema = state_lib.averaged(
      state.ema, params['generator'], state.step, decay=ema_decay)
  return state.replace(
      step=state.step + 1, params=params, opt_state=opt_state | {
          'usual': usual}, ema=ema
  ), _measured(metrics) | {'adversarial_share': rise} | {
      f'grad_norm/{k}': optax.tree.norm(v) for k, v in grads.items()}


def compile_step(layout: sharding.Layout, step: Any, **static: Any):
  """Jits train_step or gan_step for devices as the layout says."""
  return sharding.compile_step(step, layout, **static)
