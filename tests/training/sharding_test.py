"""Tests of training/sharding.py, on eight devices that tests/ sets."""

from unittest import mock

from absl.testing import absltest
import chex
import flax
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
import numpy as np

from revive_jax.training import sharding


class State(flax.struct.PyTreeNode):
  step: jax.Array
  params: dict
  ema: dict


def _draw(rng):
  params = {'kernel': jax.random.normal(rng, (3, 3, 64, 32)),
            'bias': jnp.zeros((32,))}
  return State(jnp.zeros((), jnp.int32), params, params)


def _descend(state, batch, rate):
  """Divides by the mean of the batch."""
  params = jax.tree.map(lambda x: x - rate / batch.mean(), state.params)
  return (state.replace(step=state.step + 1, params=params),
          {'mean': batch.mean(), 'rate': rate / batch.mean()})


class ShardingTest(absltest.TestCase):

  def test_mesh(self):
    whole = sharding.make_layout()
    self.assertEqual(whole.mesh.shape, {'data': 8, 'model': 1})
    self.assertFalse(whole.fsdp)
    mesh = sharding.make_layout(2, 2).mesh
    self.assertEqual(mesh.devices.ravel().tolist(), jax.devices()[:4])
    self.assertEqual(
        sharding.make_layout(model=4).mesh.shape, {'data': 2, 'model': 4})

  def test_a_batch_is_shared_out_in_order(self):
    layout = sharding.make_layout(4)
    batch = {'clean': np.arange(8 * 3).reshape(8, 3)}
    put = sharding.put_batch(batch, layout)['clean']
    np.testing.assert_array_equal(put, batch['clean'])
    shards = sorted(put.addressable_shards, key=lambda s: s.device.id)
    self.assertLen(shards, 4)
    for i, shard in enumerate(shards):
      np.testing.assert_array_equal(
          shard.data, batch['clean'][2 * i:2 * i + 2])

  def test_rows_are_shared_out_along_model(self):
    layout = sharding.make_layout(2, 4)
    clip = np.arange(4 * 3 * 16 * 8 * 3).reshape(4, 3, 16, 8, 3)
    put = sharding.put_batch({'x': clip, 'image': clip[:, 0], 'n': clip[
        :, 0, 0, 0, 0]}, layout)
    shapes = {k: {s.data.shape for s in v.addressable_shards}
              for k, v in put.items()}
    self.assertEqual(shapes, {'x': {(2, 3, 4, 8, 3)}, 'image': {(2, 4, 8, 3)},
                              'n': {(2,)}})
    first = put['x'].addressable_shards[0]
    np.testing.assert_array_equal(first.data, clip[first.index])

  def test_the_state_is_shared_out_by_shape(self):
    layout = sharding.make_layout(4, fsdp=True)
    shapes = {'long': (3, 3, 64, 128), 'last_of_equals': (64, 64),
              'odd': (65, 66), 'first': (8192, 3), 'small': (64,), 'none': ()}
    arrays = {k: jax.ShapeDtypeStruct(s, jnp.float32)
              for k, s in shapes.items()}
    found = {k: s.spec for k, s in sharding.of_state(arrays, layout).items()}
    self.assertEqual(found, {
        'long': P(None, None, None, 'data'), 'last_of_equals': P(None, 'data'),
        'odd': P(), 'first': P('data'), 'small': P(), 'none': P()})
    plain = sharding.of_state(arrays, sharding.make_layout(4))
    self.assertEqual({s.spec for s in plain.values()}, {P()})

  def test_no_device_holds_more_than_its_share(self):
    layout = sharding.make_layout(4, fsdp=True)
    rng = jax.random.key(0)
    state = sharding.make_state(_draw, layout, rng)
    kernel = state.ema['kernel']
    self.assertEqual({s.data.shape for s in kernel.addressable_shards},
                     {(3, 3, 16, 32)})
    np.testing.assert_allclose(kernel, _draw(rng).ema['kernel'], rtol=1e-6)
    # Nor is it ever made as a whole: what the program needs beside its output.
    places = sharding.of_state(jax.eval_shape(_draw, rng), layout)
    memory = jax.jit(_draw, out_shardings=places).lower(
        rng).compile().memory_analysis()
    self.assertLess(memory.temp_size_in_bytes, 4 * 3 * 3 * 64 * 32)
    self.assertEqual(
        sharding.abstract(_draw, layout, rng).ema['kernel'].sharding,
        kernel.sharding)
    gathered = sharding.gather(state.ema, layout)['kernel']
    self.assertIsInstance(gathered, np.ndarray)
    np.testing.assert_array_equal(gathered, kernel)

  def test_a_step_that_is_not_finite_is_left_out(self):
    for fsdp in (False, True):
      layout = sharding.make_layout(4, fsdp=fsdp)
      chex.clear_trace_counter()
      step = sharding.compile_step(
          chex.assert_max_traces(_descend, n=1), layout, rate=0.5)
      state = sharding.make_state(_draw, layout, jax.random.key(0))
      first = jax.device_get(state)
      put = lambda x, layout=layout: sharding.put_batch(
          {'x': np.full((8, 2), x, np.float32)}, layout)['x']
      state, metrics = step(state, put(0.0))
      self.assertEqual(int(state.step), 1)
      self.assertTrue(np.isinf(metrics['rate']))
      for a, b in zip(*map(jax.tree.leaves, (first.params, state.params)),
                      strict=True):
        np.testing.assert_array_equal(a, b)
      state, metrics = step(state, put(2.0))
      self.assertEqual(int(state.step), 2)
      np.testing.assert_allclose(
          state.params['bias'], np.full(32, -0.25, np.float32))
      self.assertEqual(step._cache_size(), 1)

  def test_a_rest_is_refused(self):
    with self.assertRaises(ValueError):
      sharding.put_batch({'x': np.zeros((6, 2))}, sharding.make_layout(4))

  def test_small_arrays_may_be_shared_out_too(self):
    with mock.patch.object(sharding, '_SMALL', 8):
      layout = sharding.make_layout(4, fsdp=True)
      place = sharding.of_state({'x': jnp.zeros(16)}, layout)['x']
    self.assertEqual(place.spec, P('data'))


if __name__ == '__main__':
  absltest.main()
