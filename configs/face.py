"""The embedder of faces: is the face of the output that of the input?"""

import ml_collections


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training. size: 'base', or 'tiny' for tests."""
  tiny = {'base': False, 'tiny': True}[size]
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'face'
  c.seed = 0
  c.num_steps = 3 if tiny else 800
  c.batch_size = 8 if tiny else 32  # Persons, of three views each.
  c.log_every = 1 if tiny else 20
  c.checkpoint_every = 2 if tiny else 250
  c.init_from = ''  # Weights to go on from.

  c.model = dict(name='face')
  c.model.settings = dict(
      features=(4, 4, 4, 4) if tiny else (16, 32, 64, 64),
      size=8 if tiny else 64)

  # root: of python -m revive_jax.data.faces. Held out: persons by name, and of
  # those with a single picture one of so many (0: none).
  c.data = dict(root='', held_out=(), held_out_every=0 if tiny else 10)

  c.temperature = 0.1  # That cosines are divided by.
  c.optimizer = dict(
      peak=3e-3, warmup=1 if tiny else 40, shape='cosine', final_decay=0.4,
      b1=0.9, b2=0.99, weight_decay=0.05, clip_norm=1.0)
  c.ema_decay = 0.98

  # Devices along each axis (0: all that there are). fsdp: parameters and what
  # goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=False)
  c.accumulate = 1
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
