"""Tests of training/checkpoint.py."""

import functools
import hashlib
import json
import logging
import os
import pathlib
import resource
from unittest import mock

from absl import logging as absl_logging
from absl.testing import absltest
import chex
import flax
import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
import numpy as np
import optax

from revive_jax import types
from revive_jax.training import checkpoint


class State(flax.struct.PyTreeNode):
  step: jax.Array
  params: dict
  opt_state: optax.OptState
  rng: jax.Array


@functools.cache
def make_state(seed=0, features=8, devices=1):
  """A state as the trainer has; the kernel's rows lie on the devices."""
  mesh = jax.make_mesh(
      (devices,), ('data',), devices=jax.devices()[:devices],
      axis_types=(jax.sharding.AxisType.Auto,))
  rng = jax.random.key(seed)
  params = {'conv': {'kernel': jax.random.normal(rng, (features, 3)),
                     'bias': jnp.full((3,), np.nan, jnp.bfloat16)}}
  state = State(
      jnp.int32(seed), params, optax.adamw(1e-3).init(params),
      jax.random.split(rng, 2))
  put = lambda x: jax.device_put(x, NamedSharding(
      mesh, P('data') if x.shape == (features, 3) else P()))
  return jax.tree.map(put, state)


def bits(tree):
  """The leaves as bytes: NaN equals NaN, and 0 does not equal -0."""
  raw = lambda x: (jax.random.key_data(x) if jnp.issubdtype(
      x.dtype, jax.dtypes.prng_key) else x)
  return [(x.dtype, x.shape, np.asarray(raw(x)).tobytes())
          for x in jax.tree.leaves(tree)]


class CheckpointTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path) / 'checkpoints'

  def write(self, *steps, **options):
    """Saves make_state(step) at each step."""
    with checkpoint.opened(self.dir, **options) as checkpoints:
      for step in steps:
        checkpoints.save(step, make_state(step), {'loss': step / 8})

  def read(self, abstract_state=None):
    with checkpoint.opened(self.dir) as checkpoints:
      return checkpoints.restore_latest(abstract_state or make_state())

  def largest(self, step):
    """The largest file of a checkpoint."""
    paths = [p for p in (self.dir / str(step)).rglob('*') if p.is_file()]
    return max(paths, key=lambda p: p.stat().st_size)

  def test_round_trip_is_exact(self):
    self.assertIsNone(self.read())
    self.write(3, 5)
    state, meta = self.read()
    self.assertIsInstance(state, State)
    chex.assert_trees_all_equal_structs(state, make_state(5))
    self.assertEqual(bits(state), bits(make_state(5)))
    self.assertEqual(meta, {'loss': 0.625})

  def test_the_newest_stay_and_none_is_written_twice(self):
    with checkpoint.opened(self.dir, keep=2) as checkpoints:
      for step in (3, 6, 9, 10):
        checkpoints.save(step, make_state(step), {})
      checkpoints.save(10, make_state(1), {})
      checkpoints.wait()
      self.assertEqual(checkpoints.steps, [9, 10])
    self.assertEqual(bits(self.read()[0]), bits(make_state(10)))

  def test_state_moves_between_device_counts(self):
    with checkpoint.opened(self.dir) as checkpoints:
      checkpoints.save(1, make_state(1, devices=8), {})
      checkpoints.save(2, make_state(1), {})
    self._reads(1, 2, 4, 8)
    with checkpoint.opened(self.dir) as checkpoints:
      checkpoints.save(3, make_state(1, devices=8), {})
    self._reads(1, 2, 4, 8)

  def _reads(self, *counts):
    """The newest checkpoint is read on so many devices, bit for bit."""
    for devices in counts:
      wanted = make_state(1, devices=devices)
      state, _ = self.read(wanted)
      self.assertEqual(bits(state), bits(wanted))
      kernel = state.params['conv']['kernel']
      self.assertLen(kernel.addressable_shards, devices)
      self.assertEqual(
          kernel.sharding, wanted.params['conv']['kernel'].sharding)

  def test_abstract_state_needs_no_arrays(self):
    self.write(2)
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding),
        make_state())
    self.assertEqual(bits(self.read(abstract)[0]), bits(make_state(2)))

  def test_half_written_is_ignored(self):
    self.write(1)
    half = self.dir / '2.orbax-checkpoint-tmp'  # What a killed run leaves.
    (half / 'state').mkdir(parents=True)
    (half / 'state' / 'd').write_bytes(b'half')
    with self.assertLogs(level=logging.WARNING) as logs:
      state, _ = self.read()
    self.assertRegex(' '.join(logs.output), '2.orbax-checkpoint-tmp.*half')
    self.assertEqual(bits(state), bits(make_state(1)))
    self.write(2)
    self.assertEqual(bits(self.read()[0]), bits(make_state(2)))

  def test_damaged_newest_is_named_and_the_one_before_used(self):
    def truncate(path):
      os.truncate(path, path.stat().st_size // 2)

    def flip(path):
      data = bytearray(path.read_bytes())
      data[len(data) // 2] ^= 1
      path.write_bytes(data)

    self.write(1)
    for damage, manifest in (
        (truncate, True), (truncate, False), (flip, True),
        (pathlib.Path.unlink, False)):
      self.write(2)
      damage(self.largest(2))
      if not manifest:
        (self.dir / '2' / 'manifest.json').unlink()
      with self.assertLogs(level=logging.WARNING) as logs:
        state, meta = self.read()
      self.assertIn('step 2', ' '.join(logs.output))
      self.assertEqual(bits(state), bits(make_state(1)))
      self.assertEqual(meta, {'loss': 0.125})
      self.assertTrue((self.dir / '2.damaged').is_dir())

  def test_a_flipped_byte_of_each_file(self):
    self.write(1)
    folder = self.dir / '1'
    self.assertTrue(checkpoint._check_manifest(folder))
    files = [p for p in sorted(folder.rglob('*')) if p.is_file()]
    self.assertGreater(len(files), 5)
    for path in files:
      whole = path.read_bytes()
      for place in {0, len(whole) // 2, len(whole) - 1} if whole else ():
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        with self.assertRaises(checkpoint._DamagedError, msg=f'{path} {place}'):
          checkpoint._check_manifest(folder)
      path.write_bytes(whole)
    self.assertTrue(checkpoint._check_manifest(folder))

  def test_broken_notes_and_manifest(self):
    self.write(1, 2, 3)
    (self.dir / '3' / 'manifest.json').write_text('{"sha256": ')
    (self.dir / '2' / 'manifest.json').unlink()
    (self.dir / '2' / 'meta' / 'metadata').write_text('{}')
    with self.assertLogs(level=logging.WARNING):
      self.assertEqual(bits(self.read()[0]), bits(make_state(1)))

  def test_without_a_manifest(self):
    self.write(1, 2, 3)
    with self.assertNoLogs(level=logging.WARNING):
      self.read()
    (self.dir / '3' / 'manifest.json').unlink()  # As where a run is killed.
    with self.assertLogs(level=logging.WARNING) as logs:
      self.assertEqual(bits(self.read()[0]), bits(make_state(3)))
    self.assertIn('3 has no manifest.json', ''.join(logs.output))
    os.truncate(self.largest(3), 3)
    (self.dir / '2' / 'manifest.json').unlink()  # When 3 was saved it had one.
    with self.assertLogs(level=logging.WARNING) as logs:
      self.assertEqual(bits(self.read()[0]), bits(make_state(1)))
    self.assertIn('manifest.json is missing', ''.join(logs.output))

  def test_no_whole_checkpoint_is_refused(self):
    self.write(1, 2)
    for step in (1, 2):
      os.truncate(self.largest(step), 3)
    with self.assertRaisesRegex(types.BadInput, 'none of the .* 1, 2'):
      self.read()
    self.assertTrue((self.dir / '2').is_dir())

  def test_another_model_is_refused(self):
    self.write(1)
    with self.assertRaisesRegex(
        types.BadInput, r'kernel is float32\[8, 3\] there and float32\[9, 3\]'):
      self.read(make_state(features=9))
    state = make_state()
    with self.assertRaisesRegex(types.BadInput, 'another model: .*absent here'):
      self.read(state.replace(params={'conv': {
          'kernel': state.params['conv']['kernel']}}))

  def test_another_version_is_refused(self):
    self.write(1)
    with mock.patch.object(checkpoint, '_FORMAT', 3):
      with self.assertRaisesRegex(types.BadInput, 'another version.*init_from'):
        self.read()

  def test_manifest_holds_the_hashes(self):
    self.write(1)
    folder = self.dir / '1'
    hashes = json.loads((folder / 'manifest.json').read_text())['sha256']
    self.assertIn('meta/metadata', hashes)
    for name, value in hashes.items():
      self.assertEqual(
          hashlib.sha256((folder / name).read_bytes()).hexdigest(), value)
    others = {p.relative_to(folder).as_posix() for p in folder.rglob('*')
              if p.is_file()} - {'manifest.json'}
    self.assertEqual(set(hashes), others)

  def test_full_disk(self):
    self.write(1)
    state = {'noise': jax.random.normal(jax.random.key(0), (300_000,))}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with self.assertRaisesRegex(types.BadInput, 'no space left'):
      with checkpoint.opened(self.dir) as checkpoints:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
          checkpoints.save(2, state, {})
          checkpoints.wait()
        finally:
          resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    self.assertEqual(bits(self.read()[0]), bits(make_state(1)))

  def test_folder_that_cannot_be_made(self):
    self.dir.write_text('a file')
    with self.assertRaisesRegex(types.BadInput, 'no checkpoints can be kept'):
      self.write(1)

  def test_only_the_libraries_are_silenced(self):
    absl_logging.set_verbosity(absl_logging.INFO)
    self.addCleanup(absl_logging.set_verbosity, absl_logging.WARNING)
    with self.assertLogs('absl', level='INFO') as logs:
      absl_logging.info('before')
      with checkpoint.opened(self.dir) as checkpoints:
        absl_logging.info('during')
        checkpoints.save(1, make_state(), {})
    self.assertEqual([r.getMessage() for r in logs.records],
                     ['before', 'during'])


if __name__ == '__main__':
  absltest.main()
