"""Tests of pipeline/detect.py, lines.py and match.py."""

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import detect, match
from tests.pipeline import clips


def _found(film, **options):
  options = dict(sigma=0.005) | options
  return detect.detect(match.match(clips.clip(film)), **options)


class MatchTest(absltest.TestCase):

  def test_pan_of_two_pixels(self):
    clip = match.match(clips.clip(clips.panning(3, speed=2.0)))
    middle = clip.flow_forward[1, 24:-24, 24:-24]
    np.testing.assert_allclose(np.median(middle, (0, 1)), [-2, 0], atol=0.15)
    back = clip.flow_backward[1, 24:-24, 24:-24]
    np.testing.assert_allclose(np.median(back, (0, 1)), [2, 0], atol=0.15)

  def test_warp_reads_where_flow_points(self):
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    flow = np.zeros((3, 4, 2), np.float32)
    flow[..., 0] = 1
    np.testing.assert_array_equal(
        match.warp(image, flow)[:, :3], image[:, 1:])


class DetectTest(absltest.TestCase):

  def test_a_spot_in_one_frame_is_found_there_and_nowhere_else(self):
    film = clips.panning(7)
    true = np.zeros(film.shape[:3], bool)
    true[3, 40:46, 60:67] = True
    film[true] = 0.95
    found = _found(film).damage[..., 0] > 0
    self.assertGreater((found & true).sum() / true.sum(), 0.95)
    self.assertLess((found & ~true).sum(), 80)  # Its rim.
    self.assertEqual(found[[0, 1, 5, 6]].sum(), 0)

  def test_a_clean_pan_has_no_damage(self):
    self.assertEqual(_found(clips.panning(7)).damage.sum(), 0)

  def test_drifting_scratch_is_followed(self):
    film = clips.panning(9, speed=0.0)
    film += 0.01 * np.random.default_rng(0).standard_normal(
        film.shape).astype(np.float32)
    columns = [50 + round(0.7 * t) for t in range(9)]
    for t, x in enumerate(columns):
      film[t, :, x:x + 2] = 0.95
    clip = _found(film, sigma=0.01, dust=False)
    kinds = clip.damage_kind[..., 0]
    for t, x in enumerate(columns):
      self.assertTrue((kinds[t, :, x:x + 2] == types.DamageKind.SCRATCH).all())
      self.assertLess((kinds[t] > 0).mean(), 0.09)

  def test_a_pole_that_moves_with_the_scene_is_no_scratch(self):
    film = clips.panning(9, speed=2.0)
    for t in range(9):
      x = 90 - 2 * t
      film[t, 16:, x:x + 3] = 0.05  # Not from end to end.
    clip = _found(film, dust=False)
    self.assertEqual(clip.damage.sum(), 0)

  def test_user_mask_joins(self):
    film = clips.panning(3)
    mask = np.zeros((*film.shape[:3], 1), np.float32)
    mask[:, 5:9, 5:9] = 1
    clip = match.match(clips.clip(film, user_mask=mask))
    kinds = detect.detect(clip, sigma=0.005).damage_kind
    self.assertTrue((kinds[:, 5:9, 5:9] == types.DamageKind.MARKED).all())

  def test_cracks_of_a_photograph(self):
    photo = clips.texture(160, 200)
    true = np.zeros(photo.shape[:2], bool)
    for i in range(150):
      true[5 + i, 20 + i:23 + i] = True
    photo[true] = 0.98
    found = _found(photo[None], cracks=True).damage[0, ..., 0] > 0
    self.assertGreater((found & true).sum() / true.sum(), 0.9)
    near = cv2.dilate(true.astype(np.uint8), np.ones((7, 7))) > 0
    self.assertEqual((found & ~near).sum(), 0)
    short = clips.texture(160, 200)
    short[80:83, 90:104] = 0.98  # A tooth, a medal, a cigarette.
    self.assertEqual(_found(short[None], cracks=True).damage.sum(), 0)
    clean = _found(clips.texture(160, 200)[None], cracks=True).damage
    self.assertEqual(clean.sum(), 0)


if __name__ == '__main__':
  absltest.main()
