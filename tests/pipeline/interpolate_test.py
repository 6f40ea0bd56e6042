"""Tests of pipeline/interpolate.py."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import interpolate
from tests.pipeline import clips


def _psnr(a, b):
  return float(-10 * np.log10(np.mean((a - b) ** 2) + 1e-12))


def _texture(height, width, seed):
  """A random picture with detail, [H, W, 3]."""
  rng = np.random.default_rng(seed)
  noise = cv2.GaussianBlur(
      rng.random((height, width, 3), np.float32), (0, 0), 2.0)
  return np.clip(0.5 + 3 * (noise - noise.mean()), 0, 1)


def _passing(num_frames, height=96, width=128):
  """A square passes to the right, before a scene that pans to the left."""
  wide, square = _texture(height, 2 * width, 0), _texture(40, 40, 1)
  frames = []
  for t in range(num_frames):
    frame = wide[:, 4 * t:4 * t + width].copy()
    frame[28:68, 20 + 4 * t:60 + 4 * t] = square
    frames.append(frame)
  return np.stack(frames)


class BetweenTest(parameterized.TestCase):

  @parameterized.parameters(0.25, 0.5, 0.75)
  def test_a_pan_at_any_time(self, fraction):
    frames = clips.panning(9, speed=2.0)  # 16 px; sub-frames are frames.
    made = interpolate.between(frames[2], frames[6], fraction)
    true = frames[round(2 + 4 * fraction)]
    inner = (slice(8, -8), slice(12, -12))
    mean = (1 - fraction) * frames[2] + fraction * frames[6]
    self.assertGreater(_psnr(made.frame[inner], true[inner]), 38)
    self.assertGreater(_psnr(made.frame[inner], true[inner]),
                       _psnr(mean[inner], true[inner]) + 10)
    self.assertLess(made.doubt, 0.02)

  def test_what_passes_hides_and_uncovers(self):
    frames = _passing(3)
    made = interpolate.between(frames[0], frames[2], 0.5).frame
    mean = (frames[0] + frames[2]) / 2
    self.assertGreater(_psnr(made, frames[1]), _psnr(mean, frames[1]) + 5)
    # Beside the square, where only one of the frames shows the scene.
    for columns in (slice(16, 24), slice(64, 72)):
      box = (slice(32, 64), columns)
      self.assertGreater(_psnr(made[box], frames[1][box]),
                         _psnr(mean[box], frames[1][box]))

  def test_a_still_scene_is_kept(self):
    frame = clips.texture()
    made = interpolate.between(frame, frame, 0.3)
    np.testing.assert_allclose(made.frame, frame, atol=1e-4)
    self.assertEqual(made.doubt, 0.0)

  def test_other_scenes_are_doubted(self):
    made = interpolate.between(_texture(96, 128, 0), _texture(96, 128, 3), 0.5)
    self.assertGreater(made.doubt, 0.25)

  def test_tiny_frames_are_averaged(self):
    first, last = np.zeros((1, 1, 3), 'f'), np.ones((1, 1, 3), 'f')
    self.assertAlmostEqual(
        float(interpolate.between(first, last, 0.25).frame[0, 0, 0]), 0.25)

  def test_times_outside_are_refused(self):
    with self.assertRaises(ValueError):
      interpolate.between(clips.texture(), clips.texture(), 1.0)


class InterpolateTest(absltest.TestCase):

  def test_copies_become_frames_and_say_so(self):
    frames = clips.panning(6, speed=2.0)
    film = frames.copy()
    film[2] = film[3] = film[1]  # Two frames were lost.
    replace = np.array([0, 0, 1, 1, 0, 0], bool)
    clip = interpolate.interpolate(
        clips.clip(film, output=film), replace=replace)
    for t in (2, 3):
      self.assertGreater(_psnr(clip.output[t], frames[t]),
                         _psnr(film[t], frames[t]) + 8)
    self.assertTrue((clip.origin[replace] == types.Origin.INVENTED).all())
    self.assertTrue((clip.origin[~replace] == types.Origin.KEPT).all())
    np.testing.assert_array_equal(clip.output[~replace], film[~replace])

  def test_ends_and_misfits_are_left(self):
    film = np.stack([_texture(96, 128, s) for s in range(3)])
    for replace in ([1, 0, 0], [0, 1, 0], [1, 1, 1]):
      clip = interpolate.interpolate(
          clips.clip(film, output=film), replace=np.array(replace, bool))
      np.testing.assert_array_equal(clip.output, film)


if __name__ == '__main__':
  absltest.main()
