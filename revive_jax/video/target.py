"""Which file is to be written: its kind, codec and pixel format; refusals."""

from collections.abc import Mapping
import dataclasses
import functools
import os
import pathlib

import av

from revive_jax import files, types
from revive_jax.video import (
  atomic,
  encoders,
  formats,
  hdr,
  images,
  probe,
  tracks,
)
from revive_jax.video import extras as extras_lib

# FFmpeg would put PCM into MP4, but hardly any player reads it.
_MP4_AUDIO = ('aac', 'mp3', 'mp2', 'ac3', 'eac3', 'alac', 'opus', 'flac',
              'dts', 'vorbis')
_MOV_AUDIO = ('aac', 'mp3', 'ac3', 'eac3', 'alac')  # And PCM.
_CODECS = {'.mp4': ('h264', 'h265', 'av1'),
           '.mkv': ('ffv1', 'h264', 'h265', 'av1', 'prores'),
           '.mov': ('prores', 'h265', 'h264')}
_PICTURES = {'png': '.png', 'tiff': '.tif'}
# Bits a codec can be given, and the sides of the pictures it can hold. x265
# writes beyond its memory where pictures are narrower than 64.
_BITS = {'h264': (8, 10), 'h265': (8, 10, 12), 'av1': (8, 10),
         'ffv1': (8, 10, 12, 16), 'prores': (10,), 'png': (8, 16),
         'tiff': (8, 16)}
_SIDES = {'h264': (1, 16384), 'h265': (64, 8192), 'av1': (16, 8192),
          'ffv1': (1, 65535), 'prores': (1, 16384)}
_TITLES = {'h264': 'H.264', 'h265': 'H.265', 'av1': 'AV1', 'ffv1': 'FFV1',
           'prores': 'ProRes'}


@dataclasses.dataclass(frozen=True)
class Target:
  """What will be written."""

  path: pathlib.Path
  kind: str  # 'video', 'images' or 'image', as VideoInfo.kind.
  codec: str  # A key of encoders.NAMES, or what the pictures are.
  pix_fmt: str  # What the encoder is given.
  layout: formats.Layout  # Of the planes.

  @property
  def encoder(self) -> str:
    """FFmpeg's name of the encoder."""
    return encoders.NAMES[self.codec]

  @property
  def suffix(self) -> str:
    """The suffix of the file, or of the pictures in the folder."""
    if self.kind == 'images':
      return _PICTURES[self.codec]
    return files.suffix(self.path)


@functools.cache
def _encoder_formats(name: str) -> frozenset[str]:
  return frozenset(f.name for f in av.Codec(name, 'w').video_formats)


def _subsampling(codec: str, info: probe.VideoInfo) -> str:
  """Returns the chroma of the source if the codec has it, or the closest."""
  source = info.layout
  if source.kind == 'yuv':
    chroma = {(1, 1): '444', (2, 1): '422', (4, 1): '422'}.get(
        (source.sub_x, source.sub_y), '420')
  else:
    chroma = '444' if source.kind == 'rgb' and codec == 'prores' else '420'
  if codec == 'prores':
    return '444' if chroma == '444' else '422'
  if codec == 'av1':
    return '420'
  # H.264 and H.265 are cropped in steps of a chroma sample: odd sizes need
  # 4:4:4.
  if info.width % 2 and chroma != '444' or info.height % 2 and chroma == '420':
    chroma = '444'
  return chroma


def _yuv_layout(codec: str, info: probe.VideoInfo, bits) -> formats.Layout:
  """Returns the source's layout if the codec has it, else the closest."""
  source = info.layout
  deepest = _BITS[codec][-1]
  if bits == 'auto':
    bits = min((b for b in _BITS[codec] if b >= source.bits), default=deepest)
  full, matrix, siting = source.full, source.matrix, source.siting
  chroma = _subsampling(codec, info)
  if source.kind == 'rgb':
    full, matrix = False, 1 if info.height >= 720 else 6
    siting = 1  # Left: what players take untagged chroma for.
  elif source.kind == 'yuv' and not siting and chroma != '444' and (
      (source.sub_x, source.sub_y) == (1, 1)):
    siting = 1
  elif codec == 'prores':
    siting = siting and 1
  name = f'yuv{chroma}p' + (f'{bits}le' if bits > 8 else '')
  return formats.layout(name, matrix, 2 if full else 1, info.height, siting)


