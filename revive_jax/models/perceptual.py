"""Feature networks for perceptual losses and distances.

A function of pictures to maps of features is all that losses/perceptual.py and
metrics ask for. Two are here: of a trained restorer, which needs nothing else;
and of VGG-16, whose weights (of ImageNet) a user may bring.
"""

from collections.abc import Callable, Mapping
import os
import pathlib
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from revive_jax import models, types
from revive_jax.models import inference, weights
from revive_jax.models import restorer as restorer_lib
from revive_jax.ops import convolution, resize

# Pictures [N, H, W, 3] in [0, 1] to maps [N, h, w, C].
Features = Callable[[jax.Array], list[jax.Array]]

# Channels of VGG-16's convolutions; 'M' halves the resolution. Simonyan and
# Zisserman 2015, arXiv:1409.1556, column D.
_VGG = (64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 512, 'M', 512,
        512, 512)
# The ReLUs that LPIPS looks at (arXiv:1801.03924), by number of convolution.
_LOOKED_AT = (2, 4, 7, 10, 13)
RANDOM = 'random'  # In the place of weights: of_random_vgg.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Network(NamedTuple):
  """A network that stays fixed: what losses/perceptual.py asks for."""

  features: Features
  # LPIPS's weights [C] of each layer; None: all are one.
  channels: list[jax.Array] | None = None


def load(where: str | os.PathLike) -> Network:
  """The features of weights, in float32: of a restorer, or of a VGG-16.

  Args:
    where: as weights.read_weights; or a .safetensors without a config.json
      beside it: of torchvision's vgg16, see of_vgg; or 'random'.

  Raises:
    types.BadInput: it is neither.
  """
  path = pathlib.Path(where)
  if where == RANDOM:
    return of_random_vgg()
  if path.suffix == '.safetensors' and not (
      path.parent / 'config.json').exists():
    return of_vgg(path)
  found = weights.read_weights(where)
  if found.config['model'] not in models.RESTORERS:
    raise types.BadInput(
        f'{where}: weights of a {found.config["model"]}, whose features are no '
        'measure; name a restorer, or the .safetensors of a VGG-16.')
  model, params = inference.build(found)
  return Network(of_restorer(model.clone(dtype=jnp.float32), params))


def of_restorer(model: restorer_lib.Restorer, params: Any) -> Features:
  """What the encoder of a trained restorer makes of single pictures.

  Its features at 1/2 of the resolution, and the descriptors at 1/8 by which it
  finds the same place in another frame. Sides that are no multiples of 16 are
  padded, by repeating the edge.
  """
  def features(pictures):
    padded = resize.pad_to_multiple(pictures, restorer_lib.BLOCK)
    none = jnp.zeros((*padded.shape[:-1], 1))
    return list(model.apply(
        {'params': params}, padded, none,
        method=lambda m, x, mask: m.encoder(x, mask)))

  return features


def of_random_vgg() -> Network:
  """VGG-16 of a quarter of the channels, with random weights, always the same.

  Crude, but no network was trained on it or is its kin.
  """
  rng, result, before = np.random.default_rng(0), [], 3
  for after in (n // 4 for n in _VGG if n != 'M'):
    kernel = rng.normal(0, (2 / (9 * before)) ** 0.5, (3, 3, before, after))
    result.append((jnp.asarray(kernel, jnp.float32), jnp.zeros(after)))
    before = after
  return Network(_vgg(result))


def of_vgg(path: str | os.PathLike) -> Network:
  """VGG-16 of a file of weights, at five depths.

  Args:
    path: .safetensors with torchvision's names, `features.0.weight`
      [out, in, 3, 3], `features.0.bias`, and so on. If LPIPS's own weights are
      in it, too, by their names (`lin0.model.1.weight` [1, C, 1, 1] to `lin4`),
      distances are LPIPS (arXiv:1801.03924, version 0.1).

  Raises:
    types.BadInput: it is no such file.
  """
  try:
    tensors = safetensors.numpy.load_file(path)
  except (OSError, KeyError, TypeError, ValueError,
          safetensors.SafetensorError) as error:
    raise types.BadInput(
        f'{path}: no .safetensors file ({error}).') from error
  return Network(_vgg(_convolutions(path, tensors)), _channels(path, tensors))


def _channels(path, tensors: Mapping[str, np.ndarray]):
  """LPIPS's weights of the layers that are looked at, or None."""
  names = [f'lin{i}.model.1.weight' for i in range(len(_LOOKED_AT))]
  if not any(name in tensors for name in names):
    return None
  sizes = [n for n in _VGG if n != 'M']
  for name, number in zip(names, _LOOKED_AT, strict=True):
    shape = (1, sizes[number - 1], 1, 1)
    if name not in tensors or tensors[name].shape != shape:
      raise types.BadInput(
          f'{path}: {name} is not that of LPIPS on a VGG-16, of shape '
          f'{shape}; give all five of them, or none.')
  return [jnp.asarray(tensors[name].reshape(-1), jnp.float32)
          for name in names]


def _convolutions(path, tensors: Mapping[str, np.ndarray]):
  """Kernels [3, 3, in, out] and biases, in order; of exactly VGG-16's shapes.
  """
  result, number, channels = [], 0, 3
  for step in _VGG:
    if step == 'M':
      number += 1
      continue
    name = f'features.{number}'
    kernel, bias = (tensors.get(f'{name}.{x}') for x in ('weight', 'bias'))
    if kernel is None or kernel.shape != (step, channels, 3, 3) or (
        bias is None or bias.shape != (step,)):
      raise types.BadInput(
          f'{path}: {name} is not that of a VGG-16 (weight '
          f'{(step, channels, 3, 3)}); give the weights of torchvision\'s '
          'vgg16.')
    result.append((jnp.asarray(kernel.transpose(2, 3, 1, 0), jnp.float32),
                   jnp.asarray(bias, jnp.float32)))
    number, channels = number + 2, step  # A ReLU counts, too.
  return result


def _vgg(convolutions) -> Features:
  def features(pictures):
    x = (pictures - jnp.asarray(_MEAN).reshape(1, 1, 1, 3)) / jnp.asarray(
        _DEVIATION).reshape(1, 1, 1, 3)
    result, left = [], iter(enumerate(convolutions, 1))
    for step in _VGG:
      if step == 'M':
        x = nn.max_pool(x, (2, 2), (2, 2))
        continue
      number, (kernel, bias) = next(left)
      x = nn.relu(convolution.conv3x3(x, kernel) + bias.reshape(1, 1, 1, -1))
      if number in _LOOKED_AT:
        result.append(x)
    return result

  return features
