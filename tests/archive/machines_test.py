"""Tests of machines.py: who is left alone, who gets the task, and who is left.
"""

from unittest import mock

from absl.testing import absltest, parameterized

from revive_jax import types
from revive_jax.archive import machines


def _node(name, cpus=4.0, gpus=0.0, alive=True):
  return {'NodeID': name, 'Alive': alive,
          'Resources': {'CPU': cpus, 'GPU': gpus, 'memory': 8e9}}


class MachinesTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.now = 1000.0
    self.enter_context(mock.patch.object(
        machines.time, 'monotonic', lambda: self.now))
    self.enter_context(mock.patch.object(machines.logging, 'warning'))

  def _of(self, *nodes, gpus=0.0, **needs):
    found = machines.Machines({'CPU': 1.0, 'memory': 0.0} | needs, gpus)
    found.look(nodes)
    return found

  def test_rests_for_longer_each_time(self):
    found = self._of(_node('a'), _node('b'))
    self.assertIsNone(found.place(False, []))  # All are good.
    for rest in (60.0, 120.0, 240.0):
      for _ in range(3):  # Tasks that it had are no more faults.
        found.cannot('a', 'A is bad', False)
      self.now += rest - 1
      self.assertEqual(found.place(False, []), 'b')
      self.now += 1
      self.assertIsNone(found.place(False, []))
    found.can('a', False)
    found.cannot('a', 'A is bad', False)  # As the first time.
    self.now += 60
    self.assertIsNone(found.place(False, []))

  def test_those_that_are_good_share_as_they_are_large(self):
    found = self._of(_node('a'), _node('b', 2.0), _node('c', 4.0),
                     _node('d', 0.5), _node('e', 64.0, alive=False))
    found.cannot('a', 'A is bad', False)
    given = []
    for _ in range(12):
      given.append(found.place(False, [*given, None]))
    self.assertEqual((given.count('b'), given.count('c')), (4, 8))

  def test_one_without_its_gpu_does_the_rest(self):
    found = self._of(_node('a', gpus=1.0), _node('b', gpus=1.0), _node('c'),
                     gpus=1.0)
    found.cannot('a', 'A has no GPU', True)
    self.assertEqual(found.place(True, []), 'b')
    self.assertIsNone(found.place(False, []))
    found.can('a', False)  # Says nothing of its GPU.
    self.assertEqual(found.place(True, []), 'b')
    found.can('a', True)
    self.assertIsNone(found.place(True, []))
    found.cannot('a', 'A has no workdir', False)  # For a GPU task, neither.
    self.assertEqual(found.place(True, []), 'b')

  def test_what_failed_on_one_is_tried_on_another(self):
    found = self._of(_node('a'), _node('b'))
    for _ in range(5):  # It may be the film: nothing is refused for that.
      found.doubt('a')
      self.assertEqual(found.place(False, []), 'b')
      found.doubt('b')
      self.assertIsNone(found.place(False, []))
      self.now += 60
      found.cannot('a', 'bad', False)
      found.can('a', False)

  def _wear(self, found, *nodes, gpu=False):
    for _ in range(3):
      for node in nodes:
        found.cannot(node, f'The machine {node} is bad', gpu)
      self.now += 1000

  def test_none_is_left(self):
    found = self._of(_node('a'), _node('b'))
    self._wear(found, 'a')  # The other one goes on.
    with self.assertRaisesRegex(
        types.BadInput, 'No machine of the cluster can do the work: The '
        'machine a is bad; The machine b is bad. Once that is set right, '):
      self._wear(found, 'b')

  def test_the_good_one_leaves(self):
    found = self._of(_node('a'), _node('b'))
    self._wear(found, 'a')
    self.now -= 999  # It rests.
    found.look([_node('a'), _node('b', alive=False)])
    with self.assertRaisesRegex(types.BadInput, 'The machine a is bad'):
      found.cannot('a', 'The machine a is bad', False)

  def test_none_with_a_gpu_is_left(self):
    found = self._of(_node('a', gpus=1.0), _node('b'), gpus=1.0)
    with self.assertRaisesRegex(types.BadInput, 'a is bad. Once'):
      self._wear(found, 'a', gpu=True)

  def test_some_of_many_are_named(self):
    found = self._of(*map(_node, 'abcde'))
    with self.assertRaisesRegex(types.BadInput, 'c is bad; and 2 more. Once'):
      self._wear(found, *'abcde')

  def test_a_short_fault_of_all_is_outlived(self):
    found = self._of(_node('a'), _node('b'))
    for _ in range(2):
      for node in 'ab':
        found.cannot(node, 'bad', False)
      self.assertIsNone(found.place(False, []))  # Nobody is better.
      self.now += 150
    found.can('a', False)
    self._wear(found, 'b')


if __name__ == '__main__':
  absltest.main()
