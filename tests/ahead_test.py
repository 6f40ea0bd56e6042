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

  def test_refuses_no_room(self):
    with self.assertRaisesRegex(ValueError, 'size=0'):
      ahead.ahead([], 0)


if __name__ == '__main__':
  absltest.main()
