"""Tests of restore.py: films in, films out, and what is refused."""

import json
import os
import pathlib
import re
from unittest import mock

from absl.testing import absltest, parameterized
import cv2
import jsonschema
import numpy as np
import pytest

from configs import restore as config
from configs import restore_classical
from revive_jax import restore, types
from revive_jax.pipeline import segments, tally, timeline
from revive_jax.video import probe, reader, writer
from tests.pipeline import run_test


def _frames(path):
  return list(reader.read_frames(probe.probe(str(path))))


class RestoreTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _write(self, film, name='film.mkv'):
    path = self.dir / name
    writer.write_rgb(path, film, frame_rate=24)
    return path

  def _restore(self, path, output='out.mkv', c=None, **settings):
    c = c or config.get_config('tiny')
    with c.unlocked():
      for key, value in settings.items():
        c[key] = value
    return restore.restore(c, str(self.dir / 'work'), str(path),
                           str(self.dir / output))

  def test_a_film_comes_back_with_a_report(self):
    film = run_test._film(10)
    report = self._restore(self._write(film), c=config.get_config())
    out = _frames(self.dir / 'out.mkv')
    self.assertLen(out, 10)
    text = (pathlib.Path(__file__).parents[1] / 'docs/formats.md').read_text()
    schema = json.loads(re.search(r'```json\n(.*?)```', text, re.S).group(1))
    jsonschema.validate(
        json.loads((self.dir / 'work/report.json').read_text()), schema)
    with self.assertRaises(jsonschema.ValidationError):
      jsonschema.validate({**report, 'schema': 2}, schema)
    self.assertGreater(report['shots'][0]['share']['changed'], 0)

  @parameterized.parameters('full', 'repair')
  def test_strength_zero_gives_every_frame_back(self, mode):
    film = run_test._film(4)
    path = self._write(film)
    c = config.get_config('tiny')
    for kind in c.strength:
      c.strength[kind] = 0.0
    self._restore(path, c=c, composite=mode)
    for a, b in zip(_frames(path), _frames(self.dir / 'out.mkv'), strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)
      self.assertEqual(a.pts, b.pts)

  def test_repair_changes_the_marked_pixels_and_no_other(self):
    """Through the whole path to a lossless file, decoded again."""
    path = self._write(run_test._film(5))
    mask = np.zeros((96, 128), np.uint8)
    mask[30:40, 50:60] = 255
    cv2.imwrite(str(self.dir / 'mask.png'), mask)
    c = config.get_config('tiny')
    c.strength.dust = c.strength.scratch = 0.0
    self._restore(path, c=c, composite='repair',
                  mask=str(self.dir / 'mask.png'))
    near = cv2.dilate(mask, np.ones((3, 3))) > 0
    for a, b in zip(_frames(path), _frames(self.dir / 'out.mkv'), strict=True):
      np.testing.assert_array_equal(a.rgb[~near], b.rgb[~near])
      self.assertTrue((a.rgb[mask > 0] != b.rgb[mask > 0]).any())

  # Every size that a network sees is compiled anew.
  @parameterized.parameters(
      (321, 243, 3, ''), (16, 16, 4, ''), (1, 1, 3, 'restorer'),
      (64, 48, 1, ''))
  def test_odd_and_small_sizes(self, width, height, count, weights):
    self._check_size(width, height, count, weights)

  @pytest.mark.slow
  def test_odd_sizes_with_the_network(self):
    self._check_size(33, 49, 2, 'restorer')

  def _check_size(self, width, height, count, weights):
    rng = np.random.default_rng(0)
    film = rng.integers(0, 255, (count, height, width, 3)).astype(np.uint8)
    path = self._write(film)
    for output in ('a.mkv', 'b.mp4', 'folder'):
      c = config.get_config()
      c.weights = weights
      self._restore(path, output, c=c)
      got = _frames(self.dir / output)
      self.assertLen(got, count)
      self.assertEqual(got[0].rgb.shape, (height, width, 3))

  def test_a_photograph(self):
    photo = run_test._film(1)[0]
    cv2.imwrite(str(self.dir / 'photo.png'), photo)
    self._restore(self.dir / 'photo.png', 'fixed.png', c=config.get_config())
    self.assertEqual(cv2.imread(str(self.dir / 'fixed.png')).shape, photo.shape)

  def test_every_stage_by_name(self):
    c = restore_classical.get_config('tiny')
    report = self._restore(self._write(run_test._film(4)), c=c)
    self.assertEqual([s['name'] for s in report['shots'][0]['stages']],
                     list(c.stages))

  def test_same_seed_same_film(self):
    path = self._write(run_test._film(6))
    self._restore(path, 'a.mkv')
    self._restore(path, 'b.mkv')
    for a, b in zip(_frames(self.dir / 'a.mkv'), _frames(self.dir / 'b.mkv'),
                    strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)

  @parameterized.parameters(
      (dict(composite='half'), 'composite'),
      (dict(fill='magic'), 'fill'),
      (dict(stages=('match', 'dream')), 'dream'),
      (dict(stages=('match', 'detect', 'output')), 'add composite'),
      (dict(window=0), 'window'),
      (dict(overlap=2000), 'overlap'),
      (dict(mask='nowhere.png'), 'nowhere'))
  def test_settings_that_make_no_sense(self, settings, word):
    path = self._write(run_test._film(2))
    with self.assertRaisesRegex(types.BadInput, word):
      self._restore(path, **settings)
    self.assertFalse((self.dir / 'out.mkv').exists())

  def test_bad_files_are_refused_and_left_alone(self):
    (self.dir / 'empty.mp4').write_bytes(b'')
    (self.dir / 'text.mp4').write_text('not a film\n' * 50)
    (self.dir / 'none').mkdir()
    whole = self._write(run_test._film(6), 'whole.mp4').read_bytes()
    (self.dir / 'cut.mp4').write_bytes(whole[:len(whole) // 2])
    for name in ('missing.mkv', 'empty.mp4', 'text.mp4', 'none', 'cut.mp4'):
      path = self.dir / name
      before = path.read_bytes() if path.is_file() else None
      with self.assertRaises(types.BadInput, msg=name):
        self._restore(path)
      if before is not None:
        self.assertEqual(path.read_bytes(), before)
      self.assertFalse((self.dir / 'out.mkv').exists())

  def test_output_equal_to_input(self):
    path = self._write(run_test._film(2))
    before = path.read_bytes()
    with self.assertRaises(types.BadInput):
      self._restore(path, 'film.mkv')
    os.link(path, self.dir / 'same.mkv')
    with self.assertRaises(types.BadInput):
      self._restore(path, 'same.mkv')
    self.assertEqual(path.read_bytes(), before)

  def test_workdir_that_is_a_file_and_one_that_is_in_use(self):
    path = self._write(run_test._film(2))
    (self.dir / 'work').write_text('')
    with self.assertRaisesRegex(types.BadInput, 'workdir'):
      self._restore(path)

  def _stop_after(self, path, windows, c):
    """A run that is stopped in one of its windows."""
    seen = []

    def stop(clip):
      seen.append(clip)
      if len(seen) > windows:
        raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      restore.restore(c, str(self.dir / 'work'), str(path),
                      str(self.dir / 'out.mkv'), see=stop)

  def test_stopping_leaves_nothing_half_written(self):
    path = self._write(run_test._film(3))
    self._stop_after(path, 0, config.get_config('tiny'))
    self.assertEqual({p.name for p in self.dir.iterdir()},
                     {'film.mkv', 'work'})

  def test_a_stopped_run_goes_on(self):
    path = self._write(run_test._film(60, 48, 64))
    c = config.get_config('tiny')
    c.window, c.lookahead = 12, 2
    with mock.patch.object(tally, 'SEGMENT', 12):
      wanted = restore.restore(
          c, str(self.dir / 'other'), str(path), str(self.dir / 'whole.mkv'))
      self._stop_after(path, 1, c)
      self._stop_after(path, 1, c)
      with self.assertLogs(level='WARNING') as seen:
        report = self._restore(path, c=c)
    self.assertIn('Going on after 24 of 60 frames', '\n'.join(seen.output))
    self.assertEqual(report['shots'], wanted['shots'])
    for a, b in zip(_frames(self.dir / 'whole.mkv'),
                    _frames(self.dir / 'out.mkv'), strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)
      self.assertEqual(a.pts, b.pts)
    self.assertFalse((self.dir / 'work/segments').exists())

  def test_a_run_that_was_ended_after_its_film(self):
    path = self._write(run_test._film(4, 32, 48))
    for output in ('out.mkv', 'folder'):
      with mock.patch.object(
          segments.Segments, 'remove', side_effect=KeyboardInterrupt):
        with self.assertRaises(KeyboardInterrupt):
          self._restore(path, output)
      stamp = (self.dir / output).stat().st_mtime_ns
      (self.dir / 'work' / 'report.json').unlink()
      report = self._restore(path, output)
      self.assertEqual(report['outputs'][0]['frames'], 4)
      self.assertEqual((self.dir / output).stat().st_mtime_ns, stamp)
      self.assertTrue((self.dir / 'work' / 'report.json').exists())
      self.assertFalse((self.dir / 'work' / 'segments').exists())

  def test_another_output_is_not_the_film_of_a_run_that_was_ended(self):
    path = self._write(run_test._film(4, 32, 48))
    with mock.patch.object(
        segments.Segments, 'remove', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        self._restore(path, 'out.mkv')
    (self.dir / 'other.mkv').write_bytes(b'of somebody else')
    report = self._restore(path, 'other.mkv')
    self.assertEqual(
        report['outputs'][0]['path'], str(self.dir / 'other.mkv'))
    self.assertLen(_frames(self.dir / 'other.mkv'), 4)
    # All frames were there already: none was restored in this run.
    self.assertEqual(report['speed']['frames_per_second'], 0)

  def test_speed_and_space_are_of_frames_of_the_source(self):
    """Of 24 a third is shown twice, and left out: 16 are written."""
    film = np.repeat(run_test._film(16, 48, 64), [1, 2] * 8, axis=0)
    path, c = self._write(film), config.get_config('tiny')
    planned, seen = timeline.plan, []

    def plan(shots, stamps, mode, **options):  # Even ones of each pair.
      found = planned(shots, stamps, mode, **options)
      return found._replace(shown={t: () for t in range(2, 24, 3)})

    def stop(clip):
      seen.append(clip)
      if len(seen) > 1:
        raise KeyboardInterrupt

    c.window, c.lookahead, c.repeats = 12, 2, 'all'
    with (mock.patch.object(tally, 'SEGMENT', 12),
          mock.patch.object(timeline, 'plan', plan)):
      with self.assertRaises(KeyboardInterrupt):
        restore.restore(c, str(self.dir / 'work'), str(path),
                        str(self.dir / 'out.mkv'), see=stop)
      kept = segments.Segments(self.dir / 'work/segments')
      kept.notes = [json.loads(
          (kept.folder / '000000.json').read_text())]
      self.assertLen(kept.notes[0]['part']['stamps'], 8)
      self.assertEqual(kept.frames, 12)
      report = self._restore(path, c=c)
    speed = report['speed']
    self.assertEqual(report['outputs'][0]['frames'], 16)
    rate = speed['frames_per_second']  # Seconds are rounded to hundredths.
    self.assertAlmostEqual(rate * speed['seconds'], 12, delta=0.006 * rate)

  @pytest.mark.slow
  def test_interlaced_again_with_the_network(self):
    """Through several windows; what nobody changes is bit for bit."""
    film = run_test._film(120, 64, 96)
    fields = np.stack([np.where(
        np.arange(64)[:, None, None] % 2 == 0, a, b)
                       for a, b in zip(film[::2], film[1::2], strict=True)])
    path = self._write(fields)
    c = config.get_config()
    c.interlace, c.window, c.lookahead = 'keep', 8, 3
    report = self._restore(path, c=c)
    self.assertEqual(report['outputs'][0]['frames'], 60)
    self.assertLen(_frames(self.dir / 'out.mkv'), 60)
    c.lookahead = 0
    self._restore(path, c=c)

  def test_a_stopped_run_goes_on_with_nothing_else(self):
    path = self._write(run_test._film(60, 32, 48))
    c = config.get_config('tiny')
    self._stop_after(path, 2, c)
    other = config.get_config('tiny')
    other.strength.dust = 0.5
    with self.assertRaisesRegex(
        types.BadInput, 'other settings: strength.dust=1.0; .*--workdir'):
      self._restore(path, c=other)
    before = path.read_bytes()
    self._write(run_test._film(60, 32, 48, seed=1))
    with self.assertRaisesRegex(types.BadInput, 'another input'):
      self._restore(path, c=c)
    self.assertFalse((self.dir / 'out.mkv').exists())
    self.assertNotEqual(before, path.read_bytes())

  def test_more_bits_than_the_source_has(self):
    path = self._write(run_test._film(3))
    c = config.get_config('tiny')
    c.output.bits = 16
    self._restore(path, c=c)
    out = _frames(self.dir / 'out.mkv')
    self.assertEqual(out[0].rgb.dtype, np.uint16)
    # Values between two of 256 levels: what 8 bits could not have held.
    self.assertTrue((out[1].rgb % 257 > 0).any())


if __name__ == '__main__':
  absltest.main()
