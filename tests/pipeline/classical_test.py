"""Tests of pipeline/classical.py and spatial.py."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import types
from revive_jax.pipeline import classical, match, spatial
from tests.pipeline import clips


class SpatialTest(parameterized.TestCase):

  @parameterized.parameters(*spatial.INPAINT)
  def test_a_hole_in_a_flat_wall_is_filled_with_the_wall(self, name):
    wall = np.full((20, 24, 3), 102 / 255, np.float32)
    holes = np.zeros((20, 24), bool)
    holes[6:12, 8:15] = True
    damaged = np.where(holes[..., None], np.float32(1), wall)
    filled = spatial.INPAINT[name](damaged, holes)
    np.testing.assert_allclose(filled, wall, atol=2.5 / 255)
    np.testing.assert_array_equal(filled[~holes], damaged[~holes])

  @parameterized.parameters('bilinear', 'bicubic')
  def test_a_ramp_is_continued_exactly(self, name):
    ramp = np.linspace(0.1, 0.9, 24, dtype=np.float32)
    picture = np.broadcast_to(ramp[:, None], (20, 24, 3)[:2] + (3,)).copy()
    holes = np.zeros((20, 24), bool)
    holes[:, 9:13] = True  # Whole columns: only rows can say.
    damaged = np.where(holes[..., None], np.float32(0), picture)
    np.testing.assert_allclose(
        spatial.INPAINT[name](damaged, holes), picture, atol=1e-5)

  def test_all_damaged_is_left(self):
    picture = clips.texture(12, 12)
    for name in ('bilinear', 'bicubic'):
      np.testing.assert_array_equal(
          spatial.INPAINT[name](picture, np.ones((12, 12), bool)), picture)


class ClassicalTest(absltest.TestCase):

  def test_fill_comes_from_the_neighbours(self):
    film = clips.panning(5)
    damage = np.zeros((*film.shape[:3], 1), np.float32)
    damage[2, 40:50, 60:70] = 1
    broken = np.where(damage > 0, np.float32(1), film)
    clip = match.match(clips.clip(broken)).replace(damage=damage)
    clip = classical.classical(clip)
    hole = damage[2, ..., 0] > 0
    self.assertLess(np.abs(clip.restored[2] - film[2])[hole].mean(), 0.02)
    self.assertTrue((clip.origin[2][hole] == types.Origin.MOVED).all())
    self.assertTrue((np.abs(clip.origin_frame[2][hole]) >= 1).all())
    np.testing.assert_array_equal(clip.restored[[0, 4]], film[[0, 4]])

  def test_denoising_comes_closer_to_the_clean_film(self):
    film = clips.panning(7)
    noise = np.random.default_rng(0).standard_normal(film.shape)
    noisy = np.clip(film + 0.05 * noise, 0, 1).astype(np.float32)
    clip = match.match(clips.clip(noisy))
    for name in ('temporal', 'nlm'):
      out = classical.classical(clip, sigma=0.05, denoiser=name).restored
      before = ((noisy - film)[2:5] ** 2).mean()
      self.assertLess(((out - film)[2:5] ** 2).mean(), 0.4 * before, name)


if __name__ == '__main__':
  absltest.main()
