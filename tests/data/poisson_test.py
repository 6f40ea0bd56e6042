"""Tests of Poisson sampling: rates, truncation, hosts, going on."""

from absl.testing import absltest, parameterized
import numpy as np
from scipy import stats

from revive_jax import types
from revive_jax.data import motion, poisson


class Dots:
  """A source whose clip i has i + 1 bright pixels, however it is turned."""

  def __init__(self, count=12):
    self._count = count

  def __len__(self):
    return self._count

  def __getitem__(self, index):
    clip = np.full((3, 8, 8, 3), 60, np.uint8)
    clip.reshape(3, -1, 3)[:, :index + 1] = 200
    return {'clip': clip}


def _dataset(source=None, **kwargs):
  settings = dict(seed=3, expected=4, capacity=8, num_frames=2, size=8) | kwargs
  return poisson.make_private_dataset(
      Dots() if source is None else source, **settings)


def _take(dataset, count):
  iterator = iter(dataset)
  return [next(iterator) for _ in range(count)]


def _records(batch):
  """Which records the real examples are; -1 where there is none."""
  clean = batch['clean'][:, 0].astype(int)
  middle = (clean.max((1, 2, 3), keepdims=True)
            + clean.min((1, 2, 3), keepdims=True)) / 2
  dots = (clean > middle)[..., 0].sum((1, 2))
  return np.where(batch['real'] > 0, dots - 1, -1)


def _draw(step, seed=0, **kwargs):
  return poisson.draw(
      seed, step, **dict(num_units=50, expected=10, capacity=50) | kwargs)


class DrawTest(parameterized.TestCase):

  def test_frequencies(self):
    steps = 4000
    drawn = np.zeros((steps, 50))
    for k in range(steps):
      drawn[k, _draw(k)] = 1
    # Each unit as often as it should be, within five sigma.
    sigma = np.sqrt(0.2 * 0.8 / steps)
    self.assertLess(abs(drawn.mean(0) - 0.2).max(), 5 * sigma)
    self.assertLess(abs(drawn.mean() - 0.2), 4 * sigma / np.sqrt(50))
    # The sizes are binomial: the units do not look at each other.
    counts = np.bincount(drawn.sum(1).astype(int), minlength=51)
    wanted = steps * stats.binom.pmf(np.arange(51), 50, 0.2)
    many = wanted > 20
    self.assertGreater(stats.chisquare(
        [*counts[many], counts[~many].sum()],
        [*wanted[many], wanted[~many].sum()]).pvalue, 1e-3)
    # Nor do the steps.
    self.assertLess(
        abs(np.mean(drawn[1:] * drawn[:-1]) - 0.04), 5e-3)

  def test_by_seed_and_step(self):
    first = _draw(5)
    poisson.draw.cache_clear()
    np.testing.assert_array_equal(_draw(5), first)
    self.assertNotEqual(_draw(5).tolist(), _draw(6).tolist())
    self.assertNotEqual(_draw(5).tolist(), _draw(5, seed=2**63).tolist())

  def test_truncates_at_random(self):
    steps = 3000
    seen = np.zeros(50)
    for k in range(steps):
      units = _draw(k, capacity=6)
      self.assertLessEqual(len(units), 6)
      self.assertLen(set(units.tolist()), len(units))
      self.assertContainsSubset(units.tolist(), _draw(k).tolist())
      seen[units] += 1
    # By how much, from the binomial; for none more than for others.
    mean = np.minimum(np.arange(51), 6) @ stats.binom.pmf(
        np.arange(51), 50, 0.2) / 50
    self.assertLess(
        abs(seen / steps - mean).max(), 5 * np.sqrt(mean / steps))

  @parameterized.parameters((60_000, 256), (1000, 8), (20, 10), (5, 5))
  def test_capacity(self, num_units, expected):
    overflow = lambda n: stats.binom.sf(n, num_units, expected / num_units)
    found = poisson.capacity(num_units, expected)
    self.assertLessEqual(overflow(found), 1e-18)
    self.assertGreater(overflow(found - 1), 1e-18)
    self.assertLessEqual(found, num_units)
    rounded = poisson.capacity(num_units, expected, multiple=16)
    self.assertEqual(rounded % 16, 0)
    self.assertBetween(rounded - found, 0, 15)


