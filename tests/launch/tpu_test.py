"""Tests of launch/tpu.sh, with a program that stands in for gcloud."""

import shlex

from absl.testing import absltest

from tests.launch import fakes

_SCRIPT = str(fakes.ROOT / 'launch/tpu.sh')
_RUN = ('slice', 'zone-a', 'restorer', 'runs/a b',
        '--config.damage.severity=(0.25, 2.0)')
_COMMAND = ['-m', 'revive_jax.main', '--config=restorer', '--workdir=runs/a b',
            '--distributed=auto', '--config.damage.severity=(0.25, 2.0)']


class TpuTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.fakes = fakes.Fakes(self.create_tempdir().full_path)
    self.fakes.add('gcloud', 'exit 3')

  def _check(self, gcloud, python):
    self.assertEqual(gcloud[:-1], [
        'compute', 'tpus', 'tpu-vm', 'ssh', 'slice', '--zone=zone-a',
        '--worker=all'])
    option, _, command = gcloud[-1].partition('=')
    self.assertEqual(option, '--command')
    # As the shell of a worker takes it apart.
    self.fakes.add(python, '')
    self.assertEqual(self.fakes.run('bash', '-c', command).returncode, 0)
    self.assertEqual(list(self.fakes.calls(python).values()), [_COMMAND])

  def test_usage(self):
    done = self.fakes.run(_SCRIPT, *_RUN[:3])
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'Usage: launch/tpu.sh NAME ZONE')
    self.assertEmpty(self.fakes.calls('gcloud'))

  def test_runs_on_all_workers(self):
    done = self.fakes.run(_SCRIPT, *_RUN)
    self.assertEqual(done.returncode, 3, done.stderr)
    (gcloud,) = self.fakes.calls('gcloud').values()
    self._check(gcloud, 'python3')

  def test_dry_run_prints_what_would_be_run(self):
    done = self.fakes.run(_SCRIPT, *_RUN, DRY_RUN='1', PYTHON='venv-python')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEmpty(self.fakes.calls('gcloud'))
    program, *gcloud = shlex.split(done.stdout)
    self.assertEqual(program, 'gcloud')
    self._check(gcloud, 'venv-python')


if __name__ == '__main__':
  absltest.main()
