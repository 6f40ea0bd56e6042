"""Films of a face that moves, of pictures that ship with scikit-image."""

import cv2
import numpy as np
from skimage import data


def picture() -> np.ndarray:
  """A portrait, [320, 320, 3] uint8, the face at FACE."""
  return data.astronaut()[:320, 60:380]


FACE = np.array([115, 65, 97, 97]) / 320  # Left, top, width, height; shares.


def film(num_frames: int, *, speed: float = 1.0, side: int = 240) -> np.ndarray:
  """The portrait under a camera that pans, [T, side, side, 3] uint8."""
  whole = picture()
  scale = side / 320
  return np.stack([
      cv2.warpAffine(whole, np.float32(
          [[scale, 0, -speed * t], [0, scale, 0.5 * speed * t]]), (side, side),
          flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
      for t in range(num_frames)])


def stranger(side: int) -> np.ndarray:
  """Another person's face, [side, side, 3] uint8, grey."""
  face = (255 * data.lfw_subset()[2]).astype(np.uint8)
  return np.repeat(cv2.resize(
      face, (side, side), interpolation=cv2.INTER_CUBIC)[..., None], 3, -1)


def nothing(num_frames: int, side: int = 240) -> np.ndarray:
  """A film without a face: bricks, [T, side, side, 3] uint8."""
  grey = data.brick()
  return np.stack([np.repeat(
      grey[t:t + side, t:t + side, None], 3, -1) for t in range(num_frames)])
