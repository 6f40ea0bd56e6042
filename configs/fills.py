"""Several plausible fills of what damage hides: a conditional VAE."""

import ml_collections
from revive_jax.configs import restorer


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training.

  Args:
    size: 'base'; 'large', of 38 million parameters, for several GPUs; or
      'tiny', for tests.
  """
  large, tiny = {'base': (False, False), 'large': (True, False),
                 'tiny': (False, True)}[size]
  like = restorer.get_config(size)
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'fills'
  c.seed = 0
  c.num_steps = 4 if tiny else 10_000
  c.batch_size = 32 if large else 8  # Over all devices.
  c.log_every = 1 if tiny else 20
  c.checkpoint_every = 2 if tiny else 500
  c.init_from = ''  # Weights of fills to go on from.
  c.restorer = 'restorer'  # Weights of what restores; they are held still.

  c.model = dict(name='fill_vae')
  features, latent = {'base': ((32, 48, 64), 8), 'large': ((128, 320, 576), 16),
                      'tiny': ((4, 4, 4), 2)}[size]
  c.model.settings = dict(features=features, latent=latent)
  c.data, c.damage = like.data, like.damage
  c.damage.clean_share = 0.0  # There would be nothing to fill.

  # Per pixel of the holes: N(clean; fill, sigma^2), and the KL of the posterior
  # to the prior.
  c.losses = dict(sigma=0.05, beta=1.0, beta_warmup=1 if tiny else 1000)
  c.optimizer = dict(
      peak=3e-4 if large else 1e-3, warmup=1 if tiny else 500 if large else 100,
      shape='cosine', final_decay=0.4,
      b1=0.9, b2=0.99, weight_decay=1e-4, clip_norm=10.0)
  c.ema_decay = 0.999

  # Devices along each axis (0: all that there are): clips of a batch, and rows
  # of a frame. fsdp: parameters and what goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=large)
  c.accumulate = 1  # Parts of a batch, one after the other.
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
