"""Tests of audio/clipping.py."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.audio import clipping
from tests.audio import signals


class ClippingTest(parameterized.TestCase):

  @parameterized.parameters(signals.speech, signals.music)
  def test_peaks_are_drawn_again_and_the_rest_kept(self, make):
    clean = make(3)[:, :1]
    cut = np.float32(np.round(np.clip(clean, -.3, .3) * 32768) / 32768)
    limits, peaks = clipping.count(cut[:, 0])
    np.testing.assert_allclose(limits, 0.3, atol=1e-4)
    self.assertGreater(peaks.sum(), 10)
    repaired = clipping.repair(cut, 1., limits[None])
    self.assertGreater(
        signals.snr(clean, repaired), signals.snr(clean, cut) + 8)
    under = np.abs(cut) < 0.2999
    np.testing.assert_array_equal(repaired[under], cut[under])
    self.assertTrue(np.all(np.abs(repaired[~under]) >= 0.2999))

  @parameterized.parameters(20., 440.)
  def test_a_full_sine_is_not_clipped(self, pitch):
    time = np.arange(44100) / 44100
    wave = np.sin(2 * np.pi * pitch * time)
    wave = np.float32(np.round(32767 * wave) / 32768)
    self.assertEqual(clipping.count(wave)[1].sum(), 0)

  def test_sound_without_limits_stays(self):
    samples = signals.speech(1)
    none = np.full((1, 2), np.inf)
    self.assertIs(clipping.repair(samples, 1., none), samples)
    self.assertIs(clipping.repair(samples, 0., np.full((1, 2), 0.1)), samples)


if __name__ == '__main__':
  absltest.main()
