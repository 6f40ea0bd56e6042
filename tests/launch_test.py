"""Tests of what is around the package: launchers, workflow, notebook."""

import json
import os
import pathlib
import subprocess

from absl.testing import absltest
import yaml

_ROOT = pathlib.Path(__file__).parents[1]
_TEST = ("python -m pip install -e '.[test]' -c constraints.txt "
         '&& python -m pytest')
_DEMO = ('python -m pip install -e . -c constraints.txt && python -m '
         'revive_jax.main --config=configs/demo.py --workdir=runs/demo')


class LaunchTest(absltest.TestCase):

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

  def test_notebook_runs_from_top_to_bottom(self):
    book = json.loads((_ROOT / 'colab/restore_a_clip.ipynb').read_text())
    self.assertFalse([c for c in book['cells'] if c.get('outputs')])
    before, names = os.getcwd(), {}
    os.chdir(self.create_tempdir().full_path)
    self.addCleanup(os.chdir, before)
    for cell in book['cells']:
      text = ''.join(cell['source'])
      if cell['cell_type'] == 'code' and not any(
          w in text for w in ('%pip', 'google.colab', 'IPython')):
        exec(compile(text, cell['id'], 'exec'), names)
    self.assertTrue(list(pathlib.Path('runs').rglob('contact_sheet.png')))
    self.assertTrue(list(pathlib.Path('runs').rglob('*_restored.mkv')))


if __name__ == '__main__':
  absltest.main()
