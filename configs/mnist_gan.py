"""The article's worked example: a GAN of dense layers on digits."""

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
  c.algorithm = 'image_gan'
  c.seed = 0
  c.num_steps = 3 if tiny else 4000 if embedded else 25_000
  c.batch_size = 128  # Over all devices. The article takes the whole set.
  c.log_every = 1 if tiny else 100
  c.checkpoint_every = 2 if tiny else 2000  # Pictures are drawn then, too.
  c.init_from = ''  # Weights of a generator to go on from.

  c.data = dict(
      name='mnist' if base else 'embedded',
      root='',  # The folder of MNIST's four .gz files; '': they are fetched.
      prepared='')  # Where its records go; '': TFDS's own folder.

  # 100 -> 128 -> 256 -> 512 -> 1024 -> 784, and 784 -> 1024 -> 512 -> 256 -> 1.
  c.model = dict(name='dense_generator')
  c.model.settings = dict(
      latent=16 if tiny else 100,
      hidden=(16, 16) if tiny else (128, 256, 512, 1024))
  c.discriminator = dict(hidden=(16, 16) if tiny else (1024, 512, 256))

  c.loss = 'non_saturating'  # Binary cross-entropy; see losses/adversarial.py.
  c.gradient_penalty = 0.0  # Weight of R1; 0: none, as in the article.
  # b1: with Adam's usual 0.9 all samples become one (docs/generative.md).
  c.optimizer = dict(generator=4e-4, discriminator=1e-4, b1=0.5, b2=0.999)
  c.ema_decay = 0.99  # The averaged generator is what is drawn and kept.

  # DP-SGD of the discriminator, which alone sees real pictures, if clip_norm
  # and noise_multiplier are above 0 (docs/privacy.md); the unit is a picture.
  # epsilon: where it stops. micro_batch: pictures at once on each device.
  c.dp = dict(clip_norm=0.0, noise_multiplier=0.0, delta=1e-5,
              epsilon=float('inf'), micro_batch=4 if tiny else 32)

  # Devices along each axis (0: all that there are): clips of a batch, and rows
  # of a frame. fsdp: parameters and what goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=False)
  c.accumulate = 1  # Parts of a batch, one after the other.
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
