"""Tests of desk/turns.py."""

from concurrent import futures
import pathlib
import threading
import time

from absl.testing import absltest

from revive_jax import types
from revive_jax.desk import turns


class TurnsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.turns, self.served = turns.Turns(), []
    self.pool = futures.ThreadPoolExecutor(20)
    self.addCleanup(self.pool.shutdown)
    self.first, self.free = threading.Event(), threading.Event()
    self.addCleanup(self.free.set)
    self.held = self.pool.submit(self._hold)
    self.first.wait()

  def _hold(self):
    with self.turns.turn('other'):
      self.first.set()
      self.free.wait()

  def _ask(self, film, name, kind=None):
    """Somebody who waits, now."""
    def asked():
      with self.turns.turn(film, kind):
        self.served.append(name)
        return name

    before = sum(map(len, self.turns._waiting.values()))
    made = self.pool.submit(asked)
    end = time.monotonic() + 30
    while not made.done() and (
        film not in self.turns._waiting or kind is None and sum(
            map(len, self.turns._waiting.values())) == before):
      self.assertLess(time.monotonic(), end)
      time.sleep(0.001)
    return made

  def test_the_newest_of_a_kind_wins(self):
    old = self._ask('a', 'old', 'preview')
    answer = self._ask('a', 'answer', 'answers')
    new = self._ask('a', 'new', 'preview')
    with self.assertRaises(turns.SupersededError):
      old.result(30)
    self.assertIsInstance(old.exception(), types.BadInput)
    self.free.set()
    self.assertEqual((answer.result(30), new.result(30)), ('answer', 'new'))
    self.assertEqual(self.served, ['answer', 'new'])

  def test_each_film_in_its_turn(self):
    asked = [self._ask('a', f'a{n}') for n in range(3)]
    asked.append(self._ask('b', 'b0'))
    self.free.set()
    for one in asked:
      one.result(30)
    self.assertEqual(self.served, ['a0', 'b0', 'a1', 'a2'])

  def test_not_too_many_wait_for_one_film(self):
    asked = [self._ask('a', n) for n in range(turns._MOST)]
    asked.append(self.pool.submit(
        lambda: self.turns.turn('a').__enter__()))
    with self.assertRaises(turns.SupersededError):
      asked[0].result(30)

  def test_who_fails_keeps_no_others(self):
    with self.assertRaises(ZeroDivisionError):
      self.free.set()
      with self.turns.turn('a'):
        raise ZeroDivisionError
    self.assertEqual(self._ask('b', 'b').result(30), 'b')


class LocksTest(absltest.TestCase):

  def test_one_for_each_path_while_it_is_used(self):
    locks = turns.Locks()
    one = locks.of('films/a')
    self.assertIs(locks.of(pathlib.Path('films/a')), one)
    self.assertIsNot(locks.of('films/b'), one)
    del one
    self.assertEmpty(locks._locks)

  def test_whoever_deletes_waits_for_who_reads(self):
    locks, read, free = turns.Locks(), threading.Event(), threading.Event()

    def reads():
      with locks.of('films/a/source'):
        read.set()
        free.wait()

    with futures.ThreadPoolExecutor(3) as pool:
      pool.submit(reads)
      read.wait()
      locks.wait(pathlib.Path('films/b'))  # Of that one nobody reads.
      waiting = pool.submit(locks.wait, pathlib.Path('films/a'))
      self.assertFalse(waiting.done())
      free.set()
      waiting.result(30)


if __name__ == '__main__':
  absltest.main()
