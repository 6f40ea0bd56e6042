"""Tests of pipeline/tracked.py."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import match, moving, tracked
from tests.pipeline import clips

_SIGMA = 0.005


def _scene(num_frames=9, speed=1.0, seed=0):
  """A textured scene under a camera that pans, and grain."""
  film = 0.6 * clips.panning(num_frames, 180, 240, speed, seed)
  rng = np.random.default_rng(seed)
  return np.float32(film + _SIGMA * rng.standard_normal(film.shape))


def _blob(frame, x, y, axes=(8, 5), turn=0, light=0.95):
  """Draws an ellipse; returns where."""
  mask = np.zeros(frame.shape[:2], np.uint8)
  cv2.ellipse(mask, (round(x), round(y)), axes, turn, 0, 360, 1, -1)
  frame[mask > 0] = light
  return mask > 0


def _clip(film, fills, damage):
  return types.Clip(
      source=film, frames=film, restored=fills,
      damage=np.float32(damage)[..., None],
      damage_kind=np.uint8(damage)[..., None])


class TrackedTest(parameterized.TestCase):

  def test_a_thing_that_flies_is_left_and_spots_are_not(self):
    film, fills = _scene(), _scene()
    flies, spots = (np.zeros(film.shape[:3], bool) for _ in range(2))
    rng = np.random.default_rng(1)
    for t, frame in enumerate(film):  # Turning, and slower and slower.
      flies[t] = _blob(frame, 20 + 12 * t - 0.3 * t * t, 60 + 2 * t, turn=4 * t)
      spots[t] = _blob(frame, *rng.uniform((20, 110), (220, 165)), (7, 7),
                       light=rng.choice((0.02, 0.95)))
    found = tracked.tracked(_clip(film, fills, flies | spots))
    np.testing.assert_array_equal(found, flies)  # The ends of it, too.

  def test_a_hand_of_a_body_that_is_not_damage_is_left(self):
    film = np.full((5, 180, 240, 3), 0.96, np.float32)
    hand = np.zeros(film.shape[:3], bool)
    for t, frame in enumerate(film):
      wrist = (60 + 2 * t, 30 + 14 * t)
      cv2.line(frame, (160, 90 + 4 * t), wrist, (0.6, 0.45, 0.4), 6)
      if t in (2, 3):
        hand[t] = _blob(frame, *wrist, (9, 5), light=0.5)
      else:
        _blob(frame, *wrist, (9, 5), light=0.5)
    fills = np.where(hand[..., None], np.float32(0.96), film)
    found = tracked.tracked(_clip(film, fills, hand))
    np.testing.assert_array_equal(found, hand)

  def test_a_faint_spot_on_what_moves_is_damage(self):
    """Its texture is found in all frames; what fills it, is nearer to them."""
    film, fills = _scene(speed=4.0), _scene(speed=4.0)
    spots = np.zeros(film.shape[:3], bool)
    for t, frame in enumerate(film):
      spots[t] = _blob(np.zeros_like(frame), 40 + 20 * t, 90, (9, 9))
      frame[spots[t]] += 0.02
    self.assertFalse(tracked.tracked(_clip(film, fills, spots)).any())

  @parameterized.parameters(0.0, 4.0)
  def test_dirt_that_stays_in_its_place_is_damage(self, speed):
    film, fills = _scene(speed=speed), _scene(speed=speed)
    dirt = np.stack([_blob(frame, 120, 90) for frame in film])
    self.assertFalse(tracked.tracked(_clip(film, fills, dirt)).any())

  def test_a_hair_is_damage_wherever_it_goes(self):
    film, fills = _scene(), _scene()
    hairs = np.zeros(film.shape[:3], np.uint8)
    for t, frame in enumerate(film):
      x = 20 + 12 * t
      cv2.line(hairs[t], (x, 60), (x + 30, 52), 1, 2)
      frame[hairs[t] > 0] = 0.02
    self.assertFalse(tracked.tracked(_clip(film, fills, hairs > 0)).any())

  @parameterized.parameters(4, 12, 30)
  def test_dust_of_one_size_is_damage_however_much(self, number):
    film, fills = _scene(30), _scene(30)
    dust = np.zeros(film.shape[:3], bool)
    rng = np.random.default_rng(number)
    for frame, mask in zip(film, dust, strict=True):
      for place in rng.uniform((8, 8), (232, 172), (number, 2)):
        mask |= _blob(frame, *place, (4, 4))
    found = tracked.tracked(_clip(film, fills, dust))
    self.assertLess(found.sum(), 0.005 * dust.sum())

  def test_the_stage_leaves_it_to_the_source_and_says_why(self):
    film, fills = _scene(), _scene()
    flies = np.stack([_blob(frame, 20 + 12 * t, 60)
                      for t, frame in enumerate(film)])
    clip = match.match(_clip(film, fills, flies))
    after = moving.moving(clip, sigma=_SIGMA)
    self.assertFalse(after.damage.any())
    np.testing.assert_array_equal(after.restored[flies], film[flies])
    self.assertTrue(
        (after.damage_kind[flies] == types.DamageKind.MOVING).all())


if __name__ == '__main__':
  absltest.main()
