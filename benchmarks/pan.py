"""Pan: the synthetic film that several benchmarks restore."""

from collections.abc import Iterator

import cv2
import numpy as np


def frames(
    height: int, width: int, count: int, *, damaged: bool = True
) -> Iterator[np.ndarray]:
  """Yields [H, W, 3] uint8: a pan by 3 px a frame, with grain, always the same.

  damaged: also with four spots of dust and a scratch.
  """
  rng = np.random.default_rng(0)
  whole = max(2 * width, width + 3 * count)
  scene = rng.random((height // 8, whole // 8 + 1, 3), np.float32)
  scene = cv2.resize(scene, (whole, height), interpolation=cv2.INTER_CUBIC)
  for t in range(count):
    frame = scene[:, 3 * t:3 * t + width].copy()
    frame += 0.04 * rng.standard_normal((height, width, 1), np.float32)
    if damaged:
      for _ in range(4):
        y, x = rng.integers(height - 8), rng.integers(width - 8)
        frame[y:y + 6, x:x + 5] = 0.95
      frame[:, width // 3 + t % 5:width // 3 + t % 5 + 2] = 0.03
    yield np.round(255 * np.clip(frame, 0, 1)).astype(np.uint8)
