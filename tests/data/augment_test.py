"""Tests of how clips are cropped and varied."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.data import augment


def _rngs(count):
  return map(np.random.default_rng, range(count))


class FramesTest(absltest.TestCase):

  def test_strides(self):
    seen = set()
    for rng in _rngs(200):
      frames = augment.pick_frames(rng, 16, 6)
      step, = set(np.diff(frames))
      seen.add(step)
      self.assertBetween(frames.min(), 0, frames.max())
      self.assertLess(frames.max(), 16)
    self.assertEqual(seen, {1, 2, 3})
    for rng in _rngs(20):  # No room for a stride of two.
      self.assertEqual(set(np.diff(augment.pick_frames(rng, 10, 6))), {1})

  def test_too_short_goes_back_and_forth(self):
    rng = np.random.default_rng(0)
    self.assertEqual(
        augment.pick_frames(rng, 3, 7).tolist(), [0, 1, 2, 1, 0, 1, 2])
    self.assertEqual(augment.pick_frames(rng, 1, 3).tolist(), [0, 0, 0])


class CropTest(parameterized.TestCase):

  def test_is_a_part_or_its_area_average(self):
    y, x = np.mgrid[:90, :120].astype(np.uint8)
    clip = np.repeat(np.stack([x, y, 0 * x], -1)[None], 3, 0)
    steps = set()
    for rng in _rngs(60):
      part = augment.crop(rng, clip, 40)
      self.assertEqual((part.shape, part.dtype), ((3, 40, 40, 3), np.uint8))
      # The step from pixel to pixel is the reduction, 1 to 3; here 90 / 40.
      step = (float(part[0, 0, -1, 0]) - float(part[0, 0, 0, 0])) / 39
      self.assertBetween(step, 0.97, 2.28)
      self.assertAlmostEqual(
          step, (float(part[0, -1, 0, 1]) - float(part[0, 0, 0, 1])) / 39,
          delta=0.06)
      steps.add(round(step, 1))
    self.assertGreater(len(steps), 5)
    self.assertGreater(max(steps), 2.1)

  def test_prefers_what_moves(self):
    rng = np.random.default_rng(0)
    clip = np.full((4, 64, 128, 3), 90, np.uint8)
    clip[:, :, 64:] = rng.integers(0, 255, (4, 64, 64, 3))
    lively = np.mean([augment.crop(r, clip, 30).std() > 20 for r in _rngs(100)])
    # A place at random sees the right half in about two of three.
    self.assertGreater(lively, 0.8)

  @parameterized.parameters((20, 33), (40, 20))
  def test_small_clips_are_enlarged(self, height, width):
    clip = np.full((2, height, width, 3), 77, np.uint8)
    part = augment.crop(np.random.default_rng(0), clip, 48)
    np.testing.assert_array_equal(part, np.full((2, 48, 48, 3), 77))


class ToneTest(absltest.TestCase):

  def test_curves_are_mild_and_rise(self):
    for rng in _rngs(100):
      curves = augment.tone_curves(rng)
      self.assertTrue((np.diff(curves.astype(int), axis=0) >= 0).all())
      self.assertLess(
          np.abs(curves[128].astype(int) - 128).max(), 70)

  def test_grey(self):
    clip = np.random.default_rng(0).integers(
        0, 255, (2, 8, 8, 3), dtype=np.uint8)
    grey = [np.ptp(augment.tone(r, clip), axis=-1).max() == 0
            for r in _rngs(300)]
    self.assertBetween(np.mean(grey), 0.08, 0.25)

  def test_all_frames_alike(self):
    frame = np.random.default_rng(0).integers(
        0, 255, (1, 8, 8, 3), dtype=np.uint8)
    for rng in _rngs(20):
      toned = augment.tone(rng, np.repeat(frame, 4, 0))
      np.testing.assert_array_equal(toned, np.repeat(toned[:1], 4, 0))


class AugmentTest(absltest.TestCase):

  def test_flips_and_reversal(self):
    t, y, x = np.meshgrid(*map(np.arange, (6, 20, 20)), indexing='ij')
    clip = np.stack([20 * t, 5 * y, 5 * x], -1).astype(np.uint8)
    seen = []
    for rng in _rngs(300):
      out = augment.Augment(6, 20).random_map({'clip': clip}, rng)['clean']
      out = out.astype(int)
      if np.ptp(out, axis=-1).max() == 0:
        continue  # Grey.
      self.assertEqual(out.shape, (6, 20, 20, 3))
      seen.append((out[-1, 0, 0, 0] < out[0, 0, 0, 0],
                   out[0, -1, 0, 1] < out[0, 0, 0, 1],
                   out[0, 0, -1, 2] < out[0, 0, 0, 2]))
    backwards, upside_down, mirrored = np.mean(seen, axis=0)
    self.assertBetween(backwards, 0.4, 0.6)
    self.assertBetween(upside_down, 0.04, 0.18)
    self.assertBetween(mirrored, 0.4, 0.6)


if __name__ == '__main__':
  absltest.main()
