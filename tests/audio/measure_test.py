"""Tests of audio/measure.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.audio import measure
from tests.audio import signals

_RATE = 22050


class MeasureTest(absltest.TestCase):

  def test_finds_what_was_put_in_however_it_comes(self):
    samples = signals.damage(signals.speech(8, _RATE), _RATE)
    found = measure.measure([samples], _RATE)
    self.assertEqual(found.samples, len(samples))
    self.assertAlmostEqual(found.clicks, 40, delta=12)
    self.assertAlmostEqual(found.hums[0].frequency, 50, delta=0.02)
    self.assertAlmostEqual(found.noise_level, -40, delta=2)
    self.assertEqual(found.clipped, 0)
    pieces = [samples[i:i + 777] for i in range(0, len(samples), 777)]
    again = measure.measure(pieces, _RATE)
    self.assertEqual(again.report(), found.report())

  def test_noise_that_nothing_stands_out_of_is_the_scene(self):
    found = measure.measure([signals.hiss((6 * _RATE, 1), 0.1)], _RATE)
    self.assertFalse(found.noise.any())
    self.assertEqual(found.noise_level, -np.inf)

  def test_silence_and_nothing(self):
    for count in (0, 1, 5 * _RATE):
      found = measure.measure([np.zeros((count, 2), np.float32)], _RATE)
      self.assertEqual(found.samples, count)
      self.assertEqual((found.clicks, found.clipped), (0, 0))
      self.assertEqual(found.loudness, -np.inf)


if __name__ == '__main__':
  absltest.main()
