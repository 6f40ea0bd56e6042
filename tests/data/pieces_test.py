"""Tests of the pieces that a video is cut into."""

import os

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import types
from revive_jax.data import pieces, videos
from tests.data import clips
from tests.video import clips as video_clips


class PiecesTest(parameterized.TestCase):

  def test_segments_by_hand(self):
    # A shot of 40: two of 16, and one that ends with it.
    self.assertEqual(
        pieces.segments(((0, 40),), None, 16, 16),
        [(0, 16), (16, 32), (24, 40)])
    # Seven left over, less than half of 16: not worth it.
    self.assertEqual(
        pieces.segments(((0, 39),), None, 16, 16), [(0, 16), (16, 32)])
    self.assertEqual(
        pieces.segments(((0, 20),), None, 16, 4), [(0, 16), (4, 20)])

  def test_segments_keep_inside_shots_and_ranges(self):
    shots = ((0, 21), (21, 50), (50, 54))
    ranges = ((5, 30), (35, 60))
    found = pieces.segments(shots, ranges, 8, 3)
    for a, b in found:
      self.assertEqual(b - a, 8)
      self.assertTrue(any(x <= a and b <= y for x, y in shots))
      self.assertTrue(any(x <= a and b <= y for x, y in ranges))
    self.assertIn((5, 13), found)
    self.assertIn((41, 49), found)

  @parameterized.parameters((100, 192, 1), (192, 192, 1), (360, 192, 2),
                            (640, 192, 4))
  def test_starts_cover(self, length, size, count):
    starts = pieces.starts(length, size)
    self.assertLen(starts, count)
    seen = np.zeros(length, int)
    for s in starts:
      self.assertLessEqual(s, max(0, length - size))
      seen[s:s + size] += 1
    self.assertTrue((seen > 0).all())

  def test_reduce(self):
    frame = np.zeros((40, 64, 3), np.uint8)
    frame[4:-4, 4:-4] = 100
    frame[4:-4, 4:-4:2] = 200
    options = pieces.Options(border=4, scale=0.5)
    reduced = pieces.reduce(frame, options, 360)
    # Columns of 100 and 200 average to 150.
    np.testing.assert_array_equal(reduced, np.full((16, 28, 3), 150))
    self.assertEqual(
        pieces.reduce(frame, pieces.Options(), 20).shape, (20, 32, 3))
    with self.assertRaisesRegex(types.BadInput, 'leaves nothing'):
      pieces.reduce(frame, pieces.Options(border=20), 360)

  def test_measure(self):
    still = np.repeat(np.random.default_rng(0).integers(
        0, 255, (1, 64, 64, 3), dtype=np.uint8), 6, axis=0)
    self.assertEqual(pieces.measure(still)[0], 0)
    flat = np.full((6, 64, 64, 3), 90, np.uint8)
    self.assertEqual(pieces.measure(flat), (0, 0))
    # One of 16 blocks changes by 8 in each frame.
    moving = flat.copy()
    moving[1::2, 16:32, 16:32] += 8
    self.assertAlmostEqual(pieces.measure(moving)[0], 8)
    ramp = flat + np.arange(64, dtype=np.uint8)[:, None]
    # One a px is two from one mean of 2 px to the next.
    self.assertAlmostEqual(pieces.measure(ramp)[1], 2, places=5)

  def test_cut_gives_the_frames(self):
    frames = clips.numbered(20)
    path = os.path.join(self.create_tempdir().full_path, 'a.mp4')
    video_clips.write(path, frames, options={'crf': '1'})
    found = list(pieces.cut(
        videos.scan(path), pieces.Options(hop=6), num_frames=8, size=64,
        max_height=360, label='a'))
    # Starts 0, 6, 12; 2 x 3 places in 96 x 128.
    self.assertLen(found, 18)
    for piece in found:
      self.assertEqual(piece.clip.shape, (8, 64, 64, 3))
      want = np.stack(frames)[piece.start:piece.start + 8,
                              piece.top:piece.top + 64,
                              piece.left:piece.left + 64]
      self.assertLess(np.abs(np.int16(piece.clip) - want).mean(), 6)

  def test_options(self):
    table = {'*': {'hop': 8}, 'grid_*': {'border': 4, 'hop': 16},
             'b.mp4': {'exclude': True, 'frames': [[3, 9]]}}
    self.assertEqual(pieces.options_for('grid_1.mpg', table),
                     pieces.Options(border=4, hop=16))
    self.assertEqual(pieces.options_for('b.mp4', table),
                     pieces.Options(hop=8, exclude=True, frames=((3, 9),)))

  @parameterized.parameters(
      {'scales': 1}, {'scale': 2}, {'scale': 'half'}, {'border': -1},
      {'frames': [[9, 3]]}, {'frames': [7]}, {'hop': 0})
  def test_refuses_options(self, **options):
    with self.assertRaisesRegex(types.BadInput, 'Options of a'):
      pieces.options_for('a.mp4', {'a.mp4': options})


if __name__ == '__main__':
  absltest.main()
