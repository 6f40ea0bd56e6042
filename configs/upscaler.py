"""The upscaler: frames of twice the size, from clean ones made small."""

import ml_collections
from revive_jax.configs import restorer


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training. size: 'base', or 'tiny', for tests."""
  tiny = {'base': False, 'tiny': True}[size]
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'upscaler'
  c.seed = 0
  c.num_steps = 4 if tiny else 20_000
  c.batch_size = 8 if tiny else 16  # Over all devices.
  c.log_every = 1 if tiny else 20
  c.checkpoint_every = 2 if tiny else 500  # Pictures are drawn then, too.
  c.init_from = ''  # Weights to go on from: a name, a folder, a file.

  c.model = dict(name='upscaler', dtype='')
  c.model.settings = dict(
      features=8 if tiny else 32, num_blocks=1 if tiny else 4)
  # size is that of what is wanted; the network sees half of it.
  c.data = restorer.get_config('tiny' if tiny else 'base').data
  c.data.update(look_alike_share=0.0, overlay_share=0.0, num_frames=1)

  # How clips are made small: by the mean of 2 x 2 px, but bicubic_share of them
  # by Keys's kernel. noise_share of them then have Gaussian noise of up to
  # `noise` codes of 255; coded_share were coded, up to `coarseness` times as
  # coarse as JPEG of quality 50.
  c.small = dict(bicubic_share=0.25, noise_share=0.2, noise=2.0,
                 coded_share=0.2, coarseness=0.4)
  c.charbonnier_epsilon = 1e-2
  # See configs/restorer.py.
  c.optimizer = dict(
      name='muon', peak=0.01, warmup=1 if tiny else 20, shape='constant',
      final_decay=0.6, momentum=0.95, others=0.1, b1=0.9, b2=0.99,
      weight_decay=1e-3, clip_norm=0.5)
  c.ema_decay = 0.999

  # Devices along each axis (0: all that there are): clips of a batch, and rows
  # of a frame. fsdp: parameters and what goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=False)
  c.accumulate = 1  # Parts of a batch, one after the other.
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
