"""Tests of data/held_out.py."""

import pathlib

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import held_out
from tests.data import clips


def _write_sequence(folder, frames):
  folder.mkdir(parents=True)
  for i, frame in enumerate(frames):
    cv2.imwrite(str(folder / f'{i:03d}.png'), frame[..., ::-1])


class HeldOutTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def test_a_piece_of_the_longest_shot(self):
    frames, _ = clips.shots([5, 11], height=72, width=96)
    _write_sequence(self.dir / 'film', frames)
    clip, = held_out.read_clips(self.dir, num_frames=7, height=72)
    self.assertEqual(clip.name, 'film@7')
    np.testing.assert_array_equal(clip.frames, np.stack(frames[7:14]))
    clip, = held_out.read_clips(self.dir, clips=['film'], starts=[1],
                                num_frames=7, height=72)
    self.assertEqual((clip.name, len(clip.frames)), ('film@1', 4))

  def test_reduced_by_averages_to_even_sizes(self):
    frames = np.random.default_rng(0).integers(
        0, 256, (1, 96, 125, 3)).astype(np.uint8)
    small = held_out.reduced(frames, 48)
    self.assertEqual(small.shape, (1, 48, 62, 3))
    frames = frames[:, :, :64]
    mean = frames.reshape(1, 48, 2, 32, 2, 3).mean((2, 4))
    np.testing.assert_allclose(held_out.reduced(frames, 48), mean, atol=0.51)
    np.testing.assert_array_equal(
        held_out.reduced(frames[:, :31, :33], 48), frames[:, :30, :32])

  def test_too_short_and_too_small(self):
    frames, _ = clips.shots([3])
    _write_sequence(self.dir / 'short', frames)
    with self.assertRaisesRegex(types.BadInput, 'short: .* 3 frames'):
      held_out.read_clips(self.dir, num_frames=8, height=72)
    frames, _ = clips.shots([8], height=20, width=24)
    _write_sequence(self.dir / 'small', frames)
    with self.assertRaisesRegex(types.BadInput, 'small: 24x20'):
      held_out.read_clips(self.dir, clips=['small'], num_frames=8, height=72)

  def test_all_excluded(self):
    frames, _ = clips.shots([8])
    _write_sequence(self.dir / 'film', frames)
    with self.assertRaisesRegex(types.BadInput, 'nothing is left'):
      held_out.read_clips(self.dir, exclude=['film'], num_frames=8, height=72)


if __name__ == '__main__':
  absltest.main()
