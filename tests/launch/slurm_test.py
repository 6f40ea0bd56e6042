"""Tests of launch/slurm.sbatch, with programs that stand in for SLURM's."""

import re

from absl.testing import absltest, parameterized

from tests.launch import fakes

_SCRIPT = fakes.ROOT / 'launch/slurm.sbatch'
_RUN = ('restorer', 'runs/a b', "--config.init_from=it's")
# As srun does it on one node: runs what follows its options.
_SRUN = 'while [[ "$1" == --* ]]; do shift; done; exec "$@"'


class SlurmTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.fakes = fakes.Fakes(self.create_tempdir().full_path)
    self.fakes.add('srun', _SRUN)
    self.fakes.add('scontrol', '')

  def _submit(self, *arguments):
    return self.fakes.run(
        str(_SCRIPT), *arguments, SLURM_JOB_ID='17', SLURM_CPUS_PER_TASK='8')

  def test_asks_for_one_process_on_each_node_and_a_warning(self):
    head, _, _ = _SCRIPT.read_text().partition('\nset -')  # Later: not read.
    options = dict(re.findall(r'^#SBATCH --([a-z-]+)(?:=(\S+))?$', head, re.M))
    self.assertLen(options, _SCRIPT.read_text().count('#SBATCH'))
    self.assertContainsSubset({
        'nodes': '1', 'ntasks-per-node': '1', 'signal': 'TERM@120',
        'requeue': '', 'open-mode': 'append'}, options)
    self.assertEmpty(options.keys() - {
        'nodes', 'ntasks-per-node', 'signal', 'requeue', 'open-mode',
        'job-name', 'gpus-per-node', 'cpus-per-task', 'time', 'output'})

  def test_usage(self):
    done = self._submit('restorer')
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'Usage: sbatch')
    self.assertEmpty(self.fakes.calls('srun'))

  @parameterized.parameters(0, 1, 2)
  def test_runs_the_program_and_returns_its_exit_code(self, code):
    self.fakes.add('python', f'exit {code}')
    done = self._submit(*_RUN)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertEqual(list(self.fakes.calls('python').values()), [[
        '-m', 'revive_jax.main', '--config=restorer', '--workdir=runs/a b',
        '--distributed=auto', "--config.init_from=it's"]])
    (srun,) = self.fakes.calls('srun').values()
    self.assertEqual(srun[:5], [
        '--kill-on-bad-exit=0', '--wait=120', '--cpus-per-task=8', 'bash',
        '-c'])
    self.assertEmpty(self.fakes.calls('scontrol'))

  @parameterized.parameters(*fakes.STOPPED)
  def test_what_was_stopped_goes_back_into_the_queue(self, trap, code):
    self.fakes.add('python', fakes.stopping(trap))
    done = self._submit(*_RUN)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertEqual(
        list(self.fakes.calls('scontrol').values()),
        [['requeue', '17']] if code == 75 else [])


if __name__ == '__main__':
  absltest.main()
