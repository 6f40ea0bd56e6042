"""Tests of the large sizes in configs/; tests/demo_test.py has those of all."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp

from configs import fills, gan, restorer, vae_restorer
from revive_jax import models
from revive_jax.algorithms import settings

_CONFIGS = {'restorer': restorer, 'gan': gan, 'fills': fills,
            'vae_restorer': vae_restorer}


def _inputs(name, model):
  frames, one = jnp.zeros((1, 2, 32, 32, 3)), jnp.zeros((1, 2, 32, 32, 1))
  if name == 'fills':
    x, hole = frames[0], one[0]
    return x, hole, hole, x, jnp.zeros((2, 4, 4, model.latent))
  if name == 'vae_restorer':
    return frames, one, jnp.zeros(model.noise_shape(frames.shape))
  return (frames,)


class LargeTest(parameterized.TestCase):

  @parameterized.parameters(*_CONFIGS)
  def test_parameters(self, name):
    c = _CONFIGS[name].get_config('large')
    model = models.build(
        c.model.name, c.model.settings.to_dict(), dtype=jnp.float32)
    params = jax.eval_shape(
        lambda: model.init(jax.random.key(0), *_inputs(name, model)))
    count = sum(x.size for x in jax.tree.leaves(params))
    self.assertBetween(count, 30e6, 50e6)

  @parameterized.parameters(*_CONFIGS)
  def test_settings_are_valid_and_for_many_devices(self, name):
    c = _CONFIGS[name].get_config('large')
    c.data.root = 'videos'
    settings.check(c)  # On the 8 devices of the tests.
    self.assertTrue(c.mesh.fsdp)
    self.assertEqual(c.init_from, '')  # Nothing that ships would fit.


if __name__ == '__main__':
  absltest.main()
