"""Tests of the shot cut detector."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np
import scenedetect

from revive_jax.data import cuts
from tests.data import clips


def _luma(frames):
  return np.stack([
      cv2.resize(f, cuts.SIZE, interpolation=cv2.INTER_AREA)[..., 1]
      for f in frames])


class CutsTest(parameterized.TestCase):

  @parameterized.parameters(([9, 14, 7],), ([20],), ([5, 5, 5, 5],))
  def test_finds_the_cuts(self, lengths):
    frames, firsts = clips.shots(lengths)
    self.assertEqual(cuts.find_cuts(_luma(frames)), firsts)

  def test_agrees_with_scenedetect(self):
    frames, _ = clips.shots([12, 9, 15, 10], seed=3)
    detector = scenedetect.ContentDetector(threshold=27, min_scene_len=1)
    other = [0]
    for i, frame in enumerate(frames):
      time = scenedetect.FrameTimecode(i, 25.0)
      other += [c.frame_num for c in detector.process_frame(
          time, np.ascontiguousarray(frame[..., ::-1]))]
    self.assertEqual(cuts.find_cuts(_luma(frames)), other)

  def test_flicker_and_fast_motion_are_no_cuts(self):
    frames, _ = clips.shots([30])
    gain = 1 - 0.4 * (np.arange(30) % 3 == 0)
    dark = [np.uint8(f * g) for f, g in zip(frames, gain, strict=True)]
    self.assertEqual(cuts.find_cuts(_luma(dark)), [0])
    fast = [np.roll(frames[0], 12 * t, axis=1) for t in range(30)]
    self.assertEqual(cuts.find_cuts(_luma(fast)), [0])

  def test_few_frames(self):
    one = np.zeros((1, 36, 64), np.uint8)
    self.assertEqual(cuts.find_cuts(one), [0])
    self.assertEqual(cuts.shots([0, 4, 6], 9), [(0, 4), (4, 6), (6, 9)])


if __name__ == '__main__':
  absltest.main()
