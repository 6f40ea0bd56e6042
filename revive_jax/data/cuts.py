"""Shot cuts, from small grey frames: a light detector for training data."""

import cv2
import numpy as np

SIZE = (64, 36)  # Of the frames it sees: width, height.
_CONTRAST = 45.0  # Standard deviation that every frame is brought to, of 255.
_LEAST = 14.0  # A smaller mean difference is no cut.
_TIMES = 2.5  # A cut differs so many times more than its surroundings.
_REACH = 4  # Frames to each side that count as surroundings.


def find_cuts(luma: np.ndarray) -> list[int]:
  """Returns the first frame of each shot; starts with 0.

  A frame starts a shot when it differs from the one before far more than the
  frames around do from theirs. Mean and contrast are fixed first, so flicker
  is none. It finds rather too many: a clip too few does no harm, a clip across
  a cut does. Dissolves are not found.

  Args:
    luma: [T, h, w] uint8, about as large as SIZE.
  """
  if len(luma) < 2:
    return [0]
  steady = []
  for frame in luma:
    frame = cv2.GaussianBlur(frame.astype(np.float32), (0, 0), 1.5)
    frame -= frame.mean()
    steady.append(frame * (_CONTRAST / max(float(frame.std()), 4.0)))
  # [T - 1], of frame t + 1 to frame t.
  change = np.array([
      np.abs(b - a).mean() for a, b in zip(steady, steady[1:], strict=False)])
  cuts = [0]
  for i, value in enumerate(change):
    around = np.delete(
        change[max(0, i - _REACH):i + _REACH + 1], min(i, _REACH))
    usual = float(np.median(around)) if len(around) else 0.0
    if value > _LEAST and value > _TIMES * usual:
      cuts.append(i + 1)
  return cuts


def shots(cuts: list[int], num_frames: int) -> list[tuple[int, int]]:
  """Returns the shots as frame ranges [start, stop)."""
  return list(zip(cuts, [*cuts[1:], num_frames], strict=True))
