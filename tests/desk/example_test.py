"""Tests of desk/example.py."""

from concurrent import futures
import pathlib
import time
from unittest import mock

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

  def test_two_that_ask_at_once_make_one(self):
    made = []

    def make(folder, place):
      made.append(folder)
      time.sleep(0.05)
      place(folder).write_text('made')

    with mock.patch.object(example, '_make', make):
      with futures.ThreadPoolExecutor(2) as pool:
        paths = [*pool.map(example.clip, [self.dir, self.dir])]
    self.assertLen(made, 1)
    self.assertEqual(paths, [self.dir / example.NAME] * 2)

  @pytest.mark.slow
  def test_it_is_made_beforehand_sealed_where_all_is(self):
    desk = desks.opened(self.dir / 'desk', sealed=True)
    path = self.dir / 'desk' / f'{example.NAME}.sealed'
    with example.prepared(desk):
      end = time.monotonic() + 300
      while not path.exists():
        self.assertLess(time.monotonic(), end)
        time.sleep(0.1)
    self.assertNotIn(b'ftyp', path.read_bytes()[:12])
    with example.clip(desk.root, desk.vault).open('rb') as file:
      self.assertIn(b'ftyp', file.read(12))

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
