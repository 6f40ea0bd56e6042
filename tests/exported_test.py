"""Tests of exported.py: what runs an exported restorer without its code.

Mostly of a program made by hand, with the shapes of a restorer's.
"""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from revive_jax import exported

_STATE = {'picture': {'divide': 1, 'channels': 3, 'dtype': 'float32'},
          'hidden': {'divide': 2, 'channels': 2, 'dtype': 'computed'}}


def _halved(params, frames, mask, cuts, state, carry_after, sample):
  """Half of each frame; where it is marked 1; the state adds up."""
  output = jnp.where(mask > 0.5, 1.0, params['a/scale'][0] * frames)
  small = frames[:, :, ::2, ::2]
  said = dict(output=output, damage=mask, log_variance=0 * mask + sample,
              flow=jnp.stack([small[..., :2]] * 2, 2))
  kept = 1 - cuts[:, :1, None, None].astype(jnp.float32)  # [B, 1, 1, 1]
  return said, {'picture': state['picture'] * kept + frames[:, 0],
                'hidden': state['hidden'] + carry_after}


def _write(folder, *, platforms=('cpu', 'cuda'), **more):
  """An exported program as --mode=export writes them."""
  folder.mkdir()
  tensors = safetensors.numpy.save({'a/scale': np.full(1, 0.5, np.float16)})
  b, t, m, n = jax.export.symbolic_shape('b, t, m, n')
  height, width = 16 * m, 16 * n
  array = jax.ShapeDtypeStruct
  frames = lambda c: array((b, t, height, width, c), jnp.float32)
  program = jax.export.export(jax.jit(_halved), platforms=platforms)(
      {'a/scale': array((1,), jnp.float32)}, frames(3), frames(1),
      array((b, t), bool),
      {'picture': array((b, height, width, 3), jnp.float32),
       'hidden': array((b, 8 * m, 8 * n, 2), jnp.float32)},
      array((), jnp.int32), array((), jnp.int32))
  data = bytes(program.serialize())
  manifest = {
      'kind': exported.KIND, 'format': exported.FORMAT, 'jax': '0.10.2',
      'block': 16, 'state': _STATE,
      'weights': {'sha256': hashlib.sha256(tensors).hexdigest()},
      'programs': [{'file': 'p.jax', 'causal': causal, 'dtype': 'float32',
                    'sha256': hashlib.sha256(data).hexdigest()}
                   for causal in (False, True)]} | more
  (folder / exported.TENSORS).write_bytes(tensors)
  (folder / 'p.jax').write_bytes(data)
  (folder / exported.MANIFEST).write_text(json.dumps(manifest))
  shutil.copyfile(exported.__file__, folder / exported.LOADER)


def _change(folder, **values):
  path = folder / exported.MANIFEST
  path.write_text(json.dumps(json.loads(path.read_text()) | values))


class ExportedTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.made = pathlib.Path(absltest.get_default_test_tmpdir()) / 'made'
    shutil.rmtree(cls.made, ignore_errors=True)
    _write(cls.made)

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'net'
    shutil.copytree(self.made, self.folder)
    self.frames = np.random.default_rng(0).random((1, 3, 21, 35, 3), np.float32)

  def test_any_size_and_on_from_a_state(self):
    restore = exported.load_exported(self.folder)
    mask = np.zeros((1, 3, 21, 35, 1), np.float32)
    mask[:, 1, 4:8] = 1
    said, state = restore(self.frames, mask=mask, sample=4)
    np.testing.assert_allclose(
        said.output, np.where(mask > 0, 1, self.frames / 2), atol=1e-6)
    self.assertEqual(said.flow.shape, (1, 3, 2, 11, 18, 2))
    self.assertEqual(float(said.log_variance.mean()), 4)
    # Padded by its last row and column.
    edge = np.pad(self.frames[:, 0], ((0, 0), (0, 11), (0, 13), (0, 0)), 'edge')
    np.testing.assert_array_equal(state['picture'], edge)
    self.assertEqual(float(state['hidden'].max()), 3)
    _, state = restore(self.frames, state=state, causal=True, carry_after=2)
    np.testing.assert_array_equal(state['picture'], 2 * edge)
    self.assertEqual(float(state['hidden'].max()), 5)

  def test_alone(self):
    """The copy in the folder, where nothing of revive_jax can be imported."""
    code = (
        'import sys\n'
        "sys.modules['revive_jax'] = sys.modules['flax'] = None\n"
        'import numpy as np\n'
        'import load\n'
        "restore = load.load_exported('.')\n"
        'said, _ = restore(np.full((2, 1, 16, 32, 3), 0.5, np.float32))\n'
        "print(said.output.shape, float(said.output.mean()), 'safetensors' in "
        'sys.modules)\n')
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=self.folder, capture_output=True,
        text=True, env={'PATH': '', 'JAX_PLATFORMS': 'cpu'})
    self.assertEqual(done.stdout, '(2, 1, 16, 32, 3) 0.25 False\n', done.stderr)

  @parameterized.parameters(
      (dict(frames=np.zeros((3, 16, 16, 3), np.float32)), 'not .B, T, H, W, 3'),
      (dict(frames=np.zeros((1, 3, 16, 16, 3), np.uint8)), 'uint8 are not'),
      (dict(mask=np.zeros((1, 3, 21, 34, 1))), r'mask is of shape .1, 3, 21,'),
      (dict(cuts=np.zeros((1, 2))), r'cuts is of shape .1, 2.'),
      (dict(state={'picture': np.zeros((1, 16, 16, 3))}), r"state\['picture'"),
      (dict(state={}), "no 'picture'"),
      (dict(carry_after=4), 'not among the 3 frames'))
  def test_refuses_what_does_not_fit(self, given, words):
    restore = exported.load_exported(self.folder)
    with self.assertRaisesRegex(exported.CannotRun, words):
      restore(**{'frames': self.frames} | given)

  @parameterized.parameters(
      (dict(kind='something'), 'does not say that it is one'),
      (dict(format=2), 'of format 2, and this is a loader of format 1'),
      (dict(block=None, programs=[]), 'no program in float32'))
  def test_refuses_another_manifest(self, values, words):
    _change(self.folder, **values)
    with self.assertRaisesRegex(exported.CannotRun, words):
      exported.load_exported(self.folder)

  def test_refuses_no_artefact(self):
    with self.assertRaisesRegex(exported.CannotRun, 'is no exported restorer'):
      exported.load_exported(self.folder / 'p.jax')
    (self.folder / exported.MANIFEST).write_text('{')
    with self.assertRaisesRegex(exported.CannotRun, 'is not JSON'):
      exported.load_exported(self.folder)

  def test_refuses_other_weights(self):
    (self.folder / exported.TENSORS).write_bytes(
        safetensors.numpy.save({'a/scale': np.ones(1, np.float16)}))
    with self.assertRaisesRegex(exported.CannotRun, 'not the weights it was'):
      exported.load_exported(self.folder)

  def test_refuses_a_damaged_program(self):
    (self.folder / 'p.jax').write_bytes(b'')
    with self.assertRaisesRegex(exported.CannotRun, 'it is damaged'):
      exported.load_exported(self.folder)

  def test_refuses_what_this_jax_cannot_read(self):
    data = b'of another version of jax.export'
    (self.folder / 'p.jax').write_bytes(data)
    _change(self.folder, jax='9.9.9', programs=[dict(
        file='p.jax', causal=False, dtype='float32',
        sha256=hashlib.sha256(data).hexdigest())])
    with self.assertRaisesRegex(
        exported.CannotRun, 'made with jax 9.9.9, which this jax, 0.* install'):
      exported.load_exported(self.folder)

  def test_refuses_other_platforms(self):
    folder = self.folder.with_name('tpu')
    _write(folder, platforms=('tpu',))
    with self.assertRaisesRegex(
        exported.CannotRun, 'exported for tpu, and this is cpu'):
      exported.load_exported(folder)

  def test_refuses_a_dtype_that_is_not_there(self):
    with self.assertRaisesRegex(exported.CannotRun, 'bfloat16; it has float32'):
      exported.load_exported(self.folder, dtype='bfloat16')


if __name__ == '__main__':
  absltest.main()
