"""The restorer, supervised: configs/restorer.py."""

import functools

import jax
import jax.numpy as jnp
import ml_collections

from revive_jax import models, types
from revive_jax.algorithms import assembled, privately
from revive_jax.data import mixture, pipeline
from revive_jax.degradations import mixes
from revive_jax.degradations import textures as textures_lib
from revive_jax.models import layers
from revive_jax.training import batch as batch_lib
from revive_jax.training import optimizer, private, sharding, supervised


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  one_of = types.check_choice
  one_of('model.name', c.model.name, models.RESTORERS)
  one_of('model.dtype', c.model.dtype, ('', 'float32', 'bfloat16'))
  one_of('model.remat', c.model.remat, tuple(layers.REMAT))
  one_of('optimizer.name', c.optimizer.name, ('muon', 'adamw'))
  one_of('optimizer.shape', c.optimizer.shape, ('cosine', 'constant'))
  check_damage(c)
  privately.check_clips(c)


def check_damage(c: ml_collections.ConfigDict) -> None:
  """Refuses clips and damage that cannot be."""
  mixes.parse(c.damage.mix)
  check_data(c)
  low, high = c.damage.severity
  if not 0 < low <= high:
    raise types.BadInput(
        f'--config.damage.severity={(low, high)} is no range of positive '
        'numbers; give the lower one first.')
  if c.data.size % 16:
    raise types.BadInput(
        f'--config.data.size={c.data.size} is not a multiple of 16.')


def check_data(c: ml_collections.ConfigDict) -> None:
  """Refuses where no clips are named."""
  if not c.data.root and not c.data.photos and not c.data.tfds:
    raise types.BadInput(
        'There is nothing to train on; name a folder of videos or of prepared '
        'records with --config.data.root (see docs/data.md).')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, network and step of c."""
  # What the user may have to set right comes before what takes long.
  if c.apart and (jax.device_count() > 1 or privately.is_wanted(c)):
    raise types.BadInput(
        '--config.apart is for one device and for training that is not '
        f'private; there are {jax.device_count()} devices. Leave it out.')
  if privately.is_wanted(c):
    if c.only:
      raise types.BadInput(
          '--config.only is for training that is not private; leave it out.')
    return _assemble_privately(c, layout)
  data = make_data(c)
  textures = make_textures(c, sharding.replicated(layout))
  if c.apart:
    init, step = make_trainer_apart(c, layout, make_model(c), textures)
  else:
    init, together = make_trainer(c, layout, make_model(c))
    step = lambda state, clean: together(state, clean, textures)
  return assembled.Assembled(
      data=assembled.after(data), init=init,
      step=lambda state, batch: step(state, batch['clean']),
      name=c.model.name, settings=c.model.settings.to_dict(),
      trained_on=names(c))


def _assemble_privately(c, layout):
  training = privately.prepare(c, layout)
  c = privately.within_budget(c, training)
  textures = make_textures(c, sharding.replicated(layout))
  model, tx = make_model(c), make_optimizer(c)
  step = private.compile_step(
      layout, private.train_step, model=model, tx=tx, seed=c.seed,
      draw=make_draw(c), noise=training.noise, ema_decay=c.ema_decay,
      **make_costs(c))
  return assembled.Assembled(
      data=training.data,
      init=private.with_room(functools.partial(
          supervised.init_state, model=model, tx=tx)),
      step=lambda state, batch: step(state, batch, textures),
      name=c.model.name, settings=c.model.settings.to_dict(),
      account=training.account, keyed=training.keyed)


def make_costs(c: ml_collections.ConfigDict):
  """What the restorer's own losses cost."""
  return dict(weights=c.losses.to_dict(), damage_weight=c.damage_weight,
              epsilon=c.charbonnier_epsilon)


def make_model(c: ml_collections.ConfigDict):
  """The network of c.model; its activations are bfloat16 on accelerators."""
  default = 'float32' if jax.default_backend() == 'cpu' else 'bfloat16'
  more = {'remat': c.model.remat} if 'remat' in c.model else {}
  return models.build(c.model.name, c.model.settings.to_dict(),
                      dtype=jnp.dtype(c.model.dtype or default), **more)


def make_data(c: ml_collections.ConfigDict) -> assembled.Data:
  """Batches of clean clips of c.data, this host's share."""
  d = c.data
  found, shares = mixture.mixture(
      root=d.root, tfds=d.tfds, tfds_dir=d.tfds_dir, tfds_split=d.tfds_split,
      photos=[f for f in d.photos.split(',') if f], photo_share=d.photo_share,
      look_alike_share=d.look_alike_share, held_out=d.held_out,
      num_frames=d.num_frames, size=d.size, seed=c.seed)
  return functools.partial(
      pipeline.make_dataset, found, shares, seed=c.seed,
      batch_size=c.batch_size,
      num_frames=d.num_frames, size=d.size, overlay_share=d.overlay_share,
      workers=d.workers, host_index=jax.process_index(),
      host_count=jax.process_count())


def names(c: ml_collections.ConfigDict) -> list[str]:
  """Names of the videos and photographs of make_data."""
  d = c.data
  return mixture.names(root=d.root, held_out=d.held_out,
                       photos=[f for f in d.photos.split(',') if f])


def make_trainer(c: ml_collections.ConfigDict, layout, model):
  """(init, step): the first state, and the compiled step."""
  tx = optimizer.only(make_optimizer(c), c.only)
  step = supervised.compile_step(
      layout, parts=c.accumulate, only=tuple(c.only),
      model=model, tx=tx, seed=c.seed, draw=make_draw(c),
      ema_decay=c.ema_decay, **make_costs(c))
  init = functools.partial(supervised.init_state, model=model, tx=tx)
  return init, step


def make_trainer_apart(c: ml_collections.ConfigDict, layout, model, textures):
  """make_trainer, whose step is several programs; step(state, clean)."""
  tx = optimizer.only(make_optimizer(c), c.only)
  d = c.data
  step = supervised.compile_apart(
      layout, parts=c.accumulate, only=tuple(c.only), model=model, tx=tx,
      seed=c.seed, draw=make_draw(c), textures=textures, ema_decay=c.ema_decay,
      shape=(c.batch_size, d.num_frames, d.size, d.size, 3), **make_costs(c))
  init = functools.partial(supervised.init_state, model=model, tx=tx)
  return init, step


def make_optimizer(c: ml_collections.ConfigDict):
  """The optimizer of the restorer."""
  o = c.optimizer.to_dict()
  rate = optimizer.schedule(
      peak=o.pop('peak'), num_steps=c.num_steps, warmup=o.pop('warmup'),
      shape=o.pop('shape'), final_decay=o.pop('final_decay'))
  if o.pop('name') == 'muon':
    return optimizer.muon(rate, **o)
  return optimizer.adamw(
      rate, **{k: o[k] for k in ('b1', 'b2', 'weight_decay', 'clip_norm')})


def make_draw(c: ml_collections.ConfigDict) -> batch_lib.Draw:
  """How clips are damaged."""
  return batch_lib.Draw(
      **(c.damage.to_dict() | {'severity': tuple(c.damage.severity)}))


def make_textures(c: ml_collections.ConfigDict, same):
  """The shapes of c.data.textures on all devices, or None."""
  if not c.data.textures:
    return None
  try:
    textures = textures_lib.load_textures(c.data.textures)
  except FileNotFoundError as error:
    raise types.BadInput(f'--config.data.textures: {error}') from error
  return jax.device_put(textures, same)
