"""Tests of launch/slurm_archive.sbatch, with what stands in for SLURM's."""

import json
import pathlib
import re

from absl.testing import absltest, parameterized
import ml_collections
import pytest

from revive_jax import restore
from revive_jax.archive import manifest
from tests.archive import jobs
from tests.launch import fakes

_SCRIPT = fakes.ROOT / 'launch/slurm_archive.sbatch'
_RUN = ('films/a b.csv', 'runs/a b', "--config.consent.file=it's")
_SRUN = 'while [[ "$1" == --* ]]; do shift; done; exec "$@"'


class SlurmArchiveTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.fakes = fakes.Fakes(self.create_tempdir().full_path)
    self.fakes.add('srun', _SRUN)
    self.fakes.add('scontrol', '')

  def _submit(self, *arguments, index='3', **more):
    return self.fakes.run(
        str(_SCRIPT), *arguments, SLURM_JOB_ID='17', SLURM_CPUS_PER_TASK='8',
        SLURM_ARRAY_TASK_ID=index, **{
            'SLURM_ARRAY_TASK_MAX': '7', 'SLURM_ARRAY_TASK_COUNT': '8'} | more)

  def test_asks_for_an_array_and_a_warning(self):
    head, _, _ = _SCRIPT.read_text().partition('\nset -')
    options = dict(re.findall(r'^#SBATCH --([a-z-]+)(?:=(\S+))?$', head, re.M))
    self.assertContainsSubset({
        'array': '0-7', 'ntasks': '1', 'signal': 'B:TERM@120', 'requeue': '',
        'open-mode': 'append'}, options)

  @parameterized.parameters((('films',), '3'), (_RUN, ''))
  def test_usage(self, arguments, index):
    done = self._submit(*arguments, index=index)
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'Usage: sbatch --array')
    self.assertEmpty(self.fakes.calls('srun'))

  @parameterized.parameters(('7', '7'), ('7', '2'))  # 1-7; 3,7.
  def test_refuses_an_array_that_leaves_films_out(self, last, count):
    done = self._submit(*_RUN, SLURM_ARRAY_TASK_MAX=last,
                        SLURM_ARRAY_TASK_COUNT=count)
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'The array must be 0-N without gaps')
    self.assertEmpty(self.fakes.calls('srun'))

  @parameterized.parameters((0, {}, '3/8', 1), (1, {}, '3/8', 1),
                            (2, dict(SHARES='32', PROCESSES='4',
                                     SLURM_ARRAY_TASK_COUNT='2'), '3/32', 4))
  def test_runs_the_program_and_returns_its_exit_code(
      self, code, more, share, processes):
    self.fakes.add('python', f'exit {code}')
    done = self._submit(*_RUN, **more)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertEqual(list(self.fakes.calls('python').values()), [[
        '-m', 'revive_jax.main', '--config=archive', '--input=films/a b.csv',
        '--workdir=runs/a b', '--config.archive.address=none',
        f'--config.archive.processes={processes}',
        f'--config.archive.share={share}', "--config.consent.file=it's"]])
    self.assertEmpty(self.fakes.calls('scontrol'))

  @parameterized.parameters(('', 143, True), ("trap 'exit 0' TERM", 0, False),
                            ("trap 'exit 130' TERM", 130, True))
  def test_what_was_stopped_goes_back_into_the_queue(self, trap, code, again):
    self.fakes.add('python', fakes.stopping(trap))
    done = self._submit(*_RUN)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertEqual(list(self.fakes.calls('scontrol').values()),
                     [['requeue', '17']] if again else [])

  @pytest.mark.slow
  def test_two_tasks_restore_a_manifest(self):
    """The script itself, twice, on this machine; the films as of one."""
    folder = pathlib.Path(self.create_tempdir().full_path)
    for name in 'abc':
      jobs.write_film(folder / f'{name}.mkv', (9,), seed=ord(name))
    (folder / 'bad.mkv').write_bytes(b'none')
    (folder / 'films.csv').write_text(
        'path,preset\na.mkv,film\nbad.mkv,\nb.mkv,\nc.mkv,\n')
    started = [self.fakes.start(
        str(_SCRIPT), str(folder / 'films.csv'), str(folder / 'work'),
        '--config=archive:tiny', '--config.progress=none', SLURM_JOB_ID='17',
        SLURM_ARRAY_TASK_ID=str(i), SLURM_ARRAY_TASK_MAX='1', PYTHONPATH=str(
            fakes.ROOT)) for i in range(2)]
    codes = [(run.communicate(timeout=200), run.returncode)[1]
             for run in started]
    self.assertEqual(codes, [0, 1])  # The second has the bad one.
    with open(folder / 'work/report.json') as file:
      found = json.load(file)
    self.assertEqual({r['name']: r['state'] for r in found['films']}, {
        'a': 'restored', 'b': 'restored', 'c': 'restored', 'bad': 'refused'})
    for name in 'abc':
      (row,) = (r for r in found['films'] if r['name'] == name)
      made = jobs.frames(folder / f'work/outputs/{name}.mkv')
      self.assertLen(made, 9, row)
      self.assertEqual(made, self._by_one_machine(folder, name))
    self.assertLen((folder / 'work/films.csv').read_text().splitlines(), 5)

  def _by_one_machine(self, folder, name):
    """The frames of a film of the manifest, restored by itself."""
    entry = manifest.Entry(
        str(folder / f'{name}.mkv'), 'film' if name == 'a' else '')
    (job,) = manifest.jobs(jobs.settings(), [entry], [name], folder / 'one',
                           folder / 'one')
    path = str(folder / f'one_{name}.mkv')
    restore.restore(ml_collections.ConfigDict(job.settings),
                    str(folder / f'one_{name}'), entry.path, path)
    return jobs.frames(path)


if __name__ == '__main__':
  absltest.main()
