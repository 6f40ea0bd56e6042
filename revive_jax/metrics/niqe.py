"""NIQE: how far a frame is from clean ones; lower is better, no reference.

Mittal, Soundararajan and Bovik 2013, "Making a 'Completely Blind' Image Quality
Analyzer", doi:10.1109/LSP.2012.2227726. In NumPy and SciPy, float64. Values
compare only where the pristine model and the size of the frames are the same.
"""

from collections.abc import Iterable
import functools
from typing import NamedTuple

import numpy as np
from scipy import linalg, ndimage, special

from revive_jax.metrics import frechet
from revive_jax.ops import color

_SHAPES = np.arange(200, 10_001) / 1000  # Of the densities that are fitted.
_SIGMA, _RADIUS = 7 / 6, 3  # Window of the local moments, px.
_STEADY = 1.0  # Added to a local deviation, of 255: divides no noise by 0.
# A patch of lower mean local deviation, of 255, is flat: codes are whole steps,
# so that any texture is above, and rounding errors are below.
_FLAT = 0.01
# Bicubic, antialiased, to half the size.
_HALF = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
_LEAST = 2  # Patches, for a covariance.


class Pristine(NamedTuple):
  """Moments of the features of sharp patches of clean pictures."""

  mean: np.ndarray  # [36]
  covariance: np.ndarray  # [36, 36]


def luma(frames: np.ndarray) -> np.ndarray:
  """BT.601 luma of gamma-encoded frames [..., 3] in [0, 1]: [...], to 255."""
  return 255 * (np.asarray(frames, np.float64) @ np.array(color.LUMA))


