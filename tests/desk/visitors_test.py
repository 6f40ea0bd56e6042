"""Tests of desk/visitors.py."""

import fcntl
import os
import pathlib
import time
from unittest import mock

from absl.testing import absltest, parameterized

from revive_jax import types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import visitors
from tests.desk import desks


class VisitorsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.clock = desks.Clock()
    self.desk = desks.opened(
        self.dir / 'desk', clock=self.clock,
        limits=desk_lib.Limits(lifetime=3600.0))

  def test_nobody_is_like_another(self):
    found = {visitors.new(self.desk) for _ in range(20)}
    self.assertLen(found, 20)
    for visitor in found:
      self.assertRegex(visitor, r'^[A-Za-z0-9_-]{43}$')  # 256 bits.
      self.assertTrue(visitors.folder(self.desk, visitor).is_dir())

  @parameterized.parameters(
      '', '.', '..', '../..', '/etc', 'a' * 43, f'../{"a" * 40}',
      f'{"a" * 42}/', f'{"a" * 43}\n', 'a\0b', None, 7, ['a' * 43])
  def test_whoever_is_not_known_is_nobody(self, visitor):
    with self.assertRaisesRegex(types.BadInput, 'does not know you'):
      visitors.folder(self.desk, visitor)

  def test_a_link_is_no_visitor(self):
    (self.dir / 'elsewhere').mkdir()
    name = 'b' * 43
    (self.desk.root / 'visitors' / name).symlink_to(self.dir / 'elsewhere')
    with self.assertRaises(types.BadInput):
      visitors.folder(self.desk, name)

  def test_all_of_a_visitor_is_deleted_after_the_last_visit(self):
    old, new = visitors.new(self.desk), visitors.new(self.desk)
    (visitors.folder(self.desk, old) / 'films' / 'mine').mkdir()
    self.clock.now += 3000
    visitors.folder(self.desk, new)  # A visit.
    self.assertEqual(visitors.sweep(self.desk), [])
    self.clock.now += 601
    self.assertEqual(visitors.deletion(self.desk, new), self.clock.now + 2999)
    self.assertEqual(visitors.sweep(self.desk), [old])
    self.assertEqual([p.name for p in (
        self.desk.root / 'visitors').iterdir()], [new])
    with self.assertRaisesRegex(types.BadInput, 'your time here is over'):
      visitors.folder(self.desk, old)

  def test_looking_when_it_ends_is_no_visit(self):
    visitor = visitors.new(self.desk)
    end = visitors.deletion(self.desk, visitor)
    self.assertEqual(end, self.clock.now + 3600)
    self.clock.now += 100
    visitors.folder(self.desk, visitor, touch=False)
    self.assertEqual(visitors.deletion(self.desk, visitor), end)

  def test_not_while_a_job_runs(self):
    visitor = visitors.new(self.desk)
    film = visitors.folder(self.desk, visitor) / 'films' / 'f'
    film.mkdir()
    (film / visitors.NOTE).touch()
    with open(film / visitors.LOCK, 'w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      self.clock.now += 10_000
      self.assertEqual(visitors.sweep(self.desk), [])
      with self.assertRaisesRegex(types.BadInput, 'cancel that first'):
        visitors.remove(self.desk, visitor)
    self.assertEqual(visitors.sweep(self.desk), [visitor])

  def _ended(self, visitor, when):
    """A job of a visitor ended then."""
    film = visitors.folder(self.desk, visitor, touch=False) / 'films' / 'f'
    film.mkdir(exist_ok=True)
    (film / visitors.NOTE).touch()
    (film / 'ended.json').touch()
    os.utime(film / 'ended.json', (when, when))

  def test_what_a_long_job_made_stays_for_a_lifetime_after_its_end(self):
    visitor = visitors.new(self.desk)
    end = self.clock.now + 10_000
    self._ended(visitor, end)
    self.clock.now = end + 100  # The desk runs: it looks every few minutes.
    self.assertEqual(visitors.sweep(self.desk), [])
    self.clock.now += 3599
    self.assertEqual(visitors.sweep(self.desk), [])
    self.clock.now += 1
    self.assertEqual(visitors.sweep(self.desk), [visitor])

  def test_a_job_that_outlived_its_desk_counts_from_the_next_desk_on(self):
    visitor, other = visitors.new(self.desk), visitors.new(self.desk)
    self._ended(visitor, self.clock.now + 100)
    self.clock.now += 1e6  # Over a long holiday.
    self.assertEqual(visitors.sweep(self.desk), [other])
    self.clock.now += 3000
    self.assertEqual(visitors.sweep(self.desk), [])  # Again, but only once:
    self.clock.now += 600
    self.assertEqual(visitors.sweep(self.desk), [visitor])

  def test_who_was_there_since_a_job_ended_has_seen_it(self):
    visitor = visitors.new(self.desk)
    self._ended(visitor, self.clock.now + 100)
    self.clock.now += 200
    visitors.folder(self.desk, visitor)  # A visit.
    self.clock.now += 3600
    self.assertEqual(visitors.sweep(self.desk), [visitor])

  def test_what_was_left_half_deleted_goes(self):
    visitor = visitors.new(self.desk)
    folder = visitors.folder(self.desk, visitor)
    folder.rename(folder.with_name(f'{visitor}.gone'))
    self.assertEqual(visitors.sweep(self.desk), [visitor])
    self.assertEqual([*(self.desk.root / 'visitors').iterdir()], [])

  def test_one_that_cannot_be_deleted_keeps_no_others(self):
    all_ = sorted(visitors.new(self.desk) for _ in range(3))
    self.clock.now += 4000
    rename = pathlib.Path.rename

    def fails(path, target):
      if path.name == all_[0]:
        raise PermissionError(path)
      return rename(path, target)

    with mock.patch.object(pathlib.Path, 'rename', fails):
      self.assertEqual(visitors.sweep(self.desk), all_[1:])
    self.assertEqual(visitors.sweep(self.desk), all_[:1])

  def test_uploads_that_were_broken_off_go(self):
    visitor = visitors.new(self.desk)
    films = visitors.folder(self.desk, visitor) / 'films'
    for name in ('whole', 'coming', 'broken'):
      (films / name).mkdir()
    (films / 'whole' / visitors.NOTE).touch()
    self.clock.now = time.time() + 7200
    visitors.folder(self.desk, visitor)  # Somebody is there.
    ahead = self.clock.now
    os.utime(films / 'coming', (ahead, ahead))
    visitors.sweep(self.desk)
    self.assertEqual(sorted(p.name for p in films.iterdir()),
                     ['coming', 'whole'])

  def test_everything_can_be_deleted_now(self):
    visitor = visitors.new(self.desk)
    visitors.remove(self.desk, visitor)
    self.assertEqual([*(self.desk.root / 'visitors').iterdir()], [])


if __name__ == '__main__':
  absltest.main()
