"""Tests of original.py: the source of a film is given back."""

import pathlib
from unittest import mock

from absl.testing import absltest

from revive_jax import original, types
from revive_jax.video import original as kept
from tests.video import clips, original_test


class OriginalTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  _restored = original_test.OriginalTest._restored

  def test_from_within_and_from_beside(self):
    film = clips.write(self.dir / 'film.mov', clips.pictures(4))
    for name in ('out.mkv', 'out.mp4'):
      self._restored(film, name)
      found = original.give_back(
          str(self.dir / 'w'), str(self.dir / name))
      self.assertEqual(found.path, str(
          self.dir / 'w' / 'outputs' / 'out_original.mov'))
      self.assertEqual(found.warnings, [])
      self.assertEqual(original_test._video(found.path),
                       original_test._video(film))
      pathlib.Path(found.path).unlink()

  def test_another_film_got_the_name(self):
    """Never is the original of one film given back for another."""
    film = clips.write(self.dir / 'a.avi', clips.pictures(4), codec='mjpeg',
                       pix_fmt='yuvj420p')
    other = clips.write(self.dir / 'b.mov', clips.pictures(3))
    for name in ('out.mp4', 'out.mkv'):
      # As an earlier run would have left it, in which it could not travel.
      with mock.patch.object(kept, 'travels', lambda *_: False):
        self._restored(film, name)
      self._restored(other, name)
      found = original.give_back('', str(self.dir / name), str(
          self.dir / f'{name}.mov'))
      self.assertEqual(original_test._video(found.path),
                       original_test._video(other))
      lies = self.dir / f'{name}.original.avi'
      self.assertEqual(lies.read_bytes(), pathlib.Path(film).read_bytes())
    self._restored(other, 'out.mp4', keep_original=False)
    (self.dir / 'out.mp4.original.mov').unlink()
    with self.assertRaisesRegex(
        types.BadInput, r'out\.mp4\.original\.avi: .*another film'):
      original.give_back('', str(self.dir / 'out.mp4'), str(self.dir / 'c.avi'))
    self.assertFalse((self.dir / 'c.avi').exists())

  def test_another_kind_of_file(self):
    film = clips.write(self.dir / 'film.mov', clips.pictures(4))
    self._restored(film)
    found = original.give_back(
        '', str(self.dir / 'out.mkv'), str(self.dir / 'back.ts'))
    self.assertEqual([f for f, _ in original_test._video(found.path)],
                     [f for f, _ in original_test._video(film)])
    self._restored(film, 'out.mp4')
    with self.assertRaisesRegex(types.BadInput, r'name the output back\.mov'):
      original.give_back(
          '', str(self.dir / 'out.mp4'), str(self.dir / 'back.ts'))

  def test_refusals(self):
    film = clips.write(self.dir / 'film.mkv', clips.pictures(2), codec='ffv1')
    self.assertFalse(kept.holds(film))
    for path, output, words in (
        ('', None, '--input'), (film, None, 'keep_original'),
        (str(self.dir / 'none.mkv'), None, 'no such file')):
      with self.assertRaisesRegex(types.BadInput, words):
        original.give_back(str(self.dir), path, output)
    self._restored(film, 'out.mkv')
    with self.assertRaisesRegex(types.BadInput, 'the output is the input'):
      original.give_back(
          '', str(self.dir / 'out.mkv'), str(self.dir / 'out.mkv'))


if __name__ == '__main__':
  absltest.main()
