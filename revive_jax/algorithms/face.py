"""The embedder of faces: configs/face.py."""

import functools

import jax
import jax.numpy as jnp
import ml_collections

from revive_jax import types
from revive_jax.algorithms import assembled
from revive_jax.data import faces
from revive_jax.models import face as face_lib
from revive_jax.training import face, optimizer, sharding


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  types.check_choice('optimizer.shape', c.optimizer.shape,
                     ('cosine', 'constant'))
  types.check_choice('model.name', c.model.name, ('face',))
  if not c.data.root:
    raise types.BadInput(
        'There is nothing to train on; name a folder of faces with '
        '--config.data.root (python -m revive_jax.data.faces makes one).')
  if c.accumulate > 1:
    raise types.BadInput(
        f'--config.accumulate={c.accumulate} is not for faces, of which each '
        'is told from all of its batch; leave it out.')
  if c.temperature <= 0:
    raise types.BadInput(
        f'--config.temperature={c.temperature} is not above 0.')


def assemble(
    c: ml_collections.ConfigDict, layout: sharding.Layout
) -> assembled.Assembled:
  """Data, network and step of c."""
  people = faces.People(
      c.data.root, held_out=tuple(c.data.held_out),
      every=c.data.held_out_every)
  data = functools.partial(
      faces.make_batches, people, seed=c.seed, batch_size=c.batch_size,
      host_index=jax.process_index(), host_count=jax.process_count())
  settings = c.model.settings.to_dict()
  model = face_lib.Embedder(
      tuple(settings['features']), settings['size'], jnp.float32)
  tx = optimizer.scheduled_adamw(
      num_steps=c.num_steps, **c.optimizer.to_dict())
  return assembled.Assembled(
      data=assembled.after(data),
      init=functools.partial(
          face.init_state, model=model, tx=tx, side=face_lib.SIDE),
      step=face.compile_step(
          layout, model=model, tx=tx, temperature=c.temperature,
          ema_decay=c.ema_decay),
      name=c.model.name, settings=settings)
