"""The twin of the worked example: a variational autoencoder of digits."""

import ml_collections


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training.

  Args:
    size: 'base', on MNIST; 'embedded', on the digits that ship with
      scikit-learn, without a network; or 'tiny', on those, for tests.
  """
  base, embedded, tiny = (size == s for s in ('base', 'embedded', 'tiny'))
  if not (base or embedded or tiny):
    raise KeyError(size)
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'image_vae'
  c.seed = 0
  c.num_steps = 3 if tiny else 8000 if embedded else 25_000
  c.batch_size = 128  # Over all devices.
  c.log_every = 1 if tiny else 100
  c.checkpoint_every = 2 if tiny else 2000  # Pictures are drawn then, too.
  c.init_from = ''  # Weights to go on from.

  c.data = dict(
      name='mnist' if base else 'embedded',
      root='',  # The folder of MNIST's four .gz files; '': they are fetched.
      prepared='')  # Where its records go; '': TFDS's own folder.

  c.model = dict(name='dense_vae')  # 784 - hidden - latent - hidden - 784.
  c.model.settings = dict(
      latent=4 if tiny else 16, hidden=(16,) if tiny else (512, 256))

  c.likelihood = 'bernoulli'  # Or 'gaussian'.
  c.losses = dict(
      sigma=0.3,  # Of the Gaussian.
      beta=1.0,  # Weight of the KL...
      beta_warmup=1000,  # ...after so many steps...
      beta_period=0,  # ...and anew every so many; 0: once.
      free_bits=0.0)  # Nats per channel of the latent that cost nothing.
  c.optimizer = dict(
      peak=1e-3, warmup=100, shape='cosine', final_decay=0.4, b1=0.9, b2=0.999,
      weight_decay=1e-4, clip_norm=100.0)
  c.ema_decay = 0.999

  # Devices along each axis (0: all that there are): clips of a batch, and rows
  # of a frame. fsdp: parameters and what goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=False)
  c.accumulate = 1  # Parts of a batch, one after the other.
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
