"""Synthetic motion over photographs: a camera, depth, and things in front."""

from collections.abc import Sequence
import dataclasses
from typing import Protocol

import cv2
import numpy as np

from revive_jax import types

# Share of clips, and least and most speed, px a frame.
_PACES = ((0.12, 0.0, 0.0), (0.33, 0.1, 1.0), (0.35, 1.0, 4.0),
          (0.2, 4.0, 12.0))
# A photograph is reduced by one of these, by area averages, before a camera
# moves over it; what is left to do is 0.8 to 1.12, which does not alias.
_REDUCTIONS = (1.0, 1.4, 2.0, 2.8, 4.0, 5.6)
_LARGEST = 720  # px; the shorter side of a photograph is reduced to this.
_CACHE_BYTES = 600_000_000
_IN_FRONT = 0.45  # Share of clips with something in front.


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


def _grid(path: Path, size: int) -> np.ndarray:
  """Returns [T, size, size, 2] px (x, y): where in the world a pixel looks."""
  u = np.arange(size, dtype=np.float32) - (size - 1) / 2
  cos, sin = (f(path.angle) * path.zoom for f in (np.cos, np.sin))
  cos, sin = (v.astype(np.float32)[:, None, None] for v in (cos, sin))
  x, y = u[None, None, :], u[None, :, None]
  offset = path.offset.astype(np.float32)[:, None, None]
  return np.stack([cos * x - sin * y, sin * x + cos * y], -1) + offset


def _depth(rng: np.random.Generator) -> np.ndarray:
  """Returns a smooth field, [64, 64] float32 in [-1, 1]."""
  coarse = rng.uniform(-1, 1, (5, 5)).astype(np.float32)
  field = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC)
  return field / max(1.0, float(np.abs(field).max()))


def _sample(picture: np.ndarray, grid: np.ndarray, method) -> np.ndarray:
  """Returns picture, [H, W, ...], where grid, [h, w, 2] (x, y), looks."""
  return cv2.remap(picture, grid, None, method, borderMode=cv2.BORDER_REFLECT)


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
  grid = _grid(path, size)
  room = np.float32(picture.shape[1::-1]) - 3
  reach = np.abs(path.parallax).max(0).astype(np.float32)
  low = grid.min((0, 1, 2)) - reach
  extent = grid.max((0, 1, 2)) + reach - low
  scale = min(scale, float((room / extent).min()))
  free = room - scale * extent
  corners = [1 + rng.random(2) * np.maximum(free, 0) for _ in range(2)]
  if rng.random() < 0.8:
    corners.sort(key=lambda c: -_detail(picture, c, scale * extent))
  grid = (grid - low) * np.float32(scale) + corners[0].astype(np.float32)
  depth = _depth(rng)
  to_depth = np.float32(63) / np.float32(picture.shape[1::-1])
  frames = []
  for where, shift in zip(grid, path.parallax, strict=True):
    if np.abs(shift).max() > 0.05:
      near = _sample(depth, where * to_depth, cv2.INTER_LINEAR)
      where = where + near[..., None] * np.float32(scale * shift)
    frames.append(_sample(picture, where, cv2.INTER_CUBIC))
  return np.stack(frames)


def draw_shape(
    rng: np.random.Generator, path: Path, size: int
) -> np.ndarray:
  """Draws a smooth shape that moves, anything from a blob to a pole.

  Returns its coverage, [T, size, size, 1] float32 in [0, 1], with an edge of
  about one pixel.
  """
  grid = _grid(path, size)
  grid -= rng.uniform(-0.45, 0.45, 2).astype(np.float32) * size
  turn = rng.uniform(0, np.pi)
  stretch = np.exp(rng.uniform(0, 1.6))
  c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
  x = (c * grid[..., 0] - s * grid[..., 1]) / np.float32(stretch)
  y = (s * grid[..., 0] + c * grid[..., 1]) * np.float32(stretch)
  around = np.arctan2(y, x)
  radius = np.float32(size * np.exp(rng.uniform(np.log(0.08), np.log(0.32))))
  outline = np.ones_like(around)
  for k in range(2, 6):
    strength, phase = rng.uniform(0, 0.35) / k, rng.uniform(0, 2 * np.pi)
    outline += np.float32(strength) * np.cos(k * around + np.float32(phase))
  # A step of one px across the narrow side.
  distance = (radius * outline - np.hypot(x, y)) / np.float32(stretch)
  edge = np.float32(rng.uniform(0.7, 1.6))
  return np.clip(distance / edge + 0.5, 0, 1)[..., None]


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
  ):
    """Sets what to draw.

    Args:
      stills: e.g. sources.Pictures, sources.TfdsSource.
      num_frames: of a clip.
      size: height and width of a frame, px.
      seed: of all clips.
      variants: clips of each picture.

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
    self._cache = {}

  def __getstate__(self):
    return self.__dict__ | {'_cache': {}}

  def __len__(self) -> int:
    return self._variants * len(self._stills)

  def _reduced(self, picture: int, reduction: float) -> np.ndarray:
    """Returns [H, W, 3] uint8; kept for the next time."""
    key = (picture, reduction)
    if key not in self._cache:
      image = self._stills[picture]['clip'][0]
      factor = min(1, _LARGEST / min(image.shape[:2])) / reduction
      if factor < 1:
        height, width = (max(4, round(n * factor)) for n in image.shape[:2])
        image = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA)
      used = sum(a.nbytes for a in list(self._cache.values()))
      if used + image.nbytes > _CACHE_BYTES:
        self._cache = {}
      self._cache[key] = image
    return self._cache[key]

  def _look(self, rng, picture: int, path: Path) -> np.ndarray:
    full = self._reduced(picture, 1.0)
    reach = self._size + 2 * np.abs(path.offset).max()
    fitting = [r for r in _REDUCTIONS
               if min(full.shape[:2]) / r > 1.1 * reach]
    reduction = fitting[rng.integers(len(fitting))] if fitting else 1.0
    return look(rng, self._reduced(picture, reduction), path,
                size=self._size, scale=rng.uniform(0.8, 1.12))

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng((self._seed, index))
    path = draw_path(rng, self._num_frames)
    clip = self._look(rng, index % len(self._stills), path)
    if rng.random() < _IN_FRONT:
      own = draw_path(rng, self._num_frames)
      other = int(rng.integers(len(self._stills)))
      thing = self._look(rng, other, own)
      cover = draw_shape(rng, own, self._size)
      # Only what is covered is worked on: most of a clip is not.
      mixed = clip + cover * (thing.astype(np.float32) - clip)
      clip = np.rint(mixed).astype(np.uint8)
    return {'clip': clip}
