"""Tests of audio/blocks.py."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.audio import blocks

_GRID = blocks.GRID


def _pieces(samples, size):
  return (samples[i:i + size] for i in range(0, len(samples), size))


class BlocksTest(parameterized.TestCase):

  def test_regroup_keeps_all_samples_in_order(self):
    samples = np.arange(10)[:, None]
    found = list(blocks.regroup(_pieces(samples, 3), 4))
    self.assertEqual([len(f) for f in found], [4, 4, 2])
    np.testing.assert_array_equal(np.concatenate(found), samples)

  @parameterized.parameters(1, _GRID - 1, _GRID, 3 * _GRID, 3 * _GRID + 5)
  def test_a_change_within_reach_does_not_see_borders(self, count):
    samples = np.random.default_rng(0).normal(size=(count, 2))

    def change(piece, start):
      self.assertEqual(start % _GRID, 0)
      padded = np.pad(piece, ((_GRID, _GRID), (0, 0)))
      return padded[:-2 * _GRID] - padded[2 * _GRID:]

    found = np.concatenate(list(blocks.overlapped(
        _pieces(samples, 1000), change, size=_GRID, reach=_GRID)))
    np.testing.assert_array_equal(found, change(samples, 0))

  def test_a_size_off_the_grid_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'multiples'):
      next(blocks.overlapped([], None, size=1000, reach=0))


if __name__ == '__main__':
  absltest.main()
