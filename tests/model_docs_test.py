"""Tests of docs/model.md: its pictures, and the script that draws them."""

import importlib.util
import pathlib
import re
from xml.etree import ElementTree

from absl.testing import absltest, parameterized
import numpy as np
from revive_jax.configs import restorer

_ROOT = pathlib.Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location(
    'failures', _ROOT / 'benchmarks/failures.py')
failures = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(failures)


class ModelDocsTest(parameterized.TestCase):

  def test_pictures_are_there_and_small(self):
    text = (_ROOT / 'docs/model.md').read_text()
    names = re.findall(r'!\[[^\]]+\]\((.+?)\)', text)
    self.assertCountEqual(names, ['model.svg', 'failures.jpg'])
    for name in names:
      self.assertLess((_ROOT / 'docs' / name).stat().st_size, 150_000)

  def test_figure_says_what_the_config_says(self):
    drawn = ' '.join(ElementTree.parse(
        _ROOT / 'docs/model.svg').getroot().itertext())
    s = restorer.get_config().model.settings
    self.assertIn(f'1/2: {s.features} channels, 1/4: {s.num_blocks} blocks of '
                  f'{s.deep_features}', drawn)

  def test_each_scene_is_in_the_table(self):
    text = (_ROOT / 'docs/model.md').read_text()
    for name in failures.SCENES:
      self.assertIn(f'\n| {name} |', text)

  @parameterized.named_parameters(
      ('all', 0.8, 1.0), ('half', 0.5, 0.5), ('gone', 0.2, 0.0),
      ('too much', 1.1, 1.5))
  def test_what_is_left_by_hand(self, value, share):
    clip = lambda x: np.full((failures._FRAMES, 2, 2, 3), x, np.float32)
    where = np.array([[True, False], [False, True]])
    scene = failures.Scene(clip(0.8), clip(0.2), where, False)
    output = np.where(where[..., None], value, 0.0)  # Elsewhere: anything.
    self.assertAlmostEqual(failures.left(scene, output), share, places=5)

  @parameterized.parameters(*failures.SCENES)
  def test_scenes_differ_by_the_thing_alone(self, name):
    scene = failures.SCENES[name]()
    self.assertEqual(scene.frames.shape, (failures._FRAMES, 240, 320, 3))
    self.assertTrue((scene.frames >= 0).all() and (scene.frames <= 1).all())
    same = scene.frames == scene.without
    self.assertGreater(same[failures._T].mean(), 0.9)
    self.assertTrue(scene.where.any())
    self.assertLess(same[failures._T][scene.where].mean(), 0.2)
    self.assertEqual(failures.left(scene, scene.without[failures._T]), 0)


if __name__ == '__main__':
  absltest.main()
