"""Tests of finding faces."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import types
from revive_jax.faces import find
from tests.faces import onnx, people


class FindTest(parameterized.TestCase):

  @parameterized.parameters(np.uint8, np.uint16)
  def test_a_face(self, dtype):
    picture = people.picture().astype(dtype)
    if dtype == np.uint16:
      picture *= 257
    box, = find.detector()(picture)
    self.assertGreater(find.overlap([box], [people.FACE])[0, 0], 0.7)
    self.assertBetween(box[4], 0.3, 1)

  def test_bricks(self):
    self.assertEmpty(find.detector()(people.nothing(1)[0]))

  def test_mirrored(self):
    box, = find.detector()(np.ascontiguousarray(people.picture()[:, ::-1]))
    left = 1 - people.FACE[0] - people.FACE[2]
    self.assertGreater(find.overlap(
        [box], [[left, *people.FACE[1:]]])[0, 0], 0.7)

  def test_overlap_by_hand(self):
    boxes = [[0, 0, 2, 2], [1, 0, 2, 2], [5, 5, 1, 1]]
    np.testing.assert_allclose(
        find.overlap(boxes[:1], boxes), [[1, 2 / 6, 0]])

  def test_merged(self):
    boxes = [(0, 0, 1, 1, 0.5), (0.1, 0, 1, 1, 0.5), (0.4, 0.4, 0.2, 0.2, 0.1),
             (3, 3, 1, 1, 0.2)]
    np.testing.assert_allclose(find.merged(boxes), [
        (0, 0, 1, 1, 1 - 0.5 * 0.5 * 0.9), (3, 3, 1, 1, 0.2)])
    self.assertEqual(find.merged([]).shape, (0, 5))

  def test_a_detector_of_the_users(self):
    path = self.create_tempfile(
        'yunet.onnx', onnx.bright_faces(), mode='wb').full_path
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[24:32, 40:48] = 255  # Its middle is (28, 44); faces are of 40 px.
    box, = find.detector(path, side=64)(picture)
    np.testing.assert_allclose(box[:4] * 64, [24, 8, 40, 40], atol=0.5)
    self.assertAlmostEqual(box[4], 1, places=2)

  def test_what_is_no_detector_is_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'there is no such file'):
      find.detector('nowhere.onnx')
    path = self.create_tempfile('yunet.onnx', 'no network').full_path
    with self.assertRaisesRegex(types.BadInput, 'not an ONNX file of YuNet'):
      find.detector(path)


if __name__ == '__main__':
  absltest.main()
