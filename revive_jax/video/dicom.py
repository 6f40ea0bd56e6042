"""DICOM: grey pictures and films of medical devices, read and written back.

Only MONOCHROME1 and MONOCHROME2, single or multi-frame, 8 or 16 bits allocated,
any number of them stored, signed or not. The stages see the stored values,
stretched from the smallest to the largest of the file to 16 bits of grey, with
white where a viewer shows white; Rescale Slope and Intercept are not applied.
The stretch can be undone exactly, and words whose pixel did not change are
copied from the source anyway, unused bits and all.

Needs pydicom: pip install revive-jax[medical].
"""

from collections.abc import Callable, Iterator
import contextlib
import dataclasses
import fractions
import functools
import logging
import os
import warnings

import cv2
import numpy as np

from revive_jax import files, types
from revive_jax.video import formats, reader
from revive_jax.video import probe as probe_lib

SUFFIXES = ('.dcm', '.dicom')
LAYOUT = formats.Layout('gray16le', 'grey', 16)
_PIXELS = 0x7FE00010  # The tag Pixel Data.
_PEAK = 65535
_DEFLATED = '1.2.840.10008.1.2.1.99'
_MICROSECOND = fractions.Fraction(1, 1_000_000)


@dataclasses.dataclass(frozen=True)
class Coding:
  """How the pixels of a file are stored."""

  path: str
  transfer_syntax: str  # Its name in the standard.
  frames: int
  height: int
  width: int
  dtype: np.dtype  # Of a word in the file, unsigned.
  stored: int  # Bits of a word that are the value...
  shift: int  # ...from this one on, the lowest being 0.
  signed: bool
  inverted: bool  # MONOCHROME1: the largest value is black.
  offset: int | None  # Of the words, bytes; None: they are compressed.
  rate: fractions.Fraction | None  # Frames per second, if it says so.
  times: tuple[int, ...] | None  # Of frames, microseconds, if they vary.
  pixel_aspect: fractions.Fraction  # Width of a pixel by its height.
  stamp: tuple[int, int]  # Size and time of change of the file.

  @property
  def limits(self) -> tuple[int, int]:
    """The smallest and the largest value that can be stored."""
    half = 1 << self.stored - 1
    return (-half, half - 1) if self.signed else (0, 2 * half - 1)


def is_dicom(path: str | os.PathLike) -> bool:
  """Returns whether path is DICOM by its name or by its first bytes."""
  if files.suffix(path) in SUFFIXES:
    return True
  try:
    with files.path(path).open('rb') as f:
      return f.read(132)[128:] == b'DICM'
  except OSError:
    return False


