"""Tests of the notebooks: what they hold, what they need, that they run."""

import ast
import importlib.metadata
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_BOOKS = ('look_inside', 'restore_a_clip', 'train_on_your_damage')
# What is imported under another name than it is installed by.
_NAMES = {'absl': 'absl-py', 'cv2': 'opencv-python-headless',
          'skimage': 'scikit-image'}
_PIP = re.compile(r'^( *)%pip (.+)$', re.M)


def _book(name):
  return json.loads((_ROOT / 'colab' / f'{name}.ipynb').read_text())


def _code(name, *, tiny=False):
  """The cells of code as Python; pip is called as _pip(its words)."""
  cells = [''.join(c['source']) for c in _book(name)['cells']
           if c['cell_type'] == 'code']
  cells = [_PIP.sub(r"\1_pip(f'''\2''')", cell) for cell in cells]
  if tiny:
    cells = [cell.replace('\ntiny = False', '\ntiny = True') for cell in cells]
  return cells


def _imported(cell):
  """Full names of the modules that a cell imports."""
  for node in ast.walk(ast.parse(cell)):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield node.module


def _required():
  """Names of the packages that an installation brings along."""
  for node in ast.walk(ast.parse((_ROOT / 'setup.py').read_text())):
    if isinstance(node, ast.keyword) and node.arg == 'install_requires':
      return {re.match(r'[\w-]+', e)[0] for e in ast.literal_eval(node.value)}
  raise LookupError('setup.py names no install_requires.')


class ColabTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path).resolve()

  def test_all_notebooks_are_there(self):
    found = sorted(p.stem for p in (_ROOT / 'colab').glob('*.ipynb'))
    self.assertSequenceEqual(found, _BOOKS)

  @parameterized.parameters(*_BOOKS)
  def test_holds_what_its_author_wrote_and_nothing_of_a_run(self, name):
    book = _book(name)
    self.assertEqual(book['nbformat'], 4)
    for cell in book['cells']:
      self.assertNotIn('id', cell)
      self.assertFalse(cell.get('outputs'))
      self.assertIsNone(cell.get('execution_count'))
      self.assertContainsSubset(cell['metadata'], {'tags'})
    self.assertEqual(set(book['metadata']), {'kernelspec', 'language_info'})
    text = (_ROOT / 'colab' / f'{name}.ipynb').read_text()
    self.assertNotRegex(text, r'/(root|home|content|tmp|work)\b|https?://\w')

  @parameterized.parameters(*_BOOKS)
  def test_imports_calls_and_looks(self, name):
    for cell in _code(name):
      self.assertFalse([n for n in ast.walk(ast.parse(cell)) if isinstance(
          n, (ast.FunctionDef, ast.ClassDef, ast.Lambda))])
      self.assertLessEqual(max(map(len, cell.splitlines())), 80)
    kinds = [c['cell_type'] for c in _book(name)['cells']]
    self.assertEqual(kinds[:2], ['markdown', 'code'])
    self.assertGreaterEqual(kinds.count('markdown'), 5)

  @parameterized.parameters(*_BOOKS)
  def test_what_is_imported_is_installed_by_the_first_cell(self, name):
    first, *cells = _code(name)
    for cell, allowed in ((first, set()), ('\n'.join(cells), _required())):
      for module in _imported(cell):
        top = module.split('.')[0]
        if top in sys.stdlib_module_names or top == 'revive_jax' and allowed:
          continue
        self.assertIn(_NAMES.get(top, top), allowed)

  @parameterized.parameters(*_BOOKS)
  def test_has_one_switch_to_be_tiny(self, name):
    (cell,) = [c for c in _book(name)['cells']
               if c['metadata'].get('tags') == ['parameters']]
    self.assertEqual(''.join(cell['source']).count('\ntiny = False'), 1)
    self.assertNotEqual(_code(name), _code(name, tiny=True))

  def _first_cell(self, name, where, installed=False):
    """Runs the first cell in a folder; what it asked pip to do."""
    asked = []
    missing = importlib.metadata.PackageNotFoundError('revive-jax')
    version = mock.Mock(**{
        'return_value': '0.1.0'} if installed else {'side_effect': missing})
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(where)
    with mock.patch.object(importlib.metadata, 'version', version):
      exec(_code(name)[0], {'_pip': asked.append})
    return asked

  def _checkout(self):
    """What the first cell knows a checkout by, in a folder with a space."""
    checkout = self.dir / 'my drive' / 'revive_jax'
    (checkout / 'revive_jax').mkdir(parents=True)
    (checkout / 'revive_jax' / 'main.py').touch()
    (checkout / 'colab').mkdir()
    return checkout

  @parameterized.product(
      name=_BOOKS, where=('.', 'colab', '..'))
  def test_bare_python_installs_the_checkout(self, name, where):
    checkout = self._checkout()
    self.assertEqual(self._first_cell(name, checkout / where), [
        f'install -q "{checkout}" -c "{checkout}/constraints.txt"'])
    # Where revive_jax/ lies in the working folder it would be imported.
    self.assertFalse(pathlib.Path('revive_jax', 'main.py').exists())

  @parameterized.parameters(*_BOOKS)
  def test_what_is_installed_stays(self, name):
    self.assertEmpty(
        self._first_cell(name, self._checkout() / 'colab', installed=True))
    self.assertEmpty(self._first_cell(name, self.dir, installed=True))

  @parameterized.parameters(*_BOOKS)
  def test_says_that_there_is_nothing_to_install(self, name):
    with self.assertRaisesRegex(FileNotFoundError, 'no checkout .* `project`'):
      self._first_cell(name, self.dir)

  @pytest.mark.slow
  def test_what_the_first_cell_asks_for_can_be_installed(self):
    checkout = self.dir / 'my drive' / 'revive_jax'
    for name in ('configs', 'revive_jax', 'colab'):
      shutil.copytree(_ROOT / name, checkout / name)
    for name in ('README.md', 'constraints.txt', 'pyproject.toml', 'setup.py'):
      shutil.copy(_ROOT / name, checkout)
    (asked,) = self._first_cell(_BOOKS[0], checkout / 'colab')
    place = self.dir / 'installed'
    done = subprocess.run(
        [sys.executable, '-m', 'pip', *shlex.split(asked), '--no-deps',
         '--target', place], capture_output=True, text=True, check=False)
    if done.returncode and 'No matching distribution found for setuptools' in (
        done.stderr):
      self.skipTest('What builds packages cannot be fetched here.')
    self.assertEqual(done.returncode, 0, done.stderr)
    names = {module for book in _BOOKS for cell in _code(book)
             for module in _imported(cell) if module.startswith('revive_jax')}
    script = '\n'.join([
        'import importlib, revive_jax',
        f'for name in {sorted(names)}: importlib.import_module(name)',
        "revive_jax.load_weights('restorer')", 'print(revive_jax.__file__)'])
    said = subprocess.run(
        [sys.executable, '-c', script], text=True, check=True, cwd=self.dir,
        stdout=subprocess.PIPE, env=os.environ | {'PYTHONPATH': str(place)})
    self.assertIn(str(place), said.stdout)

  def _run(self, name):
    """Runs a notebook in its tiny form, from top to bottom; what it printed."""
    script = self.dir / f'{name}.py'
    script.write_text('\n\n'.join(_code(name, tiny=True)))
    done = subprocess.run(
        [sys.executable, '-W', 'error::SyntaxWarning', script],
        capture_output=True, text=True, cwd=self.dir, check=False,
        env=os.environ | {'MPLBACKEND': 'Agg',
                          'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'})
    self.assertEqual(done.returncode, 0, done.stderr)
    return done.stdout

  @pytest.mark.slow
  def test_restore_a_clip_runs(self):
    said = self._run('restore_a_clip')
    self.assertRegex(said, r'Frames 0 to \d+:\n  \w+ at ')
    runs = self.dir / 'runs'
    for file in ('demo/outputs/contact_sheet.png', 'restored/restored.mkv',
                 'restored/frame.png'):
      self.assertTrue((runs / file).is_file(), file)
    self.assertTrue(list((runs / 'restored').rglob('*_original*')))

  @pytest.mark.slow
  def test_train_on_your_damage_runs(self):
    said = self._run('train_on_your_damage')
    for row in ('ours (restorer)', 'ours (drops_training/weights)'):
      self.assertIn(f'| {row} |', said)
    config = json.loads(
        (self.dir / 'runs/drops_training/weights/config.json').read_text())
    shipped = json.loads((
        _ROOT / 'revive_jax/weights/restorer/config.json').read_text())
    self.assertEqual(config['steps'], shipped['steps'] + 2)  # It went on.
    self.assertNotEqual(config['sha256'], shipped['sha256'])

  @pytest.mark.slow
  def test_look_inside_runs(self):
    self.assertRegex(self._run('look_inside'), r'Probability of damage')


if __name__ == '__main__':
  absltest.main()
