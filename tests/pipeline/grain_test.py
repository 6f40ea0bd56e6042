"""Tests of grain that is measured, made and given back."""

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import composite, grain, output
from tests.pipeline import clips


def _lag(x, axis=1):
  """Correlation of neighbouring pixels of x [H, W]."""
  a, b = (np.take(x, range(i, x.shape[axis] - 1 + i), axis) for i in (0, 1))
  return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def _film(sigma=0.04, blur=0.7, frames=4, grey=True, size=(192, 256)):
  """A clean film and one with correlated grain, weaker in the dark."""
  rng = np.random.default_rng(5)
  clean = np.repeat(clips.texture(*size)[None], frames, 0)
  noise = rng.standard_normal(clean.shape).astype(np.float32)
  if grey:
    clean = np.repeat(clean[..., :1], 3, -1)
    noise = np.repeat(noise[..., :1], 3, -1)
  if blur:
    noise = np.stack([cv2.GaussianBlur(x, (0, 0), blur) for x in noise])
  noise *= sigma / noise.std() * (0.3 + clean.mean(-1, keepdims=True))
  return clean, np.clip(clean + noise, 0, 1)


def _clip(clean, noisy, *, strength=1.0, hole=None):
  """A clip that was restored perfectly, and filled in the hole."""
  origin = np.full((*clean.shape[:3], 1), types.Origin.DENOISED, np.uint8)
  kind = np.zeros_like(origin)
  if hole is not None:
    origin[hole], kind[hole] = types.Origin.INVENTED, types.DamageKind.DUST
  return clips.clip(
      noisy, restored=clean, origin=origin, damage_kind=kind,
      damage=(kind > 0).astype(np.float32), pts=np.arange(len(clean)),
      output=np.where(kind > 0, clean, noisy + np.float32(strength) * (
          clean - noisy)))


class MeasureTest(absltest.TestCase):

  def test_synthetic_grain_is_as_strong_and_as_fine_as_the_source(self):
    for blur in (0.0, 0.7, 1.5):
      for grey in (True, False):
        clean, noisy = _film(blur=blur, grey=grey)
        found = grain.measure(noisy, clean, np.ones(clean.shape[:3], bool))
        rng = np.random.default_rng(0)
        made = np.stack([grain.synthesise(found, x, rng) for x in clean])
        self._check_alike(made, noisy - clean, clean)

  def _check_alike(self, made, real, clean):
    luma = clean.mean(-1)
    for channel in range(3):
      for where in (luma < 0.47, luma > 0.53):
        a, b = (x[..., channel][where].std() for x in (made, real))
        self.assertBetween(a / b, 0.9, 1.1)
      for axis in (0, 1):
        a, b = (_lag(x[0, ..., channel], axis) for x in (made, real))
        self.assertAlmostEqual(a, b, delta=0.1)
    # As strong in colour as in luma, or as weak.
    a, b = (np.ptp(x, axis=-1).mean() for x in (made, real))
    self.assertAlmostEqual(a, b, delta=0.1 * b)

  def test_grain_of_a_grey_film_has_no_colour(self):
    clean, noisy = _film()
    # Even where the denoiser gave the film some.
    clean = clean + np.float32([0.01, 0, -0.01])
    found = grain.measure(noisy, clean, np.ones(clean.shape[:3], bool))
    made = grain.synthesise(found, noisy[0], np.random.default_rng(0))
    self.assertEqual(np.ptp(made, axis=-1).max(), 0)
    self.assertGreater(made.std(), 0.01)

  def test_damage_is_not_grain(self):
    clean, noisy = _film()
    intact = np.ones(clean.shape[:3], bool)
    intact[:, 40:44, 40:60] = False
    before = grain.measure(noisy, clean, intact)
    noisy[:, 40:44, 40:60] = 1
    after = grain.measure(noisy, clean, intact)
    np.testing.assert_array_equal(after.strength, before.strength)
    np.testing.assert_array_equal(after.kernels, before.kernels)

  def test_too_little_to_tell_is_refused(self):
    clean, noisy = _film(frames=1, size=(24, 256))
    self.assertIsNone(
        grain.measure(noisy, clean, np.ones(clean.shape[:3], bool)))
    clean, noisy = _film(frames=1)
    self.assertIsNone(
        grain.measure(noisy, clean, np.zeros(clean.shape[:3], bool)))


