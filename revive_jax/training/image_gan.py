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


def discriminator_loss(
    params: Any, batch: tuple[jax.Array, jax.Array], *,
    discriminator: nn.Module, game: adversarial.Game, gamma: float,
) -> tuple[jax.Array, jax.Array]:
  """Loss and share of right verdicts of pictures (real, fake) [B, H, W, C]."""
  real, fake = batch
  judge = lambda x: discriminator.apply({'params': params}, x)
  verdicts = judge(real), judge(fake)
  loss = game.discriminator(*verdicts).mean()
  if gamma:
    loss += gamma * adversarial.gradient_penalty(judge, real).mean()
  return loss, adversarial.accuracy(*verdicts, game).mean()


def seen(images: jax.Array) -> jax.Array:
  """Pictures uint8 as networks see them, in [-1, 1]."""
  return images.astype(jnp.float32) / 127.5 - 1


def drawn(
    seed: int, step: jax.Array, count: int, generator: nn.Module
) -> list[jax.Array]:
  """The noise [count, Z] of a step, of the discriminator's and its own."""
  rng = jax.random.fold_in(jax.random.key(seed), step)
  return [jax.random.normal(key, (count, generator.latent))
          for key in jax.random.split(rng)]


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
  real = seen(images)
  noises = drawn(seed, state.step, len(real), generator)
  fake = generator.apply({'params': state.params['generator']}, noises[0])

  def loss_of(params, batch):
    loss, accuracy = discriminator_loss(
        params, batch, discriminator=discriminator, game=game, gamma=gamma)
    return loss, ((), {'accuracy': accuracy})

  (loss, (_, terms)), grads = accumulation.value_and_grad(
      loss_of, state.params['discriminator'], (real, fake), parts=parts)
  state, metrics = judged(state, loss, grads, terms, tx)
  return generated(
      state, metrics, real, noises[1], generator=generator,
      discriminator=discriminator, tx=tx, game=game, ema_decay=ema_decay,
      parts=parts)


def judged(
    state: state_lib.TrainState, loss: jax.Array, grads: Any,
    terms: dict[str, jax.Array], tx: Optimizers,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """The state after the discriminator's step, and its metrics."""
  return _descend(state, 'discriminator', grads, tx), terms | {
      'loss': loss, 'adversarial/discriminator': loss,
      'grad_norm/discriminator': optax.tree.norm(grads)}


def generated(
    state: state_lib.TrainState, metrics: dict[str, jax.Array],
    real: jax.Array | None, noise: jax.Array, *, generator: nn.Module,
    discriminator: nn.Module, tx: Optimizers, game: adversarial.Game,
    ema_decay: float, parts: int = 1,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """The generator's step, the average, and the end of the whole step.

  metrics: of judged(). real: [B, H, W, C], which the game may look at; None:
  it gets no real pictures. noise: [B, Z].
  """
  def loss_of(params, batch):
    real, noise = batch
    judge = lambda x: discriminator.apply(
        {'params': state.params['discriminator']}, x)
    made = generator.apply({'params': params}, noise)
    loss = game.generator(None if real is None else judge(real), judge(made))
    return loss.mean(), ((), {})

  (loss, _), grads = accumulation.value_and_grad(
      loss_of, state.params['generator'], (real, noise), parts=parts)
  state = _descend(state, 'generator', grads, tx)
  ema = state_lib.averaged(
      state.ema, state.params['generator'], state.step, decay=ema_decay)
  return state.replace(step=state.step + 1, ema=ema), metrics | {
      'loss': loss + metrics['loss'], 'adversarial/generator': loss,
      'grad_norm/generator': optax.tree.norm(grads)}


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
