"""RGB from the native planes of a frame, and back, by the exact formulas.

swscale is not used for this: its fast paths are off by up to 2 of 255, and
back from RGB its full-range chroma is half a step too low, and from 16 bits it
is off by up to 250 of 65535.
Chroma is taken to lie where its siting says, in the middle of its block of
pixels if nothing does, both ways.
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


# Where chroma lies in its block, across and down, by AVChromaLocation: 0 the
# first pixel, 1 the last, 0.5 the middle.
_PLACES = {1: (0, 0.5), 2: (0.5, 0.5), 3: (0, 0), 4: (0.5, 0), 5: (0, 1),
           6: (0.5, 1)}


@functools.lru_cache(maxsize=64)
def _matrices(
    layout: formats.Layout, peak: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns YUV to RGB and RGB to YUV, each [3, 4] with the offset last."""
  kr, kb = _WEIGHTS[layout.matrix]
  kg = 1 - kr - kb
  black, luma, chroma, middle = _levels(layout)
  to_yuv = np.array([
      [kr, kg, kb],
      [-kr / (2 - 2 * kb), -kg / (2 - 2 * kb), 0.5],
      [0.5, -kg / (2 - 2 * kr), -kb / (2 - 2 * kr)]])
  spans = np.array([luma, chroma, chroma])
  offset = np.array([black, middle, middle])
  forward = np.c_[to_yuv * spans[:, None] / peak, offset]
  inverse = np.linalg.inv(forward[:, :3])
  return np.c_[inverse, -inverse @ offset], forward


def _rounded(values: np.ndarray, peak: int, dtype, noise=None) -> np.ndarray:
  """Returns float values, plus noise, rounded and clipped to 0 and peak."""
  if noise is not None:
    values += noise
  values += np.float32(0.5)
  np.clip(values, 0, peak, out=values)
  return values.astype(dtype)


def _scaled(values: np.ndarray, old: int, new: int, dtype) -> np.ndarray:
  """Returns whole numbers of peak old as whole numbers of peak new."""
  if old == new:
    return values.astype(dtype)
  return ((values.astype(np.uint32) * (2 * new) + old) // (2 * old)).astype(
      dtype)


def _places(layout: formats.Layout) -> tuple[float, float]:
  """Returns where chroma lies in its block: across, down."""
  across, down = _PLACES.get(layout.siting, (0.5, 0.5))
  return (across if layout.sub_x > 1 else 0.5,
          down if layout.sub_y > 1 else 0.5)


def _spread(plane: np.ndarray, factor: int, place: float) -> np.ndarray:
  """Returns [H, W] as [H, factor * W], linear between samples at place."""
  result = np.empty((plane.shape[0], plane.shape[1] * factor), np.float32)
  padded = np.pad(plane, ((0, 0), (1, 1)), 'edge')
  width = plane.shape[1]
  for pixel in range(factor):
    at = (pixel - place * (factor - 1)) / factor
    first = int(np.floor(at))
    share = np.float32(at - first)
    left = padded[:, 1 + first:1 + first + width]
    result[:, pixel::factor] = left
    if share:
      right = padded[:, 2 + first:2 + first + width]
      result[:, pixel::factor] += share * (right - left)
  return result


def _gather(plane: np.ndarray, factor: int, place: float) -> np.ndarray:
  """Returns [H, factor * W] as [H, W]: means around place, weights a tent."""
  width = plane.shape[1] // factor
  padded = np.pad(plane, ((0, 0), (factor, factor)), 'edge')
  start = factor + round(place * (factor - 1))
  result = np.zeros((plane.shape[0], width), np.float32)
  for offset in range(1 - factor, factor):
    weight = np.float32((factor - abs(offset)) / factor**2)
    first = start + offset
    result += weight * padded[:, first:first + factor * width:factor]
  return result


def upsample(plane: np.ndarray, layout: formats.Layout) -> np.ndarray:
  """Returns chroma as float32 with the pixels of luma, whole blocks of them."""
  plane = plane.astype(np.float32)
  across, down = _places(layout)
  middle = (layout.sub_x if across == 0.5 else 1,
            layout.sub_y if down == 0.5 else 1)
  if middle != (1, 1):
    plane = cv2.resize(plane, None, fx=middle[0], fy=middle[1],
                       interpolation=cv2.INTER_LINEAR)
  if across != 0.5:
    plane = _spread(plane, layout.sub_x, across)
  if down != 0.5:
    plane = np.ascontiguousarray(_spread(plane.T, layout.sub_y, down).T)
  return plane


