"""Tests of models/weights.py."""

import functools
import hashlib
import json
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import types as python_types
from unittest import mock

from absl.testing import absltest, parameterized
import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from revive_jax import types
from revive_jax.models import inference, weights


class _Net(nn.Module):
  features: int = 4

  @nn.compact
  def __call__(self, x):
    return nn.Dense(1)(nn.Conv(self.features, (3, 3), name='first')(x))


@functools.cache
def make_params(features=4):
  net, x = _Net(features), jnp.zeros((1, 5, 5, 3))
  return jax.jit(net.init)(jax.random.key(0), x)['params']


@functools.cache
def expected(features=4):
  net, x = _Net(features), jnp.zeros((1, 5, 5, 3))
  return jax.eval_shape(net.init, jax.random.key(0), x)['params']


class _Payload:
  """Makes a file when it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return open, (self.path, 'w')


class _TestCase(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.folder = self.dir / 'net'
    self.tensors = self.folder / 'model.safetensors'
    self.config = self.folder / 'config.json'

  def save(self, params=None, folder=None, model='net', **more):
    weights.save_weights(
        folder or self.folder, params or make_params(), model=model,
        settings={'features': 4}, card='# A card\n', **more)

  def edit_config(self, **changes):
    config = json.loads(self.config.read_text()) | changes
    self.config.write_text(json.dumps(config))


class WeightsTest(_TestCase):

  def test_round_trip_is_float16(self):
    params = make_params()
    self.save(params, steps=7, data='made up')
    config, found, name = weights.read_weights(self.folder)
    wanted = jax.tree.map(
        lambda x: np.asarray(x).astype(np.float16).astype(np.float32), params)
    chex.assert_trees_all_equal(found, wanted)
    self.assertTrue(all(
        isinstance(x, np.ndarray) and x.dtype == np.float32
        for x in jax.tree.leaves(found)))
    self.assertEqual(name, 'net')
    self.assertEqual(config, {
        'format': 1, 'model': 'net', 'settings': {'features': 4}, 'steps': 7,
        'data': 'made up', 'sha256': config['sha256']})
    weights.check_shapes(found, expected())
    self.save(found, steps=7, data='made up')  # Rounding again changes nothing.
    self.assertEqual(json.loads(self.config.read_text()), config)

  def test_files_as_others_read_them(self):
    params = {'a': {'b': np.arange(6, dtype=np.float32).reshape(2, 3).T}}
    self.save(params)
    arrays = safetensors.numpy.load_file(self.tensors)
    self.assertEqual(list(arrays), ['a/b'])
    self.assertEqual(arrays['a/b'].dtype, np.float16)
    np.testing.assert_array_equal(arrays['a/b'], [[0, 3], [1, 4], [2, 5]])
    self.assertEqual(
        json.loads(self.config.read_text())['sha256'],
        hashlib.sha256(self.tensors.read_bytes()).hexdigest())
    self.assertEqual((self.folder / 'README.md').read_text(), '# A card\n')
    self.assertEqual({p.name for p in self.dir.iterdir()}, {'net'})

  def test_float32_where_float16_is_too_coarse(self):
    params = {'covariance': np.float32([1e-9, 1 + 2**-20, 1e6])}
    self.save(params, dtype=np.float32)
    chex.assert_trees_all_equal(
        weights.read_weights(self.folder).params, params)

  def test_file_and_shipped_name(self):
    self.save(folder=self.dir / 'weights' / 'small', model='restorer')
    self.save(folder=self.dir / 'weights' / 'measure')  # Restores nothing.
    with mock.patch.object(weights, '_SHIPPED', self.dir / 'weights'):
      self.assertEqual(weights.shipped(), ['small'])
      self.assertEqual(weights.read_weights('measure').name, 'measure')
      by_name = weights.read_weights('small')
      with self.assertRaisesRegex(
          types.BadInput, "no weights 'large'; .*ships: small"):
        weights.read_weights('large')
    by_file = weights.read_weights(
        self.dir / 'weights' / 'small' / 'model.safetensors')
    self.assertEqual(by_name.name, by_file.name)
    chex.assert_trees_all_equal(by_name.params, by_file.params)

  def test_shipped_weights_are_whole(self):
    size = 0
    for name in weights.shipped():
      read = weights.read_weights(name)
      self.assertEqual(read.name, name)
      inference.build(read)  # Of this version's architecture.
      size += sum(2 * x.size for x in jax.tree.leaves(read.params))
    self.assertLess(size, 12e6)

  def test_replaces_weights_and_nothing_else(self):
    self.save(make_params(2))
    self.save(make_params(4))
    weights.check_shapes(
        weights.read_weights(self.folder).params, expected(4))
    (self.folder / 'thesis.tex').write_text('irreplaceable')
    with self.assertRaisesRegex(types.BadInput, 'something else'):
      self.save(make_params(2))
    self.assertEqual(
        (self.folder / 'thesis.tex').read_text(), 'irreplaceable')
    self.assertEqual({p.name for p in self.dir.iterdir()}, {'net'})


class RefusalTest(_TestCase):

  def assert_refused(self, pattern, where=None):
    with self.assertRaisesRegex(types.BadInput, pattern) as caught:
      weights.read_weights(where or self.folder)
    self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters('config.json', 'model.safetensors')
  def test_missing_file(self, name):
    self.save()
    (self.folder / name).unlink()
    self.assert_refused(f'{name} cannot be read .No such file')

  @parameterized.parameters(
      ('{"format": 1', 'not JSON'), ('\udcff', 'not JSON'), ('', 'not JSON'),
      ('[]', "no 'format'"), ('{}', "no 'format'"),
      ('{"format": 1, "model": 3}', "no 'model'"),
      ('{"format": 2}', 'is of format 2, and .* reads format 1'))
  def test_config(self, text, pattern):
    self.save()
    self.config.write_bytes(text.encode(errors='surrogateescape'))
    self.assert_refused(pattern)

  @parameterized.parameters(0, 40, -1)
  def test_flipped_byte(self, position):
    self.save()
    data = bytearray(self.tensors.read_bytes())
    data[position] ^= 1
    self.tensors.write_bytes(data)
    self.assert_refused('is damaged: its SHA-256')

  def assert_flips_are_refused(self, folder):
    for path in sorted(folder.iterdir()):
      whole = path.read_bytes()
      for place in (0, len(whole) // 2, len(whole) - 2):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        if path.name == 'README.md' or (  # Or the card's line of the sums.
            path.name == 'SHA256SUMS' and place == len(whole) - 2):
          with self.assertLogs(level='WARNING') as logs:
            weights.read_weights(folder)
          self.assertIn('is not the model card', logs.output[0])
          continue
        with self.assertRaises(types.BadInput, msg=f'{path} {place}'):
          weights.read_weights(folder)
      path.write_bytes(whole)
    with self.assertNoLogs(level='WARNING'):
      weights.read_weights(folder)

  def test_a_flipped_byte_of_each_file(self):
    self.save()
    self.assertLen(list(self.folder.iterdir()), 4)
    self.assert_flips_are_refused(self.folder)

  def test_a_flipped_byte_of_what_ships(self):
    folders = [p.parent for p in weights._SHIPPED.glob('*/config.json')]
    self.assertGreater(len(folders), 3)
    for folder in folders:
      copy = shutil.copytree(folder, self.dir / folder.name)
      # A number of the settings, too: it may have shapes that fit.
      self.assertTrue((copy / 'SHA256SUMS').is_file())
      self.assert_flips_are_refused(copy)

  def test_a_changed_setting(self):
    self.save()
    config = json.loads(self.config.read_text())
    self.config.write_text(json.dumps(config | {'settings': {'features': 5}}))
    self.assert_refused('config.json is damaged')
    (self.folder / 'SHA256SUMS').unlink()  # Of weights from before there were.
    weights.read_weights(self.folder)
    with mock.patch.object(weights, '_SHIPPED', self.dir):
      self.assert_refused('SHA256SUMS cannot be read')

  def test_sums_as_others_check_them(self):
    self.save()
    done = subprocess.run(
        ['sha256sum', '--strict', '-c', 'SHA256SUMS'], cwd=self.folder,
        check=True, capture_output=True, text=True)
    self.assertEqual(done.stdout.count('OK'), 3)

  def test_a_pickle_is_refused_and_not_run(self):
    made = self.dir / 'made'
    for name in ('weights.pkl', 'weights.pt', 'weights.npy'):
      path = self.dir / name
      path.write_bytes(pickle.dumps(_Payload(str(made))))
      self.assert_refused('not a .safetensors file', path)
    self.save()
    data = pickle.dumps(_Payload(str(made)))
    self.tensors.write_bytes(data)
    self.assert_refused('is damaged')
    self.edit_config(sha256=hashlib.sha256(data).hexdigest())
    self.assert_refused('cannot be read as safetensors')
    self.assertFalse(made.exists())
    pickle.loads(data)  # It would have worked.
    self.assertTrue(made.exists())

  @parameterized.parameters(0, 5, 100, -1)
  def test_truncated(self, end):
    self.save()
    data = self.tensors.read_bytes()[:end]
    self.tensors.write_bytes(data)
    self.assert_refused('is damaged')
    self.edit_config(sha256=hashlib.sha256(data).hexdigest())
    self.assert_refused('cannot be read as safetensors')

  def test_not_finite(self):
    for value in (np.nan, np.inf, 65520.0):  # The last one rounds to infinity.
      with self.assertRaisesRegex(types.BadInput, 'a/b has .* not finite'):
        self.save({'a': {'b': np.float32([0, value])}})
    self.assertFalse(self.folder.exists())
    self.save()
    data = safetensors.numpy.save({'a': np.float16([1, np.nan])})
    self.tensors.write_bytes(data)
    self.edit_config(sha256=hashlib.sha256(data).hexdigest())
    self.assert_refused('a has values that are not finite')

  def test_another_architecture(self):
    params = make_params()
    missing = {'first': params['first']}
    for found, wanted, pattern in (
        (params, expected(5),
         r'Dense_0/kernel is \(4, 1\), and \(5, 1\) in the model'),
        (missing, expected(), 'Dense_0/bias is missing'),
        (params | {'z': {'w': np.zeros(2)}}, expected(), 'has no z/w')):
      with self.assertRaisesRegex(types.BadInput, pattern):
        weights.check_shapes(found, wanted)

  def test_not_a_place_of_weights(self):
    file = self.dir / 'film.mp4'
    file.write_bytes(b'film')
    self.assert_refused('not a .safetensors file', file)
    self.assert_refused('There are no weights', self.dir / 'nowhere' / 'x')
    with self.assertRaisesRegex(types.BadInput, 'cannot be written'):
      self.save(folder=file / 'net')

  def test_interrupted_save_leaves_what_was_there(self):
    self.save(make_params(2))
    with mock.patch.object(
        pathlib.Path, 'write_bytes', side_effect=OSError(28, 'No space left')):
      with self.assertRaisesRegex(types.BadInput, 'No space left'):
        self.save()
    weights.check_shapes(
        weights.read_weights(self.folder).params, expected(2))
    self.assertEqual({p.name for p in self.dir.iterdir()}, {'net'})


class HubTest(_TestCase):

  def hub(self, download):
    module = python_types.ModuleType('huggingface_hub')
    module.snapshot_download = download
    return mock.patch.dict(sys.modules, {'huggingface_hub': module})

  def test_download(self):
    self.save()
    asked = []

    def download(name, allow_patterns):
      asked.append((name, *allow_patterns))
      return os.fspath(self.folder)

    with self.hub(download):
      self.assertEqual(weights.read_weights('some-org/net.v1').name,
                       'some-org/net.v1')
    self.assertEqual(asked, [
        ('some-org/net.v1', 'config.json', 'model.safetensors', 'README.md',
         'SHA256SUMS')])

  def test_not_installed(self):
    with mock.patch.dict(sys.modules, {'huggingface_hub': None}):
      with self.assertRaisesRegex(types.BadInput, r'revive-jax\[hub\]'):
        weights.read_weights('org/net')

  def test_offline(self):
    def download(*_, **__):
      raise ConnectionError('no route\nto host')

    with self.hub(download):
      with self.assertRaisesRegex(
          types.BadInput, 'ConnectionError: no route to host'):
        weights.read_weights('org/net')


if __name__ == '__main__':
  absltest.main()
