"""Pixel formats: what the planes of a decoded frame are, and how to get them.

Frames are kept in the planar format that they were decoded in, so that they
can be written back sample for sample. Packed and exotic formats are first
brought to the closest planar one by swscale.
"""

import dataclasses
import re

import av
import numpy as np

_RANGE_FULL = 2  # AVCOL_RANGE_JPEG.
_KNOWN_MATRICES = (1, 4, 5, 6, 7, 9, 10)  # AVCOL_SPC_*, see color.py.
_CHROMA = {  # Name of the subsampling: (pixels across, down) per sample.
    '444': (1, 1), '422': (2, 1), '420': (2, 2), '440': (1, 2), '411': (4, 1),
    '410': (4, 4)}
_CLOSEST = {
    'nv12': 'yuv420p', 'nv21': 'yuv420p', 'nv16': 'yuv422p',
    'nv24': 'yuv444p', 'nv42': 'yuv444p', 'yuyv422': 'yuv422p',
    'uyvy422': 'yuv422p', 'yvyu422': 'yuv422p', 'uyyvyy411': 'yuv411p',
    'p010le': 'yuv420p10le', 'p210le': 'yuv422p10le', 'p410le': 'yuv444p10le',
    'p012le': 'yuv420p12le', 'p016le': 'yuv420p16le', 'y210le': 'yuv422p10le',
    'y212le': 'yuv422p12le', 'ya8': 'gray', 'ya16le': 'gray16le',
    'ya16be': 'gray16le', 'monow': 'gray', 'monob': 'gray', 'vuyx': 'yuv444p',
    'vuya': 'yuv444p', 'ayuv': 'yuv444p', 'xv30le': 'yuv444p10le',
    'xv36le': 'yuv444p12le', 'gbrap': 'rgb24'}
_YUV = re.compile(r'yuv(j?)(\d{3})p(\d*)(?:le)?$')
_GREY = re.compile(r'gray(\d*)(?:le)?$')
_GBR = re.compile(r'gbrp(\d+)le$')


