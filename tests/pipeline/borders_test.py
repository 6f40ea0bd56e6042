"""Tests of pipeline/borders.py, and of what composite does with borders."""

import dataclasses
import math

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.pipeline import borders, choose, composite, measure, run
from tests.pipeline import clips


def _framed(film, above=0, below=0, left=0, right=0, black=0.02):
  """Film [T, H, W, 3] whose edges are black."""
  film = film.copy()
  for view, width in ((film, above), (film[:, ::-1], below),
                      (film.swapaxes(1, 2), left),
                      (film[:, :, ::-1].swapaxes(1, 2), right)):
    view[:, :width] = black
  return film


def _codes(film):
  return np.round(np.clip(film, 0, 1) * 255).astype(np.uint8)


class BordersTest(absltest.TestCase):

  def test_counted_by_hand(self):
    film = _framed(0.3 + 0.5 * clips.panning(1), 3, 0, 7, 2)
    self.assertEqual(borders.of_frame(film[0].mean(-1)), [3, 0, 7, 2])
    grain = 0.02 * np.random.default_rng(0).standard_normal(film.shape[1:3])
    self.assertEqual(
        borders.of_frame(film[0].mean(-1) + grain.astype(np.float32)),
        [3, 0, 7, 2])

  def test_a_dark_scene_has_none(self):
    dark = 0.05 * clips.panning(1)[0].mean(-1)
    self.assertTrue(all(map(math.isnan, borders.of_frame(dark))))
    self.assertEqual(
        borders.of_shot(np.full((5, 4), np.nan)), borders.NONE)

  def test_of_a_shot_the_least_that_half_of_the_frames_say(self):
    no = math.nan
    found = np.array([[4, 6, 0, no], [5, 6, 9, no], [no, 6, 9, 3], [4, no] * 2])
    self.assertEqual(borders.of_shot(found), (4, 6, 0, 0))
    self.assertEqual(borders.of_shot(np.zeros((0, 4))), borders.NONE)

  def test_of_a_film(self):
    film = _framed(0.3 + 0.5 * clips.panning(7), 0, 5, 0, 3)
    shots, _ = measure.measure(iter(_codes(film)), frame_rate=24.0)
    self.assertEqual(shots[0].borders, (0, 5, 0, 3))
    kept = measure.unpacked(measure.packed(shots))
    self.assertEqual(kept[0].borders, (0, 5, 0, 3))
    plan = choose.choose(
        shots[0], mode='full', strength=dict.fromkeys(choose.KINDS, 1.0),
        stages=('auto',), output=dict(bits=8, grain=0.0),
        fill='temporal_median', inpaint='telea', denoiser='auto', seed=0,
        marked=False)
    stage = next(s for s in plan.stages if s.name == 'composite')
    self.assertEqual(stage.options['black'], (0, 5, 0, 3))
    half = run._of_field(dataclasses.replace(
        stage, options=stage.options | {'black': (4, 5, 6, 7)}))
    self.assertEqual(half.options['black'], (2, 2, 6, 7))

  def test_what_a_network_makes_of_a_border_is_not_used(self):
    film = _framed(0.3 + 0.5 * clips.panning(2), right=4)
    restored = film.copy()
    restored[:, :, -6:] = 0.8  # It was taken for a scratch.
    damage = np.zeros((*film.shape[:3], 1), np.float32)
    damage[:, :, -6:] = 1
    damage[:, 5:9, 5:9] = 1
    clip = clips.clip(film).replace(
        restored=restored, damage=damage,
        damage_kind=damage.astype(np.uint8) * int(types.DamageKind.SCRATCH),
        origin=damage.astype(np.uint8) * int(types.Origin.INVENTED))
    strength = dict(scratch=1.0, dust=1.0, noise=1.0)
    done = composite.composite(
        clip, mode='full', strength=strength, black=(0, 0, 0, 4))
    np.testing.assert_allclose(done.output[:, :, -6:], film[:, :, -6:],
                               atol=1e-6)
    self.assertFalse(done.damage[:, :, -6:].any())
    self.assertFalse((done.origin[:, :, -6:] == types.Origin.INVENTED).any())
    self.assertTrue(done.damage[:, 5:9, 5:9].all())
    marked = clip.replace(user_mask=damage)
    done = composite.composite(
        marked, mode='full', strength=strength, black=(0, 0, 0, 4))
    np.testing.assert_allclose(done.output[:, :, -6:], 0.8)

  def test_noise_in_a_border_is_averaged_along_it(self):
    frame = np.zeros((80, 60, 3), np.float32)
    frame += 0.02 * np.random.default_rng(0).standard_normal(frame.shape)
    done = borders.evened(frame, (0, 6, 8, 0))
    self.assertLess(done[:74, :8].std(), 0.3 * frame[:74, :8].std())
    self.assertLess(done[-6:, 8:].std(), 0.3 * frame[-6:, 8:].std())
    np.testing.assert_array_equal(done[:-6, 8:], frame[:-6, 8:])


if __name__ == '__main__':
  absltest.main()
