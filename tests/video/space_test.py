"""Tests of video/space.py."""

import collections
import dataclasses
import pathlib
import shutil
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import probe, space, target
from tests.video import clips

_Usage = collections.namedtuple('_Usage', 'total used free')


class SpaceTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _free(self, count):
    return mock.patch.object(
        shutil, 'disk_usage', lambda path: _Usage(1e12, 0, count))

  def test_of_noise_it_is_not_far_off(self):
    frames = [clips.noise_frame('yuv420p', 64, 96, seed=i) for i in range(8)]
    path = clips.write(
        self.dir / 'a.mkv', frames, codec='ffv1', pix_fmt='yuv420p')
    info = probe.probe(path)
    goal = target.choose(self.dir / 'b.mkv', info, 'auto')
    estimate = space.coded_bytes(goal, info, 8)
    # 1.5 samples a pixel, all of them random: none can be saved.
    self.assertAlmostEqual(estimate, 0.6 * 8 * 64 * 96 * 1.5)
    written = pathlib.Path(path).stat().st_size
    self.assertBetween(estimate, 0.4 * written, 2 * written)

  def _needed(self, info, larger=None, done=0, copies=1, layers='none',
              keeps_original=False):
    goal = target.choose(self.dir / 'b.mkv', info, 'auto')
    return space.needed(
        goal, info, larger or info, 8, done, folder=self.dir / 'segments',
        copies=copies, layers=layers, keeps_original=keeps_original)

  def test_layers_and_the_original_need_room_too(self):
    frames = [clips.noise_frame('yuv420p', 64, 96, seed=i) for i in range(8)]
    path = pathlib.Path(clips.write(
        self.dir / 'a.mkv', frames, codec='ffv1', pix_fmt='yuv420p'))
    info, size = probe.probe(path), path.stat().st_size
    film, layers = 0.6 * 8 * 64 * 96 * 1.5, 0.5 * 8 * 64 * 96
    larger = dataclasses.replace(info, width=192, height=128)
    for changes, held, whole in (
        ({}, film, film), (dict(done=6, copies=2), film / 4, 2 * film),
        (dict(layers='files'), film + layers, film + layers),
        (dict(layers='tracks', done=4), (film + layers) / 2, film + layers),
        (dict(larger=larger, layers='tracks'), 4 * film + layers,
         4 * film + layers),
        (dict(keeps_original=True, done=8), 0, film + size)):
      found = self._needed(info, **changes)
      self.assertAlmostEqual(found[self.dir / 'segments'], held)
      self.assertAlmostEqual(found[self.dir / 'b.mkv'], whole)

  def test_the_original_of_a_folder_is_its_pictures(self):
    folder = self.dir / 'scans'
    folder.mkdir()
    for i in range(3):
      cv2.imwrite(str(folder / f'{i}.png'), np.full((8, 8), i, np.uint8))
    (folder / 'notes.txt').write_text('no picture')
    pictures = sum(p.stat().st_size for p in folder.glob('*.png'))
    info = probe.probe(folder)
    kept = self._needed(info, keeps_original=True)[self.dir / 'b.mkv']
    self.assertAlmostEqual(
        kept - self._needed(info)[self.dir / 'b.mkv'], pictures)

  def test_refuses_a_quarter_and_warns_of_less_than_all(self):
    here, there = str(self.dir), str(self.dir / 'new' / 'film.mkv')
    with self._free(1e9):
      self.assertEqual(space.check({here: 0.4e9, there: 0.4e9}), [])
      said, = space.check({here: 0.8e9, there: 0.8e9})  # One disk.
      self.assertIn('1.6 GB are needed', said)
      with self.assertRaisesRegex(
          types.BadInput, 'about 6 GB .* 1 GB are free'):
        space.check({here: 3e9, there: 3e9})


if __name__ == '__main__':
  absltest.main()
