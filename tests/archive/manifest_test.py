"""Tests of manifest.py: what is to be restored, and what is wrong with it."""

import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from configs.presets import film as film_preset
from revive_jax import types
from revive_jax.archive import manifest
from tests.archive import jobs

_CONSENT = {
    'schema': 1, 'given_by': 'Ada', 'relation': 'owner', 'scope': ['restore'],
    'date': '2026-01-01'}


class ManifestTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    for name in ('a.mkv', 'b.mp4', 'sub/c.mov', 'sub/.d.mkv', 'sub/e.txt',
                 'work/films/f.mkv'):
      (self.dir / name).parent.mkdir(parents=True, exist_ok=True)
      (self.dir / name).write_bytes(b'')

  def _table(self, text, encoding='utf-8'):
    (self.dir / 'manifest.csv').write_text(text, encoding=encoding)
    return manifest.read(str(self.dir / 'manifest.csv'))

  def _paths(self, entries):
    return [os.path.relpath(e.path, self.dir) for e in entries]

  def test_a_folder_and_what_is_below_it(self):
    found = manifest.read(str(self.dir), (self.dir / 'work',))
    self.assertEqual(self._paths(found), ['a.mkv', 'b.mp4', 'sub/c.mov'])
    self.assertLen(manifest.read(str(self.dir)), 4)
    self.assertEqual(
        manifest.read(str(self.dir / 'a.mkv')),
        [manifest.Entry(str(self.dir / 'a.mkv'))])

  def test_a_list(self):
    (self.dir / 'list.txt').write_text('a.mkv\n# no\nsub/c.mov\n')
    found = manifest.read(str(self.dir / 'list.txt'))
    self.assertEqual(self._paths(found), ['a.mkv', 'sub/c.mov'])
    # Two of one name would share a folder.
    (self.dir / 'list.txt').write_text('a.mkv\nsub/../a.mkv\n./a.mkv\n')
    found = manifest.read(str(self.dir / 'list.txt'))
    self.assertEqual(self._paths(found), ['a.mkv'])

  def test_a_folder_that_cannot_be_read_is_not_left_out(self):
    def walk(path, onerror):
      onerror(PermissionError(13, 'Permission denied', f'{path}/sub'))
      return iter(())

    with mock.patch.object(os, 'walk', walk), self.assertRaisesRegex(
        types.BadInput, '/sub: this folder cannot be read .Permission'):
      manifest.read(str(self.dir))

  def test_a_table(self):
    found = self._table(
        'path, preset ,consent\n# all of 1932\na.mkv,film,\n\n"b.mp4",,yes.json'
        '\n', 'utf-8-sig')  # As spreadsheets write it.
    self.assertEqual(self._paths(found), ['a.mkv', 'b.mp4'])
    self.assertEqual([(e.preset, e.line) for e in found],
                     [('film', 3), ('', 5)])
    self.assertEqual(found[1].consent, str(self.dir / 'yes.json'))

  @parameterized.parameters(
      ('path,preset\na.mkv,film\nno.mkv,film\n', 'line 3: .*no.mkv: no such'),
      ('path,preset\na.mkv,flim\n', "line 2: .* no preset 'flim'.* film, home"),
      ('path,preset\n\n# x\na.mkv\n', 'line 4: there are 1 cells for 2'),
      ('path\na.mkv\nb.mp4\na.mkv\n', 'line 4: .* in line 2, too'),
      ('path\na.mkv\nsub/../a.mkv\n', 'line 3: .* in line 2, too'),
      ('path;preset\na.mkv;film\n', 'line 1: .*with commas between'),
      ('path,preset\n,film\n', 'line 2: no film is named'),
      ('path,preest\na.mkv,film\n', 'line 1: the columns must be path'),
      ('film\na.mkv\n', 'line 1: the columns must be path'),
      ('', 'the manifest is empty'), ('path\n', 'names no film'),
      ('path\nb.mp4\n"a.mkv\n', 'line 3: .*cannot be read'))
  def test_wrong_rows_are_named(self, text, words):
    with self.assertRaisesRegex(types.BadInput, f'manifest.csv.*{words}'):
      self._table(text)

  def test_another_encoding(self):
    with self.assertRaisesRegex(types.BadInput, 'not UTF-8 .*save it as'):
      self._table('path\nFüße.mkv\n', 'latin-1')

  def test_no_film(self):
    (self.dir / 'empty').mkdir()
    for source, words in ((self.dir / 'empty', 'no film in this folder'),
                          (self.dir / 'none', 'no such file'),
                          ('', 'There is no input')):
      with self.assertRaisesRegex(types.BadInput, words):
        manifest.read(str(source))

  def test_shares_are_all_of_them_once(self):
    entries = list(range(10))
    found = [manifest.share(entries, f'{i}/3') for i in range(3)]
    self.assertCountEqual(sum(found, []), entries)
    self.assertEqual(found[1], [1, 4, 7])
    self.assertEqual(manifest.share(entries, ''), entries)
    for which in ('3/3', '-1/3', '1', '1/0', 'a/b'):
      with self.assertRaisesRegex(types.BadInput, 'must be I/N'):
        manifest.share(entries, which)

  def test_settings_of_a_preset_and_of_the_user(self):
    c = jobs.settings()
    c.window, c.mode = 12, 'archive'
    entries = [manifest.Entry('a.mkv', 'film', '', 2), manifest.Entry('b.mkv')]
    one, two = manifest.jobs(
        c, entries, ['a', 'b'], self.dir / 'films', self.dir / 'out')
    preset = film_preset.get_config('tiny')
    self.assertEqual(one.settings['output'], preset.output.to_dict())
    self.assertEqual(one.settings['strength'], preset.strength.to_dict())
    for job in (one, two):
      self.assertEqual(job.settings['window'], 12)
      self.assertEqual(job.settings['mode'], 'restore')
      self.assertNotIn('archive', job.settings)
    self.assertEqual(two.settings['strength'], c.strength.to_dict())
    self.assertEqual(one.output, str(self.dir / 'out/a'))

  def test_fills_bring_their_restorer_whatever_the_preset(self):
    c = jobs.settings()
    c.weights = 'vae'
    entries = [manifest.Entry('a.mkv'), manifest.Entry('b.mkv', 'film', '', 2),
               manifest.Entry('c.mkv', 'surveillance', '', 3)]
    for job in manifest.jobs(
        c, entries, ['a', 'b', 'c'], self.dir / 'films', self.dir / 'out'):
      self.assertEqual((job.settings['weights'], job.settings['fills']),
                       ('restorer', 'vae'))

  def test_a_consent_that_cannot_be_is_named_by_its_line(self):
    (self.dir / 'no.json').write_text(json.dumps({'schema': 7}))
    entries = self._table('path,consent\na.mkv,\nb.mp4,no.json\n')
    with self.assertRaisesRegex(types.BadInput, 'Line 3: .*no.json'):
      manifest.jobs(jobs.settings(), entries, ['a', 'b'], self.dir, self.dir)

  def test_presets_are_those_that_ship(self):
    self.assertEqual(
        manifest.presets(), ['film', 'home_video', 'medical', 'surveillance'])


if __name__ == '__main__':
  absltest.main()
