"""Tests of export.py: a restorer as programs that run without its code."""

import functools
import json
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import restore as config
import revive_jax
from revive_jax import export, exported, types
from revive_jax.models import inference, restorer, weights
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_SETTINGS = dict(features=4, deep_features=4, num_blocks=1, noise=2)


def _save(folder, seed=0):
  model = restorer.Restorer(**_SETTINGS)
  drawn = params.draw(model, jnp.zeros((1, 1, 32, 32, 3)), seed=seed)
  weights.save_weights(
      folder, drawn, model='restorer', settings=_SETTINGS, card='')


def _config(folder, **options):
  c = config.get_config('tiny')
  c.weights = str(folder / 'net')
  c.export.update(options)
  return c


class ExportTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    _save(self.folder / 'net')

  @pytest.mark.slow
  def test_restores_as_the_network_does(self):
    """Of any number and size of frames; in a process without the network."""
    c = _config(self.folder, check=False)
    manifest = export.export(c, str(self.folder))
    made = self.folder / 'exported' / 'net'
    self.assertEqual(manifest['folder'], str(made))
    told = json.loads((made / exported.MANIFEST).read_text())
    self.assertEqual(told['platforms'], ['cpu', 'cuda', 'tpu'])
    self.assertEqual(told['weights']['sha256'], weights.read_weights(
        c.weights).config['sha256'])
    self.assertEqual(told['programs'][0]['inputs'][1],
                     'float32[b,t,16*m,16*n,3]')
    frames = np.random.default_rng(0).random((2, 3, 40, 56, 3), np.float32)
    np.save(self.folder / 'frames.npy', frames)
    _run_alone(self.folder, made)
    self._compare(frames)

  def _compare(self, frames):
    model, drawn = inference.load_weights(self.folder / 'net')
    restore = functools.partial(
        inference.restore_frames, drawn, model=model)
    found = np.load(self.folder / 'found.npz', allow_pickle=False)
    cuts = np.array([[0, 1, 0], [0, 0, 0]], bool)
    both, _ = restore(frames, cuts=cuts, sample=1)
    _, state = restore(frames[:, :2], causal=True)
    later, _ = restore(frames[:, 2:], causal=True, state=state)
    for name, wanted in (('both', both), ('later', later)):
      for part in ('output', 'damage', 'log_variance', 'flow'):
        np.testing.assert_allclose(
            found[f'{name}_{part}'], getattr(wanted, part), atol=1e-5)

  def test_other_weights(self):
    _save(self.folder / 'other', seed=1)
    made = self.folder / 'made'
    made.mkdir()
    (made / exported.MANIFEST).write_text(json.dumps({
        'kind': exported.KIND, 'format': exported.FORMAT, 'programs': [],
        'block': 16, 'state': {}, 'jax': jax.__version__,
        'weights': {'sha256': 'f' * 64}}))
    with self.assertRaisesRegex(types.BadInput, 'from other weights .SHA-25'):
      export.check(_config(self.folder), str(made))

  def test_what_is_no_artefact(self):
    with self.assertRaisesRegex(types.BadInput, 'is no exported restorer'):
      export.check(_config(self.folder), str(self.folder / 'net'))

  def test_takes_no_folder_of_something_else(self):
    with self.assertRaisesRegex(types.BadInput, 'choose another --output'):
      export.export(_config(self.folder), '', str(self.folder / 'net'))
    self.assertTrue((self.folder / 'net' / 'config.json').exists())

  @parameterized.parameters(
      (dict(platforms=('abacus',)), 'export.platforms'),
      (dict(dtypes=('float16',)), 'export.dtypes'),
      (dict(dtypes=()), 'export.dtypes is empty'))
  def test_refuses_settings(self, options, words):
    with self.assertRaisesRegex(types.BadInput, words):
      export.export(_config(self.folder, **options), str(self.folder))

  def test_refuses_to_export_nothing(self):
    c = _config(self.folder)
    c.weights = ''
    with self.assertRaisesRegex(types.BadInput, 'no weights to export'):
      export.export(c, str(self.folder))

  def test_at_the_top_of_the_package(self):
    self.assertIs(revive_jax.load_exported, exported.load_exported)


def _run_alone(folder, made):
  """Runs it where the networks and Flax cannot be imported."""
  code = f'''
import sys
sys.modules['revive_jax.models'] = sys.modules['flax'] = None
import jax, numpy as np, revive_jax
jax.config.update('jax_disable_most_optimizations', True)
restore = revive_jax.load_exported({str(made)!r})
frames = np.load('frames.npy', allow_pickle=False)
both, _ = restore(frames, cuts=np.array([[0, 1, 0], [0, 0, 0]]), sample=1)
_, state = restore(frames[:, :2], causal=True)
later, _ = restore(frames[:, 2:], causal=True, state=state)
np.savez('found.npz', **{{f'{{name}}_{{part}}': value
         for name, said in (('both', both), ('later', later))
         for part, value in said._asdict().items()}})
'''
  root = pathlib.Path(revive_jax.__file__).parents[1]
  subprocess.run(
      [sys.executable, '-c', code], cwd=folder, check=True,
      env={'PATH': '', 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(root)})


if __name__ == '__main__':
  absltest.main()
