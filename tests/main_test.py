"""Tests of main.py: the command line as a user calls it."""

import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest, parameterized

from revive_jax import main
from revive_jax.video import writer
from tests.pipeline import run_test


def _call(*arguments, cwd=None, limit=None):
  code = 'from revive_jax import main; main.run()'
  if limit:
    code = ('import resource; resource.setrlimit(resource.RLIMIT_FSIZE, '
            f'({limit}, {limit})); ' + code)
  return subprocess.run(
      [sys.executable, '-c', code, *arguments], capture_output=True, text=True,
      cwd=cwd, check=False)


class MainTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  @parameterized.parameters(
      ([], 'nothing to do'),
      (['--config=nope'], "'nope'"),
      (['--config=restore:huge'], "'huge'"),
      (['--config=restore', '--config.nope=1'], "'nope'"),
      (['--config=restore', '--config.window=many'], 'window'),
      (['--config=restore', '--bogus=1'], 'bogus'),
      (['--config=restore', '--mode=dream'], "'dream'"),
      (['--config=restore', 'stray'], "'stray'"),
      (['--input=missing.mkv'], 'missing.mkv'),
      (['--config=demo', '--input=film.mkv'], 'demo'),
      (['--config=demo:tiny', '--config.severity=awful'], 'severity'),
      (['--config=presets/film:tiny', '--config.sample.width=8'], 'too small'),
      (['--config=presets/nope'], 'presets/medical'),
      (['--mode=explain', '--input=a.mkv', '--config.sandbox=on'],
       'a.mkv: the mode explain opens films in its own process; leave out'),
  )
  def test_usage_is_one_sentence_and_exit_code_2(self, arguments, words):
    done = _call(*arguments, cwd=self.dir)
    self.assertEqual(done.returncode, 2, done.stderr)
    self.assertLen(done.stderr.strip().splitlines(), 1, done.stderr)
    self.assertIn(words, done.stderr)
    self.assertNotIn('Traceback', done.stderr)

  @parameterized.parameters((2, 2), (None, 0))
  def test_a_reader_who_left_changes_no_refusal(self, code, wanted):
    ended = mock.patch.object(
        main.app, 'run', side_effect=SystemExit(code) if code else None)
    left = mock.Mock(flush=mock.Mock(side_effect=BrokenPipeError))
    with ended, mock.patch('sys.stdout', left), mock.patch('os.dup2'):
      with self.assertRaises(SystemExit) as caught:
        main.run()
    self.assertEqual(caught.exception.code, wanted)

  def test_help(self):
    done = _call('--help')
    self.assertEqual(done.returncode, 0)
    for word in ('--input', '--output', '--workdir', 'Exit codes'):
      self.assertIn(word, done.stdout)

  def test_a_film_and_a_full_disk(self):
    film = self.dir / 'film.mkv'
    writer.write_rgb(film, run_test._film(6), frame_rate=24)
    done = _call(f'--input={film}', '--output=out.mkv', cwd=self.dir)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('6 frames', done.stdout)
    full = _call(f'--input={film}', '--output=full.mkv', cwd=self.dir,
                 limit=20_000)
    self.assertEqual(full.returncode, 2, full.stderr)
    self.assertIn('no space left', full.stderr)
    self.assertNotIn('Traceback', full.stderr)
    self.assertEqual({p.name for p in self.dir.iterdir()},
                     {'film.mkv', 'out.mkv', 'out.mkv.c2pa', 'runs'})


  def test_a_folder_with_a_bad_film(self):
    folder = self.dir / 'films'
    folder.mkdir()
    writer.write_rgb(folder / 'a.mkv', run_test._film(3, 32, 48), frame_rate=24)
    (folder / 'b.mp4').write_bytes(b'no film at all')
    done = _call('--config=restore:tiny', f'--input={folder}', '--output=out',
                 cwd=self.dir)
    self.assertEqual(done.returncode, 1, done.stderr)
    self.assertRegex(done.stdout, r'a\.mkv +restored +3')
    self.assertRegex(done.stdout, r'b\.mp4 +refused')
    self.assertEqual({p.name for p in (self.dir / 'out').iterdir()},
                     {'a.mkv', 'a.mkv.c2pa'})


class PipeTest(absltest.TestCase):

  def test_a_reader_that_leaves(self):
    done = subprocess.run(
        f'{sys.executable} -c "from revive_jax import main; main.run()" --help '
        '| true; exit ${PIPESTATUS[0]}', shell=True, executable='/bin/bash',
        capture_output=True, text=True, check=False)
    self.assertEqual((done.returncode, done.stderr), (0, ''))


if __name__ == '__main__':
  absltest.main()
