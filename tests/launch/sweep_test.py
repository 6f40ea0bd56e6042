"""Tests of launch/sweep.py."""

import contextlib
import io
import shlex
import subprocess
import sys

from absl.testing import absltest, parameterized

from launch import sweep
from revive_jax import types
from tests.launch import fakes

_FIXED = ('--config=restorer', '--workdir=runs/sweep')


class SweepTest(parameterized.TestCase):

  def test_lines(self):
    # By hand.
    start = 'python -m revive_jax.main --config=restorer --workdir=runs/sweep/'
    self.assertEqual(
        sweep.commands([*_FIXED, 'optimizer.peak=0.003,0.01', 'seed=0,1']), [
            f'{start}optimizer.peak={peak},seed={seed} '
            f'--config.optimizer.peak={peak} --config.seed={seed}'
            for peak in ('0.003', '0.01') for seed in (0, 1)])

  @parameterized.parameters(
      ('seed=1,2', 'seed', (1, 2)),
      ('optimizer.peak=1e-3,0.1', 'optimizer.peak', (1e-3, 0.1)),
      ('damage.severity=(0.25, 2.0),(0.5,1.0)', 'damage.severity',
       ((0.25, 2.0), (0.5, 1.0))),
      ("init_from=,it's here", 'init_from', ('', "it's here")),
  )
  def test_the_program_reads_what_was_swept(self, words, key, expected):
    lines = sweep.commands(
        [*_FIXED, '--config.data.root=a b', '--distributed=auto', words])
    self.assertLen({line.split('--config.')[0] for line in lines}, len(lines))
    for line, value in zip(lines, expected, strict=True):
      python, *arguments = shlex.split(line)
      self.assertEqual([python, *arguments[:2]],
                       ['python', '-m', 'revive_jax.main'])
      self.assertEqual(arguments[2], '--config=restorer')
      self.assertStartsWith(arguments[3], f'--workdir=runs/sweep/{key}=')
      self.assertEqual(arguments[3].count('/'), 2)
      self.assertEqual(arguments[4:6],
                       ['--config.data.root=a b', '--distributed=auto'])
      c = sweep.parse('restorer', [arguments[4], *arguments[6:]])
      self.assertEqual(c.data.root, 'a b')
      for name in key.split('.'):
        c = c[name]
      self.assertEqual(c, value)

  def test_values_become_folders(self):
    (line,) = sweep.commands([*_FIXED, 'init_from=runs/a/weights'])
    self.assertIn('--workdir=runs/sweep/init_from=runs_a_weights ', line)
    self.assertEndsWith(line, '--config.init_from=runs/a/weights')

  @parameterized.parameters(
      ('a', ['a']), ('', ['']), ('a,', ['a', '']), ('(1,2)', ['(1,2)']),
      ('1,(2,[3,4]),5', ['1', '(2,[3,4])', '5']))
  def test_split(self, text, expected):
    self.assertEqual(sweep.split(text), expected)

  @parameterized.parameters('(1', '1)', ')1(')
  def test_split_refuses(self, text):
    with self.assertRaisesRegex(types.BadInput, 'do not match'):
      sweep.split(text)

  @parameterized.parameters(
      ([], 'Name a --config='),
      (['--config=restorer', 'seed=1'], 'Name a --config='),
      ([*_FIXED], 'key=value'),
      ([*_FIXED, 'seed'], "'seed'"),
      ([*_FIXED, 'seed=1', 'seed=2'], 'twice'),
      ([*_FIXED, 'seed=1,1'], 'two settings'),
      ([*_FIXED, f'init_from={"x" * 250}'], 'too long'),
      ([*_FIXED, 'optimizer.rate=1'], "'rate'"),
      ([*_FIXED, 'seed=1', '--config.bogus=1'], "'bogus'"),
      ([*_FIXED, 'seed=1,fast'], 'seed=fast'),
      ([*_FIXED, 'optimizer.peak=high'], 'optimizer.peak=high'),
      (['--config=nope', '--workdir=w', 'seed=1'], "'nope'"),
      (['--config=restorer:huge', '--workdir=w', 'seed=1'], "'huge'"),
  )
  def test_refuses_in_one_sentence(self, words, reason):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
      code = sweep.main(words)
    self.assertEqual((code, out.getvalue()), (2, ''))
    self.assertLen(errors.getvalue().splitlines(), 1)
    self.assertIn(reason, errors.getvalue())

  def test_as_its_docstring_says(self):
    programs = fakes.Fakes(self.create_tempdir().full_path)
    programs.add('python', '')
    lines = subprocess.run(
        [sys.executable, str(fakes.ROOT / 'launch/sweep.py'), *_FIXED,
         'damage.severity=(0.25, 2.0)', 'seed=3,4'],
        capture_output=True, text=True, check=True,
        env=programs.environment(PYTHONPATH=str(fakes.ROOT))).stdout
    sweep_txt = programs.folder / 'sweep.txt'
    sweep_txt.write_text(lines)
    for command in (
        "xargs -d '\\n' -n 1 -P 2 sh -c",
        '''eval "$(sed -n "${SLURM_ARRAY_TASK_ID}p" sweep.txt)"'''):
      self.assertIn(command, sweep.__doc__)
    programs.run('sh', '-c', f"xargs -d '\\n' -n 1 -P 2 sh -c < {sweep_txt}")
    self.assertEqual(programs.calls('python'), {
        str(seed): ['-m', 'revive_jax.main', *_FIXED[:1],
                    f'{_FIXED[1]}/damage.severity=(0.25, 2.0),seed={seed}',
                    '--config.damage.severity=(0.25, 2.0)',
                    f'--config.seed={seed}'] for seed in (3, 4)})
    (programs.folder / 'python.4').unlink()
    programs.run('sh', '-c', f'cd {programs.folder}; eval "$(sed -n '
                 '"${SLURM_ARRAY_TASK_ID}p" sweep.txt)"',
                 SLURM_ARRAY_TASK_ID='2')
    self.assertIn('4', programs.calls('python'))

  def test_help(self):
    with contextlib.redirect_stdout(io.StringIO()) as out:
      self.assertEqual(sweep.main(['--help']), 0)
    self.assertIn('Needs', out.getvalue())


if __name__ == '__main__':
  absltest.main()
