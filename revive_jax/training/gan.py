"""Adversarial training of the restorer, best begun from supervised weights.

The discriminators see the clean clip, and the clean clip with the damage filled
by the restorer: outside the damage both are the same, so that nothing is asked
for there but what supervised training asks for.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from revive_jax.losses import adversarial, perceptual, temporal
from revive_jax.ops import resize
from revive_jax.training import accumulation, holes, sharding, supervised
from revive_jax.training import batch as batch_lib
from revive_jax.training import state as state_lib

SIDES = ('frame', 'clip')
_USUAL = 0.99  # Of the running means of verdicts and accuracies.
_WON, _LOST = 0.97, 0.53  # Accuracies beyond which one side has won.


class Rules(NamedTuple):
  """How the game is played."""

  game: adversarial.Game
  adversarial: Mapping[str, float]  # Weight of the verdicts, by side.
  feature_matching: float
  perceptual: float  # Of the distance in fixed features, in the damage.
  warping: float  # Of the warping error along the matcher's flow.
  lecam: float
  start: int  # The step at which the weights begin to rise,
  warmup: int  # and how many steps they take.


def init_state(
    rng: jax.Array, *, model: nn.Module, judges: Mapping[str, nn.Module],
    tx: Mapping[str, optax.GradientTransformation], params: Any | None = None,
) -> state_lib.TrainState:
  """The state before the first step.

  Args:
    rng: what is drawn with.
    model: the restorer.
    judges: the discriminators, by side.
    tx: optimizers of 'generator' and 'discriminators'.
    params: of the restorer, to go on from; None: drawn.
  """
  rngs = jax.random.split(rng, 3)
  clip = jnp.zeros((1, 3, 32, 32, 3))
  if params is None:
    params = model.init(rngs[0], clip)['params']
  mask = clip[..., :1]
  drawn = {
      'frame': judges['frame'].init(rngs[1], clip[:, 0], mask[:, 0])['params'],
      'clip': judges['clip'].init(rngs[2], clip, mask)['params']}
  usual = {side: dict(real=jnp.zeros(()), fake=jnp.zeros(()),
                      accuracy=jnp.full((), 0.5)) for side in SIDES}
  return state_lib.TrainState(
      step=jnp.zeros((), jnp.int32),
      params={'generator': params, 'discriminators': drawn},
      opt_state={'generator': tx['generator'].init(params),
                 'discriminators': tx['discriminators'].init(drawn),
                 'usual': usual},
      ema=jax.tree.map(jnp.copy, params))


def completed(rng: jax.Array, params: Any, *, model: nn.Module) -> Any:
  """Supervised params with what they lack of a generator with noise, drawn."""
  if not model.noise or 'texture' in params['heads']:
    return params
  clip = jnp.zeros((1, 3, 32, 32, 3))
  drawn = jax.jit(model.init)(rng, clip)['params']['heads']
  return params | {'heads': drawn | params['heads']}


def judge(
    judges: Mapping[str, nn.Module], params: Any, clip: jax.Array,
    damage: jax.Array,
) -> dict[str, Any]:
  """The verdicts on a clip [B, T, H, W, 3], by side; T at least 3."""
  flat = lambda x: x.reshape(-1, *x.shape[2:])
  apply = lambda side, *x: judges[side].apply({'params': params[side]}, *x)
  return {'frame': apply('frame', flat(clip), flat(damage)),
          'clip': apply('clip', clip, damage)}


def share(step: jax.Array, rules: Rules) -> jax.Array:
  """Of the adversarial weights that counts at a step: from 0 up to 1."""
  done = (step - rules.start).astype(jnp.float32)
  return jnp.clip(done / max(rules.warmup, 1), 0, 1)


def generator_terms(
    real: Mapping[str, Any], fake: Mapping[str, Any], weight: holes.Where,
    portion: holes.Where, rules: Rules,
) -> dict[str, jax.Array]:
  """What the restorer pays for verdicts: means over the damage of the batch.

  portion: of a part of a batch, of holes.portions().
  """
  terms, matching = {}, jnp.zeros(())
  for side in SIDES:
    r, f = (jax.tree.map(holes.as_one, x[side]) for x in (real, fake))
    terms[f'adversarial/{side}'] = portion[side].logits * rules.game.generator(
        r.logits, f.logits, weight[side].logits)[0]
    layers = zip(r.features, f.features, weight[side].features,
                 portion[side].features, strict=True)
    matching += sum(
        share * adversarial.feature_matching([a], [b], [w])[0]
        for a, b, w, share in layers) / len(r.features)
  return terms | {'feature_matching': matching / len(SIDES)}


def discriminator_loss(
    real: Mapping[str, Any], fake: Mapping[str, Any], weight: holes.Where,
    portion: holes.Where, usual: Any, rules: Rules,
) -> tuple[jax.Array, dict[str, Any]]:
  """What the discriminators pay, and the mean verdicts of each side.

  portion: of a part of a batch, of holes.portions().
  """
  total, now = jnp.zeros(()), {}
  for side in SIDES:
    r, f = (holes.as_one(x[side].logits) for x in (real, fake))
    where, share = weight[side].logits, portion[side].logits
    paid = rules.game.discriminator(r, f, where)[0]
    if rules.lecam:
      paid += rules.lecam * adversarial.lecam(
          r, f, usual[side]['real'], usual[side]['fake'], where)[0]
    total += share * paid
    mean = lambda x, w=where: (x * w).sum() / jnp.maximum(w.sum(), 1)
    now[side] = jax.tree.map(lambda x, s=share: s * jax.lax.stop_gradient(x), {
        'real': mean(r), 'fake': mean(f),
        'accuracy': adversarial.accuracy(r, f, rules.game, where)[0]})
  return total, now


def judges_loss(
    params: Any, real: jax.Array, fake: jax.Array, damage: jax.Array,
    whole: holes.Where, usual: Any, *, judges: Mapping[str, nn.Module],
    rules: Rules, pieces: int,
) -> tuple[jax.Array, dict[str, Any]]:
  """discriminator_loss of params, for clips that they judge."""
  judged = lambda clip: judge(judges, params, clip, damage)
  where = holes.where_it_counts(damage)
  return discriminator_loss(
      judged(real), judged(fake), where, holes.portions(where, whole, pieces),
      usual, rules)


def remembered(usual: Any, now: Any, whole: holes.Where) -> dict[str, Any]:
  """The running means of each side after a batch.

  whole: holes.sums of the batch; without damage there is no verdict to
  remember.
  """
  new = {}
  for side in SIDES:
    share = jnp.where(whole[side].logits > 0, 1 - _USUAL, 0.0)
    new[side] = jax.tree.map(
        lambda old, x, s=share: old + s * (x - old), usual[side], now[side])
  return new


def generator_loss(
    params: Any, part: tuple[batch_lib.Batch, jax.Array], others: Any,
    rise: jax.Array, damage: jax.Array, *, model: nn.Module,
    judges: Mapping[str, nn.Module], rules: Rules,
    features: tuple[perceptual.Features, Any] | None,
    weights: Mapping[str, float], damage_weight: float, epsilon: float,
    pieces: int,
) -> tuple[jax.Array, tuple[jax.Array, dict[str, jax.Array]]]:
  """What the restorer pays: (loss, (output, terms)).

  Args:
    params: of the restorer.
    part: of a batch: what was damaged and what is wanted; the restorer's noise.
    others: of the discriminators.
    rise: of share().
    damage: of the whole batch.
    model: the restorer.
    judges: the discriminators, by side.
    rules: the weights of the adversarial terms, among others.
    features: and weights of channels, of rules.perceptual; None: there is no
      such term.
    weights: of supervised.losses, as damage_weight and epsilon.
    damage_weight: as there.
    epsilon: as there.
    pieces: of how many of the batch this is one.
  """
  batch, noise = part
  restored, _, directions = model.apply(
      {'params': params}, batch.damaged, mask=batch.mask, cuts=batch.cuts,
      use_future=batch.use_future, noise=noise)
  terms = supervised.losses(
      restored, directions, batch, damage_weight=damage_weight,
      epsilon=epsilon, weights=weights)
  loss = sum(weights[k] * v for k, v in terms.items())
  judged = lambda clip: judge(judges, others, clip, batch.damage)
  fake = holes.filled(restored.output, batch)
  where, whole = holes.where_it_counts(batch.damage), holes.sums(damage)
  extra = generator_terms(judged(batch.target), judged(fake), where,
                          holes.portions(where, whole, pieces), rules)
  prices = {f'adversarial/{s}': rules.adversarial[s] for s in SIDES}
  prices['feature_matching'] = rules.feature_matching
  if features is not None:
    prices['perceptual'] = rules.perceptual
    extra['perceptual'] = perceptual_distance(
        fake, batch, damage, features, pieces)
  if rules.warping:
    prices['warping'] = rules.warping
    extra['warping'] = warping_error(fake, restored.flow, batch)
  loss += rise * sum(prices[k] * v for k, v in extra.items())
  error = supervised.error(restored.output, batch.target)
  return loss, (fake, terms | extra | {'error': error})


def perceptual_distance(
    fake: jax.Array, batch: batch_lib.Batch, damage: jax.Array,
    network: tuple[perceptual.Features, Any], pieces: int,
) -> jax.Array:
  """Distance to the clean clip in fixed features: mean over the damage.

  Args:
    fake: the filled clip.
    batch: of which it was made.
    damage: of the whole batch, of which batch is one of so many pieces.
    network: the features, and weights of their channels or None.
    pieces: how many.
  """
  features, channels = network
  flat = lambda x: x.reshape(-1, *x.shape[2:])
  maps = perceptual.differences(
      flat(fake), flat(batch.target), features=features, channels=channels)
  total = jnp.zeros(())
  for values in maps:
    at = lambda x, size=values.shape[1:]: jax.image.resize(
        flat(x)[..., 0], (x.shape[0] * x.shape[1], *size), 'linear')
    here = at(batch.damage)
    mean = (values * here).sum() / jnp.maximum(here.sum(), 1e-6)
    total += mean * accumulation.portion(here.sum(), at(damage).sum(), pieces)
  return total / len(maps)


def warping_error(
    fake: jax.Array, flow: jax.Array, batch: batch_lib.Batch
) -> jax.Array:
  """Of the filled clip, from each frame to the one before; mean.

  flow: restorer.Restored.flow.
  """
  flow = 2 * resize.double(_from_second(flow[:, :, 0]))
  return temporal.warping(
      _from_second(fake), _to_last(fake), _from_second(batch.target),
      _to_last(batch.target), flow,
      (~batch.cuts[:, 1:]).astype(jnp.float32).reshape(-1)).mean()


def _from_second(x):
  """Frames 1 to T - 1 of [B, T, ...] as [B (T - 1), ...]."""
  return x[:, 1:].reshape(-1, *x.shape[2:])


def _to_last(x):
  """Frames 0 to T - 2."""
  return x[:, :-1].reshape(-1, *x.shape[2:])


def train_step(
    state: state_lib.TrainState, clean: jax.Array, textures: jax.Array | None,
    *, judges: Mapping[str, nn.Module],
    tx: Mapping[str, optax.GradientTransformation], seed: int,
    draw: batch_lib.Draw, rules: Rules, ema_decay: float, model: nn.Module,
    parts: int = 1, **costs: Any,
) -> tuple[state_lib.TrainState, dict[str, jax.Array]]:
  """One step of both sides, each against the other as it was before.

  Args: as supervised.train_step's; costs: what else generator_loss takes.

  Returns:
    The state, and the metrics.
  """
  rng = jax.random.fold_in(jax.random.key(seed), state.step)
  noise_rng = jax.random.fold_in(rng, 1)
  batch = batch_lib.damage(rng, clean, draw=draw, textures=textures)
  noise = jax.random.normal(noise_rng, model.noise_shape(clean.shape))
  others, rise = state.params['discriminators'], share(state.step, rules)
  whole, usual = holes.sums(batch.damage), state.opt_state['usual']
  pieces = parts * accumulation.devices()

  def loss_of(params, part):
    return generator_loss(
        params, part, others, rise, batch.damage, model=model, judges=judges,
        rules=rules, pieces=pieces, **costs)

  def others_loss(params, part):
    loss, now = judges_loss(
        params, *part, whole, usual, judges=judges, rules=rules, pieces=pieces)
    return loss, ((), now)

  (loss, (fake, metrics)), grads_g = accumulation.value_and_grad(
      loss_of, state.params['generator'], (batch, noise), parts=parts)
  (loss_d, (_, now)), grads_d = accumulation.value_and_grad(
      others_loss, others,
      (batch.target, jax.lax.stop_gradient(fake), batch.damage), parts=parts)
  grads = {'generator': grads_g, 'discriminators': grads_d}
  params, opt_state = updated(state, grads, tx)
  usual = remembered(usual, now, whole)
  ema = state_lib.averaged(
      state.ema, params['generator'], state.step, decay=ema_decay)
  metrics |= {
      'loss': loss, 'discriminator': loss_d, 'adversarial_share': rise,
      'psnr_damaged': supervised.psnr(
          supervised.error(batch.damaged, batch.target)),
      'psnr': supervised.psnr(metrics.pop('error')),
      **{f'accuracy/{side}': usual[side]['accuracy'] for side in SIDES},
      **{f'grad_norm/{k}': optax.tree.norm(g) for k, g in grads.items()}}
  opt_state['usual'] = usual
  return state_lib.TrainState(state.step + 1, params, opt_state, ema), metrics


def updated(state, grads, tx):
  """(params, opt_state) of both sides after a step down their gradients."""
  params, opt_state = {}, {}
  for side, gradient in grads.items():
    updates, opt_state[side] = tx[side].update(
        gradient, state.opt_state[side], state.params[side])
    params[side] = optax.apply_updates(state.params[side], updates)
  return params, opt_state


def won(metrics: Mapping[str, float]) -> str:
  """Says in a sentence that one side has won, or nothing.

  metrics: of train_step; its accuracies are running means.
  """
  sentences = []
  for side in SIDES:
    accuracy = metrics[f'accuracy/{side}']
    if accuracy > _WON:
      sentences.append(
          f'The discriminator of {side}s is right {accuracy:.0%} of the time: '
          'it has won, and teaches little; lower its rate or raise lecam.')
    elif accuracy < _LOST and metrics['adversarial_share'] > 0:
      sentences.append(
          f'The discriminator of {side}s is right {accuracy:.0%} of the time: '
          'it only guesses; raise its rate, or lower the adversarial weight.')
  return ' '.join(sentences)


def compile_step(layout: sharding.Layout, **static: Any):
  """Jits train_step for devices as the layout says."""
  return sharding.compile_step(train_step, layout, **static)
