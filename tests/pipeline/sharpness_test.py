"""Tests of pipeline/sharpness.py."""

import math

from absl.testing import absltest
import cv2
import numpy as np
import skimage

from revive_jax.pipeline import sharpness


def _step(sigma: float, angle: float = 0.0) -> np.ndarray:
  """A step edge under a Gaussian, [192, 256]: the error function."""
  y, x = np.mgrid[:192, :256]
  distance = (x - 128.2) * math.cos(angle) + (y - 96.3) * math.sin(angle)
  rise = np.vectorize(math.erf)(distance / (sigma * math.sqrt(2)))
  return (0.5 + 0.3 * rise).astype(np.float32)


def _photo() -> np.ndarray:
  """A photograph, reduced until it is sharp, [H, W, 3]."""
  photo = skimage.data.astronaut().astype(np.float32) / 255
  return cv2.resize(photo, (0, 0), fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _strength(frame: np.ndarray) -> float:
  return float(np.interp(
      sharpness.edge_width(frame.mean(-1)), sharpness.SOFT, (0, 1)))


class SharpnessTest(absltest.TestCase):

  def test_width_of_a_step_edge(self):
    for sigma in (0.6, 0.8, 1.0, 1.4, 2.0):
      for angle in (0.0, 0.4, 1.2):
        with self.subTest(sigma=sigma, angle=angle):
          self.assertAlmostEqual(
              sharpness.edge_width(_step(sigma, angle)), sigma,
              delta=min(0.15 * sigma, 0.25))

  def test_width_of_a_step_that_opencv_blurred(self):
    step = np.zeros((64, 96), np.float32)
    step[:, 48:] = 1
    for sigma in (1.0, 2.0):
      soft = cv2.GaussianBlur(step, (0, 0), sigma)
      self.assertAlmostEqual(sharpness.edge_width(soft), sigma, delta=0.25)

  def test_width_is_of_the_picture_and_not_of_its_contrast(self):
    luma = _photo().mean(-1)
    whole = sharpness.edge_width(luma)
    self.assertAlmostEqual(
        sharpness.edge_width(0.3 + 0.3 * luma), whole, delta=0.01)
    self.assertAlmostEqual(
        sharpness.edge_width(1 - luma), whole, delta=0.01)

  def test_borders_and_titles_are_not_the_picture(self):
    soft = cv2.GaussianBlur(_photo(), (0, 0), 1.5).mean(-1)
    width = sharpness.edge_width(soft)
    framed = soft.copy()
    framed[:32], framed[-32:] = 0, 0  # Black bars.
    framed[236:250, 40:200:4] = 1  # A title there, as thin as letters.
    self.assertAlmostEqual(sharpness.edge_width(framed), width, delta=0.2)

  def test_dirt_is_not_the_picture(self):
    soft = cv2.GaussianBlur(_photo(), (0, 0), 1.5).mean(-1)
    width = sharpness.edge_width(soft)
    dirty = soft.copy()
    for y, x in ((70, 80), (100, 190), (150, 60), (180, 140)):
      dirty[y:y + 3, x:x + 4] = 1
    dirty[60:120, 120] = 0
    self.assertAlmostEqual(sharpness.edge_width(dirty), width, delta=0.3)

  def test_tiny_pictures(self):
    for height, width in ((1, 1), (2, 3), (5, 8), (16, 2)):
      found = sharpness.edge_width(np.eye(height, width, dtype=np.float32))
      self.assertTrue(math.isnan(found) or found > 0)

  def test_no_edges_no_width(self):
    rng = np.random.default_rng(0)
    flat = 0.5 + 0.002 * rng.standard_normal((64, 64)).astype(np.float32)
    self.assertTrue(math.isnan(sharpness.edge_width(flat)))

  def test_softer_edges_need_more(self):
    photo = _photo()
    soft = lambda s: cv2.GaussianBlur(photo, (0, 0), s) if s else photo
    needs = [_strength(soft(s)) for s in (0, 0.8, 1.2, 2.0)]
    self.assertEqual(needs[0], 0)
    self.assertEqual(needs[-1], 1)
    self.assertSequenceEqual(needs, sorted(needs))

  def test_takes_blur_out(self):
    photo = _photo()
    error = lambda x: float(((x - photo)[8:-8, 8:-8] ** 2).mean())
    for sigma, most in ((1.0, 0.65), (1.5, 0.7)):
      soft = cv2.GaussianBlur(photo, (0, 0), sigma)
      sharp = sharpness.sharpen(soft, _strength(soft), 0.0)
      self.assertLess(error(sharp), most * error(soft))

  def test_edges_overshoot_by_a_quarter_at_most(self):
    frame = np.repeat(_step(1.2)[..., None], 3, -1)
    sharp = sharpness.sharpen(frame, 1.0, 0.0)
    near = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(frame, near), cv2.dilate(frame, near)
    more = 0.25 * (high - low) + 1e-6
    self.assertTrue(np.all((sharp >= low - more) & (sharp <= high + more)))
    self.assertGreater(np.abs(np.diff(sharp, axis=1)).max(),
                       1.3 * np.abs(np.diff(frame, axis=1)).max())
    white = np.clip(3 * frame - 1, 0, 1)
    sharp = sharpness.sharpen(white, 1.0, 0.0)
    self.assertGreaterEqual(sharp.min(), 0)
    self.assertLessEqual(sharp.max(), 1)

  def test_noise_is_not_lifted(self):
    rng = np.random.default_rng(0)
    noise = 0.005 * rng.standard_normal((64, 64, 3)).astype(np.float32)
    lifted = lambda sigma: np.std(
        sharpness.sharpen(0.5 + noise, 1.0, sigma) - 0.5)
    self.assertGreater(lifted(0.0), 1.7 * noise.std())
    self.assertLess(lifted(0.02), 1.3 * noise.std())

  def test_strength_zero_changes_nothing(self):
    photo = _photo()
    np.testing.assert_array_equal(sharpness.sharpen(photo, 0.0, 0.0), photo)


if __name__ == '__main__':
  absltest.main()
