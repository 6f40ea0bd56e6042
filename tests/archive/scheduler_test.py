"""Tests of scheduler.py: films, and a pool whose workers die as they are told.
"""

import collections

from absl.testing import absltest, parameterized

from revive_jax.archive import manifest, progress, scheduler


class _Pool:
  """Runs steps in the order they come; ends of some are told beforehand."""

  def __init__(self, ends=(), *, room=3, has_gpus=False, shares=3):
    self.room, self.has_gpus, self.shares = room, has_gpus, shares
    self.ends = {k: collections.deque(v) for k, v in dict(ends).items()}
    self.started, self.most, self._busy = [], 0, {}

  def start(self, step, job, *arguments):
    handle = len(self.started)
    self.started.append((job.name, step, *arguments))
    self._busy[handle] = (job.name, step, arguments)
    self.most = max(self.most, len(self._busy))
    return handle

  def wait(self, seconds):
    del seconds
    handle = min(self._busy)
    name, step, arguments = self._busy.pop(handle)
    ends = self.ends.get((name, step))
    how = ends.popleft() if ends else 'done'
    if how != 'done':
      return [scheduler.Ended(handle, how, {'what': 'it crashed'})]
    found = {'finish': {'state': 'restored', 'frames': 30},
             'restore': {'state': 'restored', 'frames': 30}}.get(step)
    if step == 'share':
      found = {'state': 'made', 'frames': arguments[2]}
    if step in ('begin', 'whole'):
      found = {'state': 'begun', 'frames': 30, 'shares': [
          (i, i + 1, 10) for i in range(self.shares)]}
    return [scheduler.Ended(handle, 'done', found | {'seconds': 1.0})]

  def close(self):
    pass


def _run(pool, *names, tries=3):
  jobs = [manifest.Job(n, manifest.Entry(f'{n}.mkv'), {}, f'/none/{n}', n)
          for n in names]
  events = list(scheduler.run(jobs, pool, frames=10, tries=tries))
  return events, {e.row.name: e.row for e in events if e.row}


class SchedulerTest(parameterized.TestCase):

  def test_every_film_ends_and_frames_are_counted_once(self):
    pool = _Pool()
    events, rows = _run(pool, *'abcd')
    self.assertEqual({r.state for r in rows.values()}, {'restored'})
    self.assertEqual(sum(e.frames for e in events), 120)
    self.assertEqual(sum(e.known for e in events), 120)
    self.assertEqual(rows['a'].shares, 3)
    self.assertEqual(rows['a'].work_seconds, 5.0)
    self.assertLessEqual(pool.most, 3)
    # What is begun is finished before others are begun.
    self.assertLess(pool.started.index(('a', 'finish')),
                    pool.started.index(('d', 'whole', 10)))

  def test_a_share_that_dies_is_made_again_alone(self):
    pool = _Pool({('a', 'share'): ['done', 'died']})
    _, rows = _run(pool, 'a', 'b')
    self.assertEqual({r.state for r in rows.values()}, {'restored'})
    count = collections.Counter(pool.started)
    self.assertEqual(count['a', 'share', 1, 2, 10], 2)
    self.assertEqual(count['a', 'share', 0, 1, 10], 1)
    self.assertEqual(rows['a'].tries, 1)

  @parameterized.parameters(('whole',), ('share',), ('finish',))
  def test_a_poisonous_film_is_given_up_and_named(self, step):
    pool = _Pool({('bad', step): ['died'] * 99})
    _, rows = _run(pool, 'a', 'bad', 'c')
    self.assertEqual({n: r.state for n, r in rows.items()}, {
        'a': 'restored', 'bad': 'failed', 'c': 'restored'})
    self.assertRegex(rows['bad'].what, 'after 3 tries of .*it crashed')
    per = collections.Counter(s for s in pool.started if s[0] == 'bad')
    self.assertEqual(max(per.values()), 3)

  def test_lost_machines_are_not_the_films_fault(self):
    pool = _Pool({('a', 'share'): ['lost'] * 4})
    _, rows = _run(pool, 'a')
    self.assertEqual(rows['a'].state, 'restored')
    self.assertEqual((rows['a'].tries, rows['a'].lost), (0, 4))
    pool = _Pool({('a', 'share'): ['lost'] * 9})
    _, rows = _run(pool, 'a')
    self.assertEqual(rows['a'].state, 'restored')
    pool = _Pool({('a', 'whole'): ['lost'] * 99})  # Unless it goes on for ever.
    _, rows = _run(pool, 'a')
    self.assertEqual(rows['a'].state, 'failed')
    self.assertLen(pool.started, 15)
    self.assertEqual((rows['a'].tries, rows['a'].lost), (3, 15))

  def test_machines_that_can_do_nothing_are_not_counted(self):
    for step in ('whole', 'share', 'finish'):
      pool = _Pool({('a', step): ['unfit'] * 99})
      _, rows = _run(pool, 'a', 'b')
      self.assertEqual({r.state for r in rows.values()}, {'restored'})
      self.assertEqual((rows['a'].tries, rows['a'].lost), (0, 0))

  def test_steps_for_gpus_are_apart(self):
    pool = _Pool(has_gpus=True, shares=1)
    _, rows = _run(pool, 'a')
    self.assertEqual([s[1] for s in pool.started], ['begin', 'restore'])
    self.assertEqual(rows['a'].state, 'restored')

  def test_time_left(self):
    meter = progress.Meter(4, 'none')
    self.assertIsNone(meter.seconds_left())
    meter._start -= 10  # Seconds ago.
    meter.note(scheduler.Event(0, 100, None))
    meter.note(scheduler.Event(50, 0, None))
    # 350 of about 400 frames are left, at five a second.
    self.assertAlmostEqual(meter.seconds_left(), 70, delta=0.5)


if __name__ == '__main__':
  absltest.main()
