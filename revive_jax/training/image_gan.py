"""Training of an unconditional GAN: noise to pictures."""

import functools
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import adversarial
from revive_jax.training import sharding
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
    seed: int, gamma: float, ema_decay: float,
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

  Returns:
    The state, and the metrics.
  """
  real = images.astype(jnp.float32) / 127.5 - 1
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  draw = lambda key: jax.random.normal(key, (len(real), generator.latent))
  noises = [draw(k) for k in jax.random.split(rng)]
  judge = lambda p, x: discriminator.apply({'params': p}, x)
  make = lambda p, z: generator.apply({'params': p}, z)
  params, opt_state, grads = dict(state.params), dict(state.opt_state), {}

  def descend(side, loss):
    (value, aux), grads[side] = jax.value_and_grad(
        loss, has_aux=True)(params[side])
    updates, opt_state[side] = tx[side].update(
        grads[side], opt_state[side], params[side])
    params[side] = optax.apply_updates(params[side], updates)
    return value, aux

  fake = make(params['generator'], noises[0])

  def discriminator_loss(p):
    verdicts = judge(p, real), judge(p, fake)
    loss = game.discriminator(*verdicts).mean()
    if gamma:
      loss += gamma * adversarial.gradient_penalty(
          functools.partial(judge, p), real).mean()
    return loss, adversarial.accuracy(*verdicts).mean()

  def generator_loss(p):
    return game.generator(
        judge(params['discriminator'], real),
        judge(params['discriminator'], make(p, noises[1]))).mean(), None

  loss_d, accuracy = descend('discriminator', discriminator_loss)
  loss_g, _ = descend('generator', generator_loss)
  done = state.step.astype(jnp.float32)
  decay = jnp.minimum(ema_decay, (1 + done) / (10 + done))
  ema = optax.incremental_update(
      params['generator'], state.ema, step_size=1 - decay)
  metrics = {
      'loss': loss_g + loss_d, 'adversarial/generator': loss_g,
      'adversarial/discriminator': loss_d, 'accuracy': accuracy,
      **{f'grad_norm/{k}': optax.tree.norm(g) for k, g in grads.items()}}
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def compile_step(mesh: jax.sharding.Mesh, **static: Any):
  """Jits train_step: images shared out along `data`, the rest everywhere."""
  same, shared = sharding.replicated(mesh), sharding.by_batch(mesh)
  return jax.jit(
      functools.partial(train_step, **static), in_shardings=(same, shared),
      out_shardings=(same, same), donate_argnums=0)


@functools.partial(jax.jit, static_argnames=('generator', 'count'))
def samples(
    params: Any, rng: jax.Array, *, generator: nn.Module, count: int
) -> jax.Array:
  """count pictures [count, H, W, C] in [0, 1]."""
  noise = jax.random.normal(rng, (count, generator.latent))
  return generator.apply({'params': params}, noise) / 2 + 0.5
