"""Tests of archive/films.py and processes.py: what is refused, and all films.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest, parameterized
import pytest

from configs import restore as restore_config
from revive_jax import types
from revive_jax.archive import films, processes
from tests.archive import jobs, watching
from tests.launch import fakes


class FilmsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.input = self.dir / 'in'
    self.input.mkdir()
    self.work = self.dir / 'work'

  def _restore(self, source=None, c=None, **options):
    c = c or jobs.settings(**{'address': 'none', 'processes': 1} | options)
    return films.restore_all(
        c, str(self.work), str(source or self.input), str(self.dir / 'out'))

  @parameterized.parameters(
      (dict(tries=0), 'tries=0 is less than 1'),
      (dict(frames=10), 'frames=10 is less than 48'),
      (dict(cpus=0.0), 'cpus=0.0 is less'),
      (dict(gpus=-2.0), 'gpus=-2 is neither'),
      (dict(gpus=1.0), 'gpus=1: without Ray'),
      (dict(share='2/2'), 'share=2/2: this must be I/N'),
      (dict(address='', share='0/2'), 'a cluster shares by itself'))
  def test_refuses_settings(self, options, words):
    (self.input / 'a.mkv').write_bytes(b'')
    with self.assertRaisesRegex(types.BadInput, words):
      self._restore(**options)

  def test_refuses_what_is_about_one_film_or_sealed(self):
    (self.input / 'a.mkv').write_bytes(b'')
    for key, value in (('decisions', 'd.json'), ('num_samples', 2)):
      c = jobs.settings(address='none')
      c[key] = value
      with self.assertRaisesRegex(types.BadInput, 'about one film'):
        self._restore(c=c)
    c = jobs.settings(address='none')
    c.encrypt.key = 'file:key'
    with self.assertRaisesRegex(types.BadInput, 'cannot be sealed'):
      self._restore(c=c)

  def test_refuses_settings_of_something_else(self):
    with self.assertRaisesRegex(types.BadInput, '--config=archive'):
      self._restore(c=restore_config.get_config('tiny'))

  def test_refuses_to_write_where_films_are(self):
    (self.input / 'a.mkv').write_bytes(b'')
    (self.dir / 'list.csv').write_text('path\nin/a.mkv\n')
    (self.dir / 'out').symlink_to(self.input)
    for source in (self.input, self.dir / 'list.csv'):
      with self.assertRaisesRegex(types.BadInput, 'out: films .* lie in this'):
        self._restore(source)

  def test_refuses_inputs_and_outputs(self):
    with self.assertRaisesRegex(types.BadInput, 'no film in this folder'):
      self._restore()
    (self.input / 'a.mkv').write_bytes(b'')
    (self.dir / 'out').write_bytes(b'')
    with self.assertRaisesRegex(types.BadInput, 'out: this is a file'):
      self._restore()

  def test_stopped_at_once_the_table_is_as_it_was(self):
    for name in 'ab':
      (self.input / f'{name}.mkv').write_bytes(b'')
    place = self.work / 'films/a/row.json'
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({
        'name': 'a', 'file': str(self.input / 'a.mkv'), 'state': 'restored',
        'frames': 7}))
    pool = mock.Mock(room=1, has_gpus=False)
    pool.wait.side_effect = KeyboardInterrupt
    with mock.patch.object(processes, 'Processes', return_value=pool), (
        self.assertRaises(KeyboardInterrupt)):
      self._restore()
    pool.close.assert_called_once()
    found = json.loads((self.work / 'report.json').read_text())
    self.assertEqual(found['summary']['states'], {'restored': 1, 'waiting': 1})
    self.assertEqual(found['summary']['frames'], 7)

  @parameterized.parameters('empty', 'films.csv')
  @pytest.mark.slow
  def test_exit_code_2(self, name):
    (self.dir / 'empty').mkdir()
    (self.dir / 'films.csv').write_text('path\nno.mkv\n')
    done = subprocess.run(
        watching.command(self.dir / name, self.work), cwd=fakes.ROOT,
        env=watching.environment(), capture_output=True, text=True, check=False)
    self.assertEqual(done.returncode, 2)
    self.assertRegex(done.stderr, f'^revive_jax: .*{name}.*\n$')

  def test_files_of_settings_are_whole_paths(self):
    c = jobs.settings()
    c.consent.file = os.path.relpath(__file__)
    c.weights = 'restorer'  # A name.
    found = films._absolute(c)
    self.assertEqual(found.consent.file, os.path.abspath(__file__))
    self.assertEqual(found.weights, 'restorer')

  @parameterized.parameters('restorer', 'gan', 'live', 'vae', 'upscaler')
  def test_what_ships_is_not_what_lies_here(self, name):
    for place in (name, 'mine'):
      (self.dir / place).mkdir()
    c = jobs.settings()
    c.weights, c.fills, c.upscaler = name, name, 'mine'
    c.provenance.key = name  # Of no weights.
    with contextlib.chdir(self.dir):
      found = films._absolute(c)
    self.assertEqual((found.weights, found.fills), (name, name))
    self.assertEqual(found.upscaler, str(self.dir / 'mine'))
    self.assertEqual(found.provenance.key, str(self.dir / name))

  @pytest.mark.slow
  def test_goes_on_after_a_bad_one_and_leaves_what_is_done(self):
    for name in ('a', 'sub/a', 'c'):
      path = self.input / f'{name}.mkv'
      path.parent.mkdir(exist_ok=True)
      jobs.write_film(path, (5,), seed=len(name))
    (self.input / 'b.mkv').write_bytes(b'none')
    rows = self._restore()
    self.assertEqual([r.state for r in rows],
                     ['restored', 'refused', 'restored', 'restored'])
    self.assertIn('b.mkv', rows[1].what)
    self.assertCountEqual(
        [p.name for p in (self.dir / 'out').glob('*.mkv')],
        ['a_mkv.mkv', 'a_mkv_2.mkv', 'c.mkv'])
    stamps = {p: p.stat().st_mtime_ns for p in (self.dir / 'out').iterdir()}
    jobs.write_film(self.input / 'a2.mkv', (3,))  # Comes later: none renamed.
    rows = self._restore()
    self.assertEqual([r.state for r in rows], [
        'done before', 'restored', 'refused', 'done before', 'done before'])
    for path, stamp in stamps.items():
      self.assertEqual(path.stat().st_mtime_ns, stamp)
    found = json.loads((self.work / 'report.json').read_text())
    self.assertEqual(found['summary']['states'], {
        'done before': 3, 'refused': 1, 'restored': 1})

  @pytest.mark.slow
  def test_a_film_that_ends_its_process_each_time(self):
    jobs.write_film(self.input / 'a.mkv', (5,))
    jobs.write_film(self.input / 'poison.mkv', (5,))
    # Decoding in the process itself; OpenCV, say, is brought down by it.
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(
        [str(self._poisoned()), str(fakes.ROOT)])):
      done = subprocess.run(
          watching.command(
              self.input, self.work, '--config.archive.address=none',
              '--config.archive.processes=1', '--config.archive.tries=2',
              '--config.sandbox=off', '--config.progress=none'),
          cwd=fakes.ROOT, env=os.environ | {'JAX_NUM_CPU_DEVICES': '1'},
          capture_output=True, text=True, check=False)
    self.assertEqual(done.returncode, 1, done.stderr)
    found = json.loads((self.work / 'report.json').read_text())
    rows = {r['name']: r for r in found['films']}
    self.assertEqual(rows['a']['state'], 'restored')
    self.assertEqual(rows['poison']['state'], 'failed')
    self.assertRegex(rows['poison']['what'], 'after 2 tries .*SIGSEGV')

  def _poisoned(self):
    """A folder of a module that brings a process down that opens poison.mkv."""
    folder = self.dir / 'poisoned'
    folder.mkdir()
    (folder / 'sitecustomize.py').write_text(
        'import os, signal, sys\n'
        'def look(event, found):\n'
        '  if event == "open" and str(found[0]).endswith("poison.mkv"):\n'
        '    os.kill(os.getpid(), signal.SIGSEGV)\n'
        'sys.addaudithook(look)\n')
    return folder

  @pytest.mark.slow
  def test_processes_end_with_the_one_that_started_them(self):
    code = ('import os, time\n'
            'from revive_jax.archive import processes\n'
            'if __name__ == "__main__":\n'
            '  worker = processes._started()\n'
            '  print(worker.process.pid, flush=True)\n'
            '  time.sleep(60)\n')
    script = self.dir / 'start.py'
    script.write_text(code)
    run = subprocess.Popen([sys.executable, str(script)], text=True,
                           stdout=subprocess.PIPE, env=watching.environment())
    pid = int(run.stdout.readline())
    time.sleep(8)  # It has begun.
    run.kill()
    run.wait()
    run.stdout.close()
    watching.until(lambda: not os.path.exists(f'/proc/{pid}'), 'its end', 20)

  def test_a_process_that_died_with_nothing_to_do(self):
    pool = processes.Processes(1)
    gone, other = mock.Mock(), mock.Mock()
    gone.ours.send.side_effect = BrokenPipeError
    pool._idle = [gone]
    with mock.patch.object(processes, '_started', return_value=other):
      self.assertIs(pool.start('whole', None), other.ours)
    other.ours.send.assert_called_once()

  def test_how_a_process_ended(self):
    self.assertEqual(processes._how(-11), 'SIGSEGV')
    self.assertEqual(processes._how(3), 'exit code 3')
    self.assertIn('memory', processes._how(-9))


if __name__ == '__main__':
  absltest.main()
