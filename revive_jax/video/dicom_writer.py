"""Writes restored frames as a DICOM file derived from the source.

Every tag of the source is kept as it was but those that must change: the
pixels, the identity of the instance, and what says that pixels were restored.
docs/presets.md has the list.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import hashlib
import io
import os
import pathlib
import tempfile
import uuid

import cv2
import numpy as np

from revive_jax import files, types
from revive_jax.video import atomic, color, dicom, probe, splice, writer

NOTICE = 'RESTORED PIXELS - NOT FOR DIAGNOSIS'
_PIXELS = 0x7FE00010  # The tag Pixel Data...
_TABLES = (0x7FE00001, 0x7FE00002)  # ...those of its compressed frames...
# ...and the signatures, which no longer hold.
_SIGNATURES = (0x4FFE0001, 0xFFFAFFFA)
_LARGE = 1 << 20  # Elements of more bytes stay on the disk until written.
_LONGEST = {'ST': 1024, 'LT': 10240}  # Characters of a text, by its type.


def check_output(path: str | os.PathLike, info: probe.VideoInfo) -> None:
  """Raises BadInput for a .dcm that cannot be written; changes nothing."""
  if info.kind != 'dicom':
    raise types.BadInput(
        f'{path}: DICOM is only written from DICOM, whose tags it keeps; name '
        'the output .mkv.')
  path = files.path(path)
  if path.is_dir():
    raise types.BadInput(f'{path}: this is a folder; name a file.')
  if path.exists() and path.samefile(info.path):
    raise types.BadInput(
        f'{path}: the output is the input; name another file.')
  atomic.check_writable(path)


def write(
    path: str | os.PathLike,
    frames: Iterable[writer.OutputFrame],
    info: probe.VideoInfo,
    *,
    expected_frames: int | None = None,
) -> writer.Written:
  """Writes frames with the tags of the source, as writer.write_video.

  Words of pixels that did not change are copied. One frame is in memory at a
  time. The same source and pixels give the same file, byte for byte.
  """
  check_output(path, info)
  path = files.path(path)
  words = path.with_name(f'.{path.name}.words')
  try:
    with atomic.replacing(words) as part:
      tally = write_words(part, frames, info)
    writer.check_count(tally, expected_frames)
    return join(path, [words], info, tally)
  finally:
    words.unlink(missing_ok=True)


def write_words(
    path: str | os.PathLike,
    frames: Iterable[writer.OutputFrame],
    info: probe.VideoInfo,
) -> writer.Tally:
  """Writes a part: the words of frames that follow each other, and no tags."""
  coding = dicom.read_coding(info.path)
  tally, stored = writer.Tally(), None
  with files.path(path).open('wb') as file:
    for frame in frames:
      if stored is None:
        stored = dicom.read_words(coding, frame.source.index)
      words = next(stored)
      where = splice.changed_pixels(frame.source.rgb, frame.rgb)
      changed = 0
      if where is not None:
        grey = color.to_planes(frame.rgb, dicom.LAYOUT)[0]
        fresh = dicom.to_words(dicom.from_codes(grey, coding), words, coding)
        words = np.where(where, fresh, words).astype(coding.dtype)
        changed = int(np.count_nonzero(where))
      file.write(words.tobytes())
      tally.add(frame, words.size - changed)
  return tally


def join(
    path: str | os.PathLike,
    parts: Sequence[str | os.PathLike],
    info: probe.VideoInfo,
    tally: writer.Tally,
    finish: Callable[[pathlib.Path], None] = lambda part: None,
) -> writer.Written:
  """Joins parts of write_words, in order, with the tags of the source.

  tally: of all parts. finish: is given the file before it gets its name. The
  file appears whole or not at all.
  """
  check_output(path, info)
  coding, path = dicom.read_coding(info.path), files.path(path)
  if len(tally.stamps) != coding.frames:
    raise RuntimeError(f'{len(tally.stamps)} frames were handed over, '
                       f'{coding.frames} expected.')
  with atomic.replacing(path) as part, _space(part) as pixels:
    limits, digest = _join_words(pixels, parts, coding)
    changed = tally.pixels - tally.kept
    warnings = _written_file(part, pixels, coding, changed, limits, digest)
    if dicom.read_coding(part).frames != coding.frames:
      raise RuntimeError(f'{coding.frames} frames went in, others came out.')
    finish(part)
  return writer.Written(
      files.name(path), coding.frames, 'dicom', info.pix_fmt,
      tally.kept_fraction, 0.0, 0, tuple(warnings))


def burn(rgb: np.ndarray) -> np.ndarray:
  """Returns a copy of [H, W, 3] with the notice in white on black at its foot.

  As wide as the frame, up to 16 px a line of text; the source's pixels there
  are lost in the copy.
  """
  height, width = rgb.shape[:2]
  font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5
  (wide, high), under = cv2.getTextSize(NOTICE, font, scale, 1)
  bar = np.zeros((high + under + 4, wide + 8), np.uint8)
  cv2.putText(bar, NOTICE, (4, high + 2), font, scale, 255, 1, cv2.LINE_AA)
  tall = max(1, min(16, height // 4, round(width * len(bar) / bar.shape[1])))
  across = min(width, max(1, round(bar.shape[1] * tall / len(bar))))
  bar = cv2.resize(bar, (across, tall), interpolation=cv2.INTER_AREA)
  peak = np.iinfo(rgb.dtype).max
  result = rgb.copy()
  result[height - tall:, :across] = (
      bar.astype(np.uint32) * peak // 255).astype(rgb.dtype)[..., None]
  return result


@contextlib.contextmanager
def _space(part) -> Iterator[io.BufferedRandom]:
  """An empty file to be filled and read, which nobody sees."""
  if not files.is_sealed(part):
    with tempfile.TemporaryFile(dir=part.parent) as file:
      yield file
    return
  place = part.with_name(f'{part.name}.pixels')
  try:
    with io.BufferedRandom(place.open('wb')) as file:
      yield file
  finally:
    place.unlink(missing_ok=True)


def _join_words(file, parts, coding):
  """Copies words to a file, ready to be read.

  Returns the smallest and the largest value, and a digest of all words.
  """
  digest, (high, low) = hashlib.sha256(), coding.limits
  size = coding.height * coding.width * coding.dtype.itemsize
  for part in parts:
    with files.path(part).open('rb') as source:
      while data := source.read(size):
        values = dicom.to_values(np.frombuffer(data, coding.dtype), coding)
        low, high = min(low, int(values.min())), max(high, int(values.max()))
        digest.update(data)
        file.write(data)
  if file.tell() % 2:  # Values are of an even length.
    file.write(b'\0')
  file.seek(0)
  return (low, high), digest.hexdigest()


def _written_file(part, pixels, coding, *what) -> list[str]:
  """Calls _write_file; a source that cannot be copied is refused."""
  try:
    with dicom.quiet():
      return _write_file(part, pixels, coding, *what)
  except (OSError, types.BadInput):
    raise
  except Exception as e:  # Tags are only decoded when they are written.
    raise dicom.damaged(coding.path, e) from e


def _write_file(part, pixels, coding, changed, limits, digest) -> list[str]:
  """Writes the source's tags, changed where they must be, and the pixels."""
  import pydicom

  data = dicom.read_all(coding.path, defer_size=_LARGE)
  warnings = []
  if coding.offset is None:  # It was compressed.
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    warnings.append(
        f'{coding.path}: the pixels were compressed ({coding.transfer_syntax});'
        ' they are written uncompressed.')
  for tag in (*_TABLES, *_SIGNATURES):
    if tag in data:
      del data[tag]
      if tag in _SIGNATURES:
        warnings.append(
            f'{coding.path}: the digital signature of the source is left out, '
            'as it does not hold for changed pixels.')
  kind = 'OW' if coding.dtype.itemsize == 2 or data.is_implicit_VR else 'OB'
  data[_PIXELS] = pydicom.DataElement(_PIXELS, kind, pixels)
  _describe(data, coding, changed, limits, digest)
  place = files.media(part, 'w')
  data.save_as(place, enforce_file_format=True)
  files.close(place)
  return warnings


