"""Tests of benchmarks/detail.py."""

from absl.testing import absltest
import detail
import numpy as np

from revive_jax import types
from revive_jax.data import held_out, splits


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


if __name__ == '__main__':
  absltest.main()
