"""Tests of pipeline/detail.py, and of where it is used."""

import dataclasses

from absl.testing import absltest, parameterized
import cv2
import numpy as np
import skimage

from revive_jax import types
from revive_jax.pipeline import choose, composite, detail, measure
from tests.pipeline import clips

_ALL = dict(scratch=1.0, dust=1.0, noise=1.0)


def _photo() -> np.ndarray:
  """A photograph, reduced until it is sharp, [H, W, 3]."""
  photo = skimage.data.astronaut().astype(np.float32) / 255
  return cv2.resize(photo, (0, 0), fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _noise(codes, soft=False) -> np.ndarray:
  """Grey white noise [H, W, 1], or grain: it under (1, 4, 1) / 6, as strong."""
  noise = np.random.default_rng(0).standard_normal((256, 256))
  if soft:
    noise = cv2.sepFilter2D(noise, -1, *[np.array([1, 4, 1]) / 6] * 2)
  return (codes / 255 * noise / noise.std())[..., None].astype(np.float32)


def _psnr(x, y):
  return -10 * np.log10(np.square(x - y).mean())


class FeaturesTest(absltest.TestCase):

  def test_noise_by_hand(self):
    plain = np.full((256, 256, 3), 0.5, np.float32)
    for soft, wanted in ((False, 0.0), (True, 8 / 18)):
      found = detail.features(plain + _noise(8, soft), plain)
      self.assertEqual(found.shape, (128, 128, 6))
      self.assertAlmostEqual(np.exp(found[0, 0, 3]) * 255, 8, delta=0.8)
      # The mean of 81 px that is taken from it has some of what is alike.
      self.assertAlmostEqual(found[0, 0, 4], wanted, delta=0.08)

  def test_nothing_taken_out_and_nothing_there(self):
    plain = np.full((5, 7, 3), 0.5, np.float32)
    found = detail.features(plain, plain)
    self.assertEqual(found.shape, (2, 3, 6))
    self.assertTrue(np.isfinite(found).all())


class GainTest(absltest.TestCase):

  def test_by_hand(self):
    fitted = detail.Fitted(
        np.array([0., 0.]), np.array([2., 4.]), (
            (np.array([[1.], [0.5]]), np.array([0.25])),
            (np.array([[2.]]), np.array([0.5]))))
    found = np.array([[[1., 1.], [9., 2.]]])  # In [-1, 1]: 0, -0.5; 1, 0.
    np.testing.assert_allclose(
        detail.predicted(fitted, found),
        [[2 * np.tanh(0) + 0.5, 2 * np.tanh(1.25) + 0.5]], rtol=1e-6)
    steep = fitted._replace(layers=((np.array([[9.], [0.]]), np.zeros(1)),))
    self.assertEqual(detail.predicted(steep, found)[0, 1], detail.LIMITS[1])

  def test_soft_film_under_grain_comes_nearer(self):
    clean = _photo()
    soft = cv2.GaussianBlur(clean, (0, 0), 0.7)
    better = detail.brought_out(soft + _noise(10, soft=True), soft, 1.0)
    self.assertGreater(_psnr(better, clean), _psnr(soft, clean) + 1)

  def test_sharp_pictures_and_those_under_white_noise_stay(self):
    clean = _photo()
    soft = cv2.GaussianBlur(clean, (0, 0), 0.7)
    for picture, grain in ((clean, True), (clean, False), (soft, False)):
      found = detail.brought_out(picture + _noise(10, grain), picture, 1.0)
      self.assertGreater(_psnr(found, picture), 38)

  def test_stays_near_what_is_around(self):
    soft = cv2.GaussianBlur(_photo(), (0, 0), 0.7)
    strong = detail.load()._replace(
        layers=((np.zeros((6, 1)), np.full(1, 3.0)),))
    found = detail.brought_out(soft, soft, 1.0, strong)
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(soft, kernel), cv2.dilate(soft, kernel)
    more = 0.25 * (high - low) + 1e-6
    self.assertTrue(((found >= low - more) & (found <= high + more)).all())
    self.assertTrue((found >= 0).all() and (found <= 1).all())
    np.testing.assert_allclose(
        detail.brought_out(soft, soft, 0.0), soft, atol=1e-6)


  def test_a_pixel_that_is_no_number_spreads_to_no_other(self):
    photo = _photo()
    broken = photo.copy()
    broken[9, 9] = np.nan
    np.testing.assert_array_equal(
        detail.brought_out(photo, broken, 1.0), broken)


class UsedTest(parameterized.TestCase):

  def test_in_mode_full_alone(self):
    source = np.clip(clips.panning(3, 48, 64) + 0.02 * np.random.default_rng(
        0).standard_normal((3, 48, 64, 3)), 0, 1).astype(np.float32)
    clip = clips.clip(source, damage=np.zeros((3, 48, 64, 1), np.float32),
                      restored=clips.panning(3, 48, 64).astype(np.float32))
    make = lambda mode, detail: composite.composite(
        clip, mode=mode, strength=_ALL, detail=detail).output
    np.testing.assert_array_equal(
        make('full', 1.0)[1],
        detail.brought_out(source[1], clip.restored[1], 1.0))
    np.testing.assert_array_equal(make('full', 0.0), clip.restored)
    np.testing.assert_array_equal(make('repair', 1.0), source)

  def _composited(self, source, restored, **more):
    """Composite of one frame, that the network changed everywhere."""
    values = dict(restored=restored[None], damage=np.zeros(
        (1, *source.shape[:2], 1), np.float32)) | more
    black = values.pop('black', (0, 0, 0, 0))
    clip = clips.clip(source[None], **values)
    return composite.composite(
        clip, mode='full', strength=_ALL, detail=1.0, black=black)

  def test_what_was_given_back_is_the_sources(self):
    soft = cv2.GaussianBlur(_photo(), (0, 0), 0.7)
    source = np.clip(soft + _noise(10, soft=True), 0, 1)
    kept = np.zeros(soft.shape[:2], bool)
    kept[40:60, 30:90] = True  # As moving.py leaves it.
    origin = np.where(kept, types.Origin.KEPT, types.Origin.DENOISED)
    done = self._composited(
        source, np.where(kept[..., None], source, soft),
        origin=origin[None, ..., None].astype(np.uint8))
    np.testing.assert_array_equal(done.output[0][kept], source[kept])
    self.assertTrue((done.output[0] != soft)[~kept].any())

  def test_bars_say_nothing_of_the_picture(self):
    soft = cv2.GaussianBlur(_photo(), (0, 0), 0.7)
    source = np.clip(soft + _noise(10, soft=True), 0, 1)
    bars = ((40, 40), (0, 0), (0, 0))
    done = self._composited(
        np.pad(source, bars), np.pad(soft, bars), black=(40, 40, 0, 0))
    # Their blurred edges, 2 px, are left out, too.
    np.testing.assert_allclose(
        done.output[0][42:-42],
        detail.brought_out(source[2:-2], soft[2:-2], 1.0), atol=1e-6)
    # And where they are not known as borders, they have no noise to measure.
    whole = detail.features(np.pad(source, bars), np.pad(soft, bars))
    wanted = detail.features(source, soft)
    np.testing.assert_allclose(whole[0, 0, 3:5], wanted[0, 0, 3:5], atol=0.1)

  @parameterized.parameters(
      (8.0, {}, 0.5), (4.0, {}, 0.25), (1.0, {}, 0.0),
      (8.0, dict(mode='repair'), 0.0), (8.0, dict(learned=False), 0.0),
      (8.0, dict(blur=0.0), 0.0), (8.0, dict(noise=0.0), 0.0))
  def test_chosen_where_there_is_grain(self, codes, given, wanted):
    film = np.clip(255 * (0.2 + 0.6 * clips.panning(6, 64, 96)), 0, 255)
    shots, _ = measure.measure(iter(film.astype(np.uint8)), frame_rate=24.0)
    strength = dict.fromkeys(choose.KINDS, 1.0) | {
        'blur': given.get('blur', 0.5), 'noise': given.get('noise', 1.0)}
    plan = choose.choose(
        dataclasses.replace(shots[0], noise=codes / 255),
        mode=given.get('mode', 'full'),
        strength=strength, stages=('auto',), output=dict(bits=8, grain=0.0),
        fill='', inpaint='', denoiser='auto', seed=0, marked=False,
        learned=given.get('learned', True))
    stage = next(s for s in plan.stages if s.name == 'composite')
    self.assertAlmostEqual(stage.options['detail'], wanted)
    self.assertEqual('detail' in stage.why, wanted > 0)


if __name__ == '__main__':
  absltest.main()
