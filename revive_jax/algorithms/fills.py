"""The fills of a restorer that is held still: configs/fills.py."""

import functools

import jax
import ml_collections

from revive_jax import models, types
from revive_jax.algorithms import assembled, restorer
from revive_jax.models import inference, weights
from revive_jax.training import fills, optimizer, sharding


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
  if c.losses.sigma <= 0 or c.losses.beta < 0 or c.losses.beta_warmup < 0:
    raise types.BadInput(
        '--config.losses: sigma must be above 0, beta and beta_warmup not '
        'below.')


def assemble(
    c: ml_collections.ConfigDict, mesh: jax.sharding.Mesh
) -> assembled.Assembled:
  """Data, networks and step of c."""
  data, same = restorer.make_data(c), sharding.replicated(mesh)
  found = weights.read_weights(c.restorer)
  still, params = inference.build(found)
  fixed = {'restorer': jax.device_put(params, same),
           'textures': restorer.make_textures(c, same)}
  settings, o = c.model.settings.to_dict(), c.optimizer.to_dict()
  model = models.build(c.model.name, settings, dtype=still.dtype)
  rate = optimizer.schedule(
      num_steps=c.num_steps,
      **{k: o[k] for k in ('peak', 'warmup', 'shape', 'final_decay')})
  tx = optimizer.adamw(
      rate, **{k: o[k] for k in ('b1', 'b2', 'weight_decay', 'clip_norm')})
  step = fills.compile_step(
      mesh, restorer=still, model=model, tx=tx, seed=c.seed,
      draw=restorer.make_draw(c), ema_decay=c.ema_decay, **c.losses.to_dict())
  return assembled.Assembled(
      data=data,
      init=functools.partial(fills.init_state, model=model, tx=tx),
      step=lambda state, batch: step(state, batch['clean'], fixed),
      name=c.model.name, settings=settings,
      notes={'restorer': found.config['sha256']})
