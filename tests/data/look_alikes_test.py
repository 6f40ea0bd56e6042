"""Tests of data/look_alikes.py."""

from absl.testing import absltest
import cv2
import numpy as np

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
