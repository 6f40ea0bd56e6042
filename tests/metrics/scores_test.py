"""Tests of metrics/scores.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.metrics import scores


def _still(shape):
  """No motion, all visible, for clips of shape [T, H, W]."""
  ones = np.ones((shape[0] - 1, *shape[1:], 1), np.float32)
  return np.zeros((*ones.shape[:3], 2), np.float32), ones


class ScoresTest(absltest.TestCase):

  def test_by_hand(self):
    target = np.zeros((2, 16, 16, 3), np.float32)
    restored = np.zeros((2, 16, 16, 3), np.uint8)
    restored[1] = 51  # 0.2: 13.98 dB; the other frame is equal: 100 dB.
    damage = np.zeros((2, 16, 16), bool)
    damage[1, 0, 0] = True
    values = scores.values(scores.of_clip(
        restored, target, damage, *_still((2, 16, 16))))
    self.assertAlmostEqual(values['psnr'], (100 + 13.9794) / 2, places=3)
    self.assertAlmostEqual(values['psnr_damage'], 13.9794, places=3)
    self.assertAlmostEqual(values['flicker'], 0.1, places=5)
    self.assertAlmostEqual(values['warping_error'], 0.2, places=5)
    self.assertGreater(values['ssim'], 0.4)

  def test_without_damage_there_is_no_value_in_it(self):
    clip = np.zeros((2, 16, 16, 3), np.float32)
    sums = scores.of_clip(clip.astype(np.uint8), clip, np.zeros(
        (2, 16, 16), bool), *_still((2, 16, 16)))
    self.assertNotIn('psnr_damage', sums)

  def test_undamaged_by_hand(self):
    clean = np.full((2, 4, 4, 3), 100, np.uint8)
    found = np.zeros((2, 4, 4), bool)
    found[0, 0] = True
    values = scores.values(scores.of_undamaged(clean + 51, clean, found))
    self.assertAlmostEqual(values['psnr'], 13.9794, places=3)
    self.assertAlmostEqual(values['false_share'], 4 / 32)

  def test_merging_adds_pixels_of_damage_and_averages_clips(self):
    # 1 of 1 found, and 0 of 3, where 2 more were false: not means of means.
    a = scores.of_damage(np.array([[[True, False]]]),
                         np.array([[[True, False]]]))
    b = scores.of_damage(np.array([[[True, True, False, False, False]]]),
                         np.array([[[False, False, True, True, True]]]))
    a |= {'psnr': (30.0, 1.0), 'frames_per_second': (10.0, 1.0)}
    b |= {'psnr': (20.0, 1.0), 'frames_per_second': (10.0, 4.0)}
    values = scores.values(scores.merge([a, b]))
    self.assertAlmostEqual(values['precision'], 1 / 3, places=6)
    self.assertAlmostEqual(values['recall'], 1 / 4, places=6)
    self.assertAlmostEqual(values['f1'], 2 / 7, places=6)
    self.assertEqual(values['psnr'], 25)
    self.assertEqual(values['frames_per_second'], 4)
    left = scores.merge([scores.merge([a, b]), a])
    right = scores.merge([a, scores.merge([b, a])])
    self.assertEqual(left, right)


if __name__ == '__main__':
  absltest.main()
