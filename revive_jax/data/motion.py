"""Synthetic motion over photographs: a camera, depth, and things in front."""

from collections.abc import Sequence
import dataclasses
from typing import Protocol

import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import look_alikes

# Share of clips, and least and most speed, px a frame.
_PACES = ((0.12, 0.0, 0.0), (0.33, 0.1, 1.0), (0.35, 1.0, 4.0),
          (0.2, 4.0, 12.0))
# A photograph is reduced by one of these, by area averages, before a camera
# moves over it; what is left to do is 0.8 to 1.12, which does not alias.
_REDUCTIONS = (1, 1.4, 2, 2.8, 4, 5.6)
_LARGEST = 720  # px; the shorter side of a photograph is reduced to this.
_CACHE_BYTES = 600_000_000
_MORE_DETAIL = 0.8  # Share of clips at the better of two places.
_IN_FRONT = 0.45  # Share of clips with something in front.
_STEP = 2  # px between the values that describe its outline.


class Stills(Protocol):
  """A source of {'clip': [1, H, W, 3] uint8}."""

  def __len__(self) -> int:
    """How many there are."""

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    """One of them."""


@dataclasses.dataclass(frozen=True)
class Path:
  """How a camera or a thing moves over T frames."""

  offset: np.ndarray  # [T, 2] px (x, y).
  angle: np.ndarray  # [T] radians.
  zoom: np.ndarray  # [T], px of the world in one px of the frame.
  parallax: np.ndarray  # [T, 2] px, by which depth 1 moves more than depth 0.


def _shake(rng: np.random.Generator, num_frames: int) -> np.ndarray:
  """Returns [T, 2] px: a hand that holds a camera, without a mean."""
  noise = rng.normal(size=(num_frames + 8, 2))
  kernel = np.hanning(7)[1:-1]
  kernel /= np.sqrt((kernel**2).sum())
  smooth = np.stack([np.convolve(n, kernel, 'same') for n in noise.T], -1)
  return smooth[4:-4] - smooth[4:-4].mean(0)


def draw_path(rng: np.random.Generator, num_frames: int) -> Path:
  """Draws a smooth path: still, slow, medium or fast; sub-pixel throughout."""
  t = np.arange(num_frames) - (num_frames - 1) / 2
  shares, low, high = zip(*_PACES, strict=True)
  pace = rng.choice(len(_PACES), p=shares)
  speed = rng.uniform(low[pace], high[pace])
  heading = rng.uniform(0, 2 * np.pi)
  direction = np.array([np.cos(heading), np.sin(heading)])
  # The speed changes by half at most on the way.
  along = speed * (t + rng.uniform(-0.25, 0.25) * t**2 / max(num_frames, 2))
  offset = along[:, None] * direction
  if rng.random() < 0.5:
    offset = offset + rng.uniform(0.1, 1.2) * _shake(rng, num_frames)
  quick = rng.random(2) < 0.15
  moving = pace > 0
  angle = rng.normal(0, np.radians(4)) + t * moving * rng.normal(
      0, np.radians(1.2 if quick[0] else 0.15))
  zoom = np.exp(t * moving * rng.normal(0, 0.015 if quick[1] else 0.003))
  parallax = along[:, None] * direction * rng.uniform(-0.5, 0.5)
  parallax = parallax + t[:, None] * moving * rng.normal(0, 0.3, 2)
  return Path(offset, angle, zoom, parallax)


def _affine(path: Path, size: int) -> np.ndarray:
  """Returns [T, 2, 3]: M @ (column, row, 1) is where a pixel looks, px (x, y).

  The middle of the frame looks at the path's offset.
  """
  cos, sin = np.cos(path.angle) * path.zoom, np.sin(path.angle) * path.zoom
  turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
  middle = np.full(2, (size - 1) / 2)
  return np.concatenate(
      [turn, (path.offset - turn @ middle)[..., None]], axis=-1)


