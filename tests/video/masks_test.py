"""Tests of the user's masks."""

import itertools
import os

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import masks, probe, writer
from tests.video import clips


class MasksTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path
    self.info = probe.probe(
        clips.write(self.path('film.mp4'), clips.pictures(4)))
    rng = np.random.default_rng(0)
    self.masks = [rng.random((32, 48)) < 0.1 for _ in range(4)]

  def path(self, name):
    return os.path.join(self.dir, name)

  def test_one_picture_for_all(self):
    cv2.imwrite(self.path('m.png'), np.uint8(self.masks[0]) * 255)
    found = list(masks.read_masks(self.path('m.png'), self.info, 4))
    self.assertLen(found, 4)
    for mask in found:
      self.assertEqual(mask.dtype, bool)
      np.testing.assert_array_equal(mask, self.masks[0])
    endless = masks.read_masks(self.path('m.png'), self.info)
    self.assertLen(list(itertools.islice(endless, 99)), 99)

  def test_threshold_and_colour(self):
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[0, :4, 2] = 127, 128, 255, 0  # Red paint.
    cv2.imwrite(self.path('m.png'), picture)
    mask, = masks.read_masks(self.path('m.png'), self.info, 1)
    np.testing.assert_array_equal(mask[0, :4], [False, True, True, False])
    self.assertEqual(mask.sum(), 2)
    cv2.imwrite(self.path('m.png'), picture.astype(np.uint16) * 257)
    deep, = masks.read_masks(self.path('m.png'), self.info, 1)
    np.testing.assert_array_equal(deep, mask)

  def test_three_values_that_decide(self):
    picture = np.full((32, 48, 3), 128, np.uint8)
    picture[0, :6] = np.array([0, 63, 64, 191, 192, 255])[:, None]
    picture[1, 0] = 0, 0, 255  # Any channel counts.
    for name, scale in (('m.png', 1), ('deep.png', 257)):
      cv2.imwrite(self.path(name), picture.astype(
          np.uint8 if scale == 1 else np.uint16) * scale)
      mask, = masks.read_masks(
          self.path(name), self.info, 1, overrides=True)
      self.assertEqual(mask.dtype, np.int8)
      self.assertEqual(mask[0, :6].tolist(), [-1, -1, 0, 0, 1, 1])
      self.assertEqual(mask[1, 0], 1)
      self.assertEqual(int(np.abs(mask).sum()), 5)

  @parameterized.parameters('m', 'm.mkv')
  def test_in_order(self, name):
    writer.write_grey(self.path(name), self.masks, frame_rate=25)
    for count in (2, 4, None):
      found = list(masks.read_masks(self.path(name), self.info, count))
      self.assertLen(found, count or 4)
      for a, b in zip(self.masks, found, strict=False):
        np.testing.assert_array_equal(a, b)

  @parameterized.parameters('m', 'm.mkv', 'm.mp4')
  def test_too_few(self, name):
    writer.write_grey(self.path(name), self.masks, frame_rate=25)
    with self.assertRaisesRegex(types.BadInput, '4 frames, the film 5'):
      list(masks.read_masks(self.path(name), self.info, 5))

  def test_wrong_size(self):
    cv2.imwrite(self.path('m.png'), np.zeros((30, 48), np.uint8))
    with self.assertRaisesRegex(types.BadInput, '48x30, the film 48x32'):
      masks.read_masks(self.path('m.png'), self.info, 4)

  def test_missing(self):
    with self.assertRaisesRegex(types.BadInput, 'no such file'):
      masks.read_masks(self.path('none.png'), self.info, 4)


if __name__ == '__main__':
  absltest.main()
