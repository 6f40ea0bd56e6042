"""Tests of video/dicom_writer.py: what changes in a file, and what does not."""

import pathlib

from absl.testing import absltest, parameterized
import numpy as np
import pydicom
from pydicom import dataset, uid

from revive_jax import types
from revive_jax.video import dicom, dicom_writer, probe, writer
from tests.video import clips, dicom_test

_CHANGED = {'ImageType', 'SOPInstanceUID', 'DerivationDescription',
            'SourceImageSequence', 'ContributingEquipmentSequence',
            'ImageComments', 'PixelData'}


class DicomWriterTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.path, self.out = self.dir / 'film.dcm', self.dir / 'out.dcm'

  def _repair(self, box=None, value=0, out=None):
    """Writes the film with a box set to a grey; None: as it is."""
    info = dicom.probe(self.path, frame_rate=24)
    def frames():
      for source in dicom.read_frames(info):
        rgb = source.rgb
        if box:
          rgb = rgb.copy()
          rgb[box] = value
        yield writer.OutputFrame(source, rgb)
    return dicom_writer.write(out or self.out, frames(), info)

  def _pixels(self, path):
    return pydicom.dcmread(path).PixelData

  @parameterized.parameters(
      (8, {}), (12, {}), (16, {}), (16, dict(signed=True)),
      (10, dict(syntax=uid.ExplicitVRBigEndian)),
      (9, dict(syntax=uid.ImplicitVRLittleEndian)),
      (12, dict(PhotometricInterpretation='MONOCHROME1')))
  def test_untouched_pixels_come_back_bit_for_bit(self, bits, how):
    words = dicom_test.words_of(bits=bits)
    if bits in (9, 10):  # Unused bits hold something.
      words |= np.uint16(0x5000)
    dicom_test.write(self.path, words, stored=bits, **how)
    before = self.path.read_bytes()
    written = self._repair()
    self.assertEqual(self._pixels(self.out), self._pixels(self.path))
    self.assertEqual(self.path.read_bytes(), before)
    self.assertEqual((written.num_frames, written.kept_fraction), (3, 1.0))

  def test_only_changed_pixels_change(self):
    words = dicom_test.words_of(shape=(2, 8, 9))
    words[:, 7, 8], words[:, 0, 0] = 4095, 0  # The range is all of it.
    dicom_test.write(self.path, words)
    written = self._repair(np.s_[2:4, 3:6], 32767)
    got = pydicom.dcmread(self.out).pixel_array
    inside = np.zeros((8, 9), bool)
    inside[2:4, 3:6] = True
    np.testing.assert_array_equal(got[:, ~inside], words[:, ~inside])
    self.assertEqual(set(got[:, inside].flat), {2047})  # Half of 4095.
    self.assertAlmostEqual(written.kept_fraction, 1 - 6 / 72)

  def test_tags_stay_but_for_those_that_must_not(self):
    dicom_test.write(
        self.path, dicom_test.words_of(),
        ImageType=['ORIGINAL', 'PRIMARY', 'X'],
        BurnedInAnnotation='NO', ImageComments='Left knee')
    self._repair(np.s_[1:3, 1:3], 0)
    old, new = pydicom.dcmread(self.path), pydicom.dcmread(self.out)
    changed = {e.keyword for e in new if e != old.get(e.tag)}
    self.assertEqual(changed, _CHANGED)
    self.assertEqual({e.tag for e in old} - {e.tag for e in new}, set())
    self.assertEqual(list(new.ImageType), ['DERIVED', 'PRIMARY', 'X'])
    self.assertEqual(new.BurnedInAnnotation, 'NO')
    self.assertEqual(new[0x00091001].value, b'\1\2\3\4')
    self.assertIn('NOT FOR DIAGNOSIS', new.DerivationDescription)
    self.assertIn('12 of 126 pixels', new.DerivationDescription)
    self.assertEqual(
        new.ImageComments, f'{dicom_writer.NOTICE}; Left knee')
    self.assertEqual(
        new.SourceImageSequence[0].ReferencedSOPInstanceUID, '2.25.77')
    self.assertEqual(
        new.SOPInstanceUID, new.file_meta.MediaStorageSOPInstanceUID)
    self.assertTrue(new.SOPInstanceUID.is_valid)

  def test_same_pixels_same_file(self):
    dicom_test.write(self.path, dicom_test.words_of())
    other = self.dir / 'other.dcm'
    for path in (self.out, other):
      self._repair(np.s_[1:3, 1:3], 0, path)
    self.assertEqual(self.out.read_bytes(), other.read_bytes())
    self._repair(np.s_[1:3, 1:3], 9999, other)
    self.assertNotEqual(pydicom.dcmread(self.out).SOPInstanceUID,
                        pydicom.dcmread(other).SOPInstanceUID)

  def test_what_describes_the_pixels_follows_them(self):
    words = dicom_test.words_of()
    words[0, 2, 2] = 4000  # The largest goes.
    words = np.minimum(words, np.where(words == 4000, 4000, 3000))
    item, kind = dataset.Dataset(), dataset.Dataset()
    kind.FrameType = ['ORIGINAL', 'PRIMARY', 'NONE', 'NONE']
    item.MRImageFrameTypeSequence = [kind]
    dicom_test.write(
        self.path, words.astype(np.uint16), SmallestImagePixelValue=5,
        LargestImagePixelValue=4000, SharedFunctionalGroupsSequence=[item],
        DigitalSignaturesSequence=[dataset.Dataset()])
    written = self._repair(np.s_[2:3, 2:3], 0)
    new = pydicom.dcmread(self.out)
    self.assertEqual(new.LargestImagePixelValue, new.pixel_array.max())
    self.assertEqual(new.SmallestImagePixelValue, new.pixel_array.min())
    frame_type = new.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence
    self.assertEqual(list(frame_type[0].FrameType),
                     ['DERIVED', 'PRIMARY', 'NONE', 'NONE'])
    self.assertNotIn('DigitalSignaturesSequence', new)
    self.assertIn('signature', written.warnings[0])

  def test_compressed_without_loss_is_written_plain(self):
    words = dicom_test.words_of(bits=16)
    data = dicom_test.write(self.path, words, stored=16)
    data.compress(uid.RLELossless)
    data.save_as(self.path, enforce_file_format=True)
    written = self._repair()
    new = pydicom.dcmread(self.out)
    np.testing.assert_array_equal(new.pixel_array, words)
    self.assertFalse(new.file_meta.TransferSyntaxUID.is_compressed)
    self.assertIn('uncompressed', written.warnings[0])

  def test_pixels_of_an_odd_number_of_bytes(self):
    words = dicom_test.words_of(bits=8, shape=(1, 3, 5))
    dicom_test.write(self.path, words, stored=8)
    self._repair()
    np.testing.assert_array_equal(
        pydicom.dcmread(self.out).pixel_array, words[0])

  def test_bad_places_are_refused(self):
    dicom_test.write(self.path, dicom_test.words_of())
    before = self.path.read_bytes()
    with self.assertRaisesRegex(types.BadInput, 'the output is the input'):
      self._repair(out=self.path)
    with self.assertRaisesRegex(types.BadInput, 'folder'):
      self._repair(out=self.dir)
    self.assertEqual(self.path.read_bytes(), before)
    clips.write(self.dir / 'film.mkv', clips.pictures(2))
    with self.assertRaisesRegex(types.BadInput, 'only written from DICOM'):
      dicom_writer.check_output(self.out, probe.probe(self.dir / 'film.mkv'))

  @parameterized.parameters(False, True)
  def test_parts_make_the_same_file_as_a_whole(self, compressed):
    words = dicom_test.words_of(bits=16)
    data = dicom_test.write(self.path, words, stored=16)
    if compressed:
      data.compress(uid.RLELossless)
      data.save_as(self.path, enforce_file_format=True)
    self._repair(np.s_[1:3, 1:3], 0)
    info = dicom.probe(self.path, frame_rate=24)
    frames = []
    for source in dicom.read_frames(info):
      rgb = source.rgb.copy()
      rgb[1:3, 1:3] = 0
      frames.append(writer.OutputFrame(source, rgb))
    first = dicom_writer.write_words(self.dir / '1', frames[:2], info)
    tally = dicom_writer.write_words(self.dir / '2', frames[2:], info)
    tally.stamps = first.stamps + tally.stamps
    tally.kept, tally.pixels = tally.kept + first.kept, tally.pixels * 3
    other = self.dir / 'other.dcm'
    dicom_writer.join(other, [self.dir / '1', self.dir / '2'], info, tally)
    self.assertEqual(other.read_bytes(), self.out.read_bytes())

  def test_a_lost_frame_is_an_error_and_leaves_nothing(self):
    dicom_test.write(self.path, dicom_test.words_of())
    info = dicom.probe(self.path, frame_rate=24)
    frames = [writer.OutputFrame(f, f.rgb) for f in dicom.read_frames(info)]
    with self.assertRaises(RuntimeError):
      dicom_writer.write(self.out, frames[:2], info)
    self.assertEqual([p.name for p in self.dir.iterdir()], ['film.dcm'])

  def test_the_notice_can_be_burnt_in(self):
    for height, width in ((64, 400), (1, 1), (40, 30)):
      rgb = np.full((height, width, 3), 30000, np.uint16)
      got = dicom_writer.burn(rgb)
      np.testing.assert_array_equal(rgb, 30000)
      self.assertEqual((got.shape, got.dtype), (rgb.shape, rgb.dtype))
      np.testing.assert_array_equal(got[:height * 3 // 4], 30000)
    got = dicom_writer.burn(np.full((64, 400, 3), 30000, np.uint16))
    self.assertGreater(got[48:].max(), 55000)
    self.assertEqual(got[48:].min(), 0)


if __name__ == '__main__':
  absltest.main()
