"""What the page shows of a frame, coded for a browser; in memory alone."""

import collections
import itertools
import pathlib
import threading
from typing import NamedTuple

import cv2
import numpy as np

from revive_jax import types
from revive_jax.desk import visitors

_KEPT = 24  # Frames whose previews are kept.
_QUALITY = 95  # Of JPEG.
LAYERS = ('damage', 'uncertainty', 'origin')


class Shown(NamedTuple):
  """A preview, coded."""

  version: int  # Another one: another picture.
  after: bytes
  layers: dict[str, bytes]  # PNG with transparency, by LAYERS.


class Memory:
  """The last previews; several threads may use it.

  Keys begin with the folder of the film, and are forgotten when it is deleted.
  """

  def __init__(self):
    self._lock = threading.Lock()
    self._kept = collections.OrderedDict()
    self._versions = itertools.count(1)
    visitors.forgetting.append(self._forget)

  def _forget(self, folder: pathlib.Path) -> None:
    with self._lock:
      for key in [k for k in self._kept if k[0].is_relative_to(folder)]:
        del self._kept[key]

  def keep(self, key, after: np.ndarray, layers: dict[str, np.ndarray]
           ) -> Shown:
    """Codes and keeps a preview; layers are [H, W, 4]."""
    coded = {name: png(layer) for name, layer in layers.items()}
    with self._lock:
      shown = Shown(next(self._versions), jpeg(after), coded)
      self._kept[key] = shown
      self._kept.move_to_end(key)
      while len(self._kept) > _KEPT:
        self._kept.popitem(last=False)
    return shown

  def get(self, key) -> Shown | None:
    """What was kept last; None: nothing, or it was long ago."""
    with self._lock:
      return self._kept.get(key)


def jpeg(rgb: np.ndarray) -> bytes:
  """[H, W, 3] uint8, with all of its colour."""
  return _coded('.jpg', rgb[..., ::-1], [
      cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
      cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])


def png(rgba: np.ndarray) -> bytes:
  """[H, W, 4] uint8."""
  return _coded('.png', rgba[..., [2, 1, 0, 3]], [
      cv2.IMWRITE_PNG_COMPRESSION, 1])


def mask(painted: np.ndarray, erased: np.ndarray) -> bytes:
  """What was painted, for the brush: white, black and nothing, a PNG."""
  white = np.where(painted, np.uint8(255), np.uint8(0))
  seen = np.where(painted | erased, np.uint8(255), np.uint8(0))
  return png(np.dstack([white, white, white, seen]))


def marked(
    data: bytes, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
  """The same of the brush's PNG: what is painted, what is erased, [H, W] bool.

  Args:
    data: the PNG.
    size: (H, W) that it has to be of: few bytes can be a picture that fills
      the memory.

  Raises:
    types.BadInput: it is no such picture.
  """
  found = None
  told = tuple(int.from_bytes(data[i:i + 4], 'big') for i in (20, 16))
  if data.startswith(b'\x89PNG') and told == tuple(size):
    try:
      found = cv2.imdecode(
          np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
      pass  # Of no size that can be.
  if found is None or found.ndim != 3 or found.shape[2] != 4 or (
      found.dtype != np.uint8):
    raise types.BadInput(
        'This is no painted picture; load the page anew and paint again.')
  seen = found[..., 3] > 127
  white = found[..., 0] > 127
  return seen & white, seen & ~white


def _coded(kind, picture, options) -> bytes:
  good, data = cv2.imencode(kind, np.ascontiguousarray(picture), options)
  assert good
  return data.tobytes()


def overlay(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
  """Colours [H, W, 3] uint8 that are seen by a share [H, W] in [0, 1]: RGBA."""
  alpha = np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)
  return np.dstack([colours, alpha])
