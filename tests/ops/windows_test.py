"""Tests of ops/windows.py."""

from absl.testing import absltest
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np

from revive_jax.ops import windows


class SegmentsTest(absltest.TestCase):

  def test_by_hand(self):
    self.assertEqual(
        windows.cut_segments([(0, 5), (5, 12)], window=4, context=2),
        [(0, 5, 0, 4), (2, 5, 4, 5), (5, 11, 5, 9), (7, 12, 9, 12)])

  @given(st.lists(st.integers(1, 40), min_size=1, max_size=5),
         st.integers(1, 17), st.integers(0, 9))
  @settings(deadline=None, max_examples=50)
  def test_every_frame_once_never_across_a_cut(self, sizes, window, context):
    edges = np.cumsum([0, *sizes]).tolist()
    shots = list(zip(edges[:-1], edges[1:], strict=True))
    segments = windows.cut_segments(shots, window=window, context=context)
    kept = [i for s in segments for i in range(s.core_start, s.core_stop)]
    self.assertEqual(kept, list(range(edges[-1])))
    for s in segments:
      self.assertTrue(any(a <= s.start and s.stop <= b for a, b in shots))

  def test_refuses_empty_windows(self):
    with self.assertRaisesRegex(ValueError, 'window=0'):
      windows.cut_segments([(0, 5)], window=0, context=0)


class TilesTest(absltest.TestCase):

  @given(st.integers(1, 70), st.integers(1, 70), st.integers(2, 33),
         st.integers(0, 1000))
  @settings(deadline=None, max_examples=60)
  def test_tiles_of_a_picture_blend_to_the_picture(self, h, w, tile, seed):
    rng = np.random.default_rng(seed)
    picture = rng.random((2, h, w, 3), np.float32)
    labels = rng.integers(0, 4, (2, h, w, 1)).astype(np.uint8)
    def cut(top, bottom, left, right):
      box = (slice(None), slice(top, bottom), slice(left, right))
      return {'picture': picture[box], 'labels': labels[box]}
    joined = windows.map_tiles(cut, h, w, tile=tile, overlap=seed % tile)
    np.testing.assert_allclose(joined['picture'], picture, atol=1e-5)
    np.testing.assert_array_equal(joined['labels'], labels)

  def test_no_seam_between_tiles_that_disagree(self):
    """Two tiles of different value: the step is spread over the overlap."""
    def cut(top, bottom, left, right):
      value = 0.0 if left == 0 else 1.0
      return {'x': np.full((1, bottom - top, right - left, 1), value, 'f')}
    row = windows.map_tiles(cut, 4, 28, tile=16, overlap=4)['x'][0, 0, :, 0]
    np.testing.assert_allclose(row[:12], 0)
    np.testing.assert_allclose(row[12:16], [0.2, 0.4, 0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(row[16:], 1)

  def test_full_hd_and_4k_by_hand(self):
    """Two rows of (1080 + 64) / 2 = 572, not of 1024 with 56 new lines."""
    cut = dict(tile=1024, overlap=64)
    for length, starts, size in (
        (1080, [0, 504], 576), (1920, [0, 928], 992),
        (2160, [0, 696, 1392], 768), (3840, [0, 944, 1888, 2832], 1008)):
      self.assertEqual(windows.tile_starts(length, **cut), starts)
      self.assertEqual(windows.tile_size(length, **cut), size)
    seen = []
    def look(top, bottom, left, right):
      seen.append((bottom - top) * (right - left))
      return {}
    windows.map_tiles(look, 1080, 1920, **cut)
    self.assertLess(sum(seen) / (1080 * 1920), 1.11)  # 2.02 were measured.

  @given(st.integers(1, 9000), st.integers(17, 1200), st.integers(0, 400))
  @settings(deadline=None, max_examples=200)
  def test_all_is_covered_and_little_of_it_twice(self, length, tile, overlap):
    overlap %= tile // 2
    starts = windows.tile_starts(length, tile, overlap)
    size = windows.tile_size(length, tile, overlap)
    self.assertLessEqual(size, tile)
    self.assertEqual((starts[0], starts[-1] + size), (0, length))
    for a, b in zip(starts[:-1], starts[1:], strict=True):
      self.assertBetween(a + size - b, overlap, size)
    # Whole sixteens cost up to 15 px a tile.
    self.assertLess(
        len(starts) * size, length + (len(starts) - 1) * overlap + 16 * len(
            starts))

  def test_refuses_an_overlap_as_large_as_the_tile(self):
    with self.assertRaisesRegex(ValueError, 'overlap=8'):
      windows.tile_starts(20, 8, 8)


if __name__ == '__main__':
  absltest.main()
