"""Tests of verify.py: the mode verify, as a user calls it."""

import json
import pathlib

from absl.testing import absltest
import numpy as np

from configs import restore as config
from revive_jax import main, types, verify
from revive_jax.provenance import manifest, watermark
from revive_jax.video import writer
from tests import main_test
from tests.pipeline import run_test
from tests.provenance import films


class VerifyTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _film(self, name, run_id=None):
    film = run_test._film(6)
    if run_id is not None:
      mark = watermark.Writer(run_id)
      film = [mark(frame) for frame in film]
    writer.write_rgb(self.dir / name, np.stack(film), frame_rate=24)
    return self.dir / name

  def _signed(self, path, mark):
    marks = {'visible': False, 'invisible': f'{mark:010x}'}
    manifest.put_beside(path, films.FACTS | {'marks': marks}, films.signer())

  def test_the_mark_and_the_statement(self):
    path = self._film('film.mkv', 77)
    found = verify.verify(config.get_config(), str(path))
    self.assertFalse(found['valid'])
    self.assertIn('no manifest', found['sentence'])
    self.assertIn('mark 000000004d: it seems to be a copy', found['sentence'])
    self._signed(path, 77)
    found = verify.verify(config.get_config(), str(path))
    self.assertTrue(found['valid'])
    self.assertIn('000000004d is the one that is stated', found['sentence'])
    self._signed(path, 78)
    found = verify.verify(config.get_config(), str(path))
    self.assertIn('another invisible mark', found['sentence'])
    manifest.put_beside(path, films.FACTS | {'marks': 'none'}, films.signer())
    found = verify.verify(config.get_config(), str(path))
    self.assertIn('another invisible mark', found['sentence'])

  def test_one_line_and_an_exit_code(self):
    self.assertIn('verify', main.MODES)
    path = self._film('film.mkv')
    self._signed(path, 1)
    verdict = verify.verify(config.get_config(), str(path))
    self.assertStartsWith(verdict['sentence'], 'film.mkv: restored by AI')
    with open(path, 'r+b') as file:
      file.seek(-9, 2)
      file.write(b'?')
    done = main_test._call('--mode=verify', f'--input={path}',
                           '--output=verdict.json', cwd=self.dir)
    self.assertEqual(done.returncode, 1, done.stderr)
    self.assertLen(done.stdout.splitlines(), 1)
    self.assertIn('NOT VALID', done.stdout)
    verdict = json.loads((self.dir / 'verdict.json').read_text())
    self.assertEqual(verdict['sentence'], done.stdout.strip())

  def test_what_cannot_be_verified(self):
    c = config.get_config()
    for path, words in (('', 'no input'), ('none.mkv', 'no such file')):
      with self.assertRaisesRegex(types.BadInput, words):
        verify.verify(c, path)
    c.provenance.anchors = 'none.pem'
    with self.assertRaisesRegex(types.BadInput, 'none.pem'):
      verify.verify(c, str(self._film('film.mkv')))

  def test_what_is_no_film(self):
    path = self.dir / 'note.mkv'
    path.write_text('nothing')
    found = verify.verify(config.get_config(), str(path))
    self.assertIsNone(found['invisible_mark'])
    self.assertIn('no manifest', found['sentence'])


if __name__ == '__main__':
  absltest.main()
