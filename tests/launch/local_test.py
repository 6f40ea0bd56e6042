"""Tests of launch/local.sh, with programs that stand in for python."""

import signal

from absl.testing import absltest, parameterized

from tests.launch import fakes

_SCRIPT = str(fakes.ROOT / 'launch/local.sh')
_RUN = ('-n', '2', 'restorer', 'runs/a b', '--config.seed=1')
_ARGUMENTS = ['-m', 'revive_jax.main', '--config=restorer',
              '--workdir=runs/a b', '--config.seed=1']
# Runs until it is told to stop, and then writes what told it.
_WAIT = """
for name in TERM INT; do
  trap "touch \\$0.$name.\\$index; exit $(($1))" "$name"
done
touch "$0.ready.$index"
for ((i = 0; i < 200; i++)); do sleep 0.05; done
exit 9
"""


def _wait(code):
  return f'set -- {code}\n{_WAIT}'


class LocalTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.fakes = fakes.Fakes(self.create_tempdir().full_path)

  @parameterized.parameters(
      [[]], [['restorer']], [['-n']], [['-n', '2', 'restorer']],
      [['-n', '0', 'restorer', 'runs/a']], [['-n', 'x', 'restorer', 'runs/a']],
      [['--config=restorer', 'runs/a']])
  def test_usage(self, arguments):
    self.fakes.add('python', '')
    done = self.fakes.run(_SCRIPT, *arguments)
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'Usage: launch/local.sh')
    self.assertEmpty(self.fakes.calls('python'))

  @parameterized.parameters([[]], [['-n', '1']])
  def test_one_process_is_the_program(self, count):
    self.fakes.add('python', 'exit 7')
    done = self.fakes.run(_SCRIPT, *count, *_RUN[2:])
    self.assertEqual(done.returncode, 7)
    self.assertEqual(self.fakes.calls('python'), {'1': _ARGUMENTS})

  def test_two_processes_share_an_address(self):
    self.fakes.add('python', 'cat; exit 0')  # cat: there is nothing to read.
    done = self.fakes.run(_SCRIPT, *_RUN)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(done.stderr, '')
    calls = self.fakes.calls('python')
    self.assertEqual(list(calls), ['0', '1'])
    address = calls['0'][-1].removesuffix(',2,0')
    self.assertRegex(address, r'^--distributed=127\.0\.0\.1:[23]\d{4}$')
    for i in '01':
      self.assertEqual(calls[i], [*_ARGUMENTS, f'{address},2,{i}'])

  def test_a_failure_ends_the_others(self):
    self.fakes.add('python', f"""
        for ((i = 0; index == 1 && i < 200; i++)); do
          [ -e "$0.ready.0" ] && exit 3
          sleep 0.05
        done
        {_wait(0)}""")
    done = self.fakes.run(_SCRIPT, *_RUN)
    self.assertEqual(done.returncode, 3)
    self.assertIn('Process 1 ended with exit code 3', done.stderr)
    self.assertTrue((self.fakes.folder / 'python.TERM.0').exists())

  def test_others_that_do_not_end_are_made_to(self):
    self.fakes.add('python', """
        trap '' TERM
        touch "$0.ready.$index"
        for ((i = 0; i < 200; i++)); do
          [ "$index" = 0 ] && [ -e "$0.ready.1" ] && exit 5
          sleep 0.05
        done
        touch "$0.late"
        """)
    done = self.fakes.run(_SCRIPT, *_RUN, GRACE='0')
    self.assertEqual(done.returncode, 5)
    self.assertFalse((self.fakes.folder / 'python.late').exists())

  @parameterized.parameters(('TERM', 0), ('INT', 130))
  def test_signals_reach_all(self, name, code):
    self.fakes.add('python', _wait(code))
    process = self.fakes.start(_SCRIPT, *_RUN)
    self.fakes.wait_for('python.ready.0', 'python.ready.1')
    process.send_signal(getattr(signal, f'SIG{name}'))
    _, errors = process.communicate(timeout=30)
    self.assertEqual(process.returncode, code, errors)
    for i in range(2):
      self.assertTrue((self.fakes.folder / f'python.{name}.{i}').exists())

  @parameterized.parameters(
      (None, ['0,1', '2,3']), ('3,1', ['3', '1']), ('0,1,2', ['0', '1']),
      ('', ['', '']))
  def test_gpus_are_dealt_out(self, visible, expected):
    self.fakes.add('nvidia-smi', """
        for i in 0 1 2 3; do
          echo "GPU $i: NVIDIA 1 (UUID: GPU-$i)"
          echo "  MIG 1g.10gb Device 0: (UUID: MIG-$i)"
        done
        """)
    self.fakes.add(
        'python', 'echo "$CUDA_VISIBLE_DEVICES" > "$0.gpus.$index"')
    environment = {} if visible is None else {'CUDA_VISIBLE_DEVICES': visible}
    unset = ['env', '-u', 'CUDA_VISIBLE_DEVICES'] if visible is None else []
    done = self.fakes.run(*unset, _SCRIPT, *_RUN, **environment)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(expected, [
        (self.fakes.folder / f'python.gpus.{i}').read_text().strip()
        for i in range(2)])

  def test_refuses_more_processes_than_gpus(self):
    self.fakes.add('nvidia-smi', '')
    self.fakes.add('python', '')
    done = self.fakes.run(_SCRIPT, *_RUN, CUDA_VISIBLE_DEVICES='0')
    self.assertEqual(done.returncode, 2)
    self.assertIn('fewer GPUs (1) than processes (2)', done.stderr)
    self.assertEmpty(self.fakes.calls('python'))

  def test_gpus_that_cannot_be_asked_are_none(self):
    self.fakes.add('nvidia-smi', 'echo "No devices were found"; exit 6')
    self.fakes.add('python', '')
    done = self.fakes.run('env', '-u', 'CUDA_VISIBLE_DEVICES', _SCRIPT, *_RUN)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertLen(self.fakes.calls('python'), 2)


if __name__ == '__main__':
  absltest.main()
