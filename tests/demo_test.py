"""Tests of demo.py and of the configs."""

import importlib
import pathlib

from absl.testing import absltest
import cv2

from configs import demo as config
from revive_jax import demo
from revive_jax.video import probe, reader
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_CONFIGS = pathlib.Path(__file__).parents[1] / 'configs'


class DemoTest(absltest.TestCase):

  def test_tiny_demo_comes_closer_to_the_clean_clip(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    report = demo.demo(config.get_config('tiny'), str(folder))
    quality = report['quality']
    self.assertGreater(quality['restored']['psnr_db'],
                       quality['damaged']['psnr_db'])
    for item in report['outputs']:
      self.assertTrue(pathlib.Path(item['path']).is_file(), item)
    both = list(reader.read_frames(
        probe.probe(str(folder / 'outputs/side_by_side.mp4'))))
    self.assertLen(both, 12)
    self.assertEqual(both[0].rgb.shape, (72, 192, 3))
    sheet = cv2.imread(str(folder / 'outputs/contact_sheet.png'))
    self.assertEqual(sheet.shape, (3 * 72, 4 * 96, 3))

  def test_with_a_network_both_are_compared(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    c = config.get_config('tiny')
    c.weights = 'restorer'
    report = demo.demo(c, str(folder))
    self.assertIn('restorer', report['weights'])
    self.assertContainsSubset(
        ('damaged', 'classical', 'restored'), report['quality'])
    for name in ('classical', 'restored'):
      self.assertGreater(report['quality'][name]['ssim'],
                         report['quality']['damaged']['ssim'])
      self.assertLess(report['quality'][name]['flicker_percent'],
                      0.6 * report['quality']['damaged']['flicker_percent'])
    self.assertTrue((folder / 'outputs/classical.mkv').is_file())
    sheet = cv2.imread(str(folder / 'outputs/contact_sheet.png'))
    self.assertEqual(sheet.shape, (3 * 72, 5 * 96, 3))

  def test_the_clip_moves_by_parts_of_pixels(self):
    clip = demo.make_clip(6, 36, 48)
    self.assertEqual(clip.shape, (6, 36, 48, 3))
    self.assertGreater(abs(clip[1] - clip[0]).mean(), 1e-4)

  def test_every_config_has_both_sizes(self):
    for path in _CONFIGS.glob('[!_]*.py'):
      module = importlib.import_module(f'configs.{path.stem}')
      for size in ('base', 'tiny'):
        self.assertIn('mode', module.get_config(size), path)
      with self.assertRaises(KeyError):
        module.get_config('huge')

  def test_every_setting_is_read_by_somebody(self):
    package = _CONFIGS.parent / 'revive_jax'
    files = [package / n for n in ('restore.py', 'settings.py', 'live.py',
                                   'samples.py', 'demo.py', 'main.py',
                                   'train.py', 'evaluate.py', 'ui.py')]
    files += [*package.glob('algorithms/*.py'),
              *package.glob('comparison/*.py')]
    code = ''.join(path.read_text() for path in files)
    for path in _CONFIGS.glob('[!_]*.py'):
      for key in importlib.import_module(f'configs.{path.stem}').get_config():
        self.assertTrue(f'c.{key}' in code or f"'{key}'" in code, key)


if __name__ == '__main__':
  absltest.main()
