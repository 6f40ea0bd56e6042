"""The fills of a restorer that is held still: configs/fills.py."""

import functools

import jax
import jax.numpy as jnp
import ml_collections

from revive_jax import models, types
from revive_jax.algorithms import assembled, restorer, shown
from revive_jax.models import fills as fills_lib
from revive_jax.models import inference, weights
from revive_jax.training import fills, optimizer, sharding

_FILLS = 3  # In a picture.


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  restorer.check_damage(c)
  types.check_choice('model.name', c.model.name, ('fill_vae',))
  types.check_choice('optimizer.shape', c.optimizer.shape,
                     ('cosine', 'constant'))
  if not c.restorer:
    raise types.BadInput(
        'There is nothing to make fills for; name the weights of a restorer '
        f'with --config.restorer (shipped: {", ".join(weights.shipped())}).')
  if len(c.model.settings.features) != 3 or c.model.settings.latent < 1:
    raise types.BadInput(
        '--config.model.settings: features are of three resolutions, and '
        'latent is at least 1.')
  if c.losses.sigma <= 0 or c.losses.beta < 0 or c.losses.beta_warmup < 0:
    raise types.BadInput(
        '--config.losses: sigma must be above 0, beta and beta_warmup not '
        'below.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, networks and step of c."""
  data, same = restorer.make_data(c), sharding.replicated(layout)
  found = weights.read_weights(c.restorer)
  still, params = inference.build(found)
  fixed = {'restorer': jax.device_put(params, same),
           'textures': restorer.make_textures(c, same)}
  settings = c.model.settings.to_dict()
  model = models.build(c.model.name, settings, dtype=still.dtype)
  tx = optimizer.scheduled_adamw(
      num_steps=c.num_steps, **c.optimizer.to_dict())
  step = fills.compile_step(
      layout, parts=c.accumulate, restorer=still, model=model, tx=tx,
      seed=c.seed, draw=restorer.make_draw(c), ema_decay=c.ema_decay,
      **c.losses.to_dict())
  return assembled.Assembled(
      data=assembled.after(data),
      init=functools.partial(fills.init_state, model=model, tx=tx),
      step=lambda state, batch: step(state, batch['clean'], fixed),
      name=c.model.name, settings=settings,
      notes={'restorer': found.config['sha256'], 'sigma': c.losses.sigma},
      pictures=_pictures(c, model, still, fixed),
      trained_on=restorer.names(c))


def _pictures(c, model, still, fixed):
  """Clips of the run as fills see them, by state."""
  clean, fixed = shown.clips(c), jax.device_get(fixed)
  batch = shown.damaged(c, clean, fixed['textures'])
  seen = jax.jit(functools.partial(fills.restored_holes, still))(
      fixed['restorer'], batch)
  draw = jax.jit(functools.partial(_drawn, model=model))

  def pictures(state):
    middle = clean.shape[1] // 2
    at = lambda x: x.reshape(*clean.shape[:2], *x.shape[1:])[:, middle]
    drawn, spread = draw(state.ema, jax.random.key(c.seed), seen)
    return {'fills': shown.rows({
        'damaged': batch.damaged[:, middle], 'restored': at(seen[0]),
        **{f'fill {i}': at(x) for i, x in enumerate(drawn)},
        'five times the deviation': at(spread),
        'clean': batch.target[:, middle]})}

  return pictures


def _drawn(params, rng, seen, *, model):
  """Three fills [3, N, H, W, 3], and five times their deviation, [N, ...]."""
  shape = fills_lib.noise_shape((1, *seen[0].shape[1:]), model.latent)
  noise = jax.random.normal(rng, (_FILLS, *shape))
  drawn = model.apply({'params': params}, *seen, noise, method='draw')
  spread = jnp.broadcast_to(
      5 * drawn.std(0).mean(-1, keepdims=True), seen[0].shape)
  return drawn, spread
