"""The default restorer: damaged clip to clean clip, supervised."""

import ml_collections


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training.

  Args:
    size: 'base'; 'large', of 32 million parameters, for several GPUs; 'live',
      of less than half those of 'base', for use while a film runs (causal); or
      'tiny', for tests.
  """
  large, tiny = {'base': (False, False), 'large': (True, False),
                 'live': (False, False), 'tiny': (False, True)}[size]
  c = ml_collections.ConfigDict()
  c.mode = 'train'
  c.algorithm = 'supervised'
  c.seed = 0
  c.num_steps = 4 if tiny else 100_000
  c.batch_size = 32 if large else 8  # Over all devices.
  c.log_every = 1 if tiny else 20
  c.checkpoint_every = 2 if tiny else 500
  c.init_from = ''  # Weights to go on from: a name, a folder, a file.

  # dtype '': float32 on CPUs, bfloat16 on accelerators.
  # remat: what is kept for the gradient ('': all, 'products', 'nothing').
  c.model = dict(name='restorer', dtype='', remat='nothing' if large else '')
  features, deep_features, num_blocks = {
      'base': (48, 64, 2), 'large': (128, 320, 8), 'live': (24, 48, 1),
      'tiny': (8, 8, 1)}[size]
  c.model.settings = dict(
      features=features, deep_features=deep_features, num_blocks=num_blocks)

  c.data = dict(
      root='',  # Folder of videos, or of records prepared by data.clips.
      tfds='',  # Or a prepared TFDS data set of videos or images, by name,
      tfds_dir='',  # where it is,
      tfds_split='train',  # and which part of it.
      photos='',  # Folders of photographs to set in motion, comma-separated.
      photo_share=0.4,
      look_alike_share=0.45,  # Of them, with wires, grids, dots and letters...
      overlay_share=0.3,  # ...and of all clips, with such things laid over.
      held_out=('sam2_03_blocks.mp4', 'intel_asl_walk.mkv', 'grid_lwbsza.mpg',
                'openh264_flower_720p.h264'),
      textures='',  # Folder of RGBA pictures of real film artefacts.
      num_frames=3 if tiny else 8 if large else 6,
      size=32 if tiny else 128 if large else 64, workers=8 if large else 0)

  c.damage = dict(
      # Or several with shares, as 'footage:0.6,noise:0.2,tape:0.2'.
      mix='film' if tiny else 'restoration', severity=(0.25, 2.0),
      clean_share=0.1, told_share=0.2, cut_share=0.15,
      causal_share=0.6 if size == 'live' else 0.25, diagonal=552.0, density=3.0)

  c.losses = dict(
      charbonnier=1.0, estimate=0.25, cross_entropy=0.2, dice=0.05,
      photometric=0.3, roughness=0.003, likelihood=0.02,
      # Instead of charbonnier, or beside it; losses/reconstruction.py.
      l1=0.0, laplacian_pyramid=0.0, focal_frequency=0.0)
  c.damage_weight = 4.0
  c.charbonnier_epsilon = 1e-2

  # peak is the rate of kernels; biases and last layers take `others` of it.
  c.optimizer = dict(
      name='muon', peak=0.005 if large else 0.01,
      warmup=1 if tiny else 500 if large else 20, shape='constant',
      final_decay=0.4, momentum=0.95, others=0.1, b1=0.9, b2=0.99,
      weight_decay=1e-3, clip_norm=0.5)
  c.ema_decay = 0.999
  # Parts of the network that learn, as ('heads',); (): all. The others stay as
  # they began (init_from).
  c.only = ()

  # Private training (docs/privacy.md); without clip_norm there is none. unit:
  # of what nobody can tell whether it was trained on. epsilon: the budget.
  c.dp = dict(clip_norm=0.0, noise_multiplier=0.0, delta=1e-5, unit='video',
              epsilon=float('inf'), micro_batch=1)

  # Devices along each axis (0: all that there are): clips of a batch, and rows
  # of a frame. fsdp: parameters and what goes with them are shared out, too.
  c.mesh = dict(data=0, model=1, fsdp=large)
  c.accumulate = 1  # Parts of a batch, one after the other.
  c.apart = False  # Each kind of damage is a program: compiles fast on a GPU.
  c.max_skipped = 0  # Steps that may be left out as not finite.
  return c
