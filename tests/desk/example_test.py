"""Tests of desk/example.py."""

import pathlib

from absl.testing import absltest
import pytest

from revive_jax.desk import example, film, places, upload, visitors
from tests.desk import desks


class ExampleTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def test_what_is_there_is_taken(self):
    (self.dir / example.NAME).write_text('made before')
    self.assertEqual(example.clip(self.dir).read_text(), 'made before')

  @pytest.mark.slow
  def test_it_is_a_film_like_any_other(self):
    desk = desks.opened(self.dir / 'desk')
    visitor = visitors.new(desk)
    place = places.find(desk, visitor, upload.example(desk, visitor))
    self.assertEqual(place.name, example.NAME)
    film.measure(place)
    found = film.opened(place)
    self.assertEqual((found.info['width'], found.info['frames']), (480, 72))
    self.assertLen(found.shots, 3)
    self.assertGreater(found.shots[0].measured['dust_per_10000_pixels'], 1)


if __name__ == '__main__':
  absltest.main()
