"""Small clips for the tests of the pipeline."""

import cv2
import numpy as np

from revive_jax import types


def texture(height=96, width=128, seed=0) -> np.ndarray:
  """A smooth random picture, [H, W, 3] float32 in [0.2, 0.8]."""
  rng = np.random.default_rng(seed)
  noise = rng.random((height, width, 3), np.float32)
  noise = cv2.GaussianBlur(noise, (0, 0), 4)
  low, high = noise.min(), noise.max()
  return (0.2 + 0.6 * (noise - low) / (high - low)).astype(np.float32)


def panning(
    num_frames=7, height=96, width=128, speed=1.0, seed=0
) -> np.ndarray:
  """The picture under a camera that pans, [T, H, W, 3]."""
  wide = texture(height, width + int(num_frames * speed) + 8, seed)
  return np.stack([
      cv2.warpAffine(wide, np.float32([[1, 0, -t * speed], [0, 1, 0]]),
                     (width, height), flags=cv2.INTER_CUBIC)
      for t in range(num_frames)])


def clip(frames: np.ndarray, **fields) -> types.Clip:
  """A Clip that starts with these frames."""
  return types.Clip(source=frames, frames=frames, **fields)
