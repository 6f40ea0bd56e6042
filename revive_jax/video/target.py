"""Which file is to be written: its kind, codec and pixel format; refusals."""

import dataclasses
import functools
import os
import pathlib

import av

from revive_jax import types
from revive_jax.video import atomic, formats, images, probe

# FFmpeg would put PCM into MP4, but hardly any player reads it.
_MP4_AUDIO = ('aac', 'mp3', 'mp2', 'ac3', 'eac3', 'alac', 'opus', 'flac',
              'dts', 'vorbis')
_CODECS = {'.mp4': ('h264',), '.mkv': ('ffv1', 'h264')}
_ENCODERS = {'h264': 'libx264', 'ffv1': 'ffv1'}


@dataclasses.dataclass(frozen=True)
class Target:
  """What will be written."""

  path: pathlib.Path
  kind: str  # 'video', 'images' or 'image', as VideoInfo.kind.
  codec: str  # 'h264', 'ffv1', or the suffix of the pictures.
  pix_fmt: str  # What the encoder is given.
  layout: formats.Layout | None  # Of the planes; None for pictures.

  @property
  def encoder(self) -> str:
    """FFmpeg's name of the encoder."""
    return _ENCODERS[self.codec]


@functools.cache
def _encoder_formats(name: str) -> frozenset[str]:
  return frozenset(f.name for f in av.Codec(name, 'w').video_formats)


def _h264_layout(info: probe.VideoInfo) -> formats.Layout:
  """Returns the source's layout if H.264 has it, else the closest it has.

  4:2:0 is cropped in steps of two pixels: odd sizes need 4:4:4.
  """
  source = info.layout
  bits = 10 if source.bits > 8 else 8
  chroma = '420'
  full, matrix = source.full, source.matrix
  if source.kind == 'rgb':
    full, matrix = False, 1 if info.height >= 720 else 6
  elif source.kind == 'yuv':
    chroma = {(1, 1): '444', (2, 1): '422', (4, 1): '422'}.get(
        (source.sub_x, source.sub_y), '420')
  if info.width % 2 and chroma != '444' or info.height % 2 and chroma == '420':
    chroma = '444'
  name = f'yuv{chroma}p' + ('10le' if bits == 10 else '')
  return formats.layout(name, matrix, 2 if full else 1, info.height)


def _ffv1_layout(info: probe.VideoInfo) -> tuple[formats.Layout, str]:
  """Returns the layout, the source's own if possible, and FFV1's format."""
  source = info.layout
  pix_fmt = {'rgb24': 'bgr0', 'rgb48le': 'gbrp16le'}.get(
      source.pix_fmt, source.pix_fmt)
  if pix_fmt == 'gbrp16le':
    source = dataclasses.replace(source, pix_fmt=pix_fmt)
  if pix_fmt not in _encoder_formats('ffv1'):
    source = formats.Layout('gbrp16le', 'rgb', 16)
    pix_fmt = 'gbrp16le'
  return source, pix_fmt


def choose(path: str | os.PathLike, info: probe.VideoInfo, codec) -> Target:
  """Returns what to write for this path, or raises BadInput."""
  name = os.fspath(path)
  path = pathlib.Path(name)
  suffix = path.suffix.lower()
  if suffix in _CODECS:
    if codec == 'auto':
      codec = _CODECS[suffix][0]
    if codec not in _CODECS[suffix]:
      raise types.BadInput(
          f'{path}: {suffix} files can be written with '
          f'{" or ".join(_CODECS[suffix])}, not {codec}.')
    if codec == 'h264':
      layout = _h264_layout(info)
      return Target(path, 'video', codec, layout.pix_fmt, layout)
    layout, pix_fmt = _ffv1_layout(info)
    return Target(path, 'video', codec, pix_fmt, layout)
  if images.is_picture(path) and info.kind == 'image':
    return Target(path, 'image', suffix[1:], info.pix_fmt, None)
  if not suffix or name.endswith(('/', os.sep)) or path.is_dir():
    return Target(path, 'images', 'png', info.pix_fmt, None)
  what = ' or, for one picture, .png, .tif or .jpg' * (info.kind == 'image')
  raise types.BadInput(
      f'{path}: cannot write {suffix} from this input; name the output .mp4, '
      f'.mkv, or a folder (for PNG frames){what}.')


def _check_place(target: Target, info: probe.VideoInfo) -> None:
  """Raises BadInput if the output would touch the input or other work."""
  path = target.path
  if info.path and os.path.exists(info.path):
    source = pathlib.Path(info.path)
    if path.exists() and path.samefile(source):
      raise types.BadInput(
          f'{path}: the output is the input; name another file.')
    if source.is_dir() and path.resolve().is_relative_to(source.resolve()):
      raise types.BadInput(
          f'{path}: the output lies inside the input folder; choose a place '
          'outside.')
  if target.kind == 'images':
    if path.is_dir() and any(path.iterdir()):
      raise types.BadInput(
          f'{path}: the folder is not empty; name a new one.')
    if path.exists() and not path.is_dir():
      raise types.BadInput(f'{path}: this is a file; name a new folder.')
  elif path.is_dir():
    raise types.BadInput(f'{path}: this is a folder; name a file.')
  atomic.check_writable(path)


def _check_size(target: Target, info: probe.VideoInfo) -> None:
  if target.kind == 'video' and target.codec == 'h264' and (
      max(info.width, info.height) > 16384):
    raise types.BadInput(
        f'{target.path}: H.264 cannot hold {info.width}x{info.height}; '
        'write .mkv instead.')


def check_output(
    path: str | os.PathLike, info: probe.VideoInfo, *, codec: str = 'auto'
) -> None:
  """Raises BadInput for an output that cannot be written; changes nothing.

  Meant to be called before the long work; write_video calls it, too.
  """
  target = choose(path, info, codec)
  _check_place(target, info)
  _check_size(target, info)
  if target.path.suffix.lower() == '.mp4':
    for track in info.audio:
      if track.codec not in _MP4_AUDIO:
        raise types.BadInput(
            f'{path}: {track.codec} sound cannot be copied into MP4 '
            'unchanged; write .mkv instead.')
