"""Tests of pipeline/flicker.py."""

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax.pipeline import flicker
from tests.pipeline import clips


class FlickerTest(absltest.TestCase):

  def test_planted_gain_and_gamma_are_measured(self):
    before = clips.texture()[..., 0]
    after = 1.2 * before**0.9
    step, gamma, pivot = flicker.compare(
        flicker.log_thumbnail(before), flicker.log_thumbnail(after))
    self.assertAlmostEqual(gamma, 0.9, delta=0.01)
    # By hand: log(1.2 e^(0.9 p)) - p at the pivot p.
    self.assertAlmostEqual(step, np.log(1.2) - 0.1 * pivot, delta=0.01)

  def test_a_third_of_the_picture_may_be_something_else(self):
    before = clips.texture()[..., 0]
    after = 1.1 * before
    after[:32] = clips.texture(seed=1)[:32, :, 0]
    step, gamma, _ = flicker.compare(
        flicker.log_thumbnail(before), flicker.log_thumbnail(after))
    self.assertAlmostEqual(step, np.log(1.1), delta=0.02)
    self.assertAlmostEqual(gamma, 1.0, delta=0.05)

  def test_a_camera_that_moves_is_not_flicker(self):
    # Brighter to the right, as skies are, under a pan to the right.
    x = np.linspace(0, 1, 300)
    scene = (0.2 + 0.6 * x) * (0.7 + 0.3 * clips.texture(120, 300)[..., 0])
    steps = []
    for gain in (1.0, 1.1):
      before, after = (scene[:, s:s + 200].astype(np.float32) for s in (0, 3))
      step, gamma, _ = flicker.compare(
          flicker.log_thumbnail(before), flicker.log_thumbnail(gain * after))
      steps.append(step)
      self.assertAlmostEqual(gamma, 1.0, delta=0.02)
    self.assertAlmostEqual(steps[0], 0.0, delta=0.002)
    self.assertAlmostEqual(steps[1], np.log(1.1), delta=0.002)

  def test_a_zoom_is_not_flicker(self):
    # Dark towards its edges, which come in from all sides.
    scene = clips.texture(180, 240)[..., 0]
    y, x = np.mgrid[:180, :240]
    scene *= 1 - 0.8 * np.minimum(np.hypot(x - 120, y - 90) / 150, 1)
    logs = []
    for t in range(16):
      scale = 1.02**(t - 15)
      logs.append(flicker.log_thumbnail(cv2.warpAffine(
          scene, np.float32([[scale, 0, 120 * (1 - scale)],
                             [0, scale, 90 * (1 - scale)]]), (240, 180),
          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)))
    level = sum(flicker.compare(*p)[0]
                for p in zip(logs[:-1], logs[1:], strict=True))
    self.assertLess(abs(level), 0.04)  # Frames as they are: -0.18.

  def test_noise_of_the_dark_does_not_hide_what_is_lit(self):
    rng = np.random.default_rng(0)
    scene = np.full((90, 120), 0.02, np.float32)
    scene[30:60, 40:70] = 0.2 + 0.4 * clips.texture(30, 30)[..., 0]
    before, after = (flicker.log_thumbnail(np.clip(
        gain * scene + 0.015 * rng.standard_normal(scene.shape), 0, 1).astype(
            np.float32)) for gain in (1.0, 1.15))
    step, _, _ = flicker.compare(before, after)
    self.assertAlmostEqual(step, np.log(1.15), delta=0.02)

  def test_another_scene_is_not_flicker(self):
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 60, 120)).astype(np.float32)
    self.assertEqual(flicker.compare(np.log(a + .01), np.log(b + .01))[0], 0.0)

  def test_flicker_goes_and_slow_light_stays(self):
    rng = np.random.default_rng(0)
    picture = clips.texture(48, 64)[..., :1].repeat(3, -1)
    light = 1 + 0.2 * np.sin(np.arange(48) / 48 * np.pi)  # The scene's own.
    planted = np.exp(0.08 * rng.standard_normal(48))
    film = np.clip(picture * (light * planted * 0.8)[:, None, None, None], 0, 1)
    film = film.astype(np.float32)
    logs = [flicker.log_thumbnail(f[..., 0]) for f in film]
    rows = [(0, 1, 0)]
    rows += [flicker.compare(*p) for p in zip(logs[:-1], logs[1:], strict=True)]
    gain, gamma, pivot = flicker.flicker_curve(np.array(rows, float))
    tone = flicker.tone_correction(gain, gamma, pivot, strength=1.0)
    steady = flicker.apply_tone(film, tone).mean((1, 2, 3))
    wanted = (picture.mean() * light * 0.8)
    before = np.log(film.mean((1, 2, 3)) / wanted)
    after = np.log(steady / wanted)
    # From frame to frame it is gone; how bright the scene was meant to be
    # cannot be known better than the mean of what flickered around it.
    self.assertLess(np.diff(after).std(), 0.2 * np.diff(before).std())
    self.assertLess(after.std(), 0.7 * before.std())

  def test_of_a_steady_scene_a_sixth_is_left(self):
    left = []
    for seed in range(8):
      rng = np.random.default_rng(seed)
      planted = 0.08 * rng.standard_normal(16)
      for t in range(1, 16):  # Alike from frame to frame, as projectors are.
        planted[t] = 0.5 * planted[t - 1] + 0.75**0.5 * planted[t]
      rows = np.stack([np.diff(planted, prepend=0), np.ones(16),
                       np.full(16, -1.0)], -1)
      gain, _, _ = flicker.flicker_curve(rows)
      left.append((planted - gain).std() / planted.std())
    self.assertLess(np.median(left), 1 / 6)

  def test_a_short_shot_that_is_all_fade_stays(self):
    brightness = np.clip(np.arange(16) / 12 + 0.04, 0, 1)
    rows = np.stack([np.diff(np.log(brightness), prepend=0), np.ones(16),
                     np.full(16, -1.0)], -1)
    gain, _, _ = flicker.flicker_curve(rows)
    changed = brightness * np.expm1(-gain)
    self.assertLess(np.abs(changed).max(), 0.02)  # By lines: 0.2 and more.

  def test_flashes_do_not_add_up(self):
    # Up at once is no flicker and is not counted; the way back is, in steps.
    steps = np.zeros(800)
    for t in range(4, 800, 8):
      steps[t + 1:t + 5] = -0.2
    rows = np.stack([steps, np.ones(800), np.full(800, -1.0)], -1)
    gain, _, _ = flicker.flicker_curve(rows)
    self.assertLess(np.abs(gain).max(), 0.6)  # Of one flash, not of a hundred.

  def test_identity_is_exact_and_inverse_inverts(self):
    film = clips.panning(2)
    same = flicker.apply_tone(film, np.float32([[0, 1], [0, 1]]))
    np.testing.assert_array_equal(same, film)
    tone = np.float32([[0.1, 1.1], [-0.2, 0.9]])
    back = flicker.invert_tone(flicker.apply_tone(film, tone), tone)
    np.testing.assert_allclose(back, film, atol=2e-3)


if __name__ == '__main__':
  absltest.main()
