"""Weights for tests: random ones, without the time that init compiles for."""

import jax
import numpy as np


def draw(model, *inputs, seed=0):
  """Returns params of model for these inputs, of about the size it starts with.

  Biases are not zero, and nothing starts silent, so that all of it is tested.
  """
  shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)['params']
  rng = np.random.default_rng(seed)

  def fill(shape):
    fan_in = max(1, int(np.prod(shape.shape[:-1])))
    deviation = 0.1 if len(shape.shape) < 2 else fan_in**-0.5
    return rng.normal(0, deviation, shape.shape).astype(shape.dtype)

  return jax.tree.map(fill, shapes)
