"""Find: the faces of one frame, as boxes.

By default with OpenCV's Haar cascades (Viola and Jones 2001), which come with
the library: frontal faces, and profiles of both sides. They find some things
that are no faces, too, which is why faces are only believed in when they stay
(track.py). Better: an ONNX file of YuNet, see detector().
"""

from collections.abc import Callable, Sequence
import os

import cv2
import numpy as np

from revive_jax import types

# Frames [H, W, 3] RGB, uint8 or uint16, to boxes [N, 5]: left, top, width,
# height as shares of the frame, and a score in [0, 1].
Detector = Callable[[np.ndarray], np.ndarray]

SIDE = 400  # Frames are reduced to it, px, on their longer side.
_LEAST = 24  # Side of the smallest face, px of the reduced frame.
# Name, whether mirrored, and how much its hits count.
_CASCADES = (
    ('haarcascade_frontalface_alt2.xml', False, 1.0),
    ('haarcascade_frontalface_default.xml', False, 0.6),
    ('haarcascade_profileface.xml', False, 0.6),
    ('haarcascade_profileface.xml', True, 0.6))


def detector(path: str = '', *, side: int = SIDE) -> Detector:
  """What finds faces.

  Args:
    path: of an ONNX file of YuNet (cv2.FaceDetectorYN); '': Haar cascades.
    side: frames are reduced to it, px, on their longer side.

  Raises:
    types.BadInput: there is no such file, or it is of something else.
  """
  return _yunet(path, side) if path else _haar(side)


def reduced(frame: np.ndarray, side: int = SIDE) -> np.ndarray:
  """The frame [H, W, 3] as uint8, its longer side at most `side` px."""
  if frame.dtype != np.uint8:
    frame = (frame >> 8).astype(np.uint8)
  height, width = frame.shape[:2]
  scale = side / max(height, width)
  if scale >= 1:
    return frame
  return cv2.resize(
      frame, (max(1, round(width * scale)), max(1, round(height * scale))),
      interpolation=cv2.INTER_AREA)


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """Intersection over union of boxes [N, 4+] and [M, 4+], [N, M]."""
  a, b = np.asarray(a)[:, None, :4], np.asarray(b)[None, :, :4]
  low = np.maximum(a[..., :2], b[..., :2])
  high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
  shared = np.clip(high - low, 0, None).prod(-1)
  return shared / np.maximum(
      a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared, 1e-12)


def merged(boxes: Sequence[Sequence[float]], alike: float = 0.3) -> np.ndarray:
  """Boxes [N, 5] of several detectors as one each; scores add up to below 1.

  Of those that overlap by `alike`, or of which one lies in the other, the box
  of the highest score stays.
  """
  left = np.array(sorted(boxes, key=lambda b: -b[4]), np.float64).reshape(-1, 5)
  found = []
  while len(left):
    best = left[0]
    inside = (left[:, :2] + left[:, 2:4] / 2 > best[:2]).all(1) & (
        left[:, :2] + left[:, 2:4] / 2 < best[:2] + best[2:4]).all(1)
    own = (overlap(left[:1], left)[0] > alike) | inside
    score = 1 - np.prod(1 - left[own, 4])
    found.append((*best[:4], score))
    left = left[~own]
  return np.array(found, np.float64).reshape(-1, 5)


def _haar(side) -> Detector:
  folder = cv2.data.haarcascades
  cascades = [(cv2.CascadeClassifier(os.path.join(folder, name)), mirrored, x)
              for name, mirrored, x in _CASCADES]

  def find(frame):
    small = reduced(frame, side)
    height, width = small.shape[:2]
    # Old film is often flat, or lit from one side.
    grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
    boxes = []
    for cascade, mirrored, weight in cascades:
      seen = cv2.flip(grey, 1) if mirrored else grey
      hits, counts = cascade.detectMultiScale2(
          seen, scaleFactor=1.15, minNeighbors=3, minSize=(_LEAST, _LEAST))
      for (x, y, w, h), count in zip(hits, counts, strict=True):
        x = width - x - w if mirrored else x
        boxes.append((x / width, y / height, w / width, h / height,
                      weight * count / (count + 6)))
    return merged(boxes)

  return find


def _yunet(path, side) -> Detector:
  if not os.path.isfile(path):
    raise types.BadInput(
        f'--config.faces.detector={path}: there is no such file; give an ONNX '
        'file of YuNet, or leave it out.')
  try:
    network = cv2.FaceDetectorYN.create(path, '', (side, side), 0.5, 0.3, 200)
    network.detect(np.zeros((side, side, 3), np.uint8))
  except cv2.error as error:
    raise types.BadInput(
        f'--config.faces.detector={path} is not an ONNX file of YuNet that '
        f'OpenCV can run ({error.err}).') from error

  def find(frame):
    small = reduced(frame, side)
    height, width = small.shape[:2]
    network.setInputSize((width, height))
    _, found = network.detect(small[..., ::-1])
    boxes = []
    for x, y, w, h, *_, score in (() if found is None else found):
      # Square, as those of the cascades are.
      edge = max(w, h)
      x, y = x + (w - edge) / 2, y + (h - edge) / 2
      boxes.append((x / width, y / height, edge / width, edge / height, score))
    return merged(boxes)

  return find
