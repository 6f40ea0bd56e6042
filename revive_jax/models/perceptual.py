"""Feature networks for perceptual losses and distances.

A function of pictures to maps of features is all that losses/perceptual.py and
metrics ask for. Two are here: of a trained restorer, which needs nothing else;
and of VGG-16, whose weights (of ImageNet) a user may bring.
"""

from collections.abc import Callable, Mapping
import os
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from revive_jax import types
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
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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


def of_vgg(path: str | os.PathLike) -> Features:
  """VGG-16 of a file of weights, at five depths.

  Args:
    path: .safetensors with torchvision's names, `features.0.weight`
      [out, in, 3, 3], `features.0.bias`, and so on.

  Raises:
    types.BadInput: it is no such file.
  """
  try:
    tensors = safetensors.numpy.load_file(path)
  except (OSError, KeyError, TypeError, ValueError,
          safetensors.SafetensorError) as error:
    raise types.BadInput(
        f'{path}: no .safetensors file ({error}).') from error
  return _vgg(_convolutions(path, tensors))


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
