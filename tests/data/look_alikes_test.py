"""Tests of data/look_alikes.py."""

from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np
from scipy import ndimage

from revive_jax.data import look_alikes, motion


class DrawTest(absltest.TestCase):

  def test_thin_things_on_the_picture_and_nothing_else(self):
    image = np.full((96, 144, 3), 128, np.uint8)
    kept = image.copy()
    shares = []
    for seed in range(40):
      drawn = look_alikes.draw(np.random.default_rng(seed), image)
      self.assertEqual((drawn.shape, drawn.dtype), (image.shape, np.uint8))
      changed = (drawn != image).any(-1)
      shares.append(changed.mean())
      # Thin: nothing is left of it by an opening of 25 px.
      self.assertFalse(cv2.morphologyEx(
          changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((25, 25))).any())
      # Dark on grey, or bright on grey, not both.
      change = drawn.astype(int).mean(-1) - 128
      self.assertLessEqual(min(change.max(), -change.min()), 1)
    np.testing.assert_array_equal(image, kept)
    self.assertBetween(np.mean(shares), 0.02, 0.4)
    self.assertGreater(min(shares), 0.001)
    self.assertGreater(len(np.unique(np.round(shares, 3))), 20)

  def test_by_seed(self):
    image = np.zeros((48, 48, 3), np.uint8)
    a, b, c = (look_alikes.draw(np.random.default_rng(s), image)
               for s in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    self.assertTrue((a != c).any())

  def test_kinds_come_in_their_shares(self):
    calls = {'often': 0, 'rarely': 0}

    def kind(name):
      def cover(rng, height, width):
        del rng
        calls[name] += 1
        return np.zeros((height, width), np.uint8)
      return cover

    image = np.zeros((8, 8, 3), np.uint8)
    rng = np.random.default_rng(0)
    with mock.patch.object(look_alikes, '_KINDS', {
        kind('often'): 0.8, kind('rarely'): 0.2}):
      for _ in range(400):
        look_alikes.draw(rng, image)
    self.assertBetween(calls['often'], 290, 350)

  def test_of_what_stays_no_line_is_alone(self):
    # Lines that stay through all of the picture are scratches, unless crossed.
    clip = np.full((2, 96, 96, 3), 128, np.uint8)
    crossed = 0
    for seed in range(60):
      drawn = look_alikes.overlay(np.random.default_rng(seed), clip)
      changed = (drawn != 128).any(-1)
      if (changed[0] != changed[1]).any():
        continue
      along = [changed[0].mean(axis).max() for axis in (0, 1)]
      if max(along) > 0.99:
        self.assertGreater(min(along), 0.99, seed)
        crossed += 1
    self.assertGreater(crossed, 5)

  def test_what_is_laid_over_stays_or_drifts_evenly(self):
    def square(rng, height, width):
      del rng
      cover = np.zeros((height, width), np.uint8)
      y, x = height // 2, width // 2
      cover[y - 3:y + 4, x - 3:x + 4] = 255
      return cover

    clip = np.full((5, 64, 64, 3), 128, np.uint8)
    still = 0
    with mock.patch.multiple(
        look_alikes, _KINDS={square: 1.0}, _STILL={square: 1.0}):
      for seed in range(40):
        drawn = look_alikes.overlay(np.random.default_rng(seed), clip)
        self.assertEqual((drawn.shape, drawn.dtype), (clip.shape, np.uint8))
        weight = np.abs(drawn.astype(float) - 128).mean(-1)
        places = [ndimage.center_of_mass(w) for w in weight]
        steps = np.diff(places, axis=0)
        np.testing.assert_allclose(steps, steps[[0] * 4], atol=0.1)
        self.assertLess(np.abs(steps).max(), 4.1)
        still += np.abs(steps).max() < 1e-6
    self.assertBetween(still, 10, 30)

  def test_photographs_have_them_when_asked(self):
    stills = [{'clip': np.full((1, 96, 96, 3), 128, np.uint8)}]
    share = lambda asked: np.mean([
        np.ptp(motion.Photographs(
            stills, num_frames=2, size=32, look_alike_share=asked)[i]['clip'])
        > 8 for i in range(60)])
    self.assertEqual(share(0.0), 0)
    self.assertBetween(share(0.5), 0.35, 0.85)  # Some have two pictures.
    self.assertGreater(share(1.0), 0.85)


if __name__ == '__main__':
  absltest.main()
