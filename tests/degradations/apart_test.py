"""Operators as programs of their own do what they do in one."""

from unittest import mock

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import apart, chain, per_frame
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MIX = chain.Mix(
    {'white_noise': 1.0, 'monochrome': 0.5, 'textures': 1.0}, shuffled=1.0)


class ApartTest(absltest.TestCase):

  def test_as_in_one_program(self):
    clips = np.random.default_rng(0).random((3, 2, 16, 16, 3), np.float32)
    severities = jnp.asarray([0.5, 1.0, 0.0])
    textures = jnp.full((2, 8, 8), 255, jnp.uint8)
    options = dict(density=30.0, textures=textures)
    several = apart.compile_mix(_MIX, clips.shape, **options)
    one = jax.jit(lambda rng: chain.degrade_batch(
        rng, clips, severities, mix=_MIX, **options))
    orders = set()
    for seed in range(3):
      found = several(jax.random.key(seed), clips, severities)
      chex.assert_trees_all_close(found, one(jax.random.key(seed)), atol=1e-5)
      orders.add(tuple(np.asarray(found[2]['order'][0])))
    self.assertGreater(len(orders), 1)
    self.assertGreater(found[1].max(), 0)

  def test_frames_one_by_one_or_all_at_once(self):
    double = lambda x: (2 * x[0], x[1].sum())
    inputs = np.arange(3.0), np.ones((3, 2))
    for device in ('cpu', 'gpu'):
      with mock.patch.object(jax, 'default_backend', return_value=device):
        twice, sums = per_frame.each(double, inputs)
      np.testing.assert_array_equal(twice, [0, 2, 4])
      np.testing.assert_array_equal(sums, [2, 2, 2])


if __name__ == '__main__':
  absltest.main()
