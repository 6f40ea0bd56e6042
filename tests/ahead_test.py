"""Tests of ahead.py."""

import threading

from absl.testing import absltest

from revive_jax import ahead


class AheadTest(absltest.TestCase):

  def test_all_items_in_order(self):
    self.assertEqual(list(ahead.ahead(range(50), 3)), list(range(50)))
    self.assertEqual(list(ahead.ahead([], 1)), [])

  def test_no_more_than_it_may_hold(self):
    made = []

    def items():
      for i in range(20):
        made.append(i)
        yield i

    found = ahead.ahead(items(), 3)
    self.assertEqual(next(found), 0)
    # The ones that wait, the one that is about to, and the one in use.
    for i in range(1, 20):
      self.assertLessEqual(len(made), i + 3 + 1)
      self.assertEqual(next(found), i)

  def test_items_are_made_while_others_are_used(self):
    second = threading.Event()

    def items():
      yield 1
      second.set()
      yield 2

    found = ahead.ahead(items(), 1)
    self.assertEqual(next(found), 1)
    self.assertTrue(second.wait(10))  # Nobody has asked for it.

  def test_an_error_arrives_after_the_items_before_it(self):
    def items():
      yield 1
      raise KeyError('lost')

    found = ahead.ahead(items(), 5)
    self.assertEqual(next(found), 1)
    with self.assertRaisesRegex(KeyError, 'lost'):
      next(found)

  def test_closing_ends_the_thread_and_the_items(self):
    closed = []

    def items():
      try:
        while True:
          yield 0
      finally:
        closed.append(True)

    found = ahead.ahead(items(), 2)
    next(found)
    found.close()
    self.assertEqual(closed, [True])
    self.assertNotIn('ahead', [t.name for t in threading.enumerate()])

  def test_of_size_0_one_is_made_when_the_last_was_taken(self):
    made = [threading.Event() for _ in range(4)]

    def items():
      for i, event in enumerate(made):
        event.set()
        yield i

    found = ahead.ahead(items(), 0)
    for i, event in enumerate(made[1:]):
      self.assertFalse(event.is_set())
      self.assertEqual(next(found), i)
      self.assertTrue(event.wait(10))  # Nobody has asked for it.
    self.assertEqual(list(found), [3])

  def test_refuses_less_than_no_room(self):
    with self.assertRaisesRegex(ValueError, 'size=-1'):
      ahead.ahead([], -1)


if __name__ == '__main__':
  absltest.main()
