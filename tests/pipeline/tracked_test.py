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
    film, fills = _scene(speed=10.0), _scene(speed=10.0)
    spots = np.zeros(film.shape[:3], bool)
    for t, frame in enumerate(film):
      spots[t] = _blob(np.zeros_like(frame), 40 + 17 * t, 90, (9, 9))
      frame[spots[t]] += 0.02
    self.assertFalse(tracked.tracked(_clip(film, fills, spots)).any())

  @parameterized.parameters(0.0, 4.0)
  def test_dirt_that_stays_in_its_place_is_damage(self, speed):
    film, fills = _scene(speed=speed), _scene(speed=speed)
    dirt = np.stack([_blob(frame, 120, 90) for frame in film])
    self.assertFalse(tracked.tracked(_clip(film, fills, dirt)).any())

  @parameterized.parameters(
      ((12, 8), 0, True), ((12, 30), 0, False),  # Too large,
      ((12, 8), 210, False))  # too many beside it.
  def test_what_is_asked_of_a_thing(self, axes, spots, expected):
    film, fills = _scene(), _scene()
    flies, dust = (np.zeros(film.shape[:3], bool) for _ in range(2))
    rng = np.random.default_rng(2)
    for t, frame in enumerate(film):
      for i in rng.permutation(300)[:spots]:
        y, x = 12 * (i // 20), 12 * (i % 20)
        frame[y:y + 8, x:x + 8] = rng.choice((0.02, 0.9))
        dust[t, y:y + 8, x:x + 8] = True
      flies[t] = _blob(frame, 30 + 12 * t, 90, axes)
    around = np.stack([cv2.dilate(np.uint8(f), np.ones((3, 3))) for f in flies])
    damage = flies | (dust & (around == 0))
    found = tracked.tracked(_clip(film, fills, damage))
    self.assertEqual((found & flies).any(), expected)

  def test_a_long_straight_hair_is_damage_wherever_it_goes(self):
    film, fills = _scene(), _scene()
    hairs = np.zeros(film.shape[:3], np.uint8)
    for t, frame in enumerate(film):
      x = 20 + 12 * t
      cv2.line(hairs[t], (x, 60), (x + 30, 52), 1, 2)
      frame[hairs[t] > 0] = 0.02
    self.assertFalse(tracked.tracked(_clip(film, fills, hairs > 0)).any())

  @parameterized.parameters((6, False), (30, False), (20, True))
  def test_dust_of_one_size_is_damage_however_much(self, number, beside):
    """Beside two things that fly, too, which make none of it more likely."""
    given, of, kept = 0, 0, []
    for seed in range(6):
      film, fills = _scene(12, seed=seed), _scene(12, seed=seed)
      dust, flies = (np.zeros(film.shape[:3], bool) for _ in range(2))
      rng = np.random.default_rng(seed)
      for t, frame in enumerate(film):
        for place in rng.uniform((8, 8), (232, 172), (number, 2)):
          dust[t] |= _blob(frame, *place, (4, 4))
        for y in (50, 130) if beside else ():
          flies[t] |= _blob(frame, 40 + 11 * t, y, (9, 6), light=0.02)
      dust &= ~cv2.dilate(np.uint8(flies.transpose(1, 2, 0)), np.ones(
          (9, 9))).transpose(2, 0, 1).astype(bool)
      fills[flies] = fills.mean()
      found = tracked.tracked(_clip(film, fills, dust | flies))
      given, of = given + (found & dust).sum(), of + dust.sum()
      kept.append(found[flies].mean() if beside else 1)
    self.assertLess(given, 0.01 * of)
    self.assertGreater(np.mean(kept), 0.5)

  def test_windows_decide_alike(self):
    film, fills = _scene(14), _scene(14)
    damage = np.zeros(film.shape[:3], bool)
    rng = np.random.default_rng(2)
    for t, frame in enumerate(film):
      damage[t] = _blob(frame, 10 + 14 * t, 60, turn=5 * t)
      for place in rng.uniform((8, 90), (232, 172), (6, 2)):
        damage[t] |= _blob(frame, *place, (5, 4))
    whole = tracked.tracked(_clip(film, fills, damage))
    part = tracked.tracked(_clip(film[4:], fills[4:], damage[4:]))
    self.assertTrue(whole[8].any())
    np.testing.assert_array_equal(part[4:], whole[8:])

  def test_a_strip_at_the_edge_is_no_thicker_than_elsewhere(self):
    film, fills = _scene(), _scene()
    strips = np.zeros(film.shape[:3], bool)
    for t, frame in enumerate(film):
      strips[t, :3, 20 + 12 * t:50 + 12 * t] = True
      frame[strips[t]] = 0.02
    self.assertFalse(tracked.tracked(_clip(film, fills, strips)).any())

  @parameterized.named_parameters(
      ('it is there', lambda x: x, 0.0, True),
      ('something else is', lambda x: x[::-1], 0.0, False),
      ('it is too faint', lambda x: 0.3 + 0.5 * (x - 0.3), 0.0, False),
      ('it is too light', lambda x: x + 0.2, 0.0, False),
      ('it is where it was', lambda x: x, 1.0, False))
  def test_what_speaks_for_a_thing(self, changed, now, expected):
    rng = np.random.default_rng(0)
    picture = np.float32(0.3 + 0.1 * rng.standard_normal((12, 16)))
    other = np.float32(0.3 + 0.1 * rng.standard_normal((12, 16)))
    fill = np.full_like(picture, 0.9)
    everywhere = np.ones(picture.shape, bool)
    part = tracked._Part(0, 0, picture, fill, everywhere,
                         np.float32(everywhere))
    self.assertEqual(expected, tracked._same(
        part, changed(picture), now * picture + (1 - now) * other))

  def test_what_looks_like_another_is_not_known_by_its_picture(self):
    rng = np.random.default_rng(0)
    field = np.float32(0.02 * rng.standard_normal((60, 80)))
    picture = np.float32(rng.random((10, 12)))
    field[20:30, 15:27] = picture
    part = tracked._Part(0, 0, picture, 0 * picture, picture > -1,
                         np.ones_like(picture))
    self.assertEqual(tracked._best(field, part), (20, 15, True))
    field[40:50, 55:67] = picture
    self.assertFalse(tracked._best(field, part)[2])
    field[:] = 0.96  # As sky is: no value of it may be taken for likeness.
    self.assertFalse(tracked._best(field, part)[2])

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
