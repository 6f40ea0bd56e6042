"""Tests of live_settings.py."""

from unittest import mock

from absl.testing import absltest, parameterized

from configs import restore as config
from configs.presets import surveillance
from revive_jax import live, live_settings, types
from revive_jax.models import weights


class LiveSettingsTest(parameterized.TestCase):

  def test_the_usual_settings_are_not_warned_of(self):
    for size in ('base', 'tiny'):
      self.assertEqual(live_settings.check(config.get_config(size)), [])

  @parameterized.parameters(
      ('stabilise.strength', 0.5), ('repeats', 'replace'),
      ('interlace', 'double'), ('audio.hiss', 0.5), ('output.codec', 'ffv1'),
      ('output.bits', 16), ('output.layers', 'files'),
      ('output.checksums', True), ('output.grain', 0.5),
      ('faces.detector', 'a.onnx'), ('keep_segments', True))
  def test_what_is_ignored_is_said_once(self, key, value):
    c = config.get_config()
    c.update_from_flattened_dict({key: value})
    told, = live_settings.check(c)
    self.assertIn(f'--config.{key}={value} is ignored', told)

  @parameterized.parameters(
      ('mask', 'brush.png', 'config.mask,'),
      ('decisions', 'a.json', 'config.decisions'),
      ('interlace', 'keep', 'is for films'),
      ('num_samples', 3, 'config.num_samples'),
      ('output.keep_original', True, 'keep_original'),
      ('stages', ('composite',), 'config.stages'),
      ('output.upscale', 2, 'keeps its size'),
      ('composite', 'all', "composite='?all"),
      ('strength.noise', 1.5, 'not between 0 and 1'))
  def test_refuses(self, key, value, words):
    c = config.get_config()
    c.update_from_flattened_dict({key: value})
    with self.assertRaisesRegex(types.BadInput, words):
      live_settings.check(c)

  def test_which_network(self):
    read = self.enter_context(mock.patch.object(
        weights, 'read_weights', side_effect=lambda name: name))
    for given, own, shipped, wanted in (
        ('restorer', 'auto', ['live', 'restorer'], 'live'),
        ('restorer', 'auto', ['restorer'], 'restorer'),
        ('mine', 'auto', ['live'], 'mine'), ('', 'auto', ['live'], None),
        ('restorer', 'restorer', ['live'], 'restorer'),
        ('restorer', '', ['live'], None)):
      c = config.get_config()
      c.weights, c.live.weights = given, own
      with mock.patch.object(weights, 'shipped', return_value=shipped):
        self.assertEqual(live_settings.network(c), wanted)
    self.assertEqual(read.call_count, 4)

  def test_the_preset_for_cameras(self):
    c = surveillance.get_config()
    self.assertLen(live_settings.check(c), 1)  # Checksums.
    self.assertIsNone(live_settings.network(c))

  def test_that_nobody_looks_at_faces_is_said(self):
    c = config.get_config()
    for policy, name, said in (
        ('protect', 'restorer', 1), ('off', 'restorer', 0), ('protect', '', 0)):
      c.faces.policy, c.weights = policy, name
      with mock.patch.object(live.causal, 'Network'), mock.patch.object(
          live.logging, 'warning') as warning:
        with self.assertRaises(types.BadInput):  # There is no such film.
          live.restore(c, self.create_tempdir().full_path, 'none.mkv', 'o.mkv')
      told = [call.args for call in warning.call_args_list]
      self.assertEqual('searched for faces' in str(told), bool(said), told)


if __name__ == '__main__':
  absltest.main()
