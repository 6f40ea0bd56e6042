"""The table of a restorer: --config=configs/evaluate.py."""

import ml_collections
from revive_jax.configs import restore, restore_classical


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings. size: 'base', or 'tiny', for tests."""
  tiny = {'base': False, 'tiny': True}[size]
  c = ml_collections.ConfigDict()
  c.mode = 'evaluate'
  c.seed = 0  # Of the damage; with the name of a clip it decides all of it.

  # Names of shipped weights, folders, files; comma-separated. A row each; fills
  # give two, and want their restorer named, too.
  c.weights = '' if tiny else 'restorer'
  # 'pipeline': what users get (but for strengths, see below), beside the
  # classical chain. 'model': the network alone on deflickered frames, to
  # compare checkpoints quickly.
  c.through = 'pipeline'
  c.causal = False  # Let the networks see no future frames.
  c.num_samples = 4  # Of weights that make fills (configs/fills.py).
  # Perceptual and Fréchet distances are in the features of these weights: of a
  # restorer, or a .safetensors of torchvision's vgg16; 'random': of a VGG of
  # random weights, kin to none; '' leaves them out.
  c.features = '' if tiny else 'restorer'
  c.niqe = '' if tiny else 'niqe'  # Its model of natural pictures.
  # The second classical row; the first chooses its stages.
  c.classical_stages = restore_classical.get_config(size).stages
  c.undamaged = True  # Also restore the clean clips, which must not change.
  c.sheets = True  # Pictures of every clip in workdir/sheets.

  # Clean clips: videos and sequences of pictures, one shot of each.
  c.data = dict(
      root='',  # Their folder.
      clips=(),  # Names in it; () is all of them.
      starts=(),  # First frame of each of clips; (): the middle of the longest
                  # shot.
      exclude=('bmx-trees_mask',),  # Names to leave out.
      photos='',  # Folder of photographs to set in motion.
      photo_clips=2 if tiny else 4,
      num_frames=6 if tiny else 48,  # At most.
      height=48 if tiny else 272)  # Higher ones are reduced to it, px.

  # mix, severity: degradations/chain.py. textures: folder of real artefacts
  # (RGBA pictures) that take the place of drawn dust and hairs.
  c.damage = dict(mix='film', severity='medium', textures='')

  c.pipeline = restore.get_config(size)
  # The clean clip is known: come as close to it as can be.
  c.pipeline.strength.noise = c.pipeline.strength.blur = 1.0
  c.pipeline.output.grain = 0.0
  return c
