"""Tests of audio/hum.py."""

from absl.testing import absltest, parameterized
import numpy as np
from scipy import signal

from revive_jax.audio import hum, measure
from tests.audio import signals

_RATE = 22050


def _find(samples):
  return measure.measure([samples], _RATE).hums


class HumTest(parameterized.TestCase):

  @parameterized.parameters(50., 60., 49.4)
  def test_found_by_measurement(self, frequency):
    samples = signals.speech(8, _RATE) + signals.hum(
        8 * _RATE, _RATE, frequency)
    (found,) = _find(samples)
    self.assertAlmostEqual(found.frequency, frequency, delta=0.02)
    self.assertContainsSubset((1, 2, 3), found.partials)
    self.assertAlmostEqual(found.amplitudes[0], 0.03, delta=0.002)

  def test_better_than_notches_and_without_delay(self):
    clean = signals.music(8, _RATE)[:, :1]
    samples = clean + signals.hum(len(clean), _RATE)
    hums = _find(samples)
    notched = np.float64(samples[:, 0])
    for partial in hums[0].partials:
      pitch = partial * hums[0].frequency
      notched = signal.filtfilt(
          *signal.iirnotch(pitch, pitch / 2, _RATE), notched)
    repaired = hum.repair(samples, _RATE, 1., hums)
    self.assertGreater(signals.snr(clean, repaired),
                       signals.snr(clean[:, 0], notched))
    self.assertGreater(signals.snr(clean, repaired), 18)

  def test_a_loud_note_of_the_same_pitch_stays(self):
    time = np.arange(20 * _RATE) / _RATE
    note = np.where((time > 8) & (time < 10), 0.3, 0) * np.sin(
        2 * np.pi * 100 * time)
    samples = signals.hum(20 * _RATE, _RATE) + np.float32(note[:, None])
    hums = _find(samples)
    self.assertIn(2, hums[0].partials)
    repaired = hum.repair(samples, _RATE, 1., hums)[:, 0]
    middle = slice(int(8.9 * _RATE), int(9.1 * _RATE))
    ratio = np.std(repaired[middle]) / np.std(note[middle])
    self.assertGreater(ratio, 0.85)  # A notch would leave next to nothing.

  @parameterized.parameters(signals.speech, signals.music)
  def test_sound_has_none(self, make):
    samples = make(8, _RATE)
    hums = _find(samples)
    self.assertEqual(hums, (hum.NONE,) * samples.shape[1])
    self.assertIs(hum.repair(samples, _RATE, 1., hums), samples)


if __name__ == '__main__':
  absltest.main()
