"""Tests of what is coded for a browser."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.desk.page import shown

_RNG = np.random.default_rng(0)


class ShownTest(parameterized.TestCase):

  def test_masks_come_back(self):
    painted, erased = _RNG.random((2, 9, 13)) > 0.5
    erased &= ~painted
    found = shown.marked(shown.mask(painted, erased))
    np.testing.assert_array_equal(found, [painted, erased])

  def test_by_hand(self):
    """White is painted, black erased, what is clear neither."""
    picture = np.zeros((1, 4, 4), np.uint8)
    picture[0, 0] = 255
    picture[0, 1, 3] = 255
    picture[0, 2] = 255, 255, 255, 90
    data = cv2.imencode('.png', picture)[1].tobytes()
    painted, erased = shown.marked(data)
    self.assertEqual(painted.tolist(), [[True, False, False, False]])
    self.assertEqual(erased.tolist(), [[False, True, False, False]])

  @parameterized.parameters(
      b'', b'no picture', b'\x89PNG\r\n\x1a\nbroken',
      cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))[1].tobytes(),
      cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes())
  def test_what_is_no_mask(self, data):
    with self.assertRaisesRegex(types.BadInput, 'no painted picture'):
      shown.marked(data)

  def test_colours_stay(self):
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[..., 0] = 200  # Red, which swapped channels would make blue.
    data = np.frombuffer(shown.jpeg(rgb), np.uint8)
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    self.assertLess(abs(back.astype(int) - rgb).max(), 4)
    over = shown.overlay(rgb, np.full((16, 16), 0.5))
    back = cv2.imdecode(np.frombuffer(shown.png(over), np.uint8),
                        cv2.IMREAD_UNCHANGED)
    self.assertEqual(back[0, 0].tolist(), [0, 0, 200, 128])

  def test_the_memory_is_small_and_new_pictures_are_new(self):
    memory = shown.Memory()
    rgb = np.zeros((4, 4, 3), np.uint8)
    first = memory.keep('a', rgb, {})
    second = memory.keep('a', rgb, {})
    self.assertNotEqual(first.version, second.version)
    self.assertEqual(memory.get('a'), second)
    for name in range(100):
      memory.keep(name, rgb, {})
    self.assertIsNone(memory.get('a'))
    self.assertIsNotNone(memory.get(99))


if __name__ == '__main__':
  absltest.main()
