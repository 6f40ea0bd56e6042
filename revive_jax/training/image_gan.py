"""Training of an unconditional GAN: noise to pictures."""

import functools
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import adversarial
from revive_jax.training import accumulation, sharding
from revive_jax.training import state as state_lib

Optimizers = dict[str, optax.GradientTransformation]  # By side.


def init_state(
    rng: jax.Array, *, generator: nn.Module, discriminator: nn.Module,
    tx: Optimizers, params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step.

  params: of the generator, to go on from; None: drawn. The discriminator's are
  always drawn.
  """
  rngs = jax.random.split(rng)
  noise = jnp.zeros((1, generator.latent))
  if params is None:
    params = generator.init(rngs[0], noise)['params']
  fake = generator.apply({'params': params}, noise)
  both = {'generator': params,
          'discriminator': discriminator.init(rngs[1], fake)['params']}
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=both,
      opt_state={side: tx[side].init(p) for side, p in both.items()},
      ema=jax.tree.map(jnp.copy, params))


def train_step(
    state: state_lib.TrainState, images: jax.Array, *, generator: nn.Module,
    discriminator: nn.Module, tx: Optimizers, game: adversarial.Game,
    seed: int, gamma: float, ema_decay: float, parts: int = 1,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step of the discriminator, then one of the generator against it.

  Args:
    state: params and opt_state by side; ema of the generator.
    images: [B, H, W, C] uint8, seen as [-1, 1].
    generator: noise [B, Z] to pictures.
    discriminator: pictures to verdicts [B, ...].
    tx: by side.
    game: what each side pays.
    seed: of the noise.
    gamma: weight of the gradient penalty at real pictures (R1).
    ema_decay: of the generator.
    parts: of the batch, one after the other.

  Returns:
    The state, and the metrics.
  """
  real = images.astype(jnp.float32) / 127.5 - 1
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  noises = [jax.random.normal(key, (len(real), generator.latent))
            for key in jax.random.split(rng)]
  judge = lambda p, x: discriminator.apply({'params': p}, x)
  make = lambda p, z: generator.apply({'params': p}, z)
  fake = make(state.params['generator'], noises[0])

  def discriminator_loss(p, batch):
    real, fake = batch
    verdicts = judge(p, real), judge(p, fake)
    loss = game.discriminator(*verdicts).mean()
    if gamma:
      loss += gamma * adversarial.gradient_penalty(
          functools.partial(judge, p), real).mean()
    return loss, ((), adversarial.accuracy(*verdicts, game).mean())

  def generator_loss(p, batch):
    real, noise = batch
    others = state.params['discriminator']
    loss = game.generator(judge(others, real), judge(others, make(p, noise)))
    return loss.mean(), ((), ())

  (loss_d, (_, accuracy)), grads_d = accumulation.value_and_grad(
      discriminator_loss, state.params['discriminator'], (real, fake),
      parts=parts)
  state = _descend(state, 'discriminator', grads_d, tx)
  (loss_g, _), grads_g = accumulation.value_and_grad(
      generator_loss, state.params['generator'], (real, noises[1]), parts=parts)
  state = _descend(state, 'generator', grads_g, tx)
  ema = state_lib.averaged(
      state.ema, state.params['generator'], state.step, decay=ema_decay)
  return state.replace(step=state.step + 1, ema=ema), {
      'loss': loss_g + loss_d, 'adversarial/generator': loss_g,
      'adversarial/discriminator': loss_d, 'accuracy': accuracy,
      'grad_norm/generator': optax.tree.norm(grads_g),
      'grad_norm/discriminator': optax.tree.norm(grads_d)}


def _descend(state, side, grads, tx):
  """The state after a step of one side down its gradient."""
  updates, opt_state = tx[side].update(
      grads, state.opt_state[side], state.params[side])
  params = optax.apply_updates(state.params[side], updates)
  return state.replace(params=state.params | {side: params},
                       opt_state=state.opt_state | {side: opt_state})


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)


@functools.partial(jax.jit, static_argnames=('generator', 'count'))
def samples(
    params: Any, rng: jax.Array, *, generator: nn.Module, count: int
) -> jax.Array:
  """count pictures [count, H, W, C] in [0, 1]."""
  noise = jax.random.normal(rng, (count, generator.latent))
  return generator.apply({'params': params}, noise) / 2 + 0.5