def _extent(affine: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns the least and the greatest (x, y) that any pixel looks at, px."""
  last = size - 1
  corners = np.array([[0, 0, 1], [last, 0, 1], [0, last, 1], [last, last, 1]])
  seen = affine @ corners.T  # [T, 2, 4].
  return seen.min((0, 2)), seen.max((0, 2))


def _depth(rng: np.random.Generator) -> np.ndarray:
  """Returns a smooth field, [64, 64] float32 in [-1, 1]."""
  coarse = rng.uniform(-1, 1, (5, 5)).astype(np.float32)
  field = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)
  return field / max(1.0, float(np.abs(field).max()))


def _detail(picture, corner, extent) -> float:
  """Mean gradient of a part of a picture, every fourth pixel."""
  x, y = (int(c) for c in corner)
  part = picture[y:y + int(extent[1]), x:x + int(extent[0]):2, 1][::2]
  return float(np.abs(np.diff(part.astype(np.int16), axis=1)).mean())


def look(
    rng: np.random.Generator, picture: np.ndarray, path: Path, *, size: int,
    scale: float,
) -> np.ndarray:
  """Moves a camera over a picture; [T, size, size, 3] uint8.

  The whole path lies inside the picture: it is enlarged if it must be. Where
  it lies is drawn twice; the place with more detail is usually taken.

  Args:
    rng: of the depth and the place.
    picture: [H, W, 3] uint8.
    path: of the camera.
    size: of a frame, px.
    scale: px of the picture in one px of a frame.
  """
  affine = _affine(path, size)
  low, high = _extent(affine, size)
  reach = np.abs(path.parallax).max(0)
  low, extent = low - reach, high - low + 2 * reach
  room = np.array(picture.shape[1::-1]) - 3
  scale = min(scale, float((room / extent).min()))
  corners = [1 + rng.random(2) * np.maximum(room - scale * extent, 0)
             for _ in range(2)]
  if rng.random() < _MORE_DETAIL:
    corners.sort(key=lambda c: -_detail(picture, c, scale * extent))
  affine = affine * scale
  affine[..., 2] += corners[0] - low * scale
  depth = _depth(rng)
  return np.stack([
      _view(picture, depth, matrix, shift, size)
      for matrix, shift in zip(affine, path.parallax * scale, strict=True)])


def _warp(picture, affine, size, method) -> np.ndarray:
  return cv2.warpAffine(
      picture, affine, (size, size), flags=method | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE)


def _view(picture, depth, affine, shift, size) -> np.ndarray:
  """Returns one frame; affine: [2, 3], shift: [2] px, both in the picture."""
  u = np.arange(size)
  x, y = (
      (row[0] * u[None] + (row[1] * u[:, None] + row[2])).astype(np.float32)
      for row in affine)
  if np.abs(shift).max() > 0.05:  # px; less is not seen.
    to_depth = (len(depth) - 1) / np.array(picture.shape[1::-1])
    near = _warp(depth, affine * to_depth[:, None], size, cv2.INTER_LINEAR)
    x += near * np.float32(shift[0])
    y += near * np.float32(shift[1])
  return cv2.remap(picture, x, y, cv2.INTER_CUBIC,
                   borderMode=cv2.BORDER_REFLECT)


def _outline(
    rng: np.random.Generator, size: int, reach: float
) -> np.ndarray:
  """Draws a smooth closed shape, anything from a blob to a pole.

  Returns [n, n] float32: px to its edge, positive inside, in steps of _STEP px;
  the middle is the origin, and the border is reach px away.
  """
  n = int(np.ceil(2 * reach / _STEP)) + 1
  u = ((np.arange(n) - (n - 1) / 2) * _STEP).astype(np.float32)
  turn, stretch = rng.uniform(0, np.pi), np.float32(np.exp(rng.uniform(0, 1.6)))
  c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
  x = (c * u[None] - s * u[:, None]) / stretch
  y = (s * u[None] + c * u[:, None]) * stretch
  around = np.arctan2(y, x)
  outline = np.ones_like(x)
  for k in range(2, 6):
    strength, phase = rng.uniform(0, 0.35) / k, rng.uniform(0, 2 * np.pi)
    outline += np.float32(strength) * np.cos(k * around + np.float32(phase))
  radius = size * np.exp(rng.uniform(np.log(0.08), np.log(0.32)))
  # Steps of one px across the narrow side.
  return (np.float32(radius) * outline - np.hypot(x, y)) / stretch


def draw_cover(
    rng: np.random.Generator, path: Path, size: int
) -> np.ndarray:
  """Draws a shape that moves along path, somewhere in the picture.

  Returns how far it covers each pixel, [T, size, size] float32 in [0, 1], with
  an edge of about one px.
  """
  affine = _affine(path, size)
  affine[..., 2] += rng.uniform(-0.45, 0.45, 2) * size
  low, high = _extent(affine, size)
  reach = float(np.abs([low, high]).max())
  distance = _outline(rng, size, reach)
  # From px around the origin to the steps of distance.
  affine = affine / _STEP
  affine[..., 2] += (len(distance) - 1) / 2
  edge = np.float32(rng.uniform(0.7, 1.6))
  moved = np.stack([
      _warp(distance, matrix, size, cv2.INTER_LINEAR) for matrix in affine])
  return np.clip(moved / edge + 0.5, 0, 1)


class Photographs:
  """Clips of a camera that moves over photographs.

  Clip i shows picture i modulo their number; i draws everything else, too.
  """

  def __init__(
      self,
      stills: Stills | Sequence,
      *,
      num_frames: int,
      size: int,
      seed: int = 0,
      variants: int = 1000,
      look_alike_share: float = 0.0,
  ):
    """Sets what to draw.

    Args:
      stills: e.g. sources.Pictures, sources.TfdsSource.
      num_frames: of a clip.
      size: height and width of a frame, px.
      seed: of all clips.
      variants: clips of each picture.
      look_alike_share: of pictures drawn with look-alikes of damage on them.

    Raises:
      types.BadInput: num_frames, size or variants is not positive.
    """
    if min(num_frames, size, variants) < 1:
      raise types.BadInput(
          f'Photographs: {num_frames} frames of {size} px in {variants} '
          'variants cannot be; each must be at least 1.')
    self._stills = stills
    self._num_frames, self._size = num_frames, size
    self._seed, self._variants = seed, variants
    self._look_alike_share = look_alike_share
    self._cache = {}

  def __getstate__(self):
    return self.__dict__ | {'_cache': {}}

  def __len__(self) -> int:
    return self._variants * len(self._stills)

  def _reduced(self, picture: int, reduction: float) -> np.ndarray:
    """Returns [H, W, 3] uint8; kept for the next time."""
    key = (picture, reduction)
    if key in self._cache:
      return self._cache[key]
    if reduction == 1:
      image = self._stills[picture]['clip'][0]
      factor = min(1, _LARGEST / min(image.shape[:2]))
    else:
      image, factor = self._reduced(picture, 1), 1 / reduction
    if factor < 1:
      height, width = (max(4, round(n * factor)) for n in image.shape[:2])
      image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if sum(a.nbytes for a in list(self._cache.values())) > _CACHE_BYTES:
      self._cache = {}
    self._cache[key] = image
    return image

  def _look(self, rng, picture: int, path: Path) -> np.ndarray:
    full = self._reduced(picture, 1)
    reach = self._size + 2 * np.abs(path.offset).max()
    fitting = [r for r in _REDUCTIONS
               if min(full.shape[:2]) / r > 1.1 * reach]
    reduction = fitting[rng.integers(len(fitting))] if fitting else 1
    image = self._reduced(picture, reduction)
    if rng.random() < self._look_alike_share:
      image = look_alikes.draw(rng, image)
    return look(rng, image, path, size=self._size,
                scale=rng.uniform(0.8, 1.12))

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng((self._seed, index))
    path = draw_path(rng, self._num_frames)
    clip = self._look(rng, index % len(self._stills), path)
    if rng.random() < _IN_FRONT:
      own = draw_path(rng, self._num_frames)
      other = int(rng.integers(len(self._stills)))
      thing = self._look(rng, other, own)
      cover = draw_cover(rng, own, self._size)
      clip = np.stack([cv2.blendLinear(a, b, c, 1 - c) for a, b, c in zip(
          thing, clip, cover, strict=True)])
    return {'clip': clip}
