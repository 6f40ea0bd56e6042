"""Tests of pipeline/moving.py."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from configs import restore as config
from revive_jax import settings, types
from revive_jax.pipeline import (
    choose,
    classical,
    detect,
    match,
    measure,
    moving,
)
from tests.pipeline import clips

_SIGMA = 0.005


def _scene(num_frames=10, height=120, width=160, speed=1.0):
  film = 0.6 * clips.panning(num_frames, height, width, speed)
  noise = np.random.default_rng(5).standard_normal(film.shape[:3])
  return film + np.float32(_SIGMA) * noise[..., None].astype(np.float32)


def _dot(frame, x, y, light=0.95, radius=1):
  """Draws a dot; returns where."""
  mask = np.zeros(frame.shape[:2], np.uint8)
  cv2.circle(mask, (round(x), round(y)), radius, 1, -1)
  frame[mask > 0] = light
  return mask > 0


def _line(frame, start, end, light=0.9):
  mask = np.zeros(frame.shape[:2], np.uint8)
  cv2.line(mask, *(tuple(int(round(v)) for v in p) for p in (start, end)), 1)
  frame[mask > 0] = light
  return mask > 0


def _filled(film, **fields):
  """The classical stages up to where moving comes."""
  clip = match.match(clips.clip(np.float32(film), **fields))
  return classical.classical(
      detect.detect(clip, sigma=_SIGMA, scratches=False), sigma=_SIGMA)


def _share(clip, mask):
  """The share of mask that is damage."""
  return ((clip.damage[..., 0] > 0.5) & mask).sum() / mask.sum()


class MovingTest(parameterized.TestCase):

  def test_what_flies_is_left_and_a_spot_beside_it_is_not(self):
    film = _scene()
    flies, spot = (np.zeros(film.shape[:3], bool) for _ in range(2))
    for t in range(10):  # 7 px a frame, and it falls.
      flies[t] = _dot(film[t], 20 + 7 * t, 30 + 2 * t + 0.3 * t * t)
    spot[5] = _dot(film[5], 120, 95, radius=2)
    before = _filled(film)
    self.assertGreater(_share(before, flies), 0.8)
    after = moving.moving(before, sigma=_SIGMA)
    self.assertLess(_share(after, flies), 0.05)
    self.assertEqual(_share(after, spot), 1)
    np.testing.assert_array_equal(after.restored[flies], before.frames[flies])
    self.assertTrue((after.origin[flies] == types.Origin.KEPT).all())
    self.assertContainsSubset(np.unique(after.damage_kind[flies]), (
        types.DamageKind.NONE, types.DamageKind.MOVING))
    spared = after.damage_kind == types.DamageKind.MOVING
    np.testing.assert_array_equal(spared, before.damage > after.damage)
    elsewhere = after.damage == before.damage
    np.testing.assert_array_equal(
        np.where(elsewhere, after.restored, 0),
        np.where(elsewhere, before.restored, 0))

  @parameterized.parameters(6, 40, 120)
  def test_dust_is_dust_however_much(self, number):
    film, rng = _scene(), np.random.default_rng(number)
    dust = np.zeros(film.shape[:3], bool)
    for frame, mask in zip(film, dust, strict=True):
      for x, y in rng.uniform(8, (152, 112), (number, 2)):
        mask |= _dot(frame, x, y, radius=int(rng.integers(1, 3)))
    before = _filled(film)
    after = moving.moving(before, sigma=_SIGMA)
    self.assertGreater(_share(after, dust), 0.995 * _share(before, dust))

  def test_rain_is_left_and_hairs_are_not(self):
    film, rng = _scene(7), np.random.default_rng(2)
    rain, hairs = (np.zeros(film.shape[:3], bool) for _ in range(2))
    for t, frame in enumerate(film):
      for x, y in rng.uniform(0, (160, 100), (12, 2)):
        rain[t] |= _line(frame, (x, y), (x + 3, y + 18))
      hairs[t] |= _line(frame, (20 + 15 * t, 60), (45 + 15 * t, 52), 0.02)
    before = _filled(film)
    rain &= ~hairs
    after = moving.moving(before, sigma=_SIGMA)
    self.assertGreater(_share(before, rain), 0.6)
    self.assertLess(_share(after, rain), 0.08)
    self.assertGreater(_share(after, hairs), 0.9 * _share(before, hairs))

  @parameterized.parameters((0, True), (60, False))
  def test_dropouts_of_tape_are_no_rain(self, degrees, is_damage):
    """Streaks at chance places, level as a tape's lines, or oblique as rain."""
    film, rng = _scene(), np.random.default_rng(3)
    streaks = np.zeros(film.shape[:3], bool)
    way = 9 * np.array([np.cos(np.radians(degrees)),
                        np.sin(np.radians(degrees))])
    for t in range(10):
      for _ in range(12):
        place = rng.uniform((15, 15), (145, 105))
        streaks[t] |= _line(film[t], place - way, place + way)
    before = _filled(film)
    after = moving.moving(before, sigma=_SIGMA)
    kept = _share(after, streaks) / _share(before, streaks)
    self.assertGreater(kept, 0.9) if is_damage else self.assertLess(kept, 0.3)

  def test_lines_that_stay_are_no_rain(self):
    film, rng = _scene(7), np.random.default_rng(3)
    damage = np.zeros((*film.shape[:3], 1), np.float32)
    for frame, mask in zip(film, damage[..., 0], strict=True):
      for x in range(10, 150, 20):  # Pieces of scratches, of any length.
        for y in range(5, 100, 30):
          mask[_line(frame, (x, y + rng.integers(8)), (x, y + 26))] = 1
    clip = match.match(clips.clip(film)).replace(
        damage=damage, damage_kind=np.uint8(damage),
        restored=_scene(7))
    after = moving.moving(clip, sigma=_SIGMA)
    self.assertGreater(after.damage.sum(), 0.98 * damage.sum())

  def test_dirt_that_stays_and_what_is_marked_are_repaired(self):
    film = _scene(8, speed=4.0)
    damage = np.zeros((*film.shape[:3], 1), np.float32)
    marked = np.zeros_like(damage)
    for t, frame in enumerate(film):
      damage[t, _dot(frame, 60, 50), 0] = 1  # The scene goes by behind it.
      flies = _dot(frame, 20 + 7 * t, 90)
      damage[t, flies, 0] = marked[t, flies, 0] = 1
    clip = match.match(clips.clip(film)).replace(
        damage=damage, damage_kind=np.uint8(damage), user_mask=marked,
        restored=_scene(8, speed=4.0))
    after = moving.moving(clip, sigma=_SIGMA)
    np.testing.assert_array_equal(after.damage, damage)
    free = moving.moving(clip.replace(user_mask=None), sigma=_SIGMA)
    self.assertLess(free.damage[marked > 0].mean(), 0.05)

  def test_windows_decide_alike(self):
    film, rng = _scene(14), np.random.default_rng(4)
    for t, frame in enumerate(film):
      for i in range(3):
        _dot(frame, 15 + 30 * i + 6 * t, 20 + 30 * i + (2 - i) * t)
        _dot(frame, *rng.uniform(8, (152, 112)), radius=2)
    whole = _filled(film)
    part = types.Clip(**{k: v[4:] for k, v in vars(whole).items()
                         if v is not None})
    np.testing.assert_array_equal(
        moving.moving(part, sigma=_SIGMA).damage[6:],
        moving.moving(whole, sigma=_SIGMA).damage[10:])

  def test_large_frames_are_looked_at_smaller(self):
    film = np.stack([
        cv2.resize(f, (1080, 810)) for f in _scene(5)])
    flies = np.stack([_dot(f, 200 + 50 * t, 400, radius=8)
                      for t, f in enumerate(film)])
    clip = types.Clip(
        source=film, frames=film, damage=np.float32(flies[..., None]),
        damage_kind=np.uint8(flies[..., None]), restored=0.3 + 0 * film,
        flow_forward=np.zeros((*film.shape[:3], 2), np.float32),
        flow_backward=np.zeros((*film.shape[:3], 2), np.float32))
    self.assertEqual(moving.moving(clip, sigma=_SIGMA).damage.sum(), 0)

  def test_without_motion_or_damage_nothing_is_done(self):
    film = _scene(4)
    alone = detect.detect(clips.clip(film), sigma=_SIGMA, dust=False,
                          scratches=False)
    for clip in (alone, match.match(alone), clips.clip(film)):
      self.assertIs(moving.moving(clip, sigma=_SIGMA), clip)

  def test_it_is_planned_unless_it_is_to_be_ignored(self):
    shot = measure.Shot(
        start=0, stop=9, key_frame=0, noise=0.01, flicker=0.0, spots=1e-3,
        scratches=0.0, cracks=0.0, edge_width=1.0, low=0.0, high=1.0,
        grey=False, comparisons=np.zeros((9, 3)))
    plan = lambda **options: [s.name for s in choose.choose(
        shot, mode='full', strength=dict.fromkeys(choose.KINDS, 1.0),
        stages=('auto',), output={}, fill='inpaint', inpaint='telea',
        denoiser='nlm', seed=0, marked=False, **options).stages]
    names = plan()
    self.assertEqual(names[names.index('moving') + 1], 'composite')
    self.assertEqual(names[names.index('moving') - 1], 'classical')
    self.assertIn('moving', plan(learned=True))
    self.assertNotIn('moving', plan(moving='ignore'))

  def test_an_unknown_way_is_refused(self):
    c = config.get_config('tiny')
    c.moving = 'shoo'
    with self.assertRaisesRegex(types.BadInput, 'moving.*keep, ignore'):
      settings.check(c)

  def test_a_tape_that_lost_lines_has_nothing_that_flies(self):
    def parts(streaks, spots):
      signed = np.zeros((96, 128), np.float32)
      for i in range(streaks):
        signed[8 + 12 * i:10 + 12 * i, 20:60] = 0.5
      for i in range(spots):
        signed[10 * i % 90:10 * i % 90 + 3, 80 + i:83 + i] = 0.5
      holes = signed > 0
      return [moving._parts(signed, 0.02, holes, np.zeros_like(holes))] * 4
    self.assertTrue(moving._lost_lines(parts(3, 5)).all())
    self.assertFalse(moving._lost_lines(parts(1, 8)).any())  # A hair or two.
    self.assertFalse(moving._lost_lines(parts(0, 8)).any())

  def test_a_speck_among_streaks_is_none(self):
    mask = np.zeros((96, 128), np.uint8)
    cv2.line(mask, (30, 20), (30, 40), 1, 2)
    cv2.ellipse(mask, (80, 50), (4, 6), 0, 0, 360, 1, -1)
    mask[20:42, 100:108] = 1  # Some streaks that touch.
    found = moving._along(mask > 0, np.pi / 2, 10.0)
    self.assertTrue(found[22:38, 30].all())
    self.assertFalse(found[:, 60:90].any())
    self.assertTrue(found[22:40, 101:107].all())


if __name__ == '__main__':
  absltest.main()
