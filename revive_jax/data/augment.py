"""A clip of the size asked for, out of a larger one: cropped and varied."""

import cv2
import grain
import numpy as np

from revive_jax.data import look_alikes

_STRIDES = ((1, 0.7), (2, 0.2), (3, 0.1))  # From frame to frame, and share.
LONGEST_STRIDE = max(stride for stride, _ in _STRIDES)
_REDUCED = 0.8  # Share of clips that are reduced before the crop,
_MOST_REDUCED = 3.0  # by 1 to this.
_PLACES = 4  # Crops that are looked at; usually the liveliest is taken.
_LIVELIEST = 0.75
_MIRRORED, _UPSIDE_DOWN, _REVERSED = 0.5, 0.1, 0.5
_TONED, _GREY = 0.5, 0.15


def pick_frames(
    rng: np.random.Generator, total: int, num_frames: int
) -> np.ndarray:
  """Returns [num_frames] frame numbers at a random stride and start.

  A clip that is too short goes back and forth.
  """
  if total < num_frames:
    swing = np.r_[np.arange(total), np.arange(total - 2, 0, -1)]
    return np.resize(swing, num_frames)
  longest = (total - 1) // max(num_frames - 1, 1)
  strides, shares = zip(
      *[(s, p) for s, p in _STRIDES if s <= max(longest, 1)], strict=True)
  stride = int(rng.choice(strides, p=np.array(shares) / sum(shares)))
  span = (num_frames - 1) * stride + 1
  start = int(rng.integers(total - span + 1))
  return np.arange(start, start + span, stride)


def _liveliness(clip: np.ndarray, top: int, left: int, side: int) -> float:
  """Detail and change of a part, every other pixel of the green channel."""
  part = clip[::max(1, len(clip) - 1), top:top + side:2, left:left + side:2, 1]
  part = part.astype(np.int16)
  detail = np.abs(np.diff(part[0], axis=1)).mean()
  return float(detail + np.abs(part[-1] - part[0]).mean())


def crop(
    rng: np.random.Generator, clip: np.ndarray, size: int
) -> np.ndarray:
  """Returns [T, size, size, 3] of [T, H, W, 3] uint8.

  Most clips are reduced by area averages first, as far as their size
  allows; the liveliest of four places is taken in three of four. A clip that
  is smaller than size is enlarged.
  """
  shorter = min(clip.shape[1:3])
  factor = 1.0
  if rng.random() < _REDUCED:
    factor = rng.uniform(1, max(1, min(_MOST_REDUCED, shorter / size)))
  side = min(shorter, round(size * factor))
  places = [(int(rng.integers(clip.shape[1] - side + 1)),
             int(rng.integers(clip.shape[2] - side + 1)))
            for _ in range(_PLACES)]
  if rng.random() < _LIVELIEST:
    places.sort(key=lambda place: -_liveliness(clip, *place, side))
  top, left = places[0]
  clip = clip[:, top:top + side, left:left + side]
  if side == size:
    return clip
  method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
  return np.stack([cv2.resize(np.ascontiguousarray(frame), (size, size),
                              interpolation=method) for frame in clip])


def tone_curves(rng: np.random.Generator) -> np.ndarray:
  """Draws mild gamma, contrast, brightness and balance; [256, 3] uint8."""
  x = np.arange(256) / 255
  x = x ** np.exp(rng.uniform(-0.3, 0.3))
  x = 0.5 + (x - 0.5) * rng.uniform(0.75, 1.1) + rng.uniform(-0.06, 0.06)
  curves = x[:, None] * rng.uniform(0.93, 1.07, 3)
  return np.rint(np.clip(curves, 0, 1) * 255).astype(np.uint8)


def tone(rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
  """Changes the tones of half of the clips; makes some grey, [T, h, w, 3]."""
  if rng.random() < _TONED:
    curves = tone_curves(rng)
    clip = cv2.LUT(clip.reshape(-1, clip.shape[-2], 3), curves[None]).reshape(
        clip.shape)
  if rng.random() < _GREY:
    luma = cv2.cvtColor(clip.reshape(-1, clip.shape[-2], 3), cv2.COLOR_RGB2GRAY)
    clip = np.repeat(luma.reshape(clip.shape[:-1])[..., None], 3, -1)
  return clip


class Augment(grain.transforms.RandomMap):
  """{'clip': [T, H, W, 3]} -> {'clean': [num_frames, size, size, 3]}, uint8."""

  def __init__(self, num_frames: int, size: int, overlay_share: float = 0.0):
    """overlay_share: of clips that get look-alikes of damage laid over."""
    self._num_frames, self._size = num_frames, size
    self._overlay_share = overlay_share

  def random_map(
      self, element: dict[str, np.ndarray], rng: np.random.Generator
  ) -> dict[str, np.ndarray]:
    """Draws frames, crop, flips and tones."""
    clip = element['clip']
    clip = clip[pick_frames(rng, len(clip), self._num_frames)]
    clip = crop(rng, clip, self._size)
    mirrored, upside_down, backwards = rng.random(3) < (
        _MIRRORED, _UPSIDE_DOWN, _REVERSED)
    if mirrored:
      clip = clip[:, :, ::-1]
    if upside_down:
      clip = clip[:, ::-1]
    if backwards:
      clip = clip[::-1]
    clip = np.ascontiguousarray(clip)
    if rng.random() < self._overlay_share:
      clip = look_alikes.overlay(rng, clip)
    return {'clean': tone(rng, clip)}