def _ffv1_format(source: formats.Layout, bits: int) -> str:
  """Returns the pixel format of the same kind with so many bits."""
  if source.kind == 'rgb':
    return 'rgb24' if bits == 8 else f'gbrp{bits}le'
  stem = 'gray' if source.kind == 'grey' else (
      source.pix_fmt[:source.pix_fmt.index('p') + 1])
  return stem + (f'{bits}le' if bits > 8 else '')


def _ffv1_layout(path, info, bits) -> tuple[formats.Layout, str]:
  """Returns the layout, the source's own if possible, and FFV1's format."""
  source = info.layout
  if bits not in ('auto', source.bits):
    source = dataclasses.replace(
        source, pix_fmt=_ffv1_format(source, bits), bits=bits)
  pix_fmt = {'rgb24': 'bgr0', 'rgb48le': 'gbrp16le'}.get(
      source.pix_fmt, source.pix_fmt)
  if pix_fmt == 'gbrp16le':
    source = dataclasses.replace(source, pix_fmt=pix_fmt)
  if pix_fmt not in _encoder_formats('ffv1'):
    if bits not in ('auto', source.bits) or source != info.layout:
      raise types.BadInput(
          f'{path}: FFV1 has no {pix_fmt}; set --config.output.bits=auto.')
    source = formats.Layout('gbrp16le', 'rgb', 16)
    pix_fmt = 'gbrp16le'
  return source, pix_fmt


def _check_bits(path, codec, bits) -> None:
  known = _BITS.get(codec, (8, 16))
  if bits != 'auto' and bits not in known:
    raise types.BadInput(
        f'{path}: {_TITLES.get(codec, codec)} is written with '
        f'{" or ".join(map(str, known))} bits, not {bits}; set '
        '--config.output.bits to one of them or to auto.')


def _pictures(path, kind, codec, info, bits) -> Target:
  _check_bits(path, codec, bits)
  if bits == 'auto':
    bits = 8 if info.bit_depth <= 8 else 16
  if codec in ('jpg', 'jpeg', 'bmp'):
    bits = 8
  layout = formats.Layout('rgb24' if bits == 8 else 'rgb48le', 'rgb', bits)
  return Target(path, kind, codec, layout.pix_fmt, layout)


def choose(
    path: str | os.PathLike, info: probe.VideoInfo, codec, bits='auto'
) -> Target:
  """Returns what to write for this path, or raises BadInput."""
  name = os.fspath(path)
  path, suffix = files.path(path), files.suffix(path)
  if suffix in _CODECS:
    if codec == 'auto':
      codec = _CODECS[suffix][0]
    if codec not in _CODECS[suffix]:
      raise types.BadInput(
          f'{path}: {suffix} files can be written with '
          f'{" or ".join(_CODECS[suffix][::-1])}, not {codec}.')
    _check_bits(path, codec, bits)
    if codec == 'ffv1':
      layout, pix_fmt = _ffv1_layout(path, info, bits)
    else:
      layout = _yuv_layout(codec, info, bits)
      pix_fmt = layout.pix_fmt
    return Target(path, 'video', codec, pix_fmt, layout)
  if suffix in ('.dcm', '.dicom'):
    return Target(path, 'dicom', 'dicom', info.pix_fmt, info.layout)
  if images.is_picture(path) and info.kind == 'image':
    return _pictures(path, 'image', suffix[1:], info, bits)
  if not suffix or name.endswith(('/', os.sep)) or path.is_dir():
    if codec not in ('auto', *_PICTURES):
      raise types.BadInput(
          f'{path}: a folder can be filled with {" or ".join(_PICTURES)}, not '
          f'{codec}; for {codec} name a file that ends in .mkv or .mp4.')
    return _pictures(path, 'images', 'png' if codec == 'auto' else codec, info,
                     bits)
  what = ' or, for one picture, .png, .tif or .jpg' * (info.kind == 'image')
  raise types.BadInput(
      f'{path}: cannot write {suffix} from this input; name the output .mp4, '
      f'.mkv, .mov, or a folder (for PNG or TIFF frames){what}.')


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
  if target.kind != 'video':
    return
  least, most = _SIDES[target.codec]
  if max(info.width, info.height) > most or (
      min(info.width, info.height) < least):
    raise types.BadInput(
        f'{target.path}: {_TITLES[target.codec]} cannot hold '
        f'{info.width}x{info.height}; write .mkv with FFV1 instead.')


