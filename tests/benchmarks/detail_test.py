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


def _samples(gain):
  """Of which nothing tells what gain they need."""
  rng = np.random.default_rng(int(10 * gain))
  values = rng.standard_normal((64, 6)).astype(np.float32)
  return values, np.full(64, gain), np.ones(64)


def _mean_gain(found) -> float:
  with mock.patch.multiple(detail, _STEPS=60, _MEAN_STEPS=60, _FITS=2), \
      jax.numpy_rank_promotion('allow'):
    fitted = detail.mean_fit(found)
  return lib.predicted(fitted, np.zeros((1, 1, 6), np.float32)).item()


class DetailTest(absltest.TestCase):

  def test_clips_that_were_not_trained_on_are_left_out(self):
    seen = splits.marks(['a.mp4', 'b.png'])
    found = detail.known(_clips('a.mp4@3', 'c.mp4@0', 'b.png@1'), seen)
    self.assertEqual([clip.name for clip in found], ['a.mp4@3', 'b.png@1'])
    with self.assertRaisesRegex(types.BadInput, 'trained on none'):
      detail.known(_clips('c.mp4@0'), seen)

  def test_the_mean_of_fits_counts_film_twice(self):
    gain = _mean_gain({('film', 'light', 1, 'a', 0): _samples(0.9),
                       ('tape', 'medium', 1, 'b', 0): _samples(0.0)})
    self.assertAlmostEqual(gain, 0.6, delta=0.1)  # (2 * 0.9 + 0) / 3.

  def test_the_mean_of_fits_counts_what_is_enlarged_an_eighth(self):
    own, enlarged = _samples(0.9), _samples(0.0)
    gain = _mean_gain({('tape', 'medium', 1, 'a', 0): own,
                       ('tape', 'medium, enlarged', 1, 'a', 1): enlarged})
    self.assertAlmostEqual(gain, 0.8, delta=0.08)  # 0.9 / (1 + 1 / 8).
    gain = _mean_gain({('tape', 'medium', 1, 'a', 0): own,
                       ('film', 'medium, enlarged', 1, 'a', 1): enlarged})
    self.assertAlmostEqual(gain, 0.72, delta=0.08)  # 0.9 / (1 + 2 / 8).

  def test_the_middle_of_a_clip_is_enlarged_about_the_middle(self):
    u = np.arange(80, dtype=np.uint8)
    clip = held_out.Clean('a@0', np.broadcast_to(
        u[None, None, :, None], (2, 60, 80, 3)).copy())
    frames = detail.enlarged(clip, 'a', 3).frames
    self.assertEqual(frames.shape, clip.frames.shape)
    # A ramp stays one, less steep by the factor, with the same mean.
    middle = frames[0, 30, 10:-10, 0].astype(float)
    slope = np.polyfit(np.arange(60), middle, 1)[0]
    self.assertBetween(1 / slope, 1.3, 3.1)
    self.assertAlmostEqual(middle.mean(), 39.5, delta=1)
    self.assertEqual(
        frames.tobytes(), detail.enlarged(clip, 'a', 3).frames.tobytes())
    self.assertNotEqual(
        frames.tobytes(), detail.enlarged(clip, 'b', 3).frames.tobytes())


if __name__ == '__main__':
  absltest.main()
