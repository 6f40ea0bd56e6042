"""Tests that what is held out is not trained on."""

from absl.testing import absltest

from revive_jax import types
from revive_jax.data import splits


class SplitNamesTest(absltest.TestCase):

  def test_every_tenth_by_hand(self):
    paths = [f'photos/p{i}.jpg' for i in range(25, 0, -1)]
    train, held_out = splits.split_names(paths)
    # Sorted by number: p1 ... p25; the tenth and the twentieth.
    self.assertEqual(held_out, ['photos/p10.jpg', 'photos/p20.jpg'])
    self.assertLen(train, 23)

  def test_disjoint_and_complete(self):
    paths = [f'a/{i}.mp4' for i in range(37)] + ['b/3.mp4', 'b/x.mp4']
    for held_out, every in ((), 10), (('3.mp4',), None), (('x.mp4',), 4):
      train, rest = splits.split_names(paths, held_out, every=every)
      self.assertCountEqual([*train, *rest], paths)
      self.assertFalse(
          set(map(splits.name_of, train)) & set(map(splits.name_of, rest)))
      self.assertContainsSubset(held_out, map(splits.name_of, rest))

  def test_one_name_in_two_folders_stays_together(self):
    train, rest = splits.split_names(
        ['a/x.mp4', 'b/x.mp4', 'a/y.mp4'], ['x.mp4'], every=None)
    self.assertEqual((train, rest), (['a/y.mp4'], ['a/x.mp4', 'b/x.mp4']))

  def test_the_order_given_does_not_matter(self):
    paths = [f'{i}.png' for i in range(30)]
    self.assertEqual(splits.split_names(paths),
                     splits.split_names(paths[::-1]))

  def test_refusals(self):
    with self.assertRaisesRegex(types.BadInput, 'wlk.mkv.*not among'):
      splits.split_names(['walk.mkv', 'b.mkv'], ['wlk.mkv'], every=None)
    with self.assertRaisesRegex(types.BadInput, 'nothing is left'):
      splits.split_names(['walk.mkv'], ['walk.mkv'], every=None)

  def test_marks_tell_a_name_that_is_known_alone(self):
    # printf film.mkv | sha256sum
    mark, = splits.marks(['a/film.mkv', 'film.mkv'])
    self.assertEqual(mark, '7d3aa8771e5920a6')
    self.assertEqual(splits.marks(['b', 'a']), sorted(
        splits.marks(['a']) + splits.marks(['b'])))

  def test_refuse_held_out(self):
    splits.refuse_held_out(['a', 'b'], ['c'], 'records')
    with self.assertRaisesRegex(types.BadInput, 'records holds b,'):
      splits.refuse_held_out(['x/a', 'x/b'], ['b'], 'records')


if __name__ == '__main__':
  absltest.main()
