"""Tests of pipeline/repeats.py."""

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax.pipeline import preprocess, repeats
from tests.pipeline import clips

_Kind = repeats.Kind


def _found(film, **options):
  watch = repeats.Watcher()
  return repeats.find(
      np.array([watch(preprocess.luma(f)) for f in film]), **options)


def _passing(num_frames, seed=0):
  """A thing passes before a camera that is still, [T, H, W, 3]."""
  scene, thing = clips.texture(seed=seed), 1 - clips.texture(40, 40, 3)
  film = np.repeat(scene[None], num_frames, 0)
  for t in range(num_frames):
    film[t, 30:70, 4 + 2 * t:44 + 2 * t] = thing
  return film


def _grainy(film, sigma=0.02, seed=0):
  noise = np.random.default_rng(seed).standard_normal(film.shape[:3])
  return film + sigma * noise[..., None].astype(np.float32)


class FindTest(parameterized.TestCase):

  @parameterized.product(
      make=(lambda n: clips.panning(n, speed=2.0), _passing),
      grain=(False, True))
  def test_a_lost_frame_whose_place_was_filled(self, make, grain):
    film = make(24)
    film[10] = film[9]
    film = _grainy(film) if grain else film
    self.assertEqual(_found(film), [repeats.Event(_Kind.REPLACED, 10, 11, 1)])

  def test_two_lost_frames_and_one_filled_late(self):
    film = clips.panning(30, speed=2.0)
    film[10] = film[11] = film[9]
    film[20] = film[21]  # The jump comes first, then the repeat.
    self.assertEqual(_found(film), [
        repeats.Event(_Kind.REPLACED, 10, 12, 2),
        repeats.Event(_Kind.REPLACED, 20, 21, 1)])
    np.testing.assert_array_equal(
        np.flatnonzero(repeats.to_replace(_found(film), 30)), [10, 11, 20])

  def test_a_repeat_without_a_loss(self):
    film = clips.panning(20, speed=2.0)
    film = np.insert(film, 10, film[10], axis=0)
    self.assertEqual(_found(film), [repeats.Event(_Kind.REPEAT, 11, 12, 1)])

  @parameterized.parameters(1, 2)
  def test_lost_frames_without_a_repeat(self, count):
    film = np.delete(clips.panning(24, speed=2.0), range(10, 10 + count), 0)
    self.assertEqual(
        _found(film), [repeats.Event(_Kind.LOST, 10, 10, count)])

  def test_grain_flicker_and_recompression_do_not_hide_a_repeat(self):
    rng = np.random.default_rng(0)
    film = clips.panning(24, speed=2.0)
    film[10] = film[9]
    gain = np.exp(0.05 * rng.standard_normal((24, 1, 1, 1))).astype('f')
    codes = np.uint8(255 * np.clip(gain * _grainy(film, 0.01), 0, 1))
    film = np.stack([cv2.imdecode(cv2.imencode('.jpg', c)[1], 1)
                     for c in codes]).astype(np.float32) / 255
    self.assertEqual(_found(film), [repeats.Event(_Kind.REPLACED, 10, 11, 1)])


class LeftTest(parameterized.TestCase):
  """What is no fault."""

  def test_plain_motion_and_still_shots(self):
    self.assertEqual(_found(clips.panning(24, speed=2.0)), [])
    self.assertEqual(_found(_passing(24)), [])
    still = np.repeat(clips.texture()[None], 24, 0)
    self.assertEqual(_found(still), [])
    self.assertEqual(_found(_grainy(still)), [])

  @parameterized.parameters(2, 3)
  def test_animation_on_twos_and_threes_is_not_replaced(self, hold):
    film = np.repeat(clips.panning(12, speed=4.0), hold, 0)
    self.assertNotIn(_Kind.REPLACED, [e.kind for e in _found(film)])
    self.assertNotIn(_Kind.LOST, [e.kind for e in _found(film)])

  def test_pulldown_is_not_replaced(self):
    film = clips.panning(24, speed=2.0)
    film = film[[t * 4 // 5 for t in range(30)]]  # 24 to 30 frames a second.
    self.assertEqual({e.kind for e in _found(film)}, {_Kind.REPEAT})

  def test_pauses_starts_and_turns(self):
    for x in (np.r_[0:12, [11] * 12, 12:20],  # Stops, and goes on.
              np.r_[[0] * 10, 0:20],  # Starts.
              np.r_[0:14, 12:0:-1],  # Turns back.
              np.cumsum(np.linspace(0.3, 2.5, 24))):  # Grows faster.
      wide = clips.texture(96, 200)
      film = np.stack([cv2.warpAffine(
          wide, np.float32([[1, 0, -2 * s], [0, 1, 0]]), (128, 96),
          flags=cv2.INTER_CUBIC) for s in x.astype(float)])
      self.assertEqual(_found(film), [])

  def test_short_tiny_and_no_frames(self):
    self.assertEqual(_found(clips.panning(3)), [])
    self.assertEqual(_found(np.zeros((9, 1, 1, 3), 'f')), [])
    self.assertEqual(repeats.find(np.zeros((0, 3))), [])


class TimeTest(absltest.TestCase):

  def test_gaps_in_timestamps(self):
    pts = [*range(0, 400, 40), *range(440, 800, 40)]  # 400 is missing.
    self.assertEqual(repeats.gaps(pts), [(10, 1)])
    still = np.repeat(clips.texture()[None], len(pts), 0)
    self.assertEqual(_found(still, pts=pts),
                     [repeats.Event(_Kind.LOST, 10, 10, 1)])

  def test_variable_rates_have_no_gaps(self):
    rng = np.random.default_rng(0)
    self.assertEqual(
        repeats.gaps(np.cumsum(rng.uniform(25, 40, 60)).tolist()), [])
    change = [*range(0, 400, 33), *range(400, 1400, 66)]  # Dark: half the rate.
    self.assertEqual(repeats.gaps(change), [])
    self.assertEqual(repeats.gaps([0, 1, 9]), [])

  def test_every_frame_stays_unless_asked(self):
    events = [repeats.Event(_Kind.REPEAT, 3, 4, 1),
              repeats.Event(_Kind.LOST, 10, 10, 1)]
    pts = [*range(0, 400, 40), *range(440, 800, 40)]
    self.assertEqual(repeats.timeline(events, pts),
                     [(p, float(t)) for t, p in enumerate(pts)])
    fewer = repeats.timeline(events, pts, collapse=True)
    self.assertEqual(len(fewer), len(pts) - 1)
    self.assertNotIn(120, [p for p, _ in fewer])
    more = repeats.timeline(events, pts, insert=True)
    self.assertEqual(more[9:12], [(360, 9.0), (400, 9.5), (440, 10.0)])
    stamps = [p for p, _ in more]
    self.assertEqual(stamps, sorted(set(stamps)))


if __name__ == '__main__':
  absltest.main()
