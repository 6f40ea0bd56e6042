"""Tests of provenance/mark.py."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.provenance import mark


class MarkTest(parameterized.TestCase):

  @parameterized.parameters(np.uint8, np.uint16)
  def test_in_its_corner_and_nowhere_else(self, dtype):
    peak = np.iinfo(dtype).max
    frame = np.full((280, 500, 3), peak // 2, dtype)
    before = frame.copy()
    marked = mark.stamp(frame)
    np.testing.assert_array_equal(frame, before)  # A copy.
    rows, columns = np.nonzero((marked != frame).any(-1))
    self.assertGreater(rows.min(), 280 * 0.9)
    self.assertGreater(columns.min(), 500 * 0.8)
    self.assertLess(rows.max(), 280)
    # Letters of a 28th of 280: ten rows, and an edge around them.
    self.assertBetween(np.ptp(rows), 10, 18)
    self.assertGreater(marked.max(), 0.8 * peak)
    self.assertLess(marked.min(), 0.3 * peak)
    np.testing.assert_array_equal(marked[..., 0], marked[..., 2])  # Grey.

  @parameterized.parameters(0, 255)
  def test_seen_on_black_and_on_white(self, value):
    frame = np.full((96, 128, 3), value, np.uint8)
    self.assertGreater(np.ptp(mark.stamp(frame)), 60)

  @parameterized.parameters((1, 1), (2, 300), (300, 2), (9, 9))
  def test_tiny_frames(self, height, width):
    frame = np.zeros((height, width, 3), np.uint8)
    self.assertEqual(mark.stamp(frame).shape, frame.shape)


if __name__ == '__main__':
  absltest.main()
