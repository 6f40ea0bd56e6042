"""Tests of explain/pictures.py."""

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.explain import pictures


def _clip(**fields):
  frames = np.full((3, 48, 64, 3), 0.5, np.float32)
  return types.Clip(source=frames, frames=frames, output=frames, **fields)


class PicturesTest(absltest.TestCase):

  def test_damage_has_the_color_of_what_fills_it(self):
    damage = np.zeros((3, 48, 64, 1), np.float32)
    origin = np.zeros((3, 48, 64, 1), np.uint8)
    damage[1, 10:20, 10:20], damage[1, 30:40, 30:40] = 1, 1
    origin[1, 10:20, 10:20] = types.Origin.MOVED
    origin[1, 30:40, 30:40] = types.Origin.INVENTED
    found = pictures.damage(_clip(damage=damage, origin=origin), 1)
    self.assertEqual(tuple(found[15, 15]), pictures.COLORS[types.Origin.MOVED])
    self.assertEqual(
        tuple(found[35, 35]), pictures.COLORS[types.Origin.INVENTED])
    self.assertEqual(tuple(found[0, 0]), (70, 70, 70))  # 0.55 * 128.
    self.assertIsNone(pictures.damage(_clip(), 1))

  def test_doubt_is_a_standard_deviation(self):
    """exp(0.5 log 0.01) = 0.1; viridis ends at (253, 231, 37)."""
    np.testing.assert_allclose(pictures.deviation(np.log(0.01)), 0.1)
    sure = np.full((3, 48, 64, 1), -30, np.float32)
    sure[0, 0, 0] = np.log(0.01)
    found = pictures.doubt(_clip(log_variance=sure), 0)
    np.testing.assert_allclose(found[0, 0], (253, 231, 37), atol=2)
    np.testing.assert_allclose(found[5, 5], (68, 1, 84), atol=2)

  def test_matches_follow_the_flow_and_are_confirmed(self):
    forward = np.zeros((3, 48, 64, 2), np.float32)
    forward[..., 0] = 3
    clip = _clip(flow_forward=forward, flow_backward=-forward)
    found, other = pictures.matches(clip, 0)
    self.assertEqual(other, 1)
    np.testing.assert_allclose(
        found.last - found.first, np.tile((3, 0), (len(found.first), 1)))
    self.assertTrue(found.confirmed.all())
    wrong = clip.replace(flow_backward=forward)  # It does not come back.
    self.assertFalse(pictures.matches(wrong, 0)[0].confirmed.any())
    self.assertEqual(pictures.matches(clip, 2)[1], 1)  # The last frame.
    self.assertIsNone(pictures.matches(_clip(), 0))

  def test_small_motion_is_drawn_longer(self):
    first = np.zeros((4, 2), np.float32)
    good = np.ones(4, bool)
    by = lambda x: pictures.magnified(
        pictures.Matches(first, first + x, good), (48, 80))
    self.assertEqual(by(4), 1)  # Of 80 / 40 = 2 px needed.
    self.assertEqual(by(0.5), 5)
    self.assertEqual(by(0), 20)

  def test_arrows_are_two_frames_beside_each_other(self):
    forward = np.full((3, 48, 64, 2), 2, np.float32)
    clip = _clip(flow_forward=forward, flow_backward=-forward)
    found, _ = pictures.matches(clip, 0)
    drawn = pictures.arrows(clip.source[0], clip.source[1], found, 320)
    self.assertEqual(drawn.shape, (240, 320 + 6 + 320, 3))
    blue = (drawn[..., 2].astype(int) - drawn[..., 0]) > 80
    self.assertTrue(blue[:, :320].any() and blue[:, 326:].any())

  def test_jpeg_stays_under_its_bytes(self):
    noise = np.random.default_rng(0).integers(
        0, 256, (120, 160, 3)).astype(np.uint8)
    free, tight = pictures.jpeg(noise), pictures.jpeg(noise, 12_000)
    self.assertGreater(len(free), 12_000)
    self.assertLessEqual(len(tight), 12_000)
    back = cv2.imdecode(np.frombuffer(free, np.uint8), cv2.IMREAD_COLOR)
    self.assertEqual(back.shape, noise.shape)

  def test_fit_makes_nothing_larger(self):
    self.assertEqual(
        pictures.fit(np.zeros((90, 160, 3), np.uint8), 80).shape, (45, 80, 3))
    self.assertEqual(
        pictures.fit(np.zeros((9, 16, 3), np.uint8), 80).shape, (9, 16, 3))


if __name__ == '__main__':
  absltest.main()