def downsample(plane: np.ndarray, layout: formats.Layout) -> np.ndarray:
  """Returns [H, W] or [H, W, 2] float32 as chroma: one sample for a block."""
  sub_x, sub_y = layout.sub_x, layout.sub_y
  if (sub_x, sub_y) == (1, 1):
    return plane
  height, width = plane.shape[:2]
  plane = cv2.copyMakeBorder(
      plane, 0, -height % sub_y, 0, -width % sub_x, cv2.BORDER_REPLICATE)
  across, down = _places(layout)
  if across != 0.5 or down != 0.5:
    if plane.ndim == 3:
      return np.stack([downsample(plane[..., i], layout)
                       for i in range(plane.shape[2])], -1)
    if across != 0.5:
      plane, sub_x = _gather(plane, sub_x, across), 1
    if down != 0.5:
      plane, sub_y = _gather(plane.T, sub_y, down).T, 1
    plane = np.ascontiguousarray(plane)
  return cv2.resize(
      plane, (plane.shape[1] // sub_x, plane.shape[0] // sub_y),
      interpolation=cv2.INTER_AREA)


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
    yuv[..., i] = upsample(planes[i], layout)[:height, :width]
  return _rounded(
      cv2.transform(yuv, _matrices(layout, peak)[0]), peak, dtype)


def to_planes(
    rgb: np.ndarray, layout: formats.Layout, noise=None
) -> tuple[np.ndarray, ...]:
  """Returns RGB, [H, W, 3] uint8 or uint16, as planes of layout.

  A chroma sample is the mean of its block, or, where its siting is known, of
  the pixels around its place. Grey is the luma of BT.601, which is exact where
  the three channels are equal. noise: one array for each plane, added before
  rounding, in steps of the planes; or None.
  """
  given = 255 if rgb.dtype == np.uint8 else 65535
  peak, dtype, top = rgb_peak(layout), layout.dtype, 2**layout.bits - 1
  noise = noise or (None,) * 3
  if given < peak:
    rgb, given = _scaled(rgb, given, peak, dtype), peak
  if layout.kind == 'rgb':
    if noise[0] is None:
      return (_scaled(rgb, given, top, dtype),)
    return (_rounded(rgb * np.float32(top / given), top, dtype, noise[0]),)
  yuv = cv2.transform(rgb.astype(np.float32), _matrices(layout, given)[1])
  luma = _rounded(np.ascontiguousarray(yuv[..., 0]), top, dtype, noise[0])
  if layout.kind == 'grey':
    return (luma,)
  chroma = downsample(yuv[..., 1:], layout)
  return luma, *(
      _rounded(np.ascontiguousarray(chroma[..., i]), top, dtype, noise[i + 1])
      for i in (0, 1))


def middle(layout: formats.Layout) -> int:
  """Returns the chroma sample that stands for no colour."""
  return 2 ** (layout.bits - 1)


def is_grey(planes: tuple[np.ndarray, ...], layout: formats.Layout) -> bool:
  """Returns whether a frame has no colour at all."""
  if layout.kind == 'grey':
    return True
  if layout.kind == 'yuv':
    return all((p == middle(layout)).all() for p in planes[1:])
  rgb, = planes
  return bool((rgb[::64] == rgb[::64, :, :1]).all()) and bool(
      (rgb == rgb[..., :1]).all())


def grey_rgb(rgb: np.ndarray) -> np.ndarray:
  """Returns RGB without its colours: the luma of BT.601, three times."""
  weights = np.array([_WEIGHTS[6][0], 1 - sum(_WEIGHTS[6]), _WEIGHTS[6][1]])
  luma = cv2.transform(rgb.astype(np.float32), weights[None])
  luma = _rounded(luma.reshape(rgb.shape[:2]), np.iinfo(rgb.dtype).max,
                  rgb.dtype)
  return cv2.merge([luma, luma, luma])


def convert(
    planes: tuple[np.ndarray, ...],
    source: formats.Layout,
    target: formats.Layout,
    noise=None,
) -> tuple[np.ndarray, ...] | None:
  """Returns planes in another layout without a way over RGB, or None.

  Levels are scaled and chroma is resampled. None: one of them is RGB, or the
  matrices differ. noise: as of to_planes.
  """
  if 'rgb' in (source.kind, target.kind) or (
      source.kind == target.kind == 'yuv' and source.matrix != target.matrix):
    return None
  noise = noise or (None,) * 3
  old, new, top = _levels(source), _levels(target), 2**target.bits - 1

  def scaled(values, span, zero, noise):
    scale = np.float32(new[span] / old[span])
    return _rounded((values - np.float32(old[zero])) * scale
                    + np.float32(new[zero]), top, target.dtype, noise)

  luma = planes[0]
  if (old[:2], source.bits) != (new[:2], target.bits) or noise[0] is not None:
    luma = scaled(luma.astype(np.float32), 1, 0, noise[0])
  if target.kind == 'grey':
    return (luma,)
  if is_grey(planes, source):
    shape = target.plane_shapes(*luma.shape)[1]
    return luma, *(np.full(shape, middle(target), target.dtype)
                   for _ in range(2))
  height, width = luma.shape
  chroma = planes[1:]
  if (source.sub_x, source.sub_y, source.siting) != (
      target.sub_x, target.sub_y, target.siting):
    chroma = tuple(downsample(upsample(p, source)[:height, :width], target)
                   for p in chroma)
  return luma, *(scaled(p.astype(np.float32), 2, 3, n)
                 for p, n in zip(chroma, noise[1:], strict=True))
