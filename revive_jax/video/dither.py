"""Noise that hides the steps where bits are dropped."""

import numpy as np


def triangular(
    shape: tuple[int, ...], *, seed: int, frame: int, plane: int
) -> np.ndarray:
  """Returns noise in (-1, 1) with a triangular density, float32 of that shape.

  Added before rounding, in units of the new step, it makes the mean and the
  spread of the rounding error independent of the picture (Lipshitz, Wannamaker
  and Vanderkooy, 1992). The same seed, frame and plane give the same noise.
  """
  rng = np.random.default_rng((seed, frame, plane))
  noise = rng.random(shape, np.float32)
  noise -= rng.random(shape, np.float32)
  return noise
