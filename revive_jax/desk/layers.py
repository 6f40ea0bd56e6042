"""Layers of a frame as pictures: where damage is, what was made up, how sure.
"""

import numpy as np

from revive_jax.explain import layers as layers_lib
from revive_jax.explain import origin
from revive_jax.types import Origin

NAMES = {
    'damage': 'Damage that was found',
    'change': 'How much was changed',
    'uncertainty': 'How unsure the program is',
    'spread': 'How much several answers differ',
    'origin': 'Where each pixel comes from',
    'origin_frame': 'Which frame a pixel was taken from'}
_RED = (255, 60, 40)


def picture(name: str, layer: np.ndarray) -> np.ndarray:
  """A layer [H, W] uint8 in colours, [H, W, 3] uint8; name: of NAMES."""
  return np.ascontiguousarray(layers_lib.coloured(name, layer))


def legend(name: str, layer: np.ndarray, width: int = 480) -> np.ndarray:
  """What the colours mean, [height, width, 3] uint8."""
  return layers_lib.legend(name, layer, width)


def share(name: str, layer: np.ndarray) -> np.ndarray:
  """How much of a layer is to be seen over a frame, [H, W] in [0, 1]."""
  values = layer.astype(np.float32) / 255
  if name == 'origin':
    return (origin.classes(layer) != Origin.KEPT).astype(np.float32)
  if name == 'origin_frame':
    return (layer != 128).astype(np.float32)
  return values if name == 'damage' else np.sqrt(values)


def overlay(
    preview, name: str, strength: float = 0.6
) -> np.ndarray:
  """A layer over the restored frame, [H, W, 3] uint8.

  Args:
    preview: of preview.preview.
    name: of a layer that it has.
    strength: of the layer where it is strongest, in [0, 1].
  """
  layer = preview.layers[name]
  alpha = strength * share(name, layer)[..., None]
  colours = _RED if name == 'damage' else picture(name, layer)
  mixed = preview.after * (1 - alpha) + np.asarray(colours) * alpha
  return np.round(mixed).astype(np.uint8)