def _pydicom():
  try:
    import pydicom
  except ImportError:
    raise types.BadInput(
        'DICOM needs pydicom; run: pip install revive-jax[medical].') from None
  return pydicom


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Keeps pydicom from telling the user about each odd tag."""
  logger = logging.getLogger('pydicom')
  level = logger.level
  logger.setLevel(logging.ERROR)
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore', UserWarning)
      yield
  finally:
    logger.setLevel(level)


def _read(path: str, **options):
  """Returns the data set of a file, and where reading stopped, in bytes."""
  pydicom = _pydicom()
  try:
    if os.path.getsize(path) == 0:
      raise types.BadInput(f'{path}: the file is empty (0 bytes).')
    with files.path(path).open('rb') as f:
      return pydicom.dcmread(f, **options), f.tell()
  except types.BadInput:
    raise
  except OSError as e:
    raise types.BadInput(
        f'{path}: this file cannot be read ({e.strerror or e}).') from e
  except pydicom.errors.InvalidDicomError:
    raise types.BadInput(
        f'{path}: not a DICOM file (bytes 129 to 132 are not DICM).') from None
  except Exception as e:  # A parser that is fed damage may raise anything.
    raise damaged(path, e) from e


def read_all(path: str, *, defer_size: int):
  """Returns all elements of a file, larger ones than defer_size on demand.

  Of a sealed file all are in memory: pydicom opens files again by their names.
  """
  if files.is_sealed(path):
    defer_size = None
  return _read(path, defer_size=defer_size)[0]


def damaged(path: str, error: Exception) -> types.BadInput:
  """Returns the refusal of a file that made pydicom stumble."""
  text = ' '.join(str(error).split()) or type(error).__name__
  text = ''.join(c for c in text if c.isprintable())[:120]
  return types.BadInput(
      f'{path}: this DICOM file is damaged ({text}); ask for another copy.')


def read_coding(path: str | os.PathLike) -> Coding:
  """Returns how the pixels of a DICOM file are stored, or raises BadInput."""
  path = files.name(path)
  with quiet():
    header, end = _read(path, stop_before_pixels=True)
    try:
      _check_kind(path, header)
      return _coding(path, header, end)
    except types.BadInput:
      raise
    except Exception as e:
      raise damaged(path, e) from e


def _check_kind(path: str, header) -> None:
  """Refuses pixels that are not grey whole numbers of 8 or 16 bits."""
  if 'Rows' not in header or 'Columns' not in header:
    raise types.BadInput(
        f'{path}: this DICOM file holds no picture (modality: '
        f'{header.get("Modality", "not said")}).')
  kind = header.get('PhotometricInterpretation')
  if kind not in ('MONOCHROME1', 'MONOCHROME2') or (
      int(header.get('SamplesPerPixel', 1)) != 1):
    raise types.BadInput(
        f'{path}: the pixels are {kind or "of an unknown kind"}; only grey '
        'DICOM (MONOCHROME1, MONOCHROME2) is restored, export colour as video.')
  if int(header.BitsAllocated) not in (8, 16):
    raise types.BadInput(
        f'{path}: a pixel has {header.BitsAllocated} bits; only 8 and 16 '
        'allocated bits are restored.')


def _coding(path: str, header, end: int) -> Coding:
  syntax = _transfer_syntax(path, header)
  allocated, stored = int(header.BitsAllocated), int(header.BitsStored)
  shift = int(header.get('HighBit', stored - 1)) + 1 - stored
  frames = int(header.get('NumberOfFrames') or 1)
  height, width = int(header.Rows), int(header.Columns)
  if min(frames, height, width, stored) < 1 or (
      shift < 0 or shift + stored > allocated):
    raise ValueError(f'{frames} frames of {width}x{height}, bits {shift} to '
                     f'{shift + stored - 1} of {allocated}')
  offset = None
  if not syntax.is_encapsulated:
    size = frames * height * width * allocated // 8
    offset = _offset(path, syntax, end, size)
  status = os.stat(path)
  return Coding(
      path, syntax.name, frames, height, width,
      np.dtype(f'{"<" if syntax.is_little_endian else ">"}u{allocated // 8}'),
      stored, shift, bool(int(header.get('PixelRepresentation') or 0)),
      header.PhotometricInterpretation == 'MONOCHROME1', offset,
      *_timing(header, frames), _pixel_aspect(header),
      (status.st_size, status.st_mtime_ns))


def _transfer_syntax(path: str, header):
  """Returns the transfer syntax, or refuses one that cannot be decoded."""
  from pydicom import pixels

  syntax = header.file_meta.TransferSyntaxUID
  packed = syntax == _DEFLATED or syntax.is_encapsulated
  try:
    decodes = syntax != _DEFLATED and pixels.get_decoder(syntax).is_available
  except NotImplementedError:  # How pydicom says that it knows no decoder.
    decodes = False
  if packed and not decodes:
    raise types.BadInput(
        f'{path}: the pixels are compressed ({syntax.name}) and no decoder is '
        'there; install one (pip install pylibjpeg[all]), or decompress the '
        'file (gdcmconv --raw in.dcm out.dcm).')
  if header.get('BitsAllocated') == 8 and not syntax.is_little_endian:
    raise types.BadInput(
        f'{path}: 8-bit pixels in big endian are not read; convert the file '
        'to little endian (gdcmconv --raw in.dcm out.dcm).')
  return syntax


def _offset(path: str, syntax, end: int, size: int) -> int:
  """Returns where Pixel Data that is not compressed starts, in bytes.

  end: where the header ends. size: bytes that there must be.
  """
  with files.path(path).open('rb') as f:
    stop = f.seek(0, os.SEEK_END)
    f.seek(end)
    start = f.read(12)
  order = 'little' if syntax.is_little_endian else 'big'
  group, element = (int.from_bytes(start[i:i + 2], order) for i in (0, 2))
  if group << 16 | element != _PIXELS:
    raise types.BadInput(
        f'{path}: this DICOM file holds no Pixel Data of whole numbers.')
  length = slice(4, 8) if syntax.is_implicit_VR else slice(8, 12)
  promised = int.from_bytes(start[length], order)
  there = min(promised, stop - end - length.stop)
  if there < size:
    raise types.BadInput(
        f'{path}: the file is cut off: its pixels need {size} bytes, {there} '
        'are there; ask for another copy.')
  return end + length.stop


def _timing(header, frames: int):
  """Returns frames per second, and the times of frames if they vary."""
  steps = header.get('FrameTimeVector')
  if steps is not None and frames > 1 and len(steps) >= frames:
    times = np.cumsum(np.round(1000 * np.array(steps[1:frames], np.float64)))
    times = np.r_[0, times].astype(int)
    if (np.diff(times) > 0).all():
      rate = fractions.Fraction(int(1e6) * (frames - 1), int(times[-1]))
      return rate.limit_denominator(1001), tuple(times.tolist())
  if float(header.get('FrameTime') or 0) > 0:  # Milliseconds.
    rate = 1000 / fractions.Fraction(str(header.FrameTime))
    return rate.limit_denominator(1001), None
  for name in ('CineRate', 'RecommendedDisplayFrameRate'):
    if int(header.get(name) or 0) > 0:
      return fractions.Fraction(int(header[name].value)), None
  return None, None


def _pixel_aspect(header) -> fractions.Fraction:
  """Returns the width of a pixel by its height; 1 where it is not said."""
  for name in ('PixelAspectRatio', 'PixelSpacing', 'ImagerPixelSpacing'):
    pair = header.get(name)  # Height, width.
    if pair is not None and len(pair) == 2 and min(map(float, pair)) > 0:
      height, width = (fractions.Fraction(str(x)) for x in pair)
      return (width / height).limit_denominator(10000)
  return fractions.Fraction(1)


def probe(
    path: str | os.PathLike, *, frame_rate: fractions.Fraction
) -> probe_lib.VideoInfo:
  """Returns what is in a DICOM file, as video.probe.probe; kind 'dicom'.

  frame_rate: frames per second where the file has none. Raises BadInput for
  what is no DICOM, is cut off, has no grey pixels, or cannot be decoded.
  """
  coding = read_coding(path)
  rate = coding.rate or fractions.Fraction(frame_rate)
  return probe_lib.VideoInfo(
      path=coding.path, kind='dicom', width=coding.width, height=coding.height,
      frame_rate=rate, time_base=_MICROSECOND if coding.times else 1 / rate,
      frame_count=coding.frames, duration=float(coding.frames / rate),
      codec='dicom', pix_fmt=LAYOUT.pix_fmt, bit_depth=LAYOUT.bits,
      colorspace=2, color_range=2, color_primaries=2, color_trc=2,
      sample_aspect_ratio=coding.pixel_aspect, rotation=0, interlaced=False,
      audio=(), container=coding.transfer_syntax)


def read_words(coding: Coding, start: int = 0) -> Iterator[np.ndarray]:
  """Yields the words of frames from start on as stored, [H, W] unsigned."""
  shape = coding.height, coding.width
  if coding.offset is not None:
    size = shape[0] * shape[1] * coding.dtype.itemsize
    with files.path(coding.path).open('rb') as f:
      f.seek(coding.offset + start * size)
      for _ in range(start, coding.frames):
        yield np.frombuffer(f.read(size), coding.dtype).reshape(shape)
    return
  from pydicom import pixels

  count = start
  try:
    for words in pixels.iter_pixels(
        files.media(coding.path), raw=True,
        indices=range(start, coding.frames)):
      count += 1
      yield words.reshape(shape).view(f'u{coding.dtype.itemsize}')
  except Exception as e:
    raise damaged(coding.path, e) from e
  if count != coding.frames:
    raise types.BadInput(
        f'{coding.path}: the file is cut off: {count} of {coding.frames} '
        'frames are there; ask for another copy.')


def to_values(words: np.ndarray, coding: Coding) -> np.ndarray:
  """Returns the values, int32, that words hold."""
  mask = (1 << coding.stored) - 1
  values = (words.astype(np.int32) >> coding.shift) & mask
  if coding.signed:
    values -= (values >> coding.stored - 1) << coding.stored
  return values


def to_words(
    values: np.ndarray, words: np.ndarray, coding: Coding
) -> np.ndarray:
  """Returns words with values put in; unused bits as they were.

  Where the unused bits repeat the sign, as many writers have it, they repeat
  that of the new value.
  """
  kind = np.dtype(f'{"i" if coding.signed else "u"}{words.dtype.itemsize}')
  plain = (words.astype(words.dtype.newbyteorder('=')).view(kind)
           == to_values(words, coding))
  mask = (1 << coding.stored) - 1
  mixed = (words.astype(np.int32) & ~(mask << coding.shift)
           | (values & mask) << coding.shift)
  return np.where(plain, values, mixed).astype(words.dtype)


@functools.lru_cache(maxsize=8)
def value_range(coding: Coding) -> tuple[int, int]:
  """Returns the smallest and the largest value of all frames."""
  low, high = coding.limits[::-1]
  for words in read_words(coding):
    values = to_values(words, coding)
    low, high = min(low, int(values.min())), max(high, int(values.max()))
  return low, high


@functools.lru_cache(maxsize=8)
def _codes(coding: Coding) -> np.ndarray:
  """Returns the grey, 0 to 65535, of each value from the smallest on."""
  low, high = value_range(coding)
  codes = np.round(np.linspace(0, _PEAK, max(high - low, 1) + 1))
  return (_PEAK - codes if coding.inverted else codes).astype(np.uint16)


def from_codes(codes: np.ndarray, coding: Coding) -> np.ndarray:
  """Returns the values, int32, closest to greys; the inverse of _codes."""
  low, high = value_range(coding)
  codes = codes.astype(np.float64)
  codes = _PEAK - codes if coding.inverted else codes
  values = low + np.round(codes * (max(high - low, 1) / _PEAK))
  return np.clip(values, *coding.limits).astype(np.int32)


def read_frames(
    info: probe_lib.VideoInfo,
    *,
    stop: int | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[reader.SourceFrame]:
  """Yields the frames, one in memory at a time, as video.reader.read_frames."""
  del warn  # Nothing is worked around: what is damaged is refused.
  coding = read_coding(info.path)
  low, _ = value_range(coding)
  for index, words in enumerate(read_words(coding)):
    if stop is not None and index >= stop:
      return
    grey = _codes(coding)[to_values(words, coding) - low]
    yield reader.SourceFrame(
        index, coding.times[index] if coding.times else index,
        cv2.merge([grey, grey, grey]), (grey,), LAYOUT)
