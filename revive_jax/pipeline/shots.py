"""Shots and key frames."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import scenedetect

_WIDTH = 160  # Of the frames that the cut detector sees, px.


def _steady(rgb: np.ndarray) -> np.ndarray:
  """A small frame whose mean and contrast are fixed: without its flicker."""
  height = max(2, round(rgb.shape[0] * _WIDTH / rgb.shape[1]))
  small = cv2.resize(rgb, (_WIDTH, height), interpolation=cv2.INTER_AREA)
  if small.dtype == np.uint16:
    small = (small >> 8).astype(np.uint8)
  # Grain changes from frame to frame, too.
  luma = cv2.GaussianBlur(small.mean(-1, dtype=np.float32), (0, 0), 2)
  scale = 45 / max(float(luma.std()), 4.0)
  steady = np.clip((luma - luma.mean()) * scale + 128, 0, 255).astype(np.uint8)
  return np.repeat(steady[..., None], 3, -1)


def find_cuts(
    frames: Iterable[np.ndarray], frame_rate: float, cuts: list[int]
) -> Iterator[np.ndarray]:
  """Passes frames through, and fills cuts with the first frame of each shot.

  The detector is PySceneDetect's adaptive one, given frames of equal mean and
  contrast, since flicker would look like cuts to it. cuts is complete when the
  frames have run out; it starts with 0.

  Args:
    frames: [H, W, 3] RGB, uint8 or uint16.
    frame_rate: frames per second.
    cuts: an empty list, to be filled.
  """
  rate = max(float(frame_rate), 1.0)
  detector = scenedetect.AdaptiveDetector(
      adaptive_threshold=2.6, min_content_val=35.0, min_scene_len=3,
      luma_only=True)
  cuts.append(0)
  count = 0
  for count, rgb in enumerate(frames, 1):
    if min(rgb.shape[:2]) > 8:
      bgr = np.ascontiguousarray(_steady(rgb)[..., ::-1])
      time = scenedetect.FrameTimecode(count - 1, rate)
      cuts.extend(t.frame_num for t in detector.process_frame(time, bgr))
    yield rgb
  cuts[:] = sorted({c for c in cuts if c == 0 or c < count})


def ranges(cuts: list[int], num_frames: int) -> list[tuple[int, int]]:
  """Shots as frame ranges [start, stop)."""
  return list(zip(cuts, [*cuts[1:], num_frames], strict=True))


def key_frame(sharpness: np.ndarray, damage: np.ndarray) -> int:
  """The frame that shows a shot best: sharp, and with little damage.

  Args:
    sharpness: [T], any unit.
    damage: [T], share of damaged pixels; NaN where it was not measured.

  Returns:
    An index into the shot.
  """
  damage = np.where(np.isnan(damage), np.nanmax([0, *damage]), damage)
  return int(np.argmax(sharpness / (sharpness.max() + 1e-9) - 5 * damage))
