"""Real artefacts, photographed: their shapes, laid over a clip.

`load_textures` reads files and is called by whoever builds a training or a
benchmark; `textures` is pure JAX as all operators are.
"""

from collections.abc import Callable
import math
import pathlib

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import geometry, paint


def load_textures(
    folder: str | pathlib.Path, *, size: int = 96, max_count: int = 512,
    wanted: Callable[[pathlib.Path], bool] = lambda path: True,
) -> np.ndarray:
  """Reads the alpha of the RGBA PNGs under folder: uint8 [N, size, size].

  At most max_count of those that are wanted, spread evenly over the sorted
  paths (so that each kind is there in its share); reduced by area averaging.
  Files without alpha count by their brightness. Raises FileNotFoundError if
  there is none.
  """
  paths = [p for p in sorted(pathlib.Path(folder).rglob('*.png')) if wanted(p)]
  if not paths:
    raise FileNotFoundError(f'No PNG files under {folder}.')
  count = min(max_count, len(paths))
  chosen = [paths[i * len(paths) // count] for i in range(count)]
  return np.stack([_read(path, size) for path in chosen])


def textures(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    textures: jax.Array,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 8.0,
    side: tuple[float, float] = (12.0, 72.0),
    opacity: tuple[float, float] = (0.6, 1.0),
    additive: float = 0.2,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Dust and hairs of the shapes textures [N, S, S] (uint8, or [0, 1]).

  count * severity of them a frame on average (see geometry.slots), each in a
  single frame: a shape at random, turned, mirrored, and scaled to a square of
  `side` px (even in the logarithm); bilinear.

  Record [T, M]: alive, index, y, x (px, centre), side (px), angle, mirror (1
  or -1), opacity, bright, additive, colour [T, M, 3].
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * geometry.area_share(clip.shape, diagonal)
  shape = frames, geometry.slots(mean)
  keys = jax.random.split(rng, 4)
  drawn = jax.random.uniform(keys[0], (5, *shape))
  low, high = (math.log(v) for v in side)
  record = {
      'alive': drawn[0] < mean * severity / shape[1],
      'y': drawn[1] * (height - 1),
      'x': drawn[2] * (full - 1),
      'side': scale * jnp.exp(low + (high - low) * drawn[3]),
      'angle': 2 * math.pi * drawn[4],
      'mirror': jax.random.rademacher(keys[1], shape, jnp.float32),
      'index': jax.random.randint(keys[2], shape, 0, textures.shape[0]),
      **paint.appearance(
          keys[3],
          shape,
          grey=paint.is_grey(clip),
          opacity=opacity,
          additive=additive,
      ),
  }
  extent = math.ceil(side[1] * scale * math.sqrt(2)) + 2
  damaged, damage = paint.draw(
      clip, record, lambda *item: _sample(textures, *item), (extent, extent)
  )
  return damaged, damage, record


def _sample(shapes, item, y, x):
  """Coverage at y, x: bilinear in the texture of the item; 0 outside."""
  size = shapes.shape[1]
  unit = 255.0 if jnp.issubdtype(shapes.dtype, jnp.integer) else 1.0
  dy, dx = y - item['y'], x - item['x']
  sin, cos = jnp.sin(item['angle']), jnp.cos(item['angle'])
  step = size / item['side']
  v = (cos * dy - sin * dx) * step + (size - 1) / 2
  u = (cos * dx + sin * dy) * step * item['mirror'] + (size - 1) / 2
  top, left = jnp.floor(v), jnp.floor(u)
  total = 0.0
  for i in (0, 1):
    for j in (0, 1):
      row, column = (top + i).astype(int), (left + j).astype(int)
      inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
      row, column = (jnp.clip(k, 0, size - 1) for k in (row, column))
      value = shapes[item['index'], row, column] / unit
      weight = (1 - jnp.abs(v - top - i)) * (1 - jnp.abs(u - left - j))
      total += jnp.where(inside, weight * value, 0.0)
  return total


def _read(path, size):
  """Alpha (or brightness) of a picture as uint8 [size, size]."""
  picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
  if picture is None:
    raise FileNotFoundError(f'Not a picture: {path}.')
  if picture.ndim == 3:
    last = picture.shape[2]
    picture = picture[..., 3] if last == 4 else picture.max(-1)
  return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
