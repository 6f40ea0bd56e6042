"""Tests of video/sheet.py."""


from absl.testing import absltest
import numpy as np

from revive_jax.video import sheet


class SheetTest(absltest.TestCase):

  def test_crop_and_densest(self):
    mask = np.zeros((40, 60), bool)
    mask[30:34, 10:14] = True
    y, x = sheet.densest(mask)
    self.assertTrue(26 <= y < 38 and 6 <= x < 18, (y, x))
    self.assertEqual(sheet.densest(~mask & mask), (20, 30))
    frame = np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3) % 251
    cut = sheet.crop({'a': frame.astype(np.uint8), 'b': mask}, (0, 59),
                     factor=2)
    np.testing.assert_array_equal(cut['a'][::2, ::2], frame[:20, 30:])
    self.assertEqual((cut['b'].dtype, cut['b'].shape), (bool, (40, 60)))

  def test_thickest_lies_inside(self):
    mask = np.zeros((20, 40), bool)
    mask[:, 12:17] = mask[:, 23:26] = True
    self.assertEqual(sheet.thickest(mask)[1], 14)
    corner = np.zeros((20, 40), bool)
    corner[0, 0] = True
    self.assertEqual(sheet.thickest(corner), (0, 0))
    self.assertEqual(sheet.thickest(mask & ~mask), (10, 20))

  def test_grid_is_row_by_row(self):
    pictures = np.arange(6).reshape(6, 1, 1, 1) / 255 * np.ones((1, 2, 3, 1))
    made = sheet.grid(pictures, 3)
    self.assertEqual((made.shape, made.dtype), ((2 * 4, 3 * 5, 1), np.uint8))
    np.testing.assert_array_equal(
        made[1::4, 1::5, 0], [[0, 1, 2], [3, 4, 5]])
    self.assertEqual(made[0, 0, 0], 128)  # The gap.


if __name__ == '__main__':
  absltest.main()
