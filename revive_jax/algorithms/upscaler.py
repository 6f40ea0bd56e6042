"""The upscaler, trained on clean clips made small: configs/upscaler.py."""

import functools

import jax
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax.algorithms import assembled, restorer, shown
from revive_jax.models import upscaler as upscaler_lib
from revive_jax.training import sharding, upscaler

_SEED = 1_000_003  # Of what pictures show; no step of a training draws with it.


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('model.name', c.model.name, ('upscaler',))
  types.check_choice('model.dtype', c.model.dtype, ('', 'float32', 'bfloat16'))
  types.check_choice('optimizer.name', c.optimizer.name, ('muon', 'adamw'))
  types.check_choice('optimizer.shape', c.optimizer.shape,
                     ('cosine', 'constant'))
  restorer.check_data(c)
  if c.data.size % 2:
    raise types.BadInput(
        f'--config.data.size={c.data.size} is not a multiple of 2.')
  for name in ('bicubic_share', 'noise_share', 'coded_share'):
    if not 0 <= c.small[name] <= 1:
      raise types.BadInput(
          f'--config.small.{name}={c.small[name]} is not between 0 and 1.')
  if c.small.noise < 0 or c.small.coarseness <= 0:
    raise types.BadInput(
        '--config.small: noise must not be below 0, and coarseness above it.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, network and step of c."""
  data = restorer.make_data(c)
  model, tx = restorer.make_model(c), restorer.make_optimizer(c)
  draw = upscaler.Draw(**c.small.to_dict())
  step = upscaler.compile_step(
      layout, parts=c.accumulate, model=model, tx=tx, seed=c.seed, draw=draw,
      epsilon=c.charbonnier_epsilon, ema_decay=c.ema_decay)
  return assembled.Assembled(
      data=assembled.after(data),
      init=functools.partial(upscaler.init_state, model=model, tx=tx),
      step=lambda state, batch: step(state, batch['clean']),
      name=c.model.name, settings=c.model.settings.to_dict(),
      pictures=_pictures(c, model, draw), trained_on=restorer.names(c))


def _pictures(c, model, draw):
  """Clips of the run, made small and enlarged again, by state."""
  clean = shown.clips(c)[:, 0].astype(np.float32) / 255
  small = jax.jit(functools.partial(upscaler.make_small, draw=draw))(
      jax.random.key(_SEED), clean[:, None])[:, 0]
  plain = jax.jit(upscaler_lib.enlarge)(small)
  apply = jax.jit(model.apply)

  def pictures(state):
    return {'enlarged': shown.rows({
        'nearest': np.asarray(small).repeat(2, 1).repeat(2, 2),
        'lanczos': np.clip(plain, 0, 1),
        'upscaler': apply({'params': state.ema}, small), 'clean': clean})}

  return pictures
