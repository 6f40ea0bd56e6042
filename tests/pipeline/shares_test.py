"""Tests of shares.py: every segment in one share, begun where it can be."""

import types

from absl.testing import absltest, parameterized

from revive_jax.pipeline import choose, shares

_SETTINGS = types.SimpleNamespace(window=24, lookahead=10, repeats='leave')
_NOTHING = types.SimpleNamespace(shown={})


def _work(lengths, by_shot=False):
  """Of a film of shots of so many frames."""
  shots, start = [], 0
  for length in lengths:
    shots.append(types.SimpleNamespace(start=start, stop=start + length))
    start += length
  return shares.work(shots, _SETTINGS, height=480, width=640, by_shot=by_shot)


def _plans(count, *names):
  stages = tuple(choose.Choice(n, '', 1.0, {}) for n in names)
  return [choose.Plan(stages, 0.0, 0.0)] * count


class SharesTest(parameterized.TestCase):

  @parameterized.parameters(
      ([100] * 20, 'restore'), ([1000], 'restore'), ([5000], 'classical'),
      ([7, 300, 41, 1000, 12, 12, 500], 'restore'), ([1], 'restore'))
  def test_all_segments_once_and_in_order(self, lengths, stage):
    work = _work(lengths)
    found = shares.divide(
        work, _plans(len(lengths), stage), _NOTHING, 200)
    self.assertEqual([n for a, b in found for n in range(a, b)],
                     list(range(len(work.groups))))
    self.assertEqual(
        sum(shares.frames_of(work, range(*s)) for s in found), sum(lengths))
    for share in found[:-1]:
      self.assertGreaterEqual(shares.frames_of(work, range(*share)), 200)

  def test_by_hand(self):
    # Windows of 24 frames, kept 48 at a time: shots of 96 are two segments
    # each. 200 frames are there after five, but the sixth is in the middle of
    # a shot, of which 48 frames, more than an eighth, would be seen again.
    work, plans = _work([96] * 6), _plans(6, 'restore')
    self.assertLen(work.groups, 12)
    found = shares.divide(work, plans, _NOTHING, 200)
    self.assertEqual(found, [(0, 6), (6, 12)])
    self.assertEqual(shares.divide(work, plans, _NOTHING, 400), [
        (0, 9), (9, 12)])  # 48 frames are little enough of 400.

  def test_a_long_shot_is_one_share_where_a_network_remembers(self):
    work = _work([2000, 300])
    self.assertLen(shares.divide(
        work, _plans(2, 'restore'), _NOTHING, 200), 2)
    self.assertGreater(len(shares.divide(
        work, _plans(2, 'classical'), _NOTHING, 200)), 8)

  def test_little_is_gone_through_again(self):
    lengths = [30, 50, 41, 77, 100, 64] * 20
    work, plans = _work(lengths), _plans(120, 'restore')
    found = shares.divide(work, plans, _NOTHING, 400)
    every = [w for group in work.groups for w in group]
    self.assertGreater(len(found), 8)
    for start, _ in found:
      before = shares.again(work, plans, start)
      first = work.groups[start][0]
      self.assertLessEqual(sum(
          every[n].core_stop - every[n].core_start for n in before), 50)
      # They reach from the start of the shot to the segment, without a gap.
      edge = every[before[0]].core_start if before else first.core_start
      self.assertIn(edge, work.first)
      ends = [*(every[n].core_start for n in before[1:]), first.core_start]
      self.assertEqual([every[n].core_stop for n in before],
                       ends if before else [])
      self.assertEqual(shares.first_read(work, plans, start), every[
          before[0]].start if before else first.start)

  def test_nothing_begins_where_a_frame_is_made_of_the_one_before(self):
    work, plans = _work([96] * 6), _plans(6, 'classical')
    free = shares.divide(work, plans, _NOTHING, 96)
    place = work.groups[free[1][0]][0].core_start
    looks = types.SimpleNamespace(
        shown={place: ((0, place - 0.5), (1, float(place)))})
    bound = shares.divide(work, plans, looks, 96)
    self.assertNotIn(free[1][0], [a for a, _ in bound])

  def test_nothing_is_remembered_without_a_network(self):
    work = _work([480])
    self.assertEqual(shares.again(work, _plans(1, 'classical'), 5), [])
    self.assertEqual(shares.again(work, _plans(1, 'restore'), 5),
                     list(range(10)))


if __name__ == '__main__':
  absltest.main()
