"""Tests of companions.py: what earlier runs left, where faces are hidden."""

import pathlib
import shutil

from absl.testing import absltest, parameterized

from configs import restore as config
from revive_jax import (
    choices,
    companions,
    explain_frame,
    original,
    restore,
    types,
)
from revive_jax.video import images, probe, target, writer
from tests.pipeline import run_test


class CompanionsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.film = self.dir / 'film.mkv'
    writer.write_rgb(self.film, run_test._film(3, 32, 48), frame_rate=24)

  def _restore(self, output='out.mp4', work='work', film=None, **settings):
    c = config.get_config('tiny')
    c.provenance.sign = False
    c.update_from_flattened_dict(settings)
    return restore.restore(c, str(self.dir / work), str(film or self.film),
                           str(self.dir / output))

  def _refused(self, name, **settings):
    before = sorted(self.dir.rglob('*'))
    with self.assertRaisesRegex(
        types.BadInput, f'{name}: .*earlier run.*--output'):
      self._restore(**{'redact.faces': 'blur'} | settings)
    self.assertEqual(sorted(self.dir.rglob('*')), before)  # Nothing is lost.

  def test_the_original(self):
    self._restore(**{'output.keep_original': True})
    kept = self.dir / 'out.mp4.original.mkv'
    self.assertEqual(kept.read_bytes(), self.film.read_bytes())
    self._refused('out.mp4.original.mkv')
    self._refused('out.mp4.original.mkv', work='other')
    self._restore(work='other')  # Without hidden faces it may stay.
    kept.unlink()
    self._restore(**{'redact.faces': 'blur'})

  def test_layers(self):
    self._restore(**{'output.layers': 'files'})
    self._refused('out.mp4.layers.mkv')
    self._refused('out.mp4.layers.mkv', **{'output.layers': 'none'})
    (self.dir / 'out.mp4.layers.mkv').write_bytes(b'of long ago')
    self._restore(**{'redact.faces': 'blur', 'output.layers': 'files'})
    # They are of this run now.
    self.assertNotIn(
        b'of long ago', (self.dir / 'out.mp4.layers.mkv').read_bytes())

  def test_the_original_of_another_film_is_not_replaced(self):
    """It may be all that is left of it."""
    other = self.dir / 'other.mkv'
    writer.write_rgb(other, run_test._film(4, 32, 48), frame_rate=24)
    keeps = {'output.keep_original': True}
    self._restore(**keeps)
    before = (self.dir / 'out.mp4').read_bytes()
    with self.assertRaisesRegex(
        types.BadInput, r'out\.mp4\.original\.mkv: .*another film.*--output'):
      self._restore(work='second', film=other, **keeps)
    self.assertEqual((self.dir / 'out.mp4').read_bytes(), before)
    kept = self.dir / 'out.mp4.original.mkv'
    self.assertEqual(kept.read_bytes(), self.film.read_bytes())
    self._restore(work='third', **keeps, **{'strength.noise': 0.5})  # Its own.

  def test_what_is_not_of_the_new_film_is_told_of(self):
    told = self._restore(**{
        'output.keep_original': True, 'output.layers': 'files'})['warnings']
    self.assertNotRegex(' '.join(told), 'earlier run')
    told = ' '.join(self._restore(
        work='other', **{'strength.noise': 0.5})['warnings'])
    for name in ('original', 'layers'):
      self.assertRegex(told, rf'out\.mp4\.{name}\.mkv: .* of an earlier run')
      self.assertTrue((self.dir / f'out.mp4.{name}.mkv').exists())
    with self.assertRaisesRegex(types.BadInput, 'of another film'):
      explain_frame.explain(
          str(self.dir / 'other'), str(self.dir / 'out.mp4'))
    with self.assertRaisesRegex(types.BadInput, 'of another film'):
      original.give_back(str(self.dir / 'other'), str(self.dir / 'out.mp4'))

  def test_layers_of_a_picture(self):
    photo = self.dir / 'in.png'
    images.write_picture(str(photo), run_test._film(1, 32, 48)[0])
    files = {'output.layers': 'files'}
    self._restore('out.png', film=photo, **files)
    for settings in ({}, files):
      self._refused('out.png.layers', output='out.png', film=photo, **settings)
    shutil.rmtree(self.dir / 'out.png.layers')
    files['redact.faces'] = 'blur'
    for strength in (0.5, 0.25):  # Those of a run that hid faces are no harm.
      self._restore('out.png', film=photo, **files, **{
          'strength.noise': strength})

  @parameterized.parameters(
      'fills', 'outputs/film_original.mkv', 'outputs/film_explained_000001.png',
      'outputs/film_attribution_000001_damage.png', 'report.html')
  def test_in_the_workdir(self, name):
    place = self.dir / 'work' / name
    place.parent.mkdir(parents=True)
    place.write_bytes(b'')
    c = config.get_config()
    c.redact.faces, c.report = 'blur', False
    check = lambda: companions.check(
        c, str(self.dir / 'work'), str(self.dir / 'out.mkv'), target.choose(
            str(self.dir / 'out.mkv'), probe.probe(str(self.film)), 'auto'))
    settings = self.dir / 'work/config.json'
    for before in (None, '{}', '{"redact": {"faces": "none"}}', 'nonsense'):
      if before is not None:
        settings.write_text(before)
      with self.assertRaisesRegex(types.BadInput, f'{name}: .*earlier run'):
        check()
    # After a run that hid faces it is of that one.
    settings.write_text('{"redact": {"faces": "pixelate"}}')
    check()
    # A report that is wanted is written anew; without hidden faces all stays.
    settings.unlink()
    c.report = True
    if name == 'report.html':
      check()
    c.redact.faces = 'none'
    check()

  def test_the_name_of_the_folder_is_that_of_answers(self):
    self.assertEqual(choices._FOLDER, 'fills')


if __name__ == '__main__':
  absltest.main()