class OutputTest(absltest.TestCase):

  def test_denoised_pixels_get_their_share(self):
    clean, noisy = _film()
    for share in (0.5, 1.0):
      done = output.output(_clip(clean, noisy), mode='full', bits=16,
                           grain=share, sigma=0.03).output
      for t in range(2):
        a, b = (done - clean)[t, ..., 0], (noisy - clean)[t, ..., 0]
        self.assertBetween(a.std() / (share * b.std()), 0.9, 1.1)
        self.assertAlmostEqual(_lag(a), _lag(b), delta=0.1)
        # New grain, not what was taken out: that would be to denoise less.
        self.assertLess(abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]), 0.05)

  def test_fills_get_as_much_as_their_surroundings_have(self):
    clean, noisy = _film(blur=1.0)
    hole = (slice(None), slice(60, 130), slice(90, 180))
    for mode, strength, share in (
        ('full', 1.0, 0.7), ('full', 0.6, 0.5), ('repair', 0.0, 0.5)):
      clip = _clip(clean, noisy, strength=strength, hole=hole)
      if mode == 'repair':
        clip = clip.replace(origin=np.where(
            clip.damage > 0, clip.origin, 0).astype(np.uint8))
      done = output.output(
          clip, mode=mode, bits=16, grain=share, sigma=0.03).output
      rest = (done - clean)[..., 0]
      luma = clean[..., 0]
      bright = lambda x, y: x[y > 0.56].std()
      ratio = (bright(rest[hole], luma[hole])
               / bright(rest[:, 140:], luma[:, 140:]))
      self.assertBetween(ratio, 0.85, 1.15, mode)

  def test_none_leaves_the_output(self):
    clean, noisy = _film()
    codes = np.round(clean * 255).astype(np.float32) / np.float32(255)
    clip = _clip(codes, noisy).replace(output=codes)
    off = output.output(clip, mode='full', grain=0.0, sigma=0.03)
    # Dither is of half a code: what lies on the grid stays.
    np.testing.assert_array_equal(off.output, codes)
    on = output.output(clip, mode='full', grain=0.5, sigma=0.0)
    np.testing.assert_array_equal(on.output, codes)

  def test_repair_stays_inside_the_mask(self):
    clean, noisy = _film(size=(96, 128))
    noisy = np.round(noisy * 255).astype(np.float32) / np.float32(255)
    hole = (slice(None), slice(40, 50), slice(40, 60))
    clip = _clip(clean, noisy, hole=hole)
    clip = composite.composite(
        clip, mode='repair', strength=dict(dust=1, scratch=1, noise=1))
    done = output.output(clip, mode='repair', grain=1.0, sigma=0.03)
    outside = ~composite.damage_mask(clip)
    np.testing.assert_array_equal(done.output[outside], noisy[outside])
    self.assertGreater((done.output - clean)[hole].std(), 0.01)

  def test_same_seed_and_timestamp_same_grain_wherever_the_window_is(self):
    clean, noisy = _film()
    run = lambda c, **o: output.output(
        c, mode='full', grain=0.5, sigma=0.03, **o).output
    clip = _clip(clean, noisy)
    whole = run(clip)
    np.testing.assert_array_equal(run(clip), whole)
    self.assertGreater(np.abs(run(clip, seed=1) - whole).mean(), 0.005)
    part = clip.replace(**{
        k: v[2:] for k, v in vars(clip).items() if v is not None})
    # The same grain; its strength was measured on other frames.
    a, b = run(part)[0] - clean[2], whole[2] - clean[2]
    self.assertGreater(np.corrcoef(a.ravel(), b.ravel())[0, 1], 0.98)
    frames = (whole - clean)[:2, ..., 0].reshape(2, -1)
    self.assertLess(abs(np.corrcoef(frames)[0, 1]), 0.05)

  def test_without_a_denoiser_fills_get_the_noise_of_the_source(self):
    clean, noisy = _film()
    hole = (slice(None), slice(60, 130), slice(90, 180))
    clip = _clip(clean, noisy, strength=0.0, hole=hole)
    clip = clip.replace(restored=clip.output, origin=np.where(
        clip.damage > 0, clip.origin, 0).astype(np.uint8))
    done = output.output(clip, mode='full', bits=16, grain=1.0, sigma=0.03)
    self.assertAlmostEqual(
        (done.output - clean)[hole].std(), 0.03, delta=0.001)
    intact = ~composite.damage_mask(clip)
    np.testing.assert_allclose(
        done.output[intact], noisy[intact], atol=1 / 65535)


if __name__ == '__main__':
  absltest.main()
