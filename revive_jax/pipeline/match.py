"""Match: optical flow between neighbouring frames. Fills both flows."""

import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import preprocess

_ROW = 512  # Pixels that are looked up at once.


def match(clip: types.Clip, *, quality: str = 'fast') -> types.Clip:
  """Fills flow_forward and flow_backward, [T, H, W, 2] px.

  Dense inverse search (Kroeger et al., arXiv:1603.03590, by OpenCV) on frames
  whose small spots were taken out by a median, so that dust does not pull the
  flow along. The flow over the ends of the clip is zero.

  Args:
    clip: with frames.
    quality: 'fast' or 'medium'.
  """
  preset = {'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
            'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM}[quality]
  frames = [_for_matching(f) for f in clip.frames]
  shape = (*clip.frames.shape[:3], 2)
  # OpenCV halves by the width, until nothing is left of a low frame's height.
  rows = max(0, 32 - shape[1]) if shape[2] > 16 * shape[1] else 0
  frames = [cv2.copyMakeBorder(f, 0, rows, 0, 0, cv2.BORDER_REPLICATE)
            for f in frames]
  forward, backward = np.zeros(shape, 'f'), np.zeros(shape, 'f')
  if min(shape[1:3]) >= 16:
    search = cv2.DISOpticalFlow_create(preset)
    for t in range(len(frames) - 1):
      # A new start for every pair: no memory from window to window.
      forward[t] = search.calc(
          frames[t], frames[t + 1], None)[:shape[1]]
      backward[t + 1] = search.calc(
          frames[t + 1], frames[t], None)[:shape[1]]
  return clip.replace(flow_forward=forward, flow_backward=backward)


def _for_matching(frame: np.ndarray) -> np.ndarray:
  grey = np.round(preprocess.luma(frame) * 255).astype(np.uint8)
  return cv2.medianBlur(grey, 5) if min(grey.shape) > 5 else grey


def warp(image: np.ndarray, flow: np.ndarray, *, nearest=False) -> np.ndarray:
  """image (p + flow (p)) for every pixel p.

  Args:
    image: [H, W] or [H, W, C].
    flow: [H, W, 2] px, (dx, dy).
    nearest: for masks: the value of the nearest pixel.
  """
  height, width = flow.shape[:2]
  x = flow[..., 0] + np.arange(width, dtype=np.float32)
  y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
  mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
  return cv2.remap(image, x, y, mode, borderMode=cv2.BORDER_REPLICATE)


def warp_at(
    image: np.ndarray, flow: np.ndarray, places: tuple[np.ndarray, np.ndarray],
    *, nearest=False,
) -> np.ndarray:
  """warp() at some pixels alone.

  Args:
    image: [H, W] or [H, W, C].
    flow: [N, 2] px, there.
    places: rows and columns of the pixels, [N] each.
    nearest: see warp.
  """
  rows = -(-len(flow) // _ROW)  # OpenCV has limits to an image's side.
  maps = np.zeros((2, rows * _ROW), np.float32)
  maps[0, :len(flow)] = flow[:, 0] + places[1].astype(np.float32)
  maps[1, :len(flow)] = flow[:, 1] + places[0].astype(np.float32)
  mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
  found = cv2.remap(image, *maps.reshape(2, rows, _ROW), mode,
                    borderMode=cv2.BORDER_REPLICATE)
  return found.reshape(-1, *image.shape[2:])[:len(flow)]


def flow_between(clip: types.Clip, t: int, other: int) -> np.ndarray:
  """Flow [H, W, 2] from frame t to frame other, chained over those between."""
  flow = np.zeros(clip.frames.shape[1:3] + (2,), np.float32)
  step = 1 if other > t else -1
  flows = clip.flow_forward if step > 0 else clip.flow_backward
  for s in range(t, other, step):
    flow = flow + warp(flows[s], flow) if s != t else flows[s]
  return flow


def outside(flow: np.ndarray) -> np.ndarray:
  """[H, W] bool: where flow points out of the frame."""
  height, width = flow.shape[:2]
  x = flow[..., 0] + np.arange(width, dtype=np.float32)
  y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
  return (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)


def outside_at(
    flow: np.ndarray, places: tuple[np.ndarray, np.ndarray],
    size: tuple[int, int],
) -> np.ndarray:
  """outside() at some pixels alone, [N] bool; size: of the frame, (H, W)."""
  rows, columns = places
  x = flow[:, 0] + columns.astype(np.float32)
  y = flow[:, 1] + rows.astype(np.float32)
  return (x < -0.5) | (x > size[1] - 0.5) | (y < -0.5) | (y > size[0] - 0.5)
