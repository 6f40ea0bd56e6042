"""Tests of video/space.py."""

import collections
import pathlib
import shutil
from unittest import mock

from absl.testing import absltest

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
