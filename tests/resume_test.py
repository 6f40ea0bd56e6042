"""Stopped runs of every kind of film go on to the film of one that was not."""

import pathlib
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np

from configs import restore as config
from configs.presets import medical
from revive_jax import restore
from revive_jax.pipeline import tally
from revive_jax.video import probe, reader, writer
from tests.audio import film_test
from tests.pipeline import run_test
from tests.video import clips, dicom_test


class ResumeTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.enter_context(mock.patch.object(tally, 'SEGMENT', 6))

  def _both(self, source, suffix, c=None, windows=2):
    """Paths of a film that was stopped in a window, and of one that was not."""
    c = c or config.get_config('tiny')
    c.window = 6
    seen = []

    def stop(clip):
      seen.append(clip)
      if len(seen) > windows:
        raise KeyboardInterrupt

    paths = [str(self.dir / f'{name}{suffix}') for name in ('cut', 'whole')]
    run = lambda number, see=None: restore.restore(
        c, str(self.dir / str(number)), str(source), paths[number], see=see)
    with self.assertRaises(KeyboardInterrupt):
      run(0, stop)
    with self.assertLogs(level='WARNING') as said:
      run(0)
    self.assertIn('Going on after', '\n'.join(said.output))
    run(1)
    return paths

  def _frames(self, path):
    return list(reader.read_frames(probe.probe(path)))

  def _assert_equal(self, paths, count):
    cut, whole = map(self._frames, paths)
    self.assertLen(cut, count)
    for a, b in zip(cut, whole, strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)
      self.assertEqual(a.pts, b.pts)

  def test_without_a_look_ahead(self):
    writer.write_rgb(
        self.dir / 'film.mkv', run_test._film(20, 32, 48), frame_rate=24)
    c = config.get_config('tiny')
    c.lookahead = 0
    self._assert_equal(self._both(self.dir / 'film.mkv', '.mkv', c), 20)

  def test_interlaced(self):
    film = run_test._film(40, 48, 64)
    woven = np.stack([np.where(
        np.arange(48)[:, None, None] % 2 == 0, a, b)
                      for a, b in zip(film[::2], film[1::2], strict=True)])
    writer.write_rgb(self.dir / 'film.mkv', woven, frame_rate=24)
    c = config.get_config('tiny')
    c.interlace = 'double'
    self._assert_equal(self._both(self.dir / 'film.mkv', '.mkv', c), 40)

  def test_with_sound_that_is_repaired(self):
    source = film_test._film(
        self.dir / 'film.mkv', [film_test._wave(0.0), film_test._wave(0.02)])
    c = config.get_config('tiny')
    c.audio.update(hiss=0.9, hum=1.0)
    paths = self._both(source, '.mkv', c)
    self._assert_equal(paths, 36)
    cut, whole = (clips.packets(p, 'audio') for p in paths)
    self.assertLen(cut, 2)
    self.assertEqual(cut, whole)

  def test_a_folder_of_pictures(self):
    folder = self.dir / 'film'
    folder.mkdir()
    for t, frame in enumerate(run_test._film(20, 32, 48)):
      cv2.imwrite(str(folder / f'{t:04d}.png'), frame)
    paths = self._both(folder, '')
    self._assert_equal(paths, 20)
    self.assertLen(list(pathlib.Path(paths[0]).glob('*.png')), 20)

  def test_medical_pictures(self):
    dicom_test.write(self.dir / 'film.dcm', dicom_test.words_of(
        shape=(20, 32, 48)))
    mask = np.zeros((32, 48), np.uint8)
    mask[10:14, 20:26] = 255
    cv2.imwrite(str(self.dir / 'mask.png'), mask)
    c = medical.get_config('tiny')
    c.mask = str(self.dir / 'mask.png')
    self._assert_equal(self._both(self.dir / 'film.dcm', '.dcm', c), 20)


if __name__ == '__main__':
  absltest.main()
