"""Tests of training/sharding.py, on eight devices that tests/ sets."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.training import sharding


class ShardingTest(absltest.TestCase):

  def test_mesh(self):
    self.assertEqual(sharding.make_mesh().shape, {'data': 8})
    mesh = sharding.make_mesh(4)
    self.assertEqual(mesh.devices.tolist(), jax.devices()[:4])

  def test_a_batch_is_shared_out_in_order(self):
    mesh = sharding.make_mesh(4)
    batch = {'clean': np.arange(8 * 3).reshape(8, 3)}
    put = sharding.put_batch(batch, mesh)['clean']
    np.testing.assert_array_equal(put, batch['clean'])
    self.assertTrue(put.sharding.is_equivalent_to(sharding.by_batch(mesh), 2))
    shards = sorted(put.addressable_shards, key=lambda s: s.device.id)
    self.assertLen(shards, 4)
    for i, shard in enumerate(shards):
      np.testing.assert_array_equal(
          shard.data, batch['clean'][2 * i:2 * i + 2])

  def test_replicated(self):
    mesh = sharding.make_mesh(4)
    put = jax.device_put(jnp.arange(6), sharding.replicated(mesh))
    self.assertTrue(put.is_fully_replicated)
    self.assertEqual({s.data.shape for s in put.addressable_shards}, {(6,)})

  def test_a_mean_is_over_all_devices(self):
    mesh = sharding.make_mesh(4)
    mean = jax.jit(jnp.mean, out_shardings=sharding.replicated(mesh))
    put = sharding.put_batch({'x': np.arange(8.0, dtype=np.float32)}, mesh)
    self.assertEqual(float(mean(put['x'])), 3.5)

  def test_a_rest_is_refused(self):
    with self.assertRaises(ValueError):
      sharding.put_batch({'x': np.zeros((6, 2))}, sharding.make_mesh(4))


if __name__ == '__main__':
  absltest.main()
