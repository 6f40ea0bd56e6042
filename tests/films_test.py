"""Tests of films.py: many films, some of which are none."""

import json
import pathlib
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np

from configs import restore as config
from revive_jax import films, types
from revive_jax.video import probe, reader, writer


class FilmsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.input = self.dir / 'in'
    self.input.mkdir()

  def _film(self, name, count=3):
    rng = np.random.default_rng(len(name))
    frames = rng.integers(0, 255, (count, 32, 48, 3)).astype(np.uint8)
    writer.write_rgb(self.input / name, frames, frame_rate=24)

  def _run(self, source=None, **settings):
    c = config.get_config('tiny')
    c.update(settings)
    return films.restore_all(
        c, str(self.dir / 'work'), str(source or self.input),
        str(self.dir / 'out'))

  def test_goes_on_after_a_bad_one_and_leaves_what_is_done(self):
    self._film('a.mkv')
    (self.input / 'b.mp4').write_bytes(b'no film at all')
    self._film('c.mp4', 2)
    (self.input / 'notes.pdf').write_bytes(b'')
    rows = self._run()
    self.assertEqual([(r.state, r.frames, r.is_good) for r in rows], [
        ('restored', 3, True), ('refused', 0, False), ('restored', 2, True)])
    self.assertIn('b.mp4', rows[1].what)
    for name, count in (('a.mkv', 3), ('c.mp4', 2)):
      info = probe.probe(str(self.dir / 'out' / name))
      self.assertLen(list(reader.read_frames(info)), count)
    text = films.table(rows)
    self.assertRegex(text, r'b\.mp4 +refused +0\.\d  .*b\.mp4')
    kept = json.loads((self.dir / 'work' / 'films.json').read_text())
    self.assertEqual(kept['left'], 0)
    self.assertEqual(kept['films'][2]['frames'], 2)
    # Again: what is done is left; what has changed is not.
    stamp = (self.dir / 'out' / 'a.mkv').stat().st_mtime_ns
    self._film('c.mp4', 4)
    self.assertEqual([r.state for r in self._run()],
                     ['done before', 'refused', 'restored'])
    self.assertEqual((self.dir / 'out' / 'a.mkv').stat().st_mtime_ns, stamp)
    self.assertEqual([r.state for r in self._run(composite='repair')],
                     ['restored', 'refused', 'restored'])

  def test_a_list_and_equal_names(self):
    self._film('a.mkv', 1)
    self._film('a.mp4', 1)
    (self.dir / 'list.txt').write_text(
        '# two\nin/a.mkv\n\nin/a.mp4\nin/no.mkv\n')
    rows = self._run(self.dir / 'list.txt')
    self.assertEqual([r.state for r in rows],
                     ['restored', 'restored', 'refused'])
    self.assertEqual({p.name for p in (self.dir / 'out').iterdir()},
                     {'a_mkv.mkv', 'a_mkv.mkv.c2pa', 'a_mp4.mp4'})

  def test_a_namesake_that_comes_later_renames_nothing(self):
    self._film('a.mkv')
    self._run()
    self._film('a.mp4', 2)
    rows = self._run()
    self.assertEqual([r.state for r in rows], ['done before', 'restored'])
    self.assertCountEqual([p.name for p in (self.dir / 'out').iterdir()],
                          ['a.mkv', 'a.mkv.c2pa', 'a_mp4.mp4'])

  def test_a_later_list_overwrites_nothing_of_an_earlier_one(self):
    for folder in ('one', 'two'):
      (self.dir / folder).mkdir()
      self._film('a.mkv', 1 + (folder == 'two'))
      (self.input / 'a.mkv').rename(self.dir / folder / 'a.mkv')
      (self.dir / f'{folder}.txt').write_text(f'{folder}/a.mkv\n')
    self._run(self.dir / 'one.txt')
    first = (self.dir / 'out/a.mkv').read_bytes()
    rows = self._run(self.dir / 'two.txt')
    self.assertEqual([(r.state, r.frames) for r in rows], [('restored', 2)])
    self.assertEqual((self.dir / 'out/a.mkv').read_bytes(), first)
    self.assertTrue((self.dir / 'out/a_2.mkv').is_file())
    # Both names are known from now on.
    for name in ('one', 'two'):
      rows = self._run(self.dir / f'{name}.txt')
      self.assertEqual([r.state for r in rows], ['done before'])

  def test_a_run_that_was_stopped_between_films_goes_on(self):
    for name in 'abc':
      self._film(f'{name}.mkv')
    whole, started = films.restore.restore, []

    def stopped(c, workdir, source, destination):
      started.append(pathlib.Path(source).name)
      if source.endswith('b.mkv') and len(started) == 2:
        raise KeyboardInterrupt
      return whole(c, workdir, source, destination)

    with mock.patch.object(films.restore, 'restore', stopped):
      with self.assertRaises(KeyboardInterrupt):
        self._run()
      self.assertEqual(
          json.loads((self.dir / 'work' / 'films.json').read_text())['left'], 2)
      self.assertEqual([r.state for r in self._run()],
                       ['done before', 'restored', 'restored'])
    self.assertEqual(started, ['a.mkv', 'b.mkv', 'b.mkv', 'c.mkv'])

  def test_what_is_about_one_film_is_refused(self):
    self._film('a.mkv')
    for settings in (dict(decisions='mine.json'),
                     dict(num_samples=2, weights='gan')):
      with self.assertRaisesRegex(types.BadInput, 'about one film'):
        self._run(**settings)

  def test_what_many_films_are(self):
    cv2.imwrite(str(self.input / 'a.png'), np.zeros((8, 8), np.uint8))
    self.assertFalse(films.is_many(str(self.input)))  # Frames of one film.
    self._film('a.mkv', 1)
    self.assertTrue(films.is_many(str(self.input)))
    self.assertTrue(films.is_many('list.txt'))
    self.assertFalse(films.is_many(str(self.input / 'a.mkv')))
    self.assertFalse(films.is_many(None))
    self.assertEqual([p.name for p in films.find(str(self.input))],
                     ['a.mkv', 'a.png'])

  def test_refuses(self):
    with self.assertRaisesRegex(types.BadInput, 'gone.txt'):
      self._run(self.dir / 'gone.txt')
    (self.dir / 'empty.txt').write_text('# nothing\n')
    with self.assertRaisesRegex(types.BadInput, 'no film is named'):
      self._run(self.dir / 'empty.txt')
    self._film('a.mkv', 1)
    (self.dir / 'out').write_text('')
    with self.assertRaisesRegex(types.BadInput, 'this is a file'):
      self._run()
    with self.assertRaisesRegex(types.BadInput, 'output is the input'):
      films.restore_all(config.get_config('tiny'), str(self.dir / 'work'),
                        str(self.input), str(self.input))


if __name__ == '__main__':
  absltest.main()