def _check_hdr(target: Target, info, extras) -> None:
  """Raises BadInput where high dynamic range would not arrive as such."""
  what = hdr.name(info.color_trc)
  if what is None:
    return
  path = target.path
  if target.kind != 'video':
    raise types.BadInput(
        f'{path}: the film is {what} (high dynamic range), and pictures cannot '
        'say so; write .mkv (FFV1), or .mp4 with --config.output.codec=h265.')
  if target.layout.bits < 10:
    raise types.BadInput(
        f'{path}: the film is {what} (high dynamic range), for which '
        f'{target.layout.bits} bits are too few; set --config.output.bits=10, '
        'or write .mkv (FFV1).')
  if target.codec == 'prores' and extras.static:
    raise types.BadInput(
        f'{path}: the film carries {what} mastering data, for which ProRes has '
        'no place; write .mkv (FFV1), or .mp4 with --config.output.codec=h265.')


def _check_sound(target: Target, info, sound) -> None:
  """Raises BadInput for sound that the file cannot carry unchanged."""
  suffix = target.suffix
  if target.kind != 'video':
    return
  for number in sound or ():
    if not 0 <= number < len(info.audio):
      raise types.BadInput(
          f'{target.path}: there is no sound track {number} to replace; the '
          f'source has {len(info.audio)}.')
  for number, track in enumerate(info.audio):
    codec = tracks.sound_codec((sound or {}).get(number)) or track.codec
    fine = (suffix == '.mkv' or codec == 'unknown'
            or suffix == '.mp4' and codec in _MP4_AUDIO
            or suffix == '.mov' and (
                codec in _MOV_AUDIO or codec.startswith('pcm_')))
    if not fine:
      raise types.BadInput(
          f'{target.path}: {codec} sound cannot be copied into '
          f'{suffix[1:].upper()} unchanged; write .mkv instead.')
  bad = tracks.unwritable_sound(info.path, suffix) if info.audio else None
  if bad and not sound:
    raise types.BadInput(
        f'{target.path}: {bad} sound cannot be copied into '
        f'{suffix[1:].upper()} unchanged; convert the sound first, or write a '
        'folder of pictures.')


def warnings(target: Target, info: probe.VideoInfo) -> list[str]:
  """Returns sentences on what the target cannot show as the source did."""
  found = []
  marked = info.field_order and target.codec in ('ffv1', 'prores', 'h264')
  if info.interlaced and target.kind == 'video' and not marked:
    found.append('The source is interlaced; the output is not marked so.')
  source, layout = info.layout, target.layout
  if source.kind == layout.kind == 'yuv' and (
      source.sub_x * source.sub_y < layout.sub_x * layout.sub_y):
    found.append(f'{_TITLES[target.codec]} is written with less colour detail '
                 f'({layout.pix_fmt}) than the source has ({source.pix_fmt}).')
  return found


def check_output(
    path: str | os.PathLike,
    info: probe.VideoInfo,
    *,
    codec: str = 'auto',
    bits: int | str = 'auto',
    sound: Mapping[int, str] | None = None,
) -> None:
  """Raises BadInput for an output that cannot be written; changes nothing.

  Meant to be called before the long work; write_video calls it, too, and
  explains the arguments.
  """
  target = choose(path, info, codec, bits)
  if target.kind == 'dicom':
    from revive_jax.video import dicom_writer  # It imports this file.

    dicom_writer.check_output(path, info)
    return
  _check_place(target, info)
  _check_size(target, info)
  _check_sound(target, info, sound)
  if hdr.name(info.color_trc):
    _check_hdr(target, info, extras_lib.read(info.path))


def default_output(workdir: str, info: probe.VideoInfo) -> str:
  """workdir/outputs/<name>_restored, in the input's container if it can be.

  info: of the film as it is written, perhaps larger than the source.
  """
  path = files.opened_name(info.path)
  name = path.name if info.kind == 'images' else path.stem
  end = suffix(info)
  if files.is_sealed(workdir) and end:
    end += files.SEALED
  return files.name(files.path(workdir) / 'outputs' / f'{name}_restored{end}')


def suffix(info: probe.VideoInfo) -> str:
  """Of an output that is not named: the input's own, if it can be written.

  Else .mp4, or .mkv where MP4 cannot hold it (sound, HDR, its size). info: see
  default_output.
  """
  if info.kind != 'video':
    return {'images': '', 'image': '.png', 'dicom': '.dcm'}[info.kind]
  own = files.suffix(info.path)
  if own == '.mkv':
    return own
  try:
    check_output('film.mp4', info)
  except types.BadInput:
    return '.mkv'
  return '.mp4'
