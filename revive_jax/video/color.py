"""RGB from the native planes of a frame, and back, by the exact formulas.

swscale is not used for this: its fast paths are off by up to 2 of 255, and
back from RGB its full-range chroma is half a step too low, and from 16 bits it
is off by up to 250 of 65535.
Chroma is taken to lie in the middle of its block of pixels, both ways.
"""

import functools

import cv2
import numpy as np

from revive_jax.video import formats

# Kr and Kb by FFmpeg's AVColorSpace: ITU-T H.273, table 4.
_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709.
    4: (0.30, 0.11),  # FCC.
    5: (0.299, 0.114),  # BT.601, 625 lines.
    6: (0.299, 0.114),  # BT.601, 525 lines.
    7: (0.212, 0.087),  # SMPTE 240M.
    9: (0.2627, 0.0593),  # BT.2020.
    10: (0.2627, 0.0593),
}


def _levels(layout: formats.Layout) -> tuple[float, float, float, float]:
  """Returns black, and the spans of luma and chroma, and the middle."""
  step = 2.0 ** (layout.bits - 8)
  if layout.full:
    return 0.0, 2.0**layout.bits - 1, 2.0**layout.bits - 1, 128 * step
  return 16 * step, 219 * step, 224 * step, 128 * step


def rgb_peak(layout: formats.Layout) -> int:
  """Returns the white of the RGB made from layout: 255 or 65535."""
  return 255 if layout.bits <= 8 else 65535


@functools.lru_cache(maxsize=64)
def _matrices(layout: formats.Layout) -> tuple[np.ndarray, np.ndarray]:
  """Returns YUV to RGB and RGB to YUV, each [3, 4] with the offset last."""
  kr, kb = _WEIGHTS[layout.matrix]
  kg = 1 - kr - kb
  black, luma, chroma, middle = _levels(layout)
  to_yuv = np.array([
      [kr, kg, kb],
      [-kr / (2 - 2 * kb), -kg / (2 - 2 * kb), 0.5],
      [0.5, -kg / (2 - 2 * kr), -kb / (2 - 2 * kr)]])
  peak = rgb_peak(layout)
  spans = np.array([luma, chroma, chroma])
  offset = np.array([black, middle, middle])
  forward = np.c_[to_yuv * spans[:, None] / peak, offset]
  inverse = np.linalg.inv(forward[:, :3])
  return np.c_[inverse, -inverse @ offset], forward


def _rounded(values: np.ndarray, peak: int, dtype) -> np.ndarray:
  """Returns float values, at least 0, rounded and clipped to the peak."""
  values += np.float32(0.5)
  np.clip(values, 0, peak, out=values)
  return values.astype(dtype)


def _scaled(values: np.ndarray, old: int, new: int, dtype) -> np.ndarray:
  """Returns whole numbers of peak old as whole numbers of peak new."""
  if old == new:
    return values.astype(dtype)
  return ((values.astype(np.uint32) * (2 * new) + old) // (2 * old)).astype(
      dtype)


def to_rgb(
    planes: tuple[np.ndarray, ...], layout: formats.Layout
) -> np.ndarray:
  """Returns planes as RGB, [H, W, 3] uint8, or uint16 when bits > 8.

  Grey and RGB stay as they are (scaled to 65535 when bits > 8); the result
  may then share memory with planes.
  """
  peak = rgb_peak(layout)
  dtype = layout.dtype
  if layout.kind == 'rgb':
    return _scaled(planes[0], 2**layout.bits - 1, peak, dtype)
  height, width = planes[0].shape
  if layout.kind == 'grey':
    luma = planes[0]
    if layout.full:
      luma = _scaled(luma, 2**layout.bits - 1, peak, dtype)
    else:
      black, span, _, _ = _levels(layout)
      luma = _rounded((luma.astype(np.float32) - np.float32(black))
                      * np.float32(peak / span), peak, dtype)
    return cv2.merge([luma, luma, luma])
  yuv = np.empty((height, width, 3), np.float32)
  yuv[..., 0] = planes[0]
  for i in (1, 2):
    plane = planes[i].astype(np.float32)
    if (layout.sub_x, layout.sub_y) != (1, 1):
      plane = cv2.resize(
          plane, None, fx=layout.sub_x, fy=layout.sub_y,
          interpolation=cv2.INTER_LINEAR)[:height, :width]
    yuv[..., i] = plane
  return _rounded(cv2.transform(yuv, _matrices(layout)[0]), peak, dtype)


def to_planes(
    rgb: np.ndarray, layout: formats.Layout
) -> tuple[np.ndarray, ...]:
  """Returns RGB, [H, W, 3] uint8 or uint16, as planes of layout.

  A chroma sample is the mean of its block. Grey is the luma of BT.601, which
  is exact where the three channels are equal.
  """
  peak, dtype, top = rgb_peak(layout), layout.dtype, 2**layout.bits - 1
  rgb = _scaled(rgb, 255 if rgb.dtype == np.uint8 else 65535, peak, dtype)
  if layout.kind == 'rgb':
    return (_scaled(rgb, peak, top, dtype),)
  height, width = rgb.shape[:2]
  yuv = cv2.transform(rgb.astype(np.float32), _matrices(layout)[1])
  luma = _rounded(np.ascontiguousarray(yuv[..., 0]), top, dtype)
  if layout.kind == 'grey':
    return (luma,)
  sub_x, sub_y = layout.sub_x, layout.sub_y
  chroma = yuv[..., 1:]
  if (sub_x, sub_y) != (1, 1):
    chroma = cv2.copyMakeBorder(
        chroma, 0, -height % sub_y, 0, -width % sub_x, cv2.BORDER_REPLICATE)
    chroma = cv2.resize(
        chroma, (chroma.shape[1] // sub_x, chroma.shape[0] // sub_y),
        interpolation=cv2.INTER_AREA)
  return luma, *(
      _rounded(np.ascontiguousarray(chroma[..., i]), top, dtype)
      for i in (0, 1))
