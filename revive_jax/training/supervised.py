"""Supervised training of the restorer: damaged clips to clean ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import detection, reconstruction, temporal
from revive_jax.ops import resize
from revive_jax.training import accumulation, sharding
from revive_jax.training import batch as batch_lib
from revive_jax.training import state as state_lib


def init_state(
    rng: jax.Array, *, model: nn.Module, tx: optax.GradientTransformation,
    params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step; params: to go on from, else drawn."""
  if params is None:
    params = model.init(rng, jnp.zeros((1, 2, 32, 32, 3)))['params']
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=params, opt_state=tx.init(params),
      ema=jax.tree.map(jnp.copy, params))


# Further distances of the output to the target; none is computed in vain.
FURTHER = {
    'l1': reconstruction.l1,
    'laplacian_pyramid': reconstruction.laplacian_pyramid,
    'focal_frequency': reconstruction.focal_frequency,
}


def losses(
    restored: Any, directions: Sequence[Any | None], batch: batch_lib.Batch, *,
    damage_weight: float, epsilon: float, weights: Mapping[str, float],
) -> dict[str, jax.Array]:
  """The terms of the loss, means over the batch.

  Args:
    restored: restorer.Restored of the batch.
    directions: restorer.Direction, to the past and to the future; None: not.
    batch: what was damaged, and what is wanted.
    damage_weight: how much more than others replaced pixels count.
    epsilon: of the Charbonnier distance: errors above it count as they are.
    weights: of the terms; those of FURTHER that have none are left out.
  """
  weight = 1 + damage_weight * batch.damage
  near = lambda x: reconstruction.charbonnier(
      x, batch.target, weight=weight, epsilon=epsilon).mean()
  still = jax.lax.stop_gradient(restored.output)
  directions = [d for d in directions if d is not None]
  return {
      'charbonnier': near(restored.output),
      'estimate': sum(near(d.estimate.picture) for d in directions)
                  / len(directions),
      'cross_entropy': detection.cross_entropy(
          restored.damage, batch.damage).mean(),
      'dice': detection.dice(restored.damage, batch.damage).mean(),
      'likelihood': reconstruction.gaussian_nll(
          still, batch.target, restored.log_variance, beta=0.5).mean(),
      **matching([d.flows for d in directions], batch),
      **{name: distance(restored.output, batch.target).mean()
         for name, distance in FURTHER.items() if weights.get(name)},
  }


def matching(
    flows: Sequence[Any], batch: batch_lib.Batch
) -> dict[str, jax.Array]:
  """How well the learned flows, at 1/16 and 1/8, explain the clean neighbours.

  The clean frames judge, so that no flow learns to follow the damage.
  flows: restorer.Flows to the past, and to the future if that was looked at.
  """
  flat = lambda x: x.reshape(-1, *x.shape[2:])
  photometric, roughness = jnp.zeros(()), jnp.zeros(())
  new_shot = batch.cuts.at[:, 0].set(True)
  end = jnp.roll(new_shot, -1, axis=1)
  sides = ((~new_shot, 1), (~end, -1))[:len(flows)]
  for flow, (valid, step) in zip(flows, sides, strict=True):
    valid = flat(valid.astype(jnp.float32)[..., None])[:, 0]
    for block, level in ((16, flow.sixteenth), (8, flow.eighth)):
      frames = resize.mean_pool(batch.target, block)
      others = jnp.roll(frames, step, axis=1)
      photometric += temporal.photometric(
          flat(frames), flat(others), flat(level), valid).mean() / 4
      roughness += temporal.roughness(flat(level), flat(frames)).mean() / 4
  return {'photometric': photometric, 'roughness': roughness}


def batch_loss(
    params: Any, batch: batch_lib.Batch, *, model: nn.Module,
    weights: Mapping[str, float], damage_weight: float, epsilon: float,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """The loss of damaged clips; its terms, and the 'error' of the output."""
  restored, _, directions = model.apply(
      {'params': params}, batch.damaged, mask=batch.mask, cuts=batch.cuts,
      use_future=batch.use_future)
  terms = losses(restored, directions, batch, damage_weight=damage_weight,
                 epsilon=epsilon, weights=weights)
  loss = sum(weights[k] * v for k, v in terms.items())
  return loss, terms | {'error': error(restored.output, batch.target)}


def train_step(
    state: state_lib.TrainState,
    clean: jax.Array,
    textures: jax.Array | None,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    seed: int,
    draw: batch_lib.Draw,
    weights: Mapping[str, float],
    damage_weight: float,
    epsilon: float,
    ema_decay: float,
    parts: int = 1,
    only: Sequence[str] = (),
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step: damages clean [B, T, H, W, 3], restores it, learns from it."""
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  batch = batch_lib.damage(rng, clean, draw=draw, textures=textures)
  return learn(
      state, batch, model=model, tx=tx, weights=weights,
      damage_weight=damage_weight, epsilon=epsilon, ema_decay=ema_decay,
      parts=parts, only=only)


def learn(
    state: state_lib.TrainState,
    batch: batch_lib.Batch,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    weights: Mapping[str, float],
    damage_weight: float,
    epsilon: float,
    ema_decay: float,
    parts: int = 1,
    only: Sequence[str] = (),
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """Restores a damaged batch, and learns from it.

  weights: of the terms of losses(). parts: of the batch, one after the other.
  only: the parts of the network that learn; (): all. Of the others no gradient
  is computed; tx must leave them alone, too (optimizer.only).
  Returns the new state and the metrics: the terms, 'loss', 'psnr_damaged',
  'psnr' (dB), and the gradients' norms per part of the network.
  """

  def loss_of(params, batch):
    still = {} if not only else {
        k: jax.lax.stop_gradient(v) for k, v in params.items()
        if k not in only}
    loss, terms = batch_loss(
        {**params, **still}, batch, model=model, weights=weights,
        damage_weight=damage_weight, epsilon=epsilon)
    return loss, ((), terms)

  (loss, (_, metrics)), grads = accumulation.value_and_grad(
      loss_of, state.params, batch, parts=parts)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(
      state.ema, params, state.step, decay=ema_decay)
  metrics |= {
      'loss': loss,
      'psnr_damaged': psnr(error(batch.damaged, batch.target)),
      'psnr': psnr(metrics.pop('error')),
      **{f'grad_norm/{k}': optax.tree.norm(v) for k, v in grads.items()}}
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def error(x: jax.Array, target: jax.Array) -> jax.Array:
  """Mean square of the whole batch, of x as a picture in [0, 1]."""
  return jnp.mean((jnp.clip(x, 0, 1) - target) ** 2)


def psnr(error: jax.Array) -> jax.Array:
  """dB, of a mean square over clips: so undamaged ones do not outweigh others.
  """
  return -10 * jnp.log10(error + 1e-10)


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)


def compile_apart(
    layout: sharding.Layout, *, seed: int, draw: batch_lib.Draw,
    shape: tuple[int, ...], textures: jax.Array | None, **static: Any,
):
  """train_step as several programs, compiled side by side: step(state, clean).

  For one device; shape: of clean, uint8 [B, T, H, W, 3]. See apart.py.
  """
  step = sharding.compile_step(learn, layout, **static)
  damage = batch_lib.compile_damage(draw, shape, textures)

  def several(state, clean):
    rng = jax.random.fold_in(jax.random.key(seed), state.step)
    return step(state, damage(rng, clean))

  return several
