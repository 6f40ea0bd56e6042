"""Tests that nothing is loaded in a way that runs what is in the file."""

import ast
import pathlib

from absl.testing import absltest

_ROOT = pathlib.Path(__file__).parents[1]
# Modules that make objects, or run code, of what they read.
_MODULES = ('pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'joblib',
            'shelve', 'marshal', 'torch', 'yaml', 'jsonpickle', 'pandas',
            'h5py', 'keras', 'tensorflow')
# Calls that may, whatever they are called on.
_CALLS = ('eval', 'exec', 'unpickle', 'read_pickle', 'from_pickle')


def _unsafe(source):
  """(line, what) of whatever could run what it loads."""
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      for alias in node.names:
        if alias.name.split('.')[0] in _MODULES:
          yield node.lineno, alias.name
    elif isinstance(node, ast.ImportFrom):
      if (node.module or '').split('.')[0] in _MODULES:
        yield node.lineno, node.module
    elif isinstance(node, ast.keyword) and node.arg == 'allow_pickle':
      if not (isinstance(node.value, ast.Constant)
              and node.value.value is False):
        yield node.value.lineno, 'allow_pickle'
    elif isinstance(node, ast.Call):
      name = ast.unparse(node.func)
      if name in _CALLS or name.split('.')[-1] in _CALLS[2:]:
        yield node.lineno, name
      if name in ('np.load', 'numpy.load') and not any(
          k.arg == 'allow_pickle' for k in node.keywords):
        yield node.lineno, f'{name} without allow_pickle=False'


class SafeLoadingTest(absltest.TestCase):

  def test_nothing_that_runs_what_it_loads(self):
    paths = [p for folder in ('revive_jax', 'configs', 'launch')
             for p in (_ROOT / folder).rglob('*.py')]
    self.assertGreater(len(paths), 150)
    for path in paths:
      found = list(_unsafe(path.read_text()))
      self.assertEqual(found, [], path.relative_to(_ROOT))

  def test_such_lines_are_found(self):
    for line in ('import pickle', 'import torch.nn', 'from joblib import load',
                 'np.load(f)', 'np.load(f, allow_pickle=True)',
                 'np.load(f, allow_pickle=x)', 'eval(text)',
                 'pd.read_pickle(f)', 'import yaml as y'):
      self.assertLen(list(_unsafe(line)), 1, line)
    for line in ('np.load(f, allow_pickle=False)', 'model.eval_shape(x)',
                 'jax.eval_shape(f)', 'safetensors.numpy.load(data)'):
      self.assertEmpty(list(_unsafe(line)), line)


if __name__ == '__main__':
  absltest.main()
