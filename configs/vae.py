"""An autoencoder of clean video: the prior of what footage looks like."""

import ml_collections
from revive_jax.configs import restorer


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training.

  Args:
    size: 'base', of clips, causal in time; 'frames', each frame alone; or
      'tiny', for tests.
  """
  tiny = {'base': False, 'frames': False, 'tiny': True}[size]
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'vae'
  c.seed = 0
  c.num_steps = 4 if tiny else 20_000
  c.batch_size = 8  # Over all devices.
  c.log_every = 1 if tiny else 20
  c.checkpoint_every = 2 if tiny else 500  # Pictures are drawn then, too.
  c.init_from = ''  # Weights to go on from.

  c.model = dict(name='clip_vae', dtype='')
  c.model.settings = dict(
      features=(4, 4, 4) if tiny else (32, 64, 96), latent=2 if tiny else 16,
      temporal=size != 'frames')
  c.data = restorer.get_config('tiny' if tiny else 'base').data
  c.data.update(look_alike_share=0.0, overlay_share=0.0)

  # Of N(x; output, sigma^2) and N(0, 1), in nats per clip: see
  # configs/mnist_vae.py.
  c.losses = dict(sigma=0.05, beta=1.0, beta_warmup=1 if tiny else 2000,
                  beta_period=0, free_bits=0.0)
  c.optimizer = dict(
      peak=1e-3, warmup=1 if tiny else 100, shape='cosine', final_decay=0.4,
      b1=0.9, b2=0.99, weight_decay=1e-4, clip_norm=1e5)
  c.ema_decay = 0.999

  # Devices along each axis (0: all that there are): clips of a batch, and rows
  # of a frame. fsdp: parameters and what goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=False)
  c.accumulate = 1  # Parts of a batch, one after the other.
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
