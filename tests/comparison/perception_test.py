"""Tests of comparison/perception.py."""

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.comparison import perception
from revive_jax.metrics import frechet
from revive_jax.models import perceptual


def _frames(seed, shape=(4, 16, 16, 3)):
  return np.random.default_rng(seed).uniform(0.1, 1, shape).astype(np.float32)


_JUDGE = perception.measures(perceptual.Network(lambda x: [x, x]))


class PerceptionTest(absltest.TestCase):

  def test_damage_counts_by_its_pixels(self):
    # At a right angle in all of frame 0, equal in frame 1.
    target = np.zeros((2, 8, 24, 3), np.float32)  # No multiple of 16.
    target[..., 0] = 0.5
    restored = target.copy()
    restored[0] = [0, 0.5, 0]
    damage = np.zeros((2, 8, 24), bool)
    damage[0, 0, :2] = True
    damage[1, 0, :6] = True
    sums = perception.distance_sums(_JUDGE, restored, target, damage)
    self.assertAlmostEqual(sums['perceptual'][0], 1, places=5)
    self.assertAlmostEqual(sums['perceptual_damage'][0], 2 * 2 / 8, places=5)
    # What is beside the damage does not count, at the far edge least of all.
    restored[0, 0, :2] = target[0, 0, :2]
    sums = perception.distance_sums(_JUDGE, restored, target, damage)
    self.assertAlmostEqual(sums['perceptual_damage'][0], 0, places=5)
    damage[:] = False
    damage[0, 7, 23] = True
    sums = perception.distance_sums(_JUDGE, restored, target, damage)
    self.assertAlmostEqual(sums['perceptual_damage'][0], 2, places=5)
    none = perception.distance_sums(_JUDGE, restored, target, damage & False)
    self.assertNotIn('perceptual_damage', none)

  def test_moments_see_frames_and_time(self):
    still = np.repeat(_frames(0)[:1], 4, 0)
    made = perception.moments(_JUDGE, still)
    self.assertEqual(made.frames.count, 4 * 16)
    self.assertEqual(made.clips.count, 3 * 16)
    np.testing.assert_allclose(made.clips.mean[3:], 0, atol=1e-7)
    both = made.merge(perception.moments(_JUDGE, _frames(1)))
    self.assertEqual(both.frames.count, 8 * 16)
    found = perception.frechet_distances(made, made)
    self.assertAlmostEqual(found['frechet'], 0, places=6)
    # Brighter by c in each of three channels: 3 c^2.
    off = perception.frechet_distances(
        perception.moments(_JUDGE, still + 0.1), made)
    self.assertAlmostEqual(off['frechet'], 0.03, places=4)
    self.assertAlmostEqual(off['frechet_clips'], 0.03, places=4)
    self.assertIsInstance(made.clips, frechet.Moments)

  def test_niqe_is_left_out_of_what_is_too_small(self):
    natural = perception.load_niqe('niqe')
    self.assertIsNone(natural(_frames(0)))
    noise = _frames(0, (1, 200, 200, 3))
    self.assertGreater(natural(noise), 10)

  def test_refusals(self):
    self.assertIsNone(perception.load(''))
    self.assertIsNone(perception.load_niqe(''))
    with self.assertRaisesRegex(types.BadInput, 'natural'):
      perception.load_niqe('restorer')
    with self.assertRaisesRegex(types.BadInput, 'no measure'):
      perception.load('niqe')
    with self.assertRaisesRegex(types.BadInput, 'nowhere'):
      perception.load('nowhere.safetensors')


if __name__ == '__main__':
  absltest.main()
