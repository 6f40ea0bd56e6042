"""The visible mark: the word 'restored' in a corner."""

import cv2
import numpy as np

_TEXT = 'restored'
_SHARE = 1 / 28  # Height of the letters, of the frame's.
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def stamp(rgb: np.ndarray) -> np.ndarray:
  """A copy of [H, W, 3] with the word in its lower right corner.

  White, half seen through, with a dark edge; letters of a 28th of the height,
  smaller where the word would be wider than half of the frame.
  """
  height, width = rgb.shape[:2]
  letters = _letters(height, width)
  if letters is None:
    return rgb.copy()
  white, edge = letters
  tall, wide = white.shape
  peak = np.iinfo(rgb.dtype).max
  result = rgb.copy()
  margin = min(height - tall, max(1, round(height / 60)))
  box = result[height - margin - tall:height - margin,
               width - wide - min(margin, width - wide):, :]
  box = box[:, :wide]
  mixed = box * (1 - 0.5 * edge[..., None])
  mixed += 0.75 * white[..., None] * (peak - mixed)
  box[:] = np.rint(mixed).astype(rgb.dtype)
  return result


def _letters(height, width) -> tuple[np.ndarray, np.ndarray] | None:
  """Opacity of the letters and of their edge, [h, w] in [0, 1]."""
  (wide, high), under = cv2.getTextSize(_TEXT, _FONT, 2.0, 4)
  large = np.zeros((high + under + 24, wide + 24), np.uint8)
  cv2.putText(large, _TEXT, (12, high + 12), _FONT, 2.0, 255, 4, cv2.LINE_AA)
  scale = min(_SHARE * height / high, width / 2 / large.shape[1])
  size = round(large.shape[1] * scale), round(large.shape[0] * scale)
  if min(size) < 1:
    return None
  edge = cv2.dilate(large, np.ones((9, 9), np.uint8))
  return tuple(cv2.resize(x, size, interpolation=cv2.INTER_AREA) / 255.0
               for x in (large, edge))
