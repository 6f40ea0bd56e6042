"""Tests of what is coded for a browser."""

import pathlib

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.desk import visitors
from revive_jax.desk.page import shown

_RNG = np.random.default_rng(0)


class ShownTest(parameterized.TestCase):

  def test_masks_come_back(self):
    painted, erased = _RNG.random((2, 9, 13)) > 0.5
    erased &= ~painted
    found = shown.marked(shown.mask(painted, erased), (9, 13))
    np.testing.assert_array_equal(found, [painted, erased])

  def test_by_hand(self):
    """White is painted, black erased, what is clear neither."""
    picture = np.zeros((1, 4, 4), np.uint8)
    picture[0, 0] = 255
    picture[0, 1, 3] = 255
    picture[0, 2] = 255, 255, 255, 90
    data = cv2.imencode('.png', picture)[1].tobytes()
    painted, erased = shown.marked(data, (1, 4))
    self.assertEqual(painted.tolist(), [[True, False, False, False]])
    self.assertEqual(erased.tolist(), [[False, True, False, False]])

  @parameterized.parameters(
      b'', b'no picture', b'\x89PNG\r\n\x1a\nbroken',
      cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))[1].tobytes(),
      cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes())
  def test_what_is_no_mask(self, data):
    with self.assertRaisesRegex(types.BadInput, 'no painted picture'):
      shown.marked(data, (8, 8))

  def test_a_picture_that_would_fill_the_memory(self):
    """It is refused by what it says of itself, before anything is decoded."""
    data = shown.mask(*np.zeros((2, 8, 8), bool))
    large = data[:16] + (40_000).to_bytes(4, 'big') * 2 + data[24:]
    with absltest.mock.patch.object(cv2, 'imdecode') as decode:
      with self.assertRaisesRegex(types.BadInput, 'no painted picture'):
        shown.marked(large, (8, 8))
    decode.assert_not_called()

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
    key = lambda name: (pathlib.Path('films'), name)
    first = memory.keep(key('a'), rgb, {})
    second = memory.keep(key('a'), rgb, {})
    self.assertNotEqual(first.version, second.version)
    self.assertEqual(memory.get(key('a')), second)
    for name in range(100):
      memory.keep(key(name), rgb, {})
    self.assertIsNone(memory.get(key('a')))
    self.assertIsNotNone(memory.get(key(99)))

  def test_what_is_deleted_is_not_kept_in_memory(self):
    memory, rgb = shown.Memory(), np.zeros((4, 4, 3), np.uint8)
    folder = pathlib.Path(self.create_tempdir().full_path)
    keys = [(folder / name / 'films' / 'f', '0') for name in ('one', 'other')]
    for key in keys:
      memory.keep(key, rgb, {})
    visitors.delete(folder / 'one.gone')
    self.assertIsNone(memory.get(keys[0]))
    self.assertIsNotNone(memory.get(keys[1]))


if __name__ == '__main__':
  absltest.main()
