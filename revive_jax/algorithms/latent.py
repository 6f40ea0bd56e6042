"""Restoration in latent space: configs/vae_restorer.py."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from revive_jax import types
from revive_jax.algorithms import assembled, restorer, shown
from revive_jax.data import mixture, pipeline
from revive_jax.losses import adversarial
from revive_jax.models import inference
from revive_jax.models import latent as latent_lib
from revive_jax.training import latent, optimizer, sharding

_FILM_SEED = 7919  # Added to the seed, so that film and clips differ in order.


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('model.name', c.model.name, ('latent_restorer',))
  types.check_choice('model.dtype', c.model.dtype, ('', 'float32', 'bfloat16'))
  types.check_choice('optimizer.shape', c.optimizer.shape,
                     ('cosine', 'constant'))
  types.check_choice('gan.loss', c.gan.loss, tuple(adversarial.GAMES))
  if c.data.size % latent_lib.BLOCK:
    raise types.BadInput(
        f'--config.data.size={c.data.size} does not fit the latents, which are '
        f'of 1/{latent_lib.BLOCK} of the resolution: make it a multiple.')
  restorer.check_damage(c)
  settings, losses = c.model.settings, c.losses
  if len(settings.features) != 3:
    raise types.BadInput(
        '--config.model.settings.features are of three resolutions.')
  for key in ('latent', 'mapping_features', 'num_blocks'):
    if settings[key] < 1:
      raise types.BadInput(
          f'--config.model.settings.{key}={settings[key]} is less than 1.')
  if c.gan.features < 1:
    raise types.BadInput(
        f'--config.gan.features={c.gan.features} is less than 1.')
  for group in ('losses', 'gan'):
    for key, value in c[group].items():
      if not isinstance(value, str) and value < 0:
        raise types.BadInput(f'--config.{group}.{key}={value} is negative.')
  for key in ('sigma', 'epsilon'):
    if not losses[key]:
      raise types.BadInput(f'--config.losses.{key}=0 must be above 0.')


def make_data(c: ml_collections.ConfigDict) -> assembled.Data:
  """Batches of clean clips and, if c.data.old is given, of real film."""
  clean, d = restorer.make_data(c), c.data
  if not d.old:
    return clean
  found, shares = mixture.mixture(
      root=d.old, tfds='', tfds_dir='', tfds_split='', photos=(),
      photo_share=0.0, look_alike_share=0.0, held_out=d.held_out,
      num_frames=d.num_frames, size=d.size, seed=c.seed)
  old = functools.partial(
      pipeline.make_dataset, found, shares, seed=c.seed + _FILM_SEED,
      batch_size=c.batch_size,
      num_frames=d.num_frames, size=d.size, workers=d.workers,
      host_index=jax.process_index(), host_count=jax.process_count())
  return lambda start: pipeline.side_by_side(
      {'clean': clean(start=start), 'old': old(start=start)})


def names(c: ml_collections.ConfigDict) -> list[str]:
  """Names of the videos and photographs of make_data."""
  return restorer.names(c) + mixture.names(
      root=c.data.old, photos=(), held_out=c.data.held_out)


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, networks and step of c."""
  data = make_data(c)
  textures = restorer.make_textures(c, sharding.replicated(layout))
  model = restorer.make_model(c)
  static = dict(
      model=model,
      judge=latent_lib.LatentDiscriminator(c.gan.features, model.dtype),
      tx=_optimizers(c))
  step = latent.compile_step(
      layout, parts=c.accumulate,
      **static, seed=c.seed, draw=restorer.make_draw(c),
      rules=latent.Rules(
          game=adversarial.GAMES[c.gan.loss], adversarial=c.gan.weight,
          adversarial_warmup=c.gan.warmup, **c.losses.to_dict()),
      ema_decay=c.ema_decay)
  return assembled.Assembled(
      data=assembled.after(data),
      init=functools.partial(latent.init_state, **static),
      step=lambda state, batch: step(state, batch, textures),
      name=c.model.name, settings=c.model.settings.to_dict(),
      pictures=_pictures(c, model, textures), trained_on=names(c))


def _optimizers(c):
  """Of the networks, each clipped for itself, and of the discriminator."""
  o = c.optimizer
  tx = optimizer.scheduled_adamw(num_steps=c.num_steps, **o.to_dict())
  parts = ('clean', 'damaged', 'mapping')
  judge = optimizer.scheduled_adamw(
      num_steps=c.num_steps, peak=c.gan.rate, warmup=o.warmup, shape=o.shape,
      final_decay=o.final_decay, b1=0.5, b2=0.99, weight_decay=0.0,
      clip_norm=c.gan.clip_norm)
  return {'networks': optax.partition(
      dict.fromkeys(parts, tx), {part: part for part in parts}),
          'discriminator': judge}


def _pictures(c, model, textures):
  """What the networks make of clips of the run, by state."""
  clean = shown.clips(c)
  batch, film = shown.damaged(c, clean, textures), _film(c)
  rows = lambda clips: shown.rows(
      {name: x[:, clean.shape[1] // 2] for name, x in clips.items()})

  def pictures(state):
    composite = inference.restore_latent(
        state.ema, batch.damaged, batch.damage, model=model)
    found = {'restored': rows({
        'damaged': batch.damaged,
        **_made(state.ema, batch.damaged, batch.damage, model=model),
        'composite': composite, 'clean': batch.target})}
    if film is not None:
      none = jnp.zeros((*film.shape[:-1], 1))
      found['film'] = rows(
          {'film': film, **_made(state.ema, film, none, model=model)})
    return found

  return pictures


@functools.partial(jax.jit, static_argnames='model')
def _made(params, frames, mask, *, model):
  """Damaged frames there and back, and as the networks restore them."""
  apply = lambda method, *x: model.apply({'params': params}, *x, method=method)
  noise = jnp.zeros(model.noise_shape(frames.shape))
  return {'rebuilt': apply('code_damaged', frames, noise).output,
          'restored': apply('restore', frames, mask)}


def _film(c):
  """The first clips of real film, [4 at most, T, H, W, 3] in [0, 1], or None.
  """
  if not c.data.old:
    return None
  alone = c.copy_and_resolve_references()
  alone.data.workers = 0
  batch = next(iter(make_data(alone)(start=0)))
  return batch['old'][:4].astype(np.float32) / 255
