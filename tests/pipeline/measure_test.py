"""Tests of pipeline/measure.py, shots.py and choose.py."""

from absl.testing import absltest
import cv2
import numpy as np
import skimage

from revive_jax.pipeline import choose, measure
from tests.pipeline import clips


def _codes(film):
  return np.round(np.clip(film, 0, 1) * 255).astype(np.uint8)


def _noisy(film, sigma, seed=0):
  noise = np.random.default_rng(seed).standard_normal(film.shape[:3])
  return film + sigma * noise[..., None].astype(np.float32)


class MeasureTest(absltest.TestCase):

  def test_noise_and_cuts(self):
    film = np.concatenate([clips.panning(8, seed=0), clips.panning(9, seed=3)])
    shots, count = measure.measure(
        iter(_codes(_noisy(film, 0.04))), frame_rate=24.0)
    self.assertEqual(count, 17)
    self.assertEqual([(s.start, s.stop) for s in shots], [(0, 8), (8, 17)])
    for s in shots:
      self.assertAlmostEqual(s.noise, 0.04, delta=0.008)
      self.assertBetween(s.key_frame, s.start, s.stop - 1)

  def test_flicker_is_no_cut_and_is_measured(self):
    gain = np.exp(0.1 * np.random.default_rng(0).standard_normal(20))
    film = clips.panning(20) * gain[:, None, None, None].astype(np.float32)
    shots, _ = measure.measure(iter(_codes(film * 0.9)), frame_rate=24.0)
    self.assertLen(shots, 1)
    self.assertAlmostEqual(shots[0].flicker, np.log(gain).std(), delta=0.03)

  def test_no_frames(self):
    self.assertEqual(measure.measure(iter(()), frame_rate=24.0), ([], 0))


class ChooseTest(absltest.TestCase):

  def _plan(self, film, **options):
    shots, _ = measure.measure(iter(_codes(film)), frame_rate=24.0)
    strength = dict.fromkeys(choose.KINDS, 1.0) | options.pop('strength', {})
    settings = dict(mode='full', strength=strength, stages=('auto',),
                    output=dict(bits=8, grain=0.0), fill='temporal_median',
                    inpaint='telea', denoiser='auto', seed=0, marked=False)
    return choose.choose(shots[0], **(settings | options))

  def test_noise_is_treated_where_there_is_noise(self):
    film = clips.panning(7)
    options = {s.name: s.options for s in self._plan(film).stages}
    self.assertEqual(options['classical']['denoiser'], 'none')
    options = {s.name: s.options for s in self._plan(_noisy(film, 0.05)).stages}
    self.assertEqual(options['classical']['denoiser'], 'temporal')
    self.assertEqual(options['composite']['strength']['noise'], 1.0)

  def test_all_off_runs_nothing_but_the_frame(self):
    off = dict.fromkeys(choose.KINDS, 0.0)
    names = [s.name for s in self._plan(
        _noisy(clips.panning(7), 0.05), strength=off).stages]
    self.assertEqual(names, ['composite', 'output'])

  def test_repair_never_denoises_or_tones(self):
    plan = self._plan(_noisy(clips.panning(7), 0.05), mode='repair')
    options = {s.name: s.options for s in plan.stages}
    self.assertEqual(options['composite']['strength']['noise'], 0.0)
    self.assertEqual(plan.levels, 0.0)

  def test_deflicker_alone_beside_a_network_still_matches(self):
    gain = np.exp(0.1 * np.random.default_rng(0).standard_normal(20))
    film = 0.9 * clips.panning(20) * gain[:, None, None, None]
    off = dict(dust=0.0, scratch=0.0, noise=0.0)
    names = [s.name for s in self._plan(
        film.astype(np.float32), strength=off, learned=True).stages]
    self.assertEqual(
        names, ['preprocess', 'match', 'composite', 'optimise', 'output'])

  def test_a_crack_is_repaired_however_it_is_called(self):
    photo = clips.texture(160, 200)[None].copy()
    for i in range(150):  # As high and thin as a scratch.
      photo[0, 5 + i, 60 + i // 8:63 + i // 8] = 0.98
    options = {s.name: s.options
               for s in self._plan(photo, learned=True).stages}
    self.assertGreater(options['composite']['strength']['scratch'], 0)
    self.assertGreater(options['composite']['strength']['dust'], 0)

  def test_soft_film_is_sharpened_beside_a_network_unless_it_is_grainy(self):
    photo = skimage.data.astronaut().astype(np.float32) / 255
    photo = cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA)
    film = np.stack([np.roll(photo, t, 1) for t in range(7)])
    soft = np.stack([cv2.GaussianBlur(f, (0, 0), 1.2) for f in film])
    for pictures, least, most in (
        (film, 0.0, 0.0), (soft, 0.3, 1.0), (_noisy(soft, 0.05), 0.0, 0.0)):
      options = {s.name: s.options
                 for s in self._plan(pictures, learned=True).stages}
      strength = options.get('optimise', {}).get('sharpen', 0.0)
      self.assertBetween(strength, least, most)

  def test_every_stage_says_why(self):
    for stage in self._plan(_noisy(clips.panning(7), 0.05)).stages:
      self.assertGreater(len(stage.why), 5)


if __name__ == '__main__':
  absltest.main()