class MembersTest(absltest.TestCase):

  def test_records_of_each(self):
    found = poisson.members(Dots(6), [7, 2, 7, 2, 9, 7])
    self.assertEqual([m.tolist() for m in found], [[1, 3], [0, 2, 5], [4]])
    self.assertLen(poisson.members(Dots(6), None), 6)

  def test_refuses(self):
    with self.assertRaisesRegex(types.BadInput, '5 clips of 6'):
      poisson.members(Dots(6), [0, 0, 1, 1, 2])
    with self.assertRaisesRegex(types.BadInput, 'nothing in the source'):
      poisson.members(Dots(0), None)
    with self.assertRaisesRegex(types.BadInput, 'photographs in motion'):
      poisson.members(motion.Photographs(Dots(), num_frames=2, size=8), None)


class DatasetTest(parameterized.TestCase):

  def test_batches(self):
    for k, batch in enumerate(_take(_dataset(), 20)):
      clean, real = batch['clean'], batch['real']
      self.assertEqual(
          (clean.shape, clean.dtype), ((8, 2, 8, 8, 3), np.uint8))
      self.assertEqual((real.shape, real.dtype), ((8,), np.float32))
      units = poisson.draw(3, k, num_units=12, expected=4, capacity=8)
      wanted = np.full(8, -1)
      wanted[:len(units)] = units  # One micro-batch a slot: in order.
      np.testing.assert_array_equal(_records(batch), wanted)
      np.testing.assert_array_equal(real, wanted >= 0)
      self.assertFalse(clean[real == 0].any())

  def test_varies_by_step(self):
    batches = _take(_dataset(Dots(1), expected=1, capacity=1), 6)
    self.assertGreater(
        len({batch['clean'].tobytes() for batch in batches}), 3)

  def test_videos(self):
    videos = np.array([0] * 8 + [1, 1, 2, 3])
    rate, seen = np.zeros(4), np.zeros(12)
    for batch in _take(_dataset(
        unit_of=videos, expected=2, capacity=4), 400):
      records = _records(batch)
      records = records[records >= 0]
      self.assertLen(set(videos[records]), len(records))  # One of each.
      rate[videos[records]] += 1 / 400
      seen[records] += 1
    np.testing.assert_allclose(rate, 0.5, atol=0.13)  # Not by their lengths.
    self.assertGreater(seen.min(), 5)

  @parameterized.parameters((2, None), (4, None), (2, 4), (4, 4))
  def test_hosts_share_the_batch_of_one(self, count, micro_batch):
    settings = dict(micro_batch=micro_batch or count)
    whole = _take(_dataset(**settings), 4)
    shares = [_take(_dataset(micro_batch=micro_batch, host_index=i,
                             host_count=count), 4) for i in range(count)]
    for k, batch in enumerate(whole):
      for name in batch:
        np.testing.assert_array_equal(
            np.concatenate([share[k][name] for share in shares]), batch[name])

  def test_host_has_every_second_slot(self):
    one = _take(_dataset(), 4)
    for i in range(2):
      for k, batch in enumerate(_take(_dataset(host_index=i, host_count=2), 4)):
        np.testing.assert_array_equal(batch['clean'], one[k]['clean'][i::2])
        np.testing.assert_array_equal(batch['real'], one[k]['real'][i::2])

  def test_fills_few_micro_batches(self):
    for batch in _take(_dataset(micro_batch=2), 10):
      # Micro-batch i has the places i, i + 4.
      real = batch['real'].reshape(2, 4)
      count = int(real.sum())
      np.testing.assert_array_equal(
          real.sum(0), np.clip(count - 2 * np.arange(4), 0, 2))
      self.assertLessEqual(abs(real[0].sum() - real[1].sum()), 1)

  @parameterized.parameters(1, 5)
  def test_goes_on(self, steps):
    whole = _take(_dataset(), steps + 3)[steps:]
    iterator = iter(_dataset())
    for _ in range(steps):
      next(iterator)
    other = iter(_dataset())
    other.set_state(iterator.get_state())
    for again in (_take(_dataset(start=steps), 3),
                  [next(other) for _ in range(3)]):
      for a, b in zip(again, whole, strict=True):
        for name in a:
          np.testing.assert_array_equal(a[name], b[name])

  @parameterized.parameters(
      (dict(expected=0), 'batch_size: 0 of 12'),
      (dict(expected=13, capacity=16), '13 of 12'),
      (dict(capacity=3), '3 slots for 4 clips'),
      (dict(micro_batch=3), 'micro-batches of 3'),
      (dict(micro_batch=1, host_count=2), '2 hosts'),
      (dict(host_count=3), '3 hosts'), (dict(host_index=1), 'host 1 of 1'),
      (dict(num_frames=0), 'clips of 0 frames'))
  def test_refuses(self, kwargs, message):
    with self.assertRaisesRegex(types.BadInput, message):
      _dataset(**kwargs)


if __name__ == '__main__':
  absltest.main()
