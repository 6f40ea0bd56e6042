"""Training of a variational autoencoder, of pictures or of clips."""

import functools
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import latent as latent_lib
from revive_jax.losses import reconstruction
from revive_jax.training import accumulation, sharding
from revive_jax.training import state as state_lib

LIKELIHOODS = ('bernoulli', 'gaussian')


def init_state(
    rng: jax.Array, *, model: nn.Module, tx: optax.GradientTransformation,
    shape: tuple[int, ...], params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step.

  Args:
    rng: what it is drawn with.
    model: x [B, ...] in [0, 1] and noise to models.vae.Coded.
    tx: the optimizer.
    shape: of one example.
    params: to go on from; None: drawn.
  """
  if params is None:
    x = jnp.zeros((1, *shape))
    params = model.init(rng, x, jnp.zeros(model.noise_shape(x.shape)))['params']
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=params, opt_state=tx.init(params),
      ema=jax.tree.map(jnp.copy, params))


def train_step(
    state: state_lib.TrainState, images: jax.Array, *, model: nn.Module,
    tx: optax.GradientTransformation, seed: int, likelihood: str, sigma: float,
    beta: float, beta_warmup: int, beta_period: int, free_bits: float,
    ema_decay: float, parts: int = 1,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step on images [B, ...] uint8, seen as [0, 1].

  The loss is the negative of the evidence's lower bound, with beta times its
  KL (Higgins et al. 2017): the article has the sign of the likelihood
  reversed, and the KL on x. In nats per example.

  Args:
    state: where it is.
    images: [B, ...] uint8.
    model: as in init_state.
    tx: the optimizer.
    seed: of the noise.
    likelihood: 'bernoulli' or 'gaussian'.
    sigma: of the Gaussian.
    beta: weight of the KL, reached after beta_warmup steps, and anew every
      beta_period steps, if any.
    beta_warmup: steps.
    beta_period: steps; 0: once.
    free_bits: nats per channel of the latent that cost nothing.
    ema_decay: of the params.
    parts: of the batch, one after the other.
  """
  x = images.astype(jnp.float32) / 255
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  noise = jax.random.normal(rng, model.noise_shape(x.shape))
  weight = latent_lib.beta_schedule(
      state.step, beta=beta, warmup=beta_warmup, period=beta_period)

  def loss_of(params, batch):
    x, noise = batch
    coded = model.apply({'params': params}, x, noise)
    terms = {
        'likelihood': _nll(coded.output, x, likelihood, sigma).mean(),
        'kl': latent_lib.kl(*coded.latent, free_bits=free_bits).mean()}
    return terms['likelihood'] + weight * terms['kl'], ((), terms)

  (loss, (_, terms)), grads = accumulation.value_and_grad(
      loss_of, state.params, (x, noise), parts=parts)
  updates, opt_state = tx.update(grads, state.opt_state, state.params)
  params = optax.apply_updates(state.params, updates)
  ema = state_lib.averaged(
      state.ema, params, state.step, decay=ema_decay)
  metrics = {'loss': loss, **terms, 'beta': weight,
             'grad_norm': optax.tree.norm(grads)}
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def _nll(output, x, likelihood, sigma):
  """-log p(x | z), [B]."""
  if likelihood == 'bernoulli':
    return reconstruction.bernoulli_nll(output, x)
  return reconstruction.normal_nll(output, x, sigma=sigma)


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)


def pixels(output: jax.Array, *, likelihood: str) -> jax.Array:
  """A decoder's output as a picture in [0, 1]."""
  if likelihood == 'bernoulli':
    return jax.nn.sigmoid(output)
  return jnp.clip(output, 0, 1)


@functools.partial(jax.jit, static_argnames='model')
def rebuilt(params: Any, x: jax.Array, *, model: nn.Module) -> jax.Array:
  """Clips x [B, T, H, W, 3] in [0, 1] there and back, without noise."""
  noise = jnp.zeros(model.noise_shape(x.shape))
  coded = model.apply({'params': params}, x, noise)
  # Without noise the draw is the mean.
  return jnp.clip(coded.output, 0, 1)


@functools.partial(jax.jit, static_argnames=('model', 'likelihood'))
def show(
    params: Any, x: jax.Array, rng: jax.Array, *, model: nn.Module,
    likelihood: str,
) -> dict[str, jax.Array]:
  """What an autoencoder of pictures can do, 100 pictures each.

  'samples': of the prior. 'reconstructions': x [50, ...] in [0, 1], five rows
  of ten each followed by what comes back. 'walk': ten rows, in each from one
  point of the prior to another, in equal steps along the circle (White 2016,
  arXiv:1609.04468), since a straight way leads through unlikely places.
  """
  decode = lambda z: pixels(
      model.apply({'params': params}, z, method='decode'),
      likelihood=likelihood)
  rngs = jax.random.split(rng)
  z = jax.random.normal(rngs[0], model.noise_shape((100,)))
  latent = model.apply({'params': params}, x, method='encode')
  back = decode(latent.mean)
  rows = lambda a: a.reshape(5, 10, *a.shape[1:])
  both = jnp.stack([rows(x), rows(back)], 1).reshape(100, *x.shape[1:])
  ends = jax.random.normal(rngs[1], (2, *model.noise_shape((10,))))
  walk = slerp(*ends, jnp.linspace(0, 1, 10))
  return {'samples': decode(z), 'reconstructions': both,
          'walk': decode(walk.reshape(100, *walk.shape[2:]))}


def slerp(a: jax.Array, b: jax.Array, shares: jax.Array) -> jax.Array:
  """From a to b [N, ...] along the circle: [N, number of shares, ...].

  Straight where they point the same way, or opposite ways.
  """
  flat = lambda x: x.reshape(len(x), 1, -1)
  cosine = (flat(a) * flat(b)).sum(-1, keepdims=True) / (
      jnp.linalg.norm(flat(a), axis=-1, keepdims=True)
      * jnp.linalg.norm(flat(b), axis=-1, keepdims=True))
  angle = jnp.arccos(jnp.clip(cosine, -1, 1))
  shares = shares[None, :, None]
  sine = jnp.sin(angle)
  clear = sine > 1e-3  # Else there is no circle, or there are many.
  share = lambda s: jnp.where(
      clear, jnp.sin(s * angle) / jnp.where(clear, sine, 1), s)
  mixed = share(1 - shares) * flat(a) + share(shares) * flat(b)
  return mixed.reshape(len(a), -1, *a.shape[1:])
