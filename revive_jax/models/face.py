"""A small network that tells faces apart: a picture to a unit vector.

For one use: is the face of the output still that of the input? Two pictures of
one person give vectors of a cosine near 1, of two persons one near 0 or below.
It is no means to find a person among many, and too weak for it.
"""

from collections.abc import Callable
import os

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import types
from revive_jax.models import layers, weights

SIDE = 64  # px of the picture it sees: the face's box, a quarter larger.
_GROUP = 16  # Pictures at once: compiled once.

# Pictures [N, SIDE, SIDE, 3] RGB uint8 to unit vectors [N, D] float32.
Embed = Callable[[np.ndarray], np.ndarray]


class Embedder(nn.Module):
  """Faces [N, 64, 64, 3] in [0, 1] to unit vectors [N, size].

  Only what lies in an ellipse counts, brought to one mean and contrast: hair,
  hat, surroundings and light are no part of a person.
  """

  features: tuple[int, ...] = (16, 32, 64, 64)  # At 1/2, 1/4, 1/8, 1/16.
  size: int = 64
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, faces: jax.Array, *, whole: bool = True) -> jax.Array:
    """whole: False: what the last layer is given, [N, features]."""
    inside = _window(*faces.shape[1:3])
    mean = lambda x: (x * inside).mean((1, 2, 3), keepdims=True) / inside.mean()
    x = faces - mean(faces)
    x = x * inside / (jnp.sqrt(mean(x**2)) + 0.02)
    first, *others = self.features
    x = layers.Down(first, dtype=self.dtype, name='down_0')(x)
    x = layers.leaky(layers.Conv(first, dtype=self.dtype, name='conv')(x))
    for i, features in enumerate(others, 1):
      x = layers.Down(features, dtype=self.dtype, name=f'down_{i}')(x)
      if i < len(others):
        x = layers.ResBlock(dtype=self.dtype, name=f'block_{i}')(x)
      x = layers.leaky(x)
    x = x.reshape(len(x), -1).astype(jnp.float32)
    if not whole:
      return x
    x = nn.Dense(self.size, name='vector_out')(x)
    return x / jnp.sqrt((x**2).sum(-1, keepdims=True) + 1e-12)


def _window(height: int, width: int) -> jax.Array:
  """[1, H, W, 1]: 1 in the ellipse of a face, falling to 0 around it."""
  rows = (jnp.arange(height)[:, None] + 0.5) / height - 0.5
  columns = (jnp.arange(width)[None, :] + 0.5) / width - 0.5
  radius = jnp.sqrt((rows / 0.44) ** 2 + (columns / 0.36) ** 2)
  return jnp.clip((1.1 - radius) / 0.2, 0, 1)[None, ..., None]


def load(where: str | os.PathLike = 'face') -> Embed:
  """The embedding of trained weights; by default of those that ship.

  Raises:
    types.BadInput: there are none, they are damaged, or of something else.
  """
  found = weights.read_weights(where)
  if found.config['model'] != 'face':
    raise types.BadInput(
        f'{where}: weights of a {found.config["model"]}, which does not tell '
        "faces apart; give some of --config=face, or 'face'.")
  settings = found.config['settings']
  model = Embedder(tuple(settings['features']), settings['size'])
  weights.check_shapes(found.params, jax.eval_shape(
      model.init, jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 3)))['params'])
  return of(model, found.params)


def of(model: Embedder, params) -> Embed:
  """The embedding of a network and its parameters."""
  params = jax.device_put(params)
  run = jax.jit(lambda p, x: model.apply(
      {'params': p}, x.astype(jnp.float32) / 255))

  def embed(faces):
    vectors = [np.zeros((0, model.size), np.float32)]
    for start in range(0, len(faces), _GROUP):
      group = np.asarray(faces[start:start + _GROUP])
      padded = np.concatenate([group, np.zeros(
          (_GROUP - len(group), *group.shape[1:]), group.dtype)])
      vectors.append(np.asarray(run(params, padded))[:len(group)])
    return np.concatenate(vectors)

  return embed
