"""Tests of comparing faces."""

from absl.testing import absltest
import cv2
import numpy as np
from skimage import metrics

from revive_jax import types
from revive_jax.faces import similarity
from tests.faces import people


def _picture():
  return people.picture().astype(np.float32) / 255


class SimilarityTest(absltest.TestCase):

  def test_cut_shows_the_middle_of_the_box(self):
    picture = np.zeros((80, 120, 3), np.float32)
    picture[40:48, 60:68] = 1  # In the middle of the box.
    face = similarity.cut(picture, np.array([0.4, 0.35, 0.2667, 0.4]))
    rows, columns = np.nonzero(face[..., 0] > 127)
    self.assertEqual(face.shape, (64, 64, 3))
    for places in (rows, columns):
      self.assertAlmostEqual(places.mean(), 31.5, delta=1)
    # 8 px of a box of 32, of which 1.25 are seen in 64.
    self.assertAlmostEqual(len(rows), (8 * 64 / 40) ** 2, delta=30)

  def test_cut_beyond_the_frame(self):
    face = similarity.cut(_picture(), np.array([-0.2, -0.2, 0.3, 0.3]))
    self.assertTrue(np.isfinite(face).all())
    far = similarity.cut(_picture(), np.array([3, 3, 0.3, 0.3]))
    self.assertEqual(far.shape, (64, 64, 3))

  def test_structure_as_of_scikit_image(self):
    rng = np.random.default_rng(0)
    a = similarity.cut(_picture(), people.FACE)
    b = np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(np.uint8)
    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float64)
            for x in (a, b)]
    _, full = metrics.structural_similarity(
        *grey, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255, full=True)
    face = similarity.ellipse((64, 64), np.array([0.1, 0.1, 0.8, 0.8])) > 0
    self.assertAlmostEqual(
        similarity.structure(a, b), full[face].mean(), delta=0.005)
    self.assertAlmostEqual(similarity.structure(a, a), 1)

  def test_ellipse(self):
    mask = similarity.ellipse((100, 200), np.array([0.25, 0.25, 0.5, 0.5]))
    self.assertAlmostEqual(mask.mean(), np.pi / 4 * 0.25, delta=2e-3)
    soft = similarity.ellipse(
        (100, 200), np.array([0.25, 0.25, 0.5, 0.5]), feather=0.5)
    self.assertTrue((soft[mask > 0] == 1).all())
    self.assertEqual(soft[0, 0], 0)

  def test_cosine(self):
    a = np.array([[1, 0], [1, 0], [0, 1], [np.nan, np.nan]], np.float32)
    b = np.array([[1, 0], [0, 1], [0, 1], [np.nan, np.nan]], np.float32)
    np.testing.assert_allclose(
        similarity.cosine(a, b), [1, 0, 1, np.nan], atol=1e-9)
    # Around frame 1: (2, 1) and (1, 2).
    self.assertAlmostEqual(similarity.cosine(a, b, radius=1)[1], 4 / 5)

  def test_measures(self):
    picture, origin = _picture(), np.zeros((320, 320, 1), np.uint8)
    self.assertEqual(similarity.measures(
        picture, picture, people.FACE, origin), (1, 0, 0))
    origin[:, :] = types.Origin.INVENTED
    brighter = np.clip(0.8 * picture + 0.1, 0, 1)
    _, change, invented = similarity.measures(
        picture, brighter, people.FACE, origin)
    expected = np.abs(similarity.cut(picture, people.FACE).astype(float)
                      - similarity.cut(brighter, people.FACE)).mean()
    self.assertAlmostEqual(change, expected, places=3)
    self.assertEqual(invented, 1)


if __name__ == '__main__':
  absltest.main()
