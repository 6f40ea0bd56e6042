"""Training of restoration in latent space: two VAEs, a GAN, and a mapping.

All in one step, each part with its own gradient: the autoencoders have their
bounds; a discriminator learns to tell latents of synthetic damage from those of
real old film, and the encoder to make the latter look like the former, which
the mapping has been taught; the mapping learns from latents that are held
still, and sees through a decoder that is held still.
"""

from collections.abc import Mapping
import functools
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import adversarial, reconstruction
from revive_jax.losses import latent as latent_lib
from revive_jax.training import accumulation, fills, sharding, supervised
from revive_jax.training import batch as batch_lib
from revive_jax.training import state as state_lib

SIDES = ('networks', 'discriminator')


class Rules(NamedTuple):
  """What each term costs."""

  game: adversarial.Game  # Of synthetic latents, as real, and those of film.
  sigma: float  # Of the autoencoders' N(x; output, sigma^2).
  beta: float  # Weight of their KL, reached after
  beta_warmup: int  # so many steps.
  adversarial: float  # What the encoder pays for verdicts, reached after
  adversarial_warmup: int  # so many steps.
  latent: float  # Distance of the mapping's latents,
  picture: float  # and of the picture that the clean decoder makes of them.
  damage_weight: float  # How much more masked pixels of that picture count.
  epsilon: float  # Of the Charbonnier distances.


