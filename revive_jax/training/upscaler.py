"""Training of the upscaler: clean clips made small, to the clean clips."""

from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.degradations import codec
from revive_jax.losses import reconstruction
from revive_jax.models import upscaler
from revive_jax.ops import resize
from revive_jax.training import accumulation, sharding, supervised
from revive_jax.training import state as state_lib


class Draw(NamedTuple):
  """How clean clips are made small: see configs/upscaler.py."""

  bicubic_share: float
  noise_share: float
  noise: float  # Codes of 255.
  coded_share: float
  coarseness: float  # Of JPEG's tables for quality 50.


def init_state(
    rng: jax.Array, *, model: nn.Module, tx: optax.GradientTransformation,
    params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step; params: to go on from, else drawn."""
  if params is None:
    params = model.init(rng, jnp.zeros((1, 16, 16, 3)))['params']
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=params, opt_state=tx.init(params),
      ema=jax.tree.map(jnp.copy, params))


def make_small(rng: jax.Array, clean: jax.Array, draw: Draw) -> jax.Array:
  """Clips [B, T, H, W, 3] in [0, 1] at half the size, of 256 levels as films.

  H and W are even. Noise and coding come after, as of a film that was small
  when it was made.
  """
  count, time, height, width, _ = clean.shape
  keys = jax.random.split(rng, 6)
  chosen = lambda key, share: jax.random.bernoulli(
      key, share, (count,)).reshape(-1, 1, 1, 1, 1)
  small = jnp.where(
      chosen(keys[0], draw.bicubic_share),
      jax.image.resize(
          clean, (count, time, height // 2, width // 2, 3), 'cubic'),
      resize.mean_pool(clean))
  sigma = jax.random.uniform(
      keys[1], (count, 1, 1, 1, 1), maxval=draw.noise / 255)
  small += (chosen(keys[2], draw.noise_share) * sigma
            * jax.random.normal(keys[3], small.shape))
  small = jnp.clip(small, 0, 1)
  coded = jax.vmap(lambda key, clip: codec.block_compression(
      key, clip, jnp.ones(()), strength=(draw.coarseness / 4, draw.coarseness)
  )[0])(jax.random.split(keys[4], count), small)
  small = jnp.where(chosen(keys[5], draw.coded_share), coded, small)
  return jnp.round(jnp.clip(small, 0, 1) * 255) / 255


def train_step(
    state: state_lib.TrainState, clean: jax.Array, *, model: nn.Module,
    tx: optax.GradientTransformation, seed: int, draw: Draw, epsilon: float,
    ema_decay: float, parts: int = 1,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step: makes clean [B, T, H, W, 3] uint8 small, and learns to undo it.

  Returns the new state, and the metrics: 'loss' (Charbonnier's distance of
  epsilon), 'psnr' and that of Lanczos's enlargement, 'psnr_lanczos' (dB), and
  the gradient's norm. parts: of the batch, one after the other.
  """
  clean = clean.astype(jnp.float32) / 255
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  small = make_small(rng, clean, draw)

  def loss_of(params, batch):
    clean, small = batch
    output = model.apply({'params': params}, small)
    loss = reconstruction.charbonnier(output, clean, epsilon=epsilon).mean()
    flat = small.reshape(-1, *small.shape[2:])
    plain = upscaler.enlarge(flat).reshape(clean.shape)
    return loss, ((), {'error': supervised.error(output, clean),
                       'plain': supervised.error(plain, clean)})

  (loss, (_, terms)), grads = accumulation.value_and_grad(
      loss_of, state.params, (clean, small), parts=parts)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(state.ema, params, state.step, decay=ema_decay)
  metrics = {'loss': loss, 'psnr': supervised.psnr(terms['error']),
             'psnr_lanczos': supervised.psnr(terms['plain']),
             'grad_norm': optax.tree.norm(grads)}
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)
