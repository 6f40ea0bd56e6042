"""Tests of video/dicom.py: what is read from DICOM, against pydicom."""

import fractions
import pathlib

from absl.testing import absltest, parameterized
import numpy as np
import pydicom
from pydicom import dataset, encaps, uid

from revive_jax import types
from revive_jax.video import color, dicom, dicom_writer, writer

_BIG = uid.ExplicitVRBigEndian
_IMPLICIT = uid.ImplicitVRLittleEndian


def write(path, words, *, stored=12, high=None, signed=False,
          syntax=uid.ExplicitVRLittleEndian, **tags):
  """Writes words [T, H, W], uint8 or uint16, as a multi-frame DICOM file."""
  data, meta = dataset.Dataset(), dataset.FileMetaDataset()
  data.file_meta, meta.TransferSyntaxUID = meta, syntax
  data.SOPClassUID = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage
  meta.MediaStorageSOPClassUID = data.SOPClassUID
  data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = '2.25.77'
  data.PatientName, data.Modality = 'Somebody^Else', 'XA'
  data.add_new(0x00090010, 'LO', 'MAKER')  # A private tag.
  data.add_new(0x00091001, 'UN', b'\1\2\3\4')
  data.NumberOfFrames, data.Rows, data.Columns = words.shape
  data.SamplesPerPixel, data.PhotometricInterpretation = 1, 'MONOCHROME2'
  data.BitsAllocated, data.BitsStored = 8 * words.itemsize, stored
  data.HighBit = stored - 1 if high is None else high
  data.PixelRepresentation = int(signed)
  data.RescaleIntercept, data.RescaleSlope = '-1024', '2'
  order = '>' if syntax == _BIG else '<'
  pixels = words.astype(words.dtype.newbyteorder(order)).tobytes()
  if syntax.is_encapsulated:
    pixels = encaps.encapsulate([pixels])
  data.add_new(0x7FE00010, 'OW' if words.itemsize == 2 else 'OB', pixels)
  data[0x7FE00010].is_undefined_length = syntax.is_encapsulated
  for name, value in tags.items():
    setattr(data, name, value)
  data.save_as(path, enforce_file_format=True)
  return data


def words_of(seed=0, shape=(3, 6, 7), bits=12):
  rng = np.random.default_rng(seed)
  kind = np.uint8 if bits <= 8 else np.uint16
  return rng.integers(0, 1 << bits, shape).astype(kind)


class DicomTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.dir / 'film.dcm'

  @parameterized.parameters(
      (8, 8, False, {}), (12, 16, False, {}), (12, 16, True, {}),
      (16, 16, True, {}), (10, 16, False, dict(syntax=_BIG)),
      (16, 16, False, dict(syntax=_IMPLICIT)))
  def test_values_are_those_of_pydicom(self, stored, allocated, signed, how):
    words = words_of(bits=stored)
    if allocated == 8:
      words = words.astype(np.uint8)
    if signed:  # As most writers do it: the sign goes on in the unused bits.
      words = (words.astype(np.int32) - ((words.astype(np.int32)
               >> stored - 1) << stored)).astype(np.int16).view(np.uint16)
    write(self.path, words, stored=stored, signed=signed, **how)
    coding = dicom.read_coding(self.path)
    got = np.stack([dicom.to_values(w, coding)
                    for w in dicom.read_words(coding)])
    np.testing.assert_array_equal(got, pydicom.dcmread(self.path).pixel_array)

  def test_values_by_hand(self):
    # Bits 4 to 9 of 16: six bits, of which the first is the sign.
    words = np.array([[[0xFC0F, 0b10_0000_0000, 0b01_1111_0000]]], np.uint16)
    write(self.path, words, stored=6, high=9, signed=True)
    coding = dicom.read_coding(self.path)
    stored = next(dicom.read_words(coding))
    self.assertEqual(dicom.to_values(stored, coding).tolist(), [[0, -32, 31]])
    self.assertEqual(coding.limits, (-32, 31))
    new = dicom.to_words(np.array([[-1, 5, 31]], np.int32), stored, coding)
    self.assertEqual(new.tolist(), [[0xFFFF, 5 << 4, 31 << 4]])

  @parameterized.parameters((1, False), (7, False), (12, True), (16, False),
                            (16, True))
  def test_the_stretch_to_grey_can_be_undone(self, bits, signed):
    words = np.arange(1 << bits).astype(np.uint16).reshape(1, 1, -1)
    words = words[..., ::-1] if words.size <= 65535 else words[..., 1:]
    write(self.path, words, stored=bits, signed=signed)
    coding = dicom.read_coding(self.path)
    frame = next(dicom.read_frames(dicom.probe(self.path, frame_rate=24)))
    self.assertEqual(frame.rgb.min(), 0)
    self.assertEqual(frame.rgb.max(), 65535)
    got = dicom.from_codes(frame.planes[0], coding)
    np.testing.assert_array_equal(got, dicom.to_values(words[0], coding))
    np.testing.assert_array_equal(
        color.to_rgb(frame.planes, frame.layout), frame.rgb)

  def test_white_is_where_a_viewer_shows_white(self):
    words = np.array([[[100, 300]]], np.uint16)
    for kind, shown in (('MONOCHROME2', [0, 65535]), ('MONOCHROME1', [65535, 0])
                        ):
      path = self.dir / f'{kind}.dcm'
      write(path, words, PhotometricInterpretation=kind)
      frame = next(dicom.read_frames(dicom.probe(path, frame_rate=24)))
      self.assertEqual(frame.rgb[0, :, 0].tolist(), shown)

  def test_flat_frames(self):
    write(self.path, np.full((2, 3, 4), 4095, np.uint16))
    frame = next(dicom.read_frames(dicom.probe(self.path, frame_rate=24)))
    coding = dicom.read_coding(self.path)
    got = dicom.from_codes(frame.planes[0], coding)
    self.assertEqual(set(got.flat), {4095})

  @parameterized.parameters(
      (dict(FrameTime='40'), 25, [0, 1, 2], fractions.Fraction(1, 25)),
      (dict(CineRate='15'), 15, [0, 1, 2], fractions.Fraction(1, 15)),
      (dict(FrameTimeVector=['0', '20', '60.5']), fractions.Fraction(2000, 80),
       [0, 20000, 80500], fractions.Fraction(1, 10**6)),
      (dict(), 12, [0, 1, 2], fractions.Fraction(1, 12)))
  def test_time(self, tags, rate, stamps, time_base):
    write(self.path, words_of(), **tags)
    info = dicom.probe(self.path, frame_rate=12)
    self.assertAlmostEqual(float(info.frame_rate), float(rate), delta=0.2)
    self.assertEqual(info.time_base, time_base)
    self.assertEqual([f.pts for f in dicom.read_frames(info)], stamps)
    self.assertEqual((info.kind, info.frame_count, info.width, info.height),
                     ('dicom', 3, 7, 6))
    self.assertLen(list(dicom.read_frames(info, stop=2)), 2)

  def test_shape_of_pixels_is_width_by_height(self):
    write(self.path, words_of(), PixelSpacing=['0.5', '0.25'])
    info = dicom.probe(self.path, frame_rate=12)
    self.assertEqual(info.sample_aspect_ratio, fractions.Fraction(1, 2))

  def test_compressed_without_loss(self):
    words = words_of(bits=16)
    data = write(self.path, words, stored=16)
    data.compress(uid.RLELossless)
    data.save_as(self.path, enforce_file_format=True)
    coding = dicom.read_coding(self.path)
    self.assertIsNone(coding.offset)
    np.testing.assert_array_equal(
        np.stack(list(dicom.read_words(coding))), words)

  @parameterized.parameters(
      (dict(PhotometricInterpretation='RGB', SamplesPerPixel=3), 'RGB'),
      (dict(PhotometricInterpretation='PALETTE COLOR'), 'PALETTE'),
      (dict(BitsAllocated=32), '32 bits'),
      (dict(NumberOfFrames=4), 'cut off'),
      (dict(Rows=0), 'damaged'),
      (dict(BitsStored=99), 'damaged'),
      (dict(syntax=uid.DeflatedExplicitVRLittleEndian), 'decompress'),
      (dict(syntax=uid.MPEG4HP41), 'decompress'))
  def test_what_cannot_be_read_is_refused(self, changes, word):
    write(self.path, words_of(), **changes)
    with self.assertRaisesRegex(types.BadInput, word) as caught:
      dicom.probe(self.path, frame_rate=24)
    self.assertIn(str(self.path), str(caught.exception))

  def test_what_is_no_picture_is_refused(self):
    data = write(self.path, words_of())
    del data.PixelData
    data.save_as(self.path, enforce_file_format=True)
    with self.assertRaisesRegex(types.BadInput, 'no Pixel Data'):
      dicom.probe(self.path, frame_rate=24)
    del data.Rows
    data.save_as(self.path, enforce_file_format=True)
    with self.assertRaisesRegex(types.BadInput, 'no picture'):
      dicom.probe(self.path, frame_rate=24)
    for content, word in ((b'', 'empty'), (b'not a film\n' * 50, 'not a DICOM'),
                          (b'\0' * 128 + b'DICM', 'no picture')):
      self.path.write_bytes(content)
      with self.assertRaisesRegex(types.BadInput, word):
        dicom.probe(self.path, frame_rate=24)
    with self.assertRaisesRegex(types.BadInput, 'No such file'):
      dicom.probe(self.dir / 'missing.dcm', frame_rate=24)

  def test_told_by_name_or_by_content(self):
    write(self.path, words_of())
    other = self.dir / 'IM0001'
    other.write_bytes(self.path.read_bytes())
    self.assertTrue(dicom.is_dicom(other))
    self.assertTrue(dicom.is_dicom('missing.DCM'))
    other.write_text('text')
    self.assertFalse(dicom.is_dicom(other))
    self.assertFalse(dicom.is_dicom(self.dir))

  def test_damage_of_any_kind_is_one_sentence(self):
    """Cut at every twentieth, and 60 files with bytes flipped."""
    write(self.path, words_of())
    whole = self.path.read_bytes()
    rng = np.random.default_rng(0)
    files = [whole[:len(whole) * i // 20] for i in range(20)]
    for _ in range(60):
      content = np.frombuffer(whole, np.uint8).copy()
      content[rng.integers(0, len(whole), 6)] = rng.integers(0, 256, 6)
      files.append(content.tobytes())
    read = 0
    for content in files:
      self.path.write_bytes(content)
      try:
        info = dicom.probe(self.path, frame_rate=24)
        frames = [writer.OutputFrame(f, f.rgb)
                  for f in dicom.read_frames(info)]
        dicom_writer.write(self.dir / 'out.dcm', frames, info)
        read += 1
      except types.BadInput as error:
        self.assertLen(str(error).splitlines(), 1)
    self.assertGreater(read, 5)


if __name__ == '__main__':
  absltest.main()
