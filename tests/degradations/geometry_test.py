"""Tests of how sizes and counts follow the frame."""

from absl.testing import absltest

from revive_jax.degradations import geometry


class GeometryTest(absltest.TestCase):

  def test_the_frame_that_lengths_are_given_for(self):
    shape = 5, 272, 480, 3
    self.assertEqual(geometry.scale(shape, None), 1)
    self.assertEqual(geometry.area_share(shape, None), 1)
    self.assertEqual(geometry.width_share(shape, None), 1)

  def test_twice_the_frame(self):
    shape = 5, 544, 960, 3
    self.assertEqual(geometry.scale(shape, None), 2)
    self.assertEqual(geometry.area_share(shape, None), 1)

  def test_a_crop_keeps_the_size_of_damage_and_has_less_of_it(self):
    shape = 5, 68, 120, 3
    diagonal = geometry.DIAGONAL
    self.assertEqual(geometry.scale(shape, diagonal), 1)
    self.assertEqual(geometry.area_share(shape, diagonal), 1 / 16)
    self.assertEqual(geometry.width_share(shape, diagonal), 1 / 4)

  def test_slots(self):
    self.assertEqual(geometry.slots(6.0), 15)
    self.assertEqual(geometry.slots(0.01), 1)


if __name__ == '__main__':
  absltest.main()
