"""Tests of benchmarks/detail.py."""

from unittest import mock

from absl.testing import absltest
import detail
import jax
import numpy as np

from revive_jax import types
from revive_jax.data import held_out, splits
from revive_jax.pipeline import detail as lib


def _clips(*names):
  return [held_out.Clean(name, np.zeros((1, 1, 1, 3), np.uint8))
          for name in names]


class DetailTest(absltest.TestCase):

  def test_clips_that_were_not_trained_on_are_left_out(self):
    seen = splits.marks(['a.mp4', 'b.png'])
    found = detail.known(_clips('a.mp4@3', 'c.mp4@0', 'b.png@1'), seen)
    self.assertEqual([clip.name for clip in found], ['a.mp4@3', 'b.png@1'])
    with self.assertRaisesRegex(types.BadInput, 'trained on none'):
      detail.known(_clips('c.mp4@0'), seen)

  def test_the_mean_of_fits_counts_film_twice(self):
    rng = np.random.default_rng(0)
    def samples(gain):
      values = rng.standard_normal((64, 6)).astype(np.float32)
      return values, np.full(64, gain), np.ones(64)
    found = {('film', 'light', 1, 'a', 0): samples(0.9),
             ('tape', 'medium', 1, 'b', 0): samples(0.0)}
    with mock.patch.multiple(detail, _STEPS=60, _MEAN_STEPS=60, _FITS=2), \
        jax.numpy_rank_promotion('allow'):
      fitted = detail.mean_fit(found)
    gain = lib.predicted(fitted, np.zeros((1, 1, 6), np.float32))
    # Nothing tells the two apart: (2 * 0.9 + 0) / 3.
    self.assertAlmostEqual(gain.item(), 0.6, delta=0.1)


if __name__ == '__main__':
  absltest.main()