def init_state(
    rng: jax.Array, *, model: nn.Module, judge: nn.Module,
    tx: Mapping[str, optax.GradientTransformation], params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step.

  Args:
    rng: what is drawn with.
    model: a models.latent.LatentRestorer.
    judge: the discriminator of latents.
    tx: optimizers of 'networks' and 'discriminator'.
    params: of the model, to go on from; None: drawn.
  """
  rngs = jax.random.split(rng)
  clip = jnp.zeros((1, 1, 32, 32, 3))
  noise = jnp.zeros(model.noise_shape(clip.shape))
  if params is None:
    params = model.init(rngs[0], clip, clip[..., :1], noise)['params']
  drawn = {'networks': params,
           'discriminator': judge.init(rngs[1], noise[:, 0])['params']}
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32), params=drawn,
      opt_state={side: tx[side].init(drawn[side]) for side in SIDES},
      ema=jax.tree.map(jnp.copy, params))


def beside(a: jax.Array, b: jax.Array) -> jax.Array:
  """a and b [B, ...] in turn, [2 B, ...]: each device keeps its own."""
  return jnp.stack([a, b], 1).reshape(-1, *a.shape[1:])


def apart(x: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The inverse of beside."""
  x = x.reshape(-1, 2, *x.shape[1:])
  return x[:, 0], x[:, 1]


def bound(coded: Any, x: jax.Array, *, sigma: float) -> dict[str, jax.Array]:
  """The two terms of the evidence's lower bound of x, nats per pixel.

  'likelihood': -log N(x; output, sigma^2); 'kl': of q(z | x) to N(0, 1).
  """
  pixels = x[..., 0].size
  return {
      'likelihood': reconstruction.normal_nll(
          coded.output, x, sigma=sigma).sum() / pixels,
      'kl': latent_lib.kl(*coded.latent).sum() / pixels}


def verdicts(
    judge: nn.Module, params: Any, z: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Of synthetic latents and those of film in turn, [2 B, T, h, w, Z].

  Logits [B, T, h, w, 1] of the first and of the second; positive: synthetic.
  """
  logits = judge.apply({'params': params}, z.reshape(-1, *z.shape[2:])).logits
  return apart(logits.reshape(*z.shape[:-1], 1))


class Seen(NamedTuple):
  """What the networks made of a batch, held still."""

  restored: jax.Array  # [B, T, H, W, 3]
  rebuilt: jax.Array  # Clean clips there and back.
  # Means [B, T, H/8, W/8, Z] of the damaged clips and, if there is any, film.
  latents: tuple[jax.Array, ...]


class Drawn(NamedTuple):
  """What a step begins with."""

  batch: batch_lib.Batch  # Clean clips and what was made of them.
  old: jax.Array | None  # Real film [B, T, H, W, 3] in [0, 1].
  # For the clean clips, the damaged ones, and those of film, of noise_shape.
  noises: tuple[jax.Array, ...]


def networks_loss(
    params: Any, drawn: Drawn, judged: Any, step: jax.Array, *,
    model: nn.Module, judge: nn.Module, rules: Rules,
) -> tuple[jax.Array, tuple[Seen, dict[str, jax.Array]]]:
  """What the networks pay: (loss, (Seen, terms)).

  Args:
    params: of the model.
    drawn: what it begins with, or a part of it.
    judged: of the discriminator.
    step: [] steps done.
    model: a models.latent.LatentRestorer.
    judge: the discriminator.
    rules: what each term costs.
  """
  hold = jax.lax.stop_gradient
  batch, old, noises = drawn
  apply = lambda method, *x: model.apply({'params': params}, *x, method=method)
  clean = apply('code_clean', batch.target, noises[0])
  damaged = batch.damaged if old is None else beside(batch.damaged, old)
  coded = apply('code_damaged', damaged,
                noises[1] if old is None else beside(*noises[1:]))
  terms = {f'{name}/{part}': value for part, code, x in (
      ('clean', clean, batch.target), ('damaged', coded, damaged))
           for name, value in bound(code, x, sigma=rules.sigma).items()}
  beta = latent_lib.beta_schedule(
      step, beta=rules.beta, warmup=rules.beta_warmup)
  loss = sum(terms[f'likelihood/{part}'] + beta * terms[f'kl/{part}']
             for part in ('clean', 'damaged'))

  synthetic = coded.latent.mean
  if old is not None:
    synthetic, _ = apart(synthetic)
    usual, own = verdicts(judge, judged, coded.latent.mean)
    terms['adversarial'] = rules.game.generator(hold(usual), own).mean()
    loss += terms['adversarial'] * latent_lib.beta_schedule(
        step, beta=rules.adversarial, warmup=rules.adversarial_warmup)

  mapped = apply('translate', hold(synthetic), batch.mask)
  restored = model.apply({'params': hold(params)}, mapped, method='picture')
  terms['latent'] = reconstruction.charbonnier(
      mapped, hold(clean.latent.mean), epsilon=rules.epsilon).mean()
  terms['picture'] = reconstruction.charbonnier(
      restored, batch.target, weight=1 + rules.damage_weight * batch.mask,
      epsilon=rules.epsilon).mean()
  loss += rules.latent * terms['latent'] + rules.picture * terms['picture']
  latents = (synthetic,) if old is None else apart(coded.latent.mean)
  return loss, (hold(Seen(restored, clean.output, latents)), terms)


def discriminator_loss(
    params: Any, latents: tuple[jax.Array, jax.Array], *, judge: nn.Module,
    rules: Rules,
) -> tuple[jax.Array, tuple[Any, jax.Array]]:
  """What the discriminator pays; and the share of its verdicts that is right.

  latents: of Seen. Returns (loss, ((), share)).
  """
  synthetic, real = verdicts(judge, params, beside(*latents))
  loss = rules.game.discriminator(synthetic, real).mean()
  right = adversarial.accuracy(synthetic, real, rules.game).mean()
  return loss, ((), right)


def train_step(
    state: state_lib.TrainState, data: Mapping[str, jax.Array],
    textures: jax.Array | None, *, model: nn.Module, judge: nn.Module,
    tx: Mapping[str, optax.GradientTransformation], seed: int,
    draw: batch_lib.Draw, rules: Rules, ema_decay: float, parts: int = 1,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step of all parts, each against the others as they were before.

  Args:
    state: where it is.
    data: 'clean' and, if there is real film, 'old', [B, T, H, W, 3] uint8.
      Without film there is nothing for the discriminator: it stays as it is.
    textures: [N, S, S] shapes of real artefacts, or None.
    model: a models.latent.LatentRestorer.
    judge: the discriminator of latents.
    tx: optimizers of 'networks' and 'discriminator'.
    seed: of the damage and the noise.
    draw: how clips are damaged; batch.mask is what the mapping is told.
    rules: what each term costs.
    ema_decay: of the average of the networks.
    parts: of the batch, one after the other.

  Returns:
    The state, and the metrics.
  """
  drawn = _drawn(state.step, data, textures, model=model, seed=seed, draw=draw)
  nets, others = (state.params[side] for side in SIDES)
  grads, taken = {}, functools.partial(accumulation.value_and_grad, parts=parts)
  (loss, (seen, metrics)), grads['networks'] = taken(
      lambda params, part: networks_loss(
          params, part, others, state.step, model=model, judge=judge,
          rules=rules), nets, drawn)
  metrics |= {'loss': loss, **_measured(seen, drawn.batch)}
  metrics |= {f'grad_norm/{part}': optax.tree.norm(g)
              for part, g in grads['networks'].items()}
  if drawn.old is not None:
    (loss, (_, right)), grads['discriminator'] = taken(
        functools.partial(discriminator_loss, judge=judge, rules=rules),
        others, seen.latents)
    metrics |= {
        'discriminator': loss, 'accuracy': right,
        'grad_norm/discriminator': optax.tree.norm(grads['discriminator'])}
  params, opt_state = dict(state.params), dict(state.opt_state)
  for side, gradient in grads.items():
    updates, opt_state[side] = tx[side].update(
        gradient, opt_state[side], params[side])
    params[side] = optax.apply_updates(params[side], updates)
  ema = state_lib.averaged(
      state.ema, params['networks'], state.step, decay=ema_decay)
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def _drawn(step, data, textures, *, model, seed, draw):
  """What a step begins with."""
  keys = jax.random.split(
      jax.random.fold_in(jax.random.key(seed), step), 3)
  batch = batch_lib.damage(
      keys[0], data['clean'], draw=draw, textures=textures)
  old = data['old'].astype(jnp.float32) / 255 if 'old' in data else None
  shape = model.noise_shape(batch.target.shape)
  noise = lambda key: jax.random.normal(key, shape)
  noises = (noise(keys[1]), noise(keys[2]))
  if old is not None:
    noises += (noise(jax.random.fold_in(keys[2], 1)),)
  return Drawn(batch, old, noises)


def _measured(seen, batch):
  """PSNR, dB: of all, of what is masked, and of the clean autoencoder alone."""
  whole = lambda x: supervised.psnr(supervised.error(x, batch.target))
  masked = lambda x: fills.psnr_hole(
      jnp.clip(x, 0, 1), batch.target, batch.mask)
  return {
      'psnr': whole(seen.restored),
      'psnr_damaged': whole(batch.damaged),
      'psnr_clean': whole(seen.rebuilt),
      'psnr_masked': masked(seen.restored),
      'psnr_masked_damaged': masked(batch.damaged)}


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)