def mscn(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Luma [H, W] less its local mean, over its local deviation plus 1.

  Equations 1 to 3; a Gaussian window of 7 px and sigma 7/6, edges repeated.

  Returns:
    The coefficients, and the local deviation, [H, W] each.
  """
  blur = functools.partial(
      ndimage.gaussian_filter, sigma=_SIGMA, radius=_RADIUS, mode='nearest')
  off = picture - picture.mean()  # Squares of less are rounded less.
  mean = blur(off)
  deviation = np.sqrt(np.maximum(blur(off * off) - mean * mean, 0))
  return (off - mean) / (deviation + _STEADY), deviation


def fit_ggd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Shape and scale of generalized Gaussians of zero mean, by moments.

  The density of equation 4, as scipy.stats.gennorm; shapes from 0.2 to 10.
  The moments are those of Sharifi and Leon-Garcia 1995.

  Args:
    values: [..., N], N of each.

  Returns:
    Two of [...].
  """
  square = np.mean(values**2, -1)
  shape = _shape_of(np.mean(np.abs(values), -1) ** 2, square)
  return shape, np.sqrt(square) * _scale(shape)


def fit_aggd(
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Shape, mean, left and right scale of asymmetric ones, mode 0; equation 7.

  Lasmar, Stitou and Berthoumieu 2009, doi:10.1109/ICIP.2009.5414404.

  Args:
    values: [..., N], N of each.

  Returns:
    Four of [...].
  """
  left, right = (
      np.sqrt((values**2 * side).sum(-1) / np.maximum(side.sum(-1), 1))
      for side in (values < 0, values > 0))
  # (1 + g^3) (1 + g) / (1 + g^2)^2 of g = left / right, also where one is 0.
  skew = (left**3 + right**3) * (left + right)
  shape = _shape_of(np.mean(np.abs(values), -1) ** 2 * skew,
                    np.mean(values**2, -1) * (left**2 + right**2) ** 2)
  left, right = left * _scale(shape), right * _scale(shape)
  mean = (right - left) * np.exp(
      special.gammaln(2 / shape) - special.gammaln(1 / shape))
  return shape, mean, left, right


def features(
    picture: np.ndarray, *, patch: int = 96, sharpness: float = 0.0
) -> np.ndarray:
  """Features of the patches of a frame, [N, 36]: 18 at each of two scales.

  Patches lie side by side from the upper left corner; flat ones are left out.
  The products of neighbours are of pixels within the patch.

  Args:
    picture: luma [H, W], to 255.
    patch: height and width of a patch, px; even.
    sharpness: keep only patches whose mean local deviation is above this share
      of the largest of the frame; the paper's pristine patches: 0.75.

  Raises:
    ValueError: less than two patches fit into the frame.
  """
  rows, columns = (n // patch for n in picture.shape)
  if rows * columns < _LEAST:
    height, width = picture.shape
    raise ValueError(
        f'A frame of {width}x{height} px is too small for NIQE: two patches of '
        f'{patch}x{patch} px must fit into it.')
  picture = picture[:rows * patch, :columns * patch]
  whole, deviation = mscn(picture)
  sharp = _patches(deviation, patch).mean((1, 2))
  kept = sharp > max(_FLAT, sharpness * sharp.max())
  half, _ = mscn(_halved(picture))
  return np.concatenate([
      _features(_patches(whole, patch)[kept]),
      _features(_patches(half, patch // 2)[kept])], -1)


def fit(many: Iterable[np.ndarray]) -> Pristine:
  """The pristine model of features [N, 36] of many pictures.

  Args:
    many: of each picture what features() gave; a generator is read as it goes.

  Raises:
    ValueError: there are less than two patches in all.
  """
  moments = [frechet.Moments.of(x) for x in many if len(x)]
  if sum(m.count for m in moments) < _LEAST:
    raise ValueError('A pristine model needs two patches that are not flat.')
  found = functools.reduce(frechet.Moments.merge, moments)
  return Pristine(found.mean, found.covariance)


def niqe(frame_features: np.ndarray, pristine: Pristine) -> float:
  """Distance of a frame's features [N, 36] from pristine ones; equation 10.

  sqrt((m_1 - m_2)^T ((C_1 + C_2) / 2)^-1 (m_1 - m_2)), with the pseudoinverse.

  Raises:
    ValueError: N is less than two, so that there is no covariance.
  """
  if len(frame_features) < _LEAST:
    raise ValueError(
        f'NIQE needs two patches that are not flat, and the frame has '
        f'{len(frame_features)}.')
  found = frechet.Moments.of(frame_features)
  apart = found.mean - np.asarray(pristine.mean, np.float64)
  both = (found.covariance + np.asarray(pristine.covariance, np.float64)) / 2
  return float(np.sqrt(max(apart @ linalg.pinvh(both) @ apart, 0)))


def of_clip(
    frames: np.ndarray, pristine: Pristine, *, patch: int = 96
) -> float:
  """The mean of niqe() over the frames [T, H, W, 3], in [0, 1], of a clip.

  Frames that are flat but for one patch, as in a fade, are left out.

  Args:
    frames: gamma-encoded.
    pristine: of patches of the same size.
    patch: px.

  Raises:
    ValueError: the frames are too small, or all of them are flat.
  """
  values = []
  for frame in frames:
    found = features(luma(frame), patch=patch)
    if len(found) >= _LEAST:
      values.append(niqe(found, pristine))
  if not values:
    raise ValueError(
        'NIQE needs two patches that are not flat, and no frame has them.')
  return float(np.mean(values))


def _features(patches):
  """18 features of MSCN coefficients [N, P, P]: [N, 18]."""
  flat = lambda x: x.reshape(len(x), x.shape[1] * x.shape[2])
  found = [*fit_ggd(flat(patches))]
  # To the right, below, and on both diagonals.
  for a, b in ((patches[:, :, :-1], patches[:, :, 1:]),
               (patches[:, :-1], patches[:, 1:]),
               (patches[:, :-1, :-1], patches[:, 1:, 1:]),
               (patches[:, :-1, 1:], patches[:, 1:, :-1])):
    found += fit_aggd(flat(a * b))
  return np.stack(found, -1)


def _patches(picture, size):
  """[H, W] as [N, size, size]."""
  rows, columns = (n // size for n in picture.shape)
  cut = picture.reshape(rows, size, columns, size).swapaxes(1, 2)
  return cut.reshape(-1, size, size)


def _halved(picture):
  """[H, W], both even, at half the size."""
  for axis in (0, 1):
    # The window is even: its centre is between pixels 2 k and 2 k + 1.
    picture = ndimage.correlate1d(picture, _HALF, axis, mode='reflect')
    picture = picture[1::2] if axis == 0 else picture[:, 1::2]
  return picture


def _scale(shape):
  """Scale of a generalized Gaussian of deviation 1."""
  return np.exp(
      (special.gammaln(1 / shape) - special.gammaln(3 / shape)) / 2)


@functools.cache
def _ratios():
  """(E|x|)^2 / E x^2 of generalized Gaussians of _SHAPES; it rises."""
  return np.exp(2 * special.gammaln(2 / _SHAPES) - special.gammaln(1 / _SHAPES)
                - special.gammaln(3 / _SHAPES))


def _shape_of(above, below):
  """The shape whose ratio is above / below; the lowest where both are 0."""
  ratio = above / np.maximum(below, np.finfo(np.float64).tiny)
  return np.interp(ratio, _ratios(), _SHAPES)
