"""Tests of audio/level.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.audio import level


class LevelTest(absltest.TestCase):

  def test_a_tone_measures_what_ebu_tech_3341_says(self):
    # Case 1: stereo, 1 kHz, -23 dB of full scale: -23 LUFS, within 0.1.
    time = np.arange(5 * 48000 + 7) / 48000
    tone = np.float32(10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * time))
    meter = level.Meter(48000, 'stereo')
    for part in np.array_split(np.stack([tone, tone], 1), 3):
      meter.add(part)
    meter.finish()
    self.assertAlmostEqual(meter.loudness, -23, delta=0.1)
    self.assertAlmostEqual(meter.peak, 10 ** (-23 / 20), places=4)

  def test_gain(self):
    # 10 LU too quiet, with room: 10 dB; half of it at half the strength.
    self.assertAlmostEqual(level.gain(1., -33., 0.1), 10 ** 0.5)
    self.assertAlmostEqual(level.gain(0.5, -33., 0.1), 10 ** 0.25)
    # Its peak at -3 dB: 2 dB, up to -1 dB. Already over that: none.
    self.assertAlmostEqual(
        level.gain(1., -33., 10 ** -0.15), 10 ** 0.1)
    self.assertEqual(level.gain(1., -33., 1.), 1)
    self.assertAlmostEqual(level.gain(1., -13., 1.), 10 ** -0.5)

  def test_silence_stays(self):
    self.assertEqual(level.gain(1., -np.inf, 0.), 1)
    self.assertEqual(level.gain(0., -60., 0.1), 1)


if __name__ == '__main__':
  absltest.main()
