"""Perception: how far a clip is from its target in the features of a network.

Distances of pictures to their own targets, and of the whole set of pictures, or
of steps from picture to picture, to the set of targets (Fréchet).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import types
from revive_jax.losses import perceptual as distances
from revive_jax.metrics import frechet, niqe, scores
from revive_jax.models import perceptual, weights
from revive_jax.ops import resize

_BLOCK = 16  # px; sides are padded to multiples of it.
_CELL = 4  # Places of the deepest layer that make one sample, each way.


class Perception(NamedTuple):
  """Measures in the features of one network, compiled."""

  # Pictures [1, H, W, 3] in [0, 1] twice, damage [1, H, W, 1]: the distance,
  # and that in the damage, [1] each.
  distance: Callable[..., tuple[jax.Array, jax.Array]]
  # Pictures [N, H, W, 3] to features of cells [N, h, w, D].
  cells: Callable[[jax.Array], jax.Array]


class Judges(NamedTuple):
  """What looks at pictures as people do; None: nobody does."""

  perception: Perception | None
  # Frames [T, H, W, 3] in [0, 1] to their NIQE, None where it cannot be had.
  niqe: Callable[[np.ndarray], float | None] | None


class Moments(NamedTuple):
  """Of the features of frames, and of steps from frame to frame."""

  frames: frechet.Moments
  clips: frechet.Moments

  def merge(self, other: 'Moments') -> 'Moments':
    """Of both sets together."""
    return Moments(*(a.merge(b) for a, b in zip(self, other, strict=True)))


def load(where: str) -> Perception | None:
  """The features of weights, see models.perceptual.load; '': None."""
  return measures(perceptual.load(where)) if where else None


def load_niqe(where: str) -> Callable[[np.ndarray], float | None] | None:
  """NIQE with the pristine model of weights (benchmarks/niqe.py); '': None.

  Raises:
    types.BadInput: they are of something else.
  """
  if not where:
    return None
  found = weights.read_weights(where)
  if found.config['model'] != 'niqe':
    raise types.BadInput(
        f'--config.niqe={where}: weights of a {found.config["model"]}, not a '
        'model of natural pictures; fit one with benchmarks/niqe.py.')
  pristine = niqe.Pristine(**found.params)

  def natural(frames):
    try:
      return niqe.of_clip(frames, pristine, **found.config['settings'])
    except ValueError:  # Too small, or nothing to be seen.
      return None

  return natural


def measures(network: perceptual.Network) -> Perception:
  """Measures in the features of any network."""
  def distance(a, b, damage):
    # Here, not by the network: so the maps lie on the weights exactly.
    height, width = a.shape[1:3]
    a, b = (resize.pad_to_multiple(x, _BLOCK) for x in (a, b))
    extra = [(0, a.shape[1] - height), (0, a.shape[2] - width)]
    pad = lambda w: jnp.pad(w, [(0, 0), *extra, (0, 0)])
    maps = distances.differences(
        a, b, features=network.features, channels=network.channels)
    mean = lambda weight: sum(
        distances.mean_over(m, pad(weight)) for m in maps) / len(maps)
    return mean(jnp.ones_like(damage)), mean(damage)

  def cells(pictures):
    pictures = resize.pad_to_multiple(pictures, _BLOCK)
    deepest = network.features(pictures)[-1].astype(jnp.float32)
    number, height, width, channels = deepest.shape
    shape = (number, max(height // _CELL, 1), max(width // _CELL, 1), channels)
    return jax.image.resize(deepest, shape, 'linear')

  return Perception(jax.jit(distance), jax.jit(cells))


def distance_sums(
    judge: Perception, restored: np.ndarray, target: np.ndarray,
    damage: np.ndarray,
) -> scores.Sums:
  """perceptual and perceptual_damage of a clip.

  The mean over its frames; and over all pixels of its damage, missing if there
  are none.

  Args:
    judge: of load.
    restored: [T, H, W, 3] in [0, 1].
    target: as restored.
    damage: [T, H, W] bool.
  """
  found = np.array([
      [x[0] for x in judge.distance(a[None], b[None], np.float32(d)[None, ...,
                                                                    None])]
      for a, b, d in zip(restored, target, damage, strict=True)], np.float64)
  pixels = damage.sum((1, 2))
  sums = {'perceptual': (float(found[:, 0].mean()), 1.0)}
  if pixels.any():
    sums['perceptual_damage'] = (
        float((found[:, 1] * pixels).sum() / pixels.sum()), 1.0)
  return sums


def moments(judge: Perception, frames: np.ndarray) -> Moments:
  """Of a clip [T, H, W, 3] in [0, 1], T at least 2.

  A sample is a cell of a frame; in time, its mean and its change from frame to
  frame.
  """
  cells = np.concatenate([np.asarray(judge.cells(f[None])) for f in frames])
  steps = np.concatenate(
      [0.5 * (cells[1:] + cells[:-1]), cells[1:] - cells[:-1]], -1)
  flat = lambda x: frechet.Moments.of(x.reshape(-1, x.shape[-1]))
  return Moments(flat(cells), flat(steps))


def frechet_distances(
    made: Moments, real: Moments
) -> dict[str, float]:
  """frechet of frames, and frechet_clips."""
  return {'frechet': frechet.distance(made.frames, real.frames),
          'frechet_clips': frechet.distance(made.clips, real.clips)}