@dataclasses.dataclass(frozen=True)
class Layout:
  """How the planes of a frame are to be read.

  kind 'yuv': planes Y [H, W], U and V [ceil(H / sub_y), ceil(W / sub_x)];
  'grey': Y; 'rgb': one array [H, W, 3]. uint8, or uint16 when bits > 8, with
  values up to 2^bits - 1.
  """

  pix_fmt: str
  kind: str
  bits: int
  sub_x: int = 1
  sub_y: int = 1
  matrix: int = 6  # FFmpeg's AVColorSpace; only for 'yuv'.
  full: bool = True  # Full range, 0 to 2^bits - 1; False: 16 to 235 at 8 bits.
  siting: int = 0  # Where chroma lies: AVChromaLocation; 0: not known, centre.

  @property
  def dtype(self) -> type[np.generic]:
    """The type of the samples."""
    return np.uint8 if self.bits <= 8 else np.uint16

  def plane_shapes(self, height: int, width: int) -> list[tuple[int, ...]]:
    """Returns the shapes of the planes of a frame of that size."""
    if self.kind == 'rgb':
      return [(height, width, 3)]
    chroma = (-(-height // self.sub_y), -(-width // self.sub_x))
    return [(height, width)] + [chroma] * (2 if self.kind == 'yuv' else 0)


def planar_format(pix_fmt: str) -> str:
  """Returns the format that frames of pix_fmt are brought to; often itself."""
  if pix_fmt.startswith('yuva'):
    pix_fmt = 'yuv' + pix_fmt[len('yuva'):]
  little = re.sub('be$', 'le', pix_fmt)
  yuv = _YUV.match(little)
  if yuv and yuv[2] in _CHROMA and yuv[3] in ('', '9', '10', '12', '14', '16'):
    return little
  if _GREY.match(little) or (_GBR.match(little) and 'f' not in little):
    return little
  if little in _CLOSEST:
    return _CLOSEST[little]
  deep = max((c.bits for c in av.VideoFormat(pix_fmt).components), default=8)
  return 'rgb48le' if deep > 8 else 'rgb24'


def has_alpha(pix_fmt: str) -> bool:
  """Returns whether pix_fmt holds transparency, which is not read."""
  return pix_fmt.startswith(('yuva', 'gbrap', 'ya8', 'ya16', 'rgba', 'bgra',
                             'argb', 'abgr', 'vuya', 'ayuv'))


def layout(
    pix_fmt: str, matrix: int, color_range: int, height: int, siting: int = 0
) -> Layout:
  """Returns the layout of frames that are decoded as pix_fmt.

  matrix, color_range, siting: FFmpeg's enumerations. siting is kept only where
  chroma has fewer samples than luma. A matrix that is not given, or
  not known, is taken as BT.709 from 720 lines on and as BT.601 below; a range
  that is not given as full for grey and RGB, as limited for YUV.
  """
  name = planar_format(pix_fmt)
  full = color_range == _RANGE_FULL
  yuv, grey, gbr = (r.match(name) for r in (_YUV, _GREY, _GBR))
  if yuv:
    sub_x, sub_y = _CHROMA[yuv[2]]
    if matrix not in _KNOWN_MATRICES:
      matrix = 1 if height >= 720 else 6
    return Layout(name.replace('yuvj', 'yuv'), 'yuv', int(yuv[3] or 8), sub_x,
                  sub_y, matrix, full or bool(yuv[1]),
                  siting if (sub_x, sub_y) != (1, 1) else 0)
  if grey:
    return Layout(name, 'grey', int(grey[1] or 8), full=color_range != 1)
  return Layout(
      name, 'rgb', int(gbr[1]) if gbr else 16 if name == 'rgb48le' else 8)


def _views(frame: av.VideoFrame, dtype) -> list[np.ndarray]:
  """Returns the planes of frame as [height, line] views, padding included."""
  return [np.frombuffer(p, dtype).reshape(p.height, -1) for p in frame.planes]


def read_planes(
    frame: av.VideoFrame, wanted: Layout
) -> tuple[np.ndarray, ...]:
  """Returns copies of the planes of a decoded frame, as wanted says."""
  name = frame.format.name
  if name.replace('yuvj', 'yuv') != wanted.pix_fmt:
    value_range = 0 if wanted.kind == 'rgb' else 2 if wanted.full else 1
    # One thread: swscale's write over each other where their slices meet.
    frame = frame.reformat(
        threads=1,
        format=wanted.pix_fmt, src_color_range=value_range,
        dst_color_range=2 if wanted.kind == 'rgb' else value_range,
        interpolation='BILINEAR')
  height, width = frame.height, frame.width
  views = _views(frame, wanted.dtype)
  if wanted.kind != 'rgb':
    shapes = wanted.plane_shapes(height, width)
    return tuple(v[:h, :w].copy() for v, (h, w) in
                 zip(views, shapes, strict=False))
  if wanted.pix_fmt.startswith('gbrp'):
    green, blue, red = (v[:height, :width] for v in views)
    return (np.stack([red, green, blue], -1),)
  return (views[0][:, :3 * width].reshape(height, width, 3).copy(),)


def make_frame(
    planes: tuple[np.ndarray, ...], given: Layout, pix_fmt: str
) -> av.VideoFrame:
  """Returns a frame of pix_fmt: that of given, or for RGB bgr0 or gbrp*."""
  height, width = planes[0].shape[:2]
  if given.pix_fmt == 'rgb24':
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes[0]), 'rgb24')
    return frame if pix_fmt == 'rgb24' else frame.reformat(
        format=pix_fmt, threads=1)
  if given.kind == 'rgb':
    planes = tuple(planes[0][..., i] for i in (1, 2, 0))
  frame = av.VideoFrame(width, height, pix_fmt)
  for view, plane in zip(_views(frame, given.dtype), planes, strict=True):
    view[:plane.shape[0], :plane.shape[1]] = plane
  return frame
