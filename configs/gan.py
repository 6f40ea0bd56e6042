"""The restorer against discriminators of frames and of clips."""

import ml_collections
from revive_jax.configs import restorer


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training. size: 'base', or 'tiny', for tests."""
  tiny = {'base': False, 'tiny': True}[size]
  c = restorer.get_config(size)
  c.algorithm = 'gan'
  c.num_steps = 4 if tiny else 5000
  c.init_from = '' if tiny else 'restorer'  # Supervised weights.
  # The restorer is nearly done: it is to move less than at first.
  c.optimizer.peak = 0.003

  c.model.settings.noise = 2 if tiny else 8  # Texture is made of it.

  c.gan = dict(
      loss='hinge',  # Or another of losses/adversarial.py.
      frame=0.01,  # Weight of the verdict on pixels of the damage...
      clip=0.01,  # ...and of that on patches of three frames.
      feature_matching=0.05,
      # Distance in fixed features, and whose: of the weights of a restorer, or
      # of a VGG-16. What was trained on a measure does well by it; judge it by
      # another as well (docs/evaluation.md).
      perceptual=0.0 if tiny else 0.1,
      features_of='' if tiny else 'restorer',
      warping=0.05,  # Along the matcher's flow.
      lecam=0.1,
      start=0 if tiny else 200,  # The step at which these weights begin to
      warmup=1 if tiny else 300,  # rise, and in how many steps.
      features=8 if tiny else 24,  # Channels of the discriminators.
      rate=2e-3,
      clip_norm=1.0)
  return c
