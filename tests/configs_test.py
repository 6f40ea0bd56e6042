"""Tests of the large sizes in configs/, and of what is left out.

tests/demo_test.py has those of all.
"""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp

from configs import ablations, fills, gan, restorer, vae_restorer
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


def _flat(value, path=''):
  """The settings of a config, by path."""
  if not isinstance(value, dict):
    return {path: value}
  found = {}
  for key, x in value.items():
    found |= _flat(x, f'{path}.{key}'.lstrip('.'))
  return found


class AblationsTest(parameterized.TestCase):

  @parameterized.parameters(
      ('no_matcher', {'model.settings.aligned'}),
      ('no_detector', {'losses.cross_entropy', 'losses.dice'}),
      ('no_flicker', {'damage.mix'}),
      ('half_width', {'model.settings.features',
                      'model.settings.deep_features'}),
      ('single_frame', {'batch_size', 'data.num_frames'}))
  def test_differ_from_the_whole_in_what_they_leave_out(self, name, wanted):
    full, c = (ablations.get_config(x) for x in ('base', name))
    c.data.root = 'videos'
    c.mesh.data = 1
    settings.check(c)
    a, b = _flat(full.to_dict()), _flat(c.to_dict())
    differ = {k for k in a | b if a.get(k) != b.get(k)}
    self.assertEqual(differ - {'data.root', 'mesh.data'}, wanted)
    self.assertEqual(c.batch_size * c.data.num_frames,
                     full.batch_size * full.data.num_frames)

  def test_an_unknown_one_is_refused(self):
    with self.assertRaises(KeyError):
      ablations.get_config('no_colour')


if __name__ == '__main__':
  absltest.main()
