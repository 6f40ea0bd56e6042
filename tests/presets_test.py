"""Tests of configs/presets/: each on its own damaged sample, and its promise.
"""

import json
import pathlib

from absl.testing import absltest, parameterized
import av
import numpy as np
import pydicom

from configs import restore as restore_config
from configs.presets import film, home_video, medical, surveillance
from revive_jax import samples, types
from revive_jax.video import dicom, probe, reader

_PRESETS = {'film': film, 'home_video': home_video, 'medical': medical,
            'surveillance': surveillance}


def _frames(path):
  return list(reader.read_frames(probe.probe(str(path))))


def _grain(path):
  """Noise of each frame: the median of its second differences (MAD)."""
  grey = np.stack([f.rgb for f in _frames(path)]).mean(-1)
  mixed = np.diff(grey, 2, axis=1)
  return np.median(np.abs(np.diff(mixed, 2, axis=2)), (1, 2))


class PresetsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.outputs = self.dir / 'outputs'

  def _restore(self, preset, **sample):
    c = preset.get_config('tiny')
    c.sample.update(sample)
    report = samples.restore_sample(c.lock(), str(self.dir))
    for item in report['outputs']:
      self.assertTrue(pathlib.Path(item['path']).is_file(), item)
    stored = json.loads((self.dir / 'report.json').read_text())
    self.assertEqual(stored['quality'], report['quality'])
    return report

  @parameterized.parameters(*_PRESETS)
  def test_only_settings_that_exist(self, name):
    """Besides the sample, and the notice of medical footage."""
    known = restore_config.get_config()
    for size in ('base', 'tiny'):
      c = _PRESETS[name].get_config(size)
      self.assertEqual(c.mode, 'restore')
      self.assertEqual(set(c) - set(known), {'sample'} | (
          {'notice'} if name == 'medical' else set()))
      for key in ('strength', 'output'):
        self.assertEqual(set(c[key]), set(known[key]))
      self.assertEqual(c.sample.name, name)
      self.assertIn(c.sample.name, samples.SAMPLES)
    with self.assertRaises(KeyError):
      _PRESETS[name].get_config('huge')

  def test_film_keeps_its_grain(self):
    report = self._restore(film)
    before, after = (_grain(self.outputs / f'{n}.mkv')
                     for n in ('damaged', 'restored'))
    self.assertBetween(np.median(after / before), 0.85, 1.15)
    self.assertGreater(report['shots'][0]['share']['damaged'], 0.005)
    self.assertGreater(report['quality']['restored']['psnr_db'],
                       report['quality']['damaged']['psnr_db'] + 0.3)

  def test_home_video_keeps_every_frame_and_its_sound(self):
    report = self._restore(home_video)
    self.assertLen(_frames(self.outputs / 'damaged.mkv'), 12)
    self.assertEqual(report['outputs'][0]['frames'] % 12, 0)
    with av.open(str(self.outputs / 'restored.mkv')) as file:
      track, = file.streams.audio
      self.assertEqual(track.rate, 48000)
      count = sum(frame.samples for frame in file.decode(track))
    self.assertEqual(count, 12 * 48000 // 25)

  def test_home_video_sample_is_interlaced(self):
    """Every second line is of another moment than the frame it is in."""
    c = home_video.get_config('tiny')
    sample = samples.SAMPLES['home_video'](c.sample, 0, self.dir)
    grey = np.stack([f.rgb for f in _frames(sample.path)]).mean(-1)
    error = np.abs(grey - 255 * sample.clean.mean(-1)).mean((0, 2))
    self.assertGreater(error[1::2].mean(), 1.3 * error[::2].mean())

  def test_surveillance_waits_for_nothing_and_invents_nothing(self):
    c = surveillance.get_config()
    self.assertEqual((c.lookahead, c.weights), (0, ''))
    self.assertEqual({k for k, v in c.strength.items() if v}, {'noise'})
    report = self._restore(surveillance)
    self.assertIsNone(report['weights'])
    for shot in report['shots']:
      for kind in ('damaged', 'moved', 'invented'):
        self.assertEqual(shot['share'][kind], 0)
      self.assertNotIn('restore', [s['name'] for s in shot['stages']])
    self.assertGreater(report['quality']['restored']['psnr_db'],
                       report['quality']['damaged']['psnr_db'] + 0.5)

  def test_medical_changes_what_is_marked_and_no_other_bit(self):
    """Through the written file, read by pydicom."""
    report = self._restore(medical)
    old, new = (pydicom.dcmread(self.outputs / f'{n}.dcm')
                for n in ('damaged', 'restored'))
    mask = _frames(self.outputs / 'mask.png')[0].rgb[..., 0] > 0
    near = np.pad(mask, 1)
    near = np.logical_or.reduce([
        near[y:y + mask.shape[0], x:x + mask.shape[1]]
        for y in range(3) for x in range(3)])
    differs = old.pixel_array != new.pixel_array
    self.assertEqual(int(differs[:, ~near].sum()), 0)
    self.assertGreater(differs[:, mask].mean(), 0.9)
    self.assertEqual(report['quality']['pixels_changed_away_from_marks'], 0)
    self.assertGreater(report['quality']['restored']['psnr_db'],
                       report['quality']['damaged']['psnr_db'] + 15)
    self.assertIn('NOT FOR DIAGNOSIS', new.DerivationDescription)
    self.assertEqual(new.PatientName, old.PatientName)
    self.assertEqual(report['outputs'][0]['codec'], 'dicom')

  def test_medical_without_a_mask_changes_no_pixel(self):
    from revive_jax import restore
    c = medical.get_config('tiny')
    c.sample.num_frames = 6
    sample = samples.SAMPLES['medical'](c.sample, 0, self.dir)
    restore.restore(c, str(self.dir), sample.path, str(self.dir / 'out.dcm'))
    self.assertEqual(pydicom.dcmread(sample.path).PixelData,
                     pydicom.dcmread(self.dir / 'out.dcm').PixelData)

  def test_medical_sample_is_of_12_bits(self):
    c = medical.get_config('tiny')
    sample = samples.SAMPLES['medical'](c.sample, 0, self.dir)
    coding = dicom.read_coding(sample.path)
    self.assertEqual((coding.frames, coding.stored), (8, 12))

  def test_samples_that_make_no_sense_are_refused(self):
    for wrong, word in ((dict(width=8), 'too small'), (dict(name='x'), "'x'")):
      with self.assertRaisesRegex(types.BadInput, word):
        self._restore(film, **wrong)
    self.assertFalse(self.outputs.exists())


if __name__ == '__main__':
  absltest.main()
