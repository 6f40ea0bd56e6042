"""Restoration in latent space: damaged clips to clean ones, by two VAEs."""

import ml_collections
from revive_jax.configs import restorer


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training.

  Args:
    size: 'base'; 'large', of 43 million parameters, for several GPUs; or
      'tiny', for tests.
  """
  large, tiny = {'base': (False, False), 'large': (True, False),
                 'tiny': (False, True)}[size]
  like = restorer.get_config(size)
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'latent'
  c.seed = 0
  c.num_steps = 4 if tiny else 50_000
  c.batch_size = 32 if large else 8  # Over all devices.
  c.log_every = 1 if tiny else 20
  c.checkpoint_every = 2 if tiny else 500
  c.init_from = ''  # Weights to go on from.

  c.model = dict(name='latent_restorer', dtype='')
  features, latent, mapping_features, num_blocks = {
      'base': ((32, 64, 96), 16, 96, 6), 'large': ((64, 128, 256), 32, 384, 12),
      'tiny': ((4, 4, 4), 2, 4, 1)}[size]
  c.model.settings = dict(
      features=features, latent=latent, temporal=False,  # Each frame alone.
      mapping_features=mapping_features, num_blocks=num_blocks)

  c.data = like.data
  # A place of the latents is 8 px: larger pictures than the restorer's, and
  # fewer frames, so that there is something to borrow from.
  c.data.update(num_frames=2, size=32 if tiny else 256 if large else 128)
  # Folder of real film, videos or prepared records, never the clips of root.
  # '': the autoencoder of damaged clips sees synthetic damage alone, and there
  # is no discriminator: nothing brings the latents of real film near to those
  # that the mapping has learnt from.
  c.data.old = ''

  c.damage = like.damage
  # What is told of the damage is what the mapping takes for masked.
  c.damage.update(told_share=1.0, clean_share=0.0)

  # The autoencoders, in nats per pixel: N(x; output, sigma^2) and N(0, 1). The
  # mapping: distances of its latents and of their picture to the clean ones.
  c.losses = dict(
      sigma=0.05, beta=1.0, beta_warmup=1 if tiny else 2000, latent=1.0,
      picture=4.0, damage_weight=4.0, epsilon=1e-2)
  c.gan = dict(
      loss='least_squares',  # Or another of losses/adversarial.py.
      weight=0.05,  # What the encoder pays, in nats per pixel.
      warmup=1 if tiny else 2000,  # Steps in which that rises from 0.
      features=4 if tiny else 64 if large else 32,  # Of the discriminator.
      rate=1e-4 if large else 2e-4,
      clip_norm=1.0)
  # Each autoencoder and the mapping are clipped for themselves.
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
