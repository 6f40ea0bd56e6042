"""The restorer against discriminators of frames and of clips."""

import ml_collections
from revive_jax.configs import restorer


def get_config(size: str = 'base') -> ml_collections.ConfigDict:
  """Returns the settings of a training.

  Args:
    size: 'base'; 'large', for several GPUs: give the weights of a run of
      restorer:large with --config.init_from, none ship; or 'tiny', for tests.
  """
  large, tiny = {'base': (False, False), 'large': (True, False),
                 'tiny': (False, True)}[size]
  c = restorer.get_config(size)
  del c.apart, c.only  # Its step is one program, of all parts.
  c.algorithm = 'gan'
  c.num_steps = 4 if tiny else 5000
  # Supervised weights; '': random numbers.
  c.init_from = '' if tiny or large else 'restorer'
  # The restorer is nearly done: it is to move less than at first.
  c.optimizer.peak = 0.0015 if large else 0.003

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
      features=8 if tiny else 64 if large else 24,  # Of the discriminators.
      rate=1e-3 if large else 2e-3,
      clip_norm=1.0)
  return c
