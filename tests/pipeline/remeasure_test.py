"""Tests of pipeline/remeasure.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.pipeline import measure, remeasure


class RemeasureTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.2, 0.8, (1, 48, 64, 3)).repeat(8, 0)
    self.codes = np.uint8(255 * np.clip(
        clean + rng.normal(0, 0.02, clean.shape), 0, 1))

  def test_the_same_frames_give_the_same_numbers(self):
    shots, _ = measure.measure(self.codes, frame_rate=24, motion=True)
    again = remeasure.remeasure(
        self.codes, shots, frame_rate=24, motion=True)
    self.assertLen(again, len(shots))
    for a, b in zip(measure.packed(shots), measure.packed(again), strict=True):
      np.testing.assert_equal(a, b)

  def test_each_shot_by_itself(self):
    """Noise of sigma 0.02 in the first half, none in the second."""
    still = self.codes[:1].repeat(8, 0)
    shots, _ = measure.measure(self.codes, frame_rate=24)
    halves = [shots[0], _moved(shots[0], 8, 16)]
    found = remeasure.remeasure(
        np.concatenate([self.codes, still]), halves, frame_rate=24)
    self.assertAlmostEqual(found[0].noise, shots[0].noise)
    self.assertLess(found[1].noise, 1e-3)
    self.assertEqual((found[1].start, found[1].stop), (8, 16))

  def test_of_long_shots_the_first_frames(self):
    """The last eight are still: they would halve the noise."""
    film = np.concatenate([self.codes, self.codes[:1].repeat(8, 0)])
    shots, _ = measure.measure(self.codes, frame_rate=24)
    found, = remeasure.remeasure(
        film, [_moved(shots[0], 0, 16)], frame_rate=24, most=8)
    self.assertAlmostEqual(found.noise, shots[0].noise)
    self.assertEqual(found.stop, 16)

  def test_missing_frames_are_refused(self):
    shots, _ = measure.measure(self.codes, frame_rate=24)
    with self.assertRaisesRegex(ValueError, 'has 7 frames'):
      remeasure.remeasure(self.codes[:7], shots, frame_rate=24)


def _moved(shot, start, stop):
  return type(shot)(**{**vars(shot), 'start': start, 'stop': stop,
                       'key_frame': start})


if __name__ == '__main__':
  absltest.main()
