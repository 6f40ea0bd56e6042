"""Tests of the pipeline: shares, hosts, and going on where it stopped."""


from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax import types
from revive_jax.data import pipeline


class Noise:
  """A source whose clips are noise around a level, by index."""

  def __init__(self, level, count=23, frames=9, size=40):
    self._level, self._count = level, count
    self._shape = (frames, size, size, 3)

  def __len__(self):
    return self._count

  def __getitem__(self, index):
    rng = np.random.default_rng((self._level, index))
    return {'clip': rng.integers(
        self._level - 20, self._level + 20, self._shape, dtype=np.uint8)}


class Dots:
  """A source whose clip i has i + 1 bright pixels, however it is turned."""

  def __len__(self):
    return 12

  def __getitem__(self, index):
    clip = np.full((1, 8, 8, 3), 60, np.uint8)
    clip.reshape(-1, 3)[:index + 1] = 200
    return {'clip': clip}


def _dataset(**kwargs):
  settings = dict(seed=3, batch_size=4, num_frames=5, size=24) | kwargs
  return pipeline.make_dataset([Noise(50), Noise(200)], [3, 1], **settings)


def _take(iterator, count):
  return [next(iterator)['clean'] for _ in range(count)]


class PipelineTest(parameterized.TestCase):

  def test_batches(self):
    first, second = _take(iter(_dataset()), 2)
    self.assertEqual((first.shape, first.dtype), ((4, 5, 24, 24, 3), np.uint8))
    self.assertTrue((first != second).any())
    np.testing.assert_array_equal(_take(iter(_dataset()), 1)[0], first)
    other, = _take(iter(_dataset(seed=4)), 1)
    self.assertTrue((first != other).any())

  def test_shares_by_weight(self):
    batches = np.concatenate(_take(iter(_dataset()), 25))
    # Tones shift by far less than 150.
    self.assertEqual((batches.mean((1, 2, 3, 4)) < 125).sum(), 75)

  def test_hosts_share_the_batches_of_one(self):
    whole = _take(iter(_dataset()), 3)
    shares = [_take(iter(_dataset(host_index=i, host_count=2)), 3)
              for i in range(2)]
    for k, batch in enumerate(whole):
      for i in range(2):
        np.testing.assert_array_equal(shares[i][k], batch[2 * i:2 * i + 2])

  def test_every_clip_once_in_an_epoch(self):
    batches = pipeline.make_dataset(
        [Dots()], [1], seed=0, batch_size=12, num_frames=1, size=8)
    epochs = []
    for batch in _take(iter(batches), 3):
      middle = (batch.max((1, 2, 3), keepdims=True) / 2
                + batch.min((1, 2, 3), keepdims=True) / 2)
      epochs.append((batch > middle)[..., 0].sum((1, 2, 3)).tolist())
    for epoch in epochs:
      self.assertCountEqual(epoch, range(1, 13))
    self.assertNotEqual(epochs[0], epochs[1])  # Shuffled anew.
    self.assertNotEqual(epochs[0], sorted(epochs[0]))

  @parameterized.parameters((1, 1), (5, 1), (1, 2), (5, 4))
  def test_goes_on_on_any_number_of_hosts(self, start, hosts):
    wanted = _take(iter(_dataset()), start + 2)[start:]
    shares = [_take(iter(_dataset(
        host_index=i, host_count=hosts, start=start)), 2)
              for i in range(hosts)]
    for k, batch in enumerate(wanted):
      np.testing.assert_array_equal(
          np.concatenate([share[k] for share in shares]), batch)

  @pytest.mark.slow
  def test_workers_give_the_same(self):
    wanted = _take(iter(_dataset()), 4)
    for start in (0, 1):
      iterator = iter(_dataset(workers=2, start=start))
      np.testing.assert_array_equal(_take(iterator, 3), wanted[start:start + 3])
      iterator.close()

  @parameterized.parameters(
      (dict(batch_size=3, host_count=2), 'shared evenly by 2'),
      (dict(batch_size=0), 'batch of 0'),
      (dict(host_index=1), 'host 1 of 1'),
      (dict(num_frames=0), 'clips of 0 frames'))
  def test_refuses(self, kwargs, message):
    with self.assertRaisesRegex(types.BadInput, message):
      _dataset(**kwargs)

  @parameterized.parameters(
      ([Noise(50)], [1, 1], 'one weight for each'), ([], [], 'one weight'),
      ([Noise(50)], [0], 'positive'), ([Noise(50)], [float('nan')], 'positive'),
      ([Noise(50, count=0)], [1], 'source 0 is empty'))
  def test_refuses_sources(self, sources, weights, message):
    with self.assertRaisesRegex(types.BadInput, message):
      pipeline.make_dataset(sources, weights, seed=0, batch_size=1,
                            num_frames=1, size=8)

class PicturesTest(absltest.TestCase):

  def _source(self, count=10):
    return [{'image': np.full((2, 2, 1), i, np.uint8)} for i in range(count)]

  def _take(self, iterator, count):
    return [next(iterator)['image'][:, 0, 0, 0].tolist() for _ in range(count)]

  def test_each_once_and_anew(self):
    batches = self._take(iter(pipeline.make_pictures(
        self._source(), seed=0, batch_size=5)), 4)
    first, second = batches[0] + batches[1], batches[2] + batches[3]
    self.assertEqual(sorted(first), list(range(10)))
    self.assertEqual(sorted(second), list(range(10)))
    self.assertNotEqual(first, second)
    self.assertEqual(batches, self._take(iter(pipeline.make_pictures(
        self._source(), seed=0, batch_size=5)), 4))

  def test_hosts_share_what_one_has(self):
    whole = self._take(iter(pipeline.make_pictures(
        self._source(), seed=1, batch_size=4)), 3)
    parts = [self._take(iter(pipeline.make_pictures(
        self._source(), seed=1, batch_size=4, host_index=i, host_count=2)), 3)
             for i in range(2)]
    for batch, a, b in zip(whole, *parts, strict=True):
      self.assertEqual(batch, a + b)

  def test_goes_on_where_it_stopped(self):
    make = lambda start: iter(pipeline.make_pictures(
        self._source(), seed=2, batch_size=3, start=start))
    self.assertEqual(self._take(make(2), 3), self._take(make(0), 5)[2:])

  def test_refuses(self):
    with self.assertRaisesRegex(types.BadInput, 'nothing'):
      pipeline.make_pictures([], seed=0, batch_size=2)
    with self.assertRaisesRegex(types.BadInput, '3 cannot be shared'):
      pipeline.make_pictures(
          self._source(), seed=0, batch_size=3, host_count=2)


if __name__ == '__main__':
  absltest.main()
