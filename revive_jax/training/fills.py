"""Training of the fills of a restorer that is held still: a conditional VAE."""

from collections.abc import Mapping
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import latent
from revive_jax.models import fills as fills_lib
from revive_jax.training import accumulation, sharding
from revive_jax.training import batch as batch_lib
from revive_jax.training import state as state_lib


def init_state(
    rng: jax.Array, *, model: nn.Module, tx: optax.GradientTransformation,
    params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step; params: to go on from, else drawn."""
  if params is None:
    x, block = jnp.zeros((1, 32, 32, 3)), 32 // fills_lib.BLOCK
    params = model.init(rng, x, x[..., :1], x[..., :1], x, jnp.zeros(
        (1, block, block, model.latent)))['params']
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=params, opt_state=tx.init(params),
      ema=jax.tree.map(jnp.copy, params))


def bound(
    fill: jax.Array, clean: jax.Array, hole: jax.Array, posterior: Any,
    prior: Any, *, sigma: float,
) -> dict[str, jax.Array]:
  """The two terms of the evidence's lower bound, nats per pixel of the holes.

  'likelihood': -log N(clean; fill, sigma^2) there; 'kl': of the posterior to
  the prior, of those latents that see a hole. All [N, ...]; sums over the
  batch, so that a large hole counts as its pixels do.
  """
  pixels = jnp.maximum(hole.sum(), 1.0)
  error = hole * (fill - clean) / sigma
  constant = 3 * 0.5 * jnp.log(2 * jnp.pi * sigma**2)
  # Elsewhere the posterior is held to be the prior.
  seen = fills_lib.near(hole) > 0
  known = jax.tree.map(
      lambda q, p: jnp.where(seen, q, p), posterior, prior)
  kl = latent.kl(*known, *prior).sum()
  return {'likelihood': 0.5 * (error**2).sum() / pixels + constant,
          'kl': kl / pixels}


def restored_holes(
    restorer: nn.Module, params: Any, batch: batch_lib.Batch
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """What FillVae is told of a batch: restored, hole, log-variance, [B T, ...].
  """
  restored, _, _ = restorer.apply(
      {'params': params}, batch.damaged, mask=batch.mask, cuts=batch.cuts,
      use_future=batch.use_future)
  flat = lambda x: x.reshape(-1, *x.shape[2:])
  return (flat(jnp.clip(restored.output, 0, 1)),
          flat((restored.damage > 0.5).astype(jnp.float32)),
          flat(restored.log_variance))


def train_step(
    state: state_lib.TrainState, clean: jax.Array, fixed: Mapping[str, Any], *,
    restorer: nn.Module, model: nn.Module, tx: optax.GradientTransformation,
    seed: int, draw: batch_lib.Draw, sigma: float, beta: float,
    beta_warmup: int, ema_decay: float, parts: int = 1,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step: damages clean [B, T, H, W, 3], restores it, learns the holes.

  fixed: 'restorer': the params of what is held still; 'textures': [N, S, S] or
  None. sigma: of the likelihood; beta: weight of the KL, after beta_warmup
  steps. The rest as supervised.train_step's; the restorer sees all parts at
  once, since nothing of it is kept for a gradient.
  """
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  damage_rng, noise_rng = jax.random.split(rng)
  batch = batch_lib.damage(
      damage_rng, clean, draw=draw, textures=fixed['textures'])
  seen = restored_holes(restorer, fixed['restorer'], batch)
  target = batch.target.reshape(-1, *batch.target.shape[2:])
  shape = fills_lib.noise_shape(target.shape, model.latent)
  noise = jax.random.normal(noise_rng, shape)
  pixels = seen[1].sum()
  weight = latent.beta_schedule(state.step, beta=beta, warmup=beta_warmup)

  def loss_of(params, pictures):
    seen, target, noise = pictures
    fill, posterior, prior = model.apply(
        {'params': params}, *seen, target, noise)
    terms = bound(fill, target, seen[1], posterior, prior, sigma=sigma)
    here = accumulation.portion(
        seen[1].sum(), pixels, parts * accumulation.devices())
    terms = {k: here * v for k, v in terms.items()}
    return terms['likelihood'] + weight * terms['kl'], (fill, terms)

  (loss, (fill, metrics)), grads = accumulation.value_and_grad(
      loss_of, state.params, (seen, target, noise), parts=parts)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(
      state.ema, params, state.step, decay=ema_decay)
  metrics |= {
      'loss': loss, 'beta': weight, 'grad_norm': optax.tree.norm(grads),
      'psnr_hole/restorer': psnr_hole(seen[0], target, seen[1]),
      'psnr_hole/posterior': psnr_hole(fill, target, seen[1])}
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def psnr_hole(
    x: jax.Array, target: jax.Array, hole: jax.Array
) -> jax.Array:
  """Of all pixels of the holes [..., 1] in {0, 1}, dB."""
  square = (hole * (x - target) ** 2).sum() / jnp.maximum(3 * hole.sum(), 1)
  return -10 * jnp.log10(square + 1e-10)


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)
