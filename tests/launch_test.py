"""Tests of what is around the package: launchers, workflow."""

import ast
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys
import types
from unittest import mock

from absl.testing import absltest, parameterized
import yaml

from tests.launch import fakes

_ROOT = pathlib.Path(__file__).parents[1]
_LAUNCHERS = sorted(p.name for p in (_ROOT / 'launch').iterdir() if p.is_file())
_SCRIPTS = [name for name in _LAUNCHERS if name.endswith(('.sh', '.sbatch'))]
_TEST = ("python -m pip install -e '.[test]' -c constraints.txt "
         '&& python -m pytest')
_DEMO = ('python -m pip install -e . -c constraints.txt && python -m '
         'revive_jax.main --config=configs/demo.py --workdir=runs/demo')


def _setup(name):
  """An argument of setup.py, as it is written there."""
  for node in ast.walk(ast.parse((_ROOT / 'setup.py').read_text())):
    if isinstance(node, ast.keyword) and node.arg == name:
      return ast.literal_eval(node.value)
  raise KeyError(name)


def _instructions():
  """The (name, arguments) of launch/Dockerfile, continued lines joined."""
  text = re.sub(r'^#.*\n', '', (_ROOT / 'launch/Dockerfile').read_text(),
                flags=re.M).replace('\\\n', ' ')
  return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line]


class LaunchTest(parameterized.TestCase):

  def test_all_launchers_are_there(self):
    self.assertEqual(_LAUNCHERS, [
        'Dockerfile', 'kubernetes.yaml', 'local.sh', 'ray_cluster.yaml',
        'ray_hosts.sh', 'slurm.sbatch', 'slurm_archive.sbatch', 'sweep.py',
        'tpu.sh'])

  @parameterized.parameters(*_LAUNCHERS)
  def test_says_what_it_needs_and_names_no_place(self, name):
    text = (_ROOT / 'launch' / name).read_text()
    self.assertIn('Needs: ', text[:1000])
    self.assertNotRegex(text, r'https?:|/root|/work\b|/home/(?!reviver)|token')

  @parameterized.parameters(*_SCRIPTS)
  def test_syntax_of_scripts(self, name):
    script = _ROOT / 'launch' / name
    self.assertTrue(os.access(script, os.X_OK))
    self.assertStartsWith(script.read_text(), '#!/usr/bin/env bash\n')
    subprocess.run(['bash', '-n', script], check=True)
    done = subprocess.run([fakes.SHELLCHECK, script], capture_output=True,
                          text=True, check=False)
    self.assertEqual(done.returncode, 0, done.stdout)

  def test_syntax_of_the_image(self):
    names = [name for name, _ in _instructions()]
    self.assertEqual(names[0], 'FROM')
    self.assertEmpty(set(names) - {
        'FROM', 'ARG', 'WORKDIR', 'COPY', 'RUN', 'USER', 'ENTRYPOINT'})
    values = dict(_instructions())
    self.assertRegex(values['FROM'], r'^python:3\.\d+-slim$')
    self.assertEqual(values['ARG'], 'EXTRA=""')  # Else CPU.
    (command,) = json.loads(values['ENTRYPOINT'])
    self.assertIn(command, [
        line.split(' = ')[0]
        for line in _setup('entry_points')['console_scripts']])
    self.assertIn(f'/home/{values["USER"]}', values['WORKDIR'])

  @parameterized.parameters(('', '.'), ('cuda', '.[cuda]'))
  def test_image_installs_an_extra(self, extra, expected):
    programs = fakes.Fakes(self.create_tempdir().full_path)
    programs.add('python', '')
    programs.add('useradd', '')
    (run,) = [text for name, text in _instructions() if name == 'RUN']
    done = programs.run('sh', '-c', run, EXTRA=extra)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(list(programs.calls('python').values()), [[
        '-m', 'pip', 'install', '--no-cache-dir', expected, '-c',
        'constraints.txt']])
    self.assertLen(programs.calls('useradd'), 1)

  def test_extras_that_launchers_name_exist(self):
    named = set()
    for name in _LAUNCHERS:
      named |= set(re.findall(r'EXTRA=(\w+)|the extra `(\w+)`|WHEEL\[(\w+)\]',
                              (_ROOT / 'launch' / name).read_text()))
    named = {word for words in named for word in words if word}
    self.assertEqual(named, {'cluster', 'cuda', 'tpu'})
    self.assertContainsSubset(named, _setup('extras_require').keys())

  def test_image_holds_what_the_package_is_built_of(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    for name, text in _instructions():
      if name == 'COPY':
        *sources, target = text.split()
        for source in sources:
          self.assertTrue((_ROOT / source).exists(), source)
          place = source if target == './' else target
          (folder / place).symlink_to(_ROOT / source)
    # setup.py there, without setuptools, which need not be installed.
    arguments = {}
    fake = types.SimpleNamespace(
        setup=arguments.update, find_packages=lambda include: include)
    self.enter_context(mock.patch.dict(sys.modules, setuptools=fake))
    runpy.run_path(str(folder / 'setup.py'))
    self.assertEqual(arguments['name'], 'revive-jax')
    for place in (*arguments['package_dir'].values(), 'revive_jax/weights',
                  'constraints.txt', 'pyproject.toml', 'LICENSE'):
      self.assertTrue((folder / place).exists(), place)

  def test_local_launcher(self):
    script = str(_ROOT / 'launch/local.sh')
    subprocess.run(['bash', '-n', script], check=True)
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    self.assertEqual(done.returncode, 2)
    self.assertIn('Usage', done.stderr)

  def test_the_two_commands_are_printed_as_they_are_run(self):
    readme = (_ROOT / 'README.md').read_text().splitlines()
    self.assertEqual(readme.count(_TEST), 1)
    self.assertEqual(readme.count(_DEMO), 1)
    self.assertIn(_TEST, (_ROOT / '.ci/run').read_text().splitlines())

  def test_workflow_runs_them(self):
    text = (_ROOT / '.github/workflows/test.yml').read_text()
    jobs = yaml.safe_load(text)['jobs'].values()
    runs = [s.get('run', '') for job in jobs for s in job['steps']]
    self.assertTrue(any(_TEST in run for run in runs), runs)
    yaml.safe_load((_ROOT / '.pre-commit-config.yaml').read_text())


if __name__ == '__main__':
  absltest.main()