def _describe(data, coding, changed, limits, digest) -> None:
  """Changes the tags that say what this instance is."""
  source = data.get('SOPInstanceUID', '')
  _refer_to_source(data, source)
  # Named after what it was made from and what it holds: no chance, no clock.
  number = uuid.uuid5(uuid.NAMESPACE_OID, f'{source} {digest}').int
  data.SOPInstanceUID = f'2.25.{number}'
  data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
  data.ImageType = _derived(data.get('ImageType'))
  for item in _frame_types(data):
    item.FrameType = _derived(item.FrameType)
  total = coding.frames * coding.height * coding.width
  _add_text(data, 'DerivationDescription', 'ST', (
      f'{NOTICE}: {changed} of {total} pixels were changed by revive_jax and '
      'are estimated, not measured; all others are as they were'))
  _add_text(data, 'ImageComments', 'LT', NOTICE)
  for name, value in zip(('SmallestImagePixelValue', 'LargestImagePixelValue'),
                         limits, strict=True):
    if name in data:
      data[name].value = value


def _refer_to_source(data, source: str) -> None:
  """Names the source instance, and this program as what changed it."""
  from pydicom import Dataset

  if source:
    item = Dataset()
    item.ReferencedSOPClassUID = data.SOPClassUID
    item.ReferencedSOPInstanceUID = source
    item.PurposeOfReferenceCodeSequence = [_code(
        '121322', 'Source image for image processing operation')]
    data.SourceImageSequence = [*data.get('SourceImageSequence', ()), item]
  device = Dataset()
  device.Manufacturer = 'revive_jax'
  device.PurposeOfReferenceCodeSequence = [
      _code('109103', 'Modifying Equipment')]
  device.ContributionDescription = 'Damaged pixels were replaced'
  data.ContributingEquipmentSequence = [
      *data.get('ContributingEquipmentSequence', ()), device]


def _code(value: str, meaning: str):
  from pydicom import Dataset

  code = Dataset()
  code.CodeValue, code.CodeMeaning = value, meaning
  code.CodingSchemeDesignator = 'DCM'
  return code


def _derived(kind) -> list[str]:
  """Returns an Image Type or Frame Type of a derived image."""
  parts = [kind] if isinstance(kind, str) else list(kind or ())
  return ['DERIVED', *parts[1:]] if len(parts) > 1 else ['DERIVED', 'SECONDARY']


def _frame_types(data):
  """Yields the items of enhanced multi-frame images that hold a Frame Type."""
  for name in ('SharedFunctionalGroupsSequence',
               'PerFrameFunctionalGroupsSequence'):
    for group in data.get(name, ()):
      for element in group:
        for item in element.value if element.VR == 'SQ' else ():
          if 'FrameType' in item:
            yield item


def _add_text(data, name: str, kind: str, text: str) -> None:
  """Puts text before what a tag says already; the end of that may be cut."""
  old = str(data.get(name) or '')
  setattr(data, name, (f'{text}; {old}' if old else text)[:_LONGEST[kind]])
