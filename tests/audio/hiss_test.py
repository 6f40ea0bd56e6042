"""Tests of audio/hiss.py."""

import fractions

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax.audio import hiss
from tests.audio import signals

_RATE = signals.RATE


def _afftdn(wave, level):
  """Returns wave [N] as FFmpeg's filter makes it, its delay of 25 ms undone."""
  graph = av.filter.Graph()
  unit = fractions.Fraction(1, _RATE)
  source = graph.add_abuffer(
      sample_rate=_RATE, format='fltp', layout='mono', time_base=unit)
  noise = graph.add('afftdn', f'nf={20 * np.log10(level):.0f}:nr=24')
  sink = graph.add('abuffersink')
  source.link_to(noise)
  noise.link_to(sink)
  graph.configure()
  frame = av.AudioFrame.from_ndarray(wave[None].copy(), 'fltp', 'mono')
  frame.sample_rate, frame.pts, frame.time_base = _RATE, 0, unit
  source.push(frame)
  source.push(None)
  parts = []
  while True:
    try:
      parts.append(sink.pull().to_ndarray()[0])
    except (av.BlockingIOError, av.EOFError):
      return np.concatenate(parts)[_RATE // 40:]


class HissTest(parameterized.TestCase):

  @parameterized.parameters((signals.speech, 0.003), (signals.music, 0.01))
  def test_measured_under_the_sound(self, make, level):
    samples = make(6) + signals.hiss((6 * _RATE, 1), level)
    noise = hiss.noise_power(samples[:, 0], _RATE)
    self.assertAlmostEqual(
        hiss.decibels(noise, _RATE), 20 * np.log10(level), delta=1)

  def test_no_worse_than_afftdn_and_without_its_delay(self):
    clean = signals.speech()
    samples = clean + signals.hiss(clean.shape, 0.01)
    noise = hiss.noise_power(samples[:, 0], _RATE)
    repaired = hiss.repair(samples, _RATE, 1., noise[None, None])
    theirs = _afftdn(samples[:, 0], 0.01)
    after = signals.snr(clean, repaired)
    self.assertGreater(
        after, signals.snr(clean[:len(theirs), 0], theirs) + 0.5)
    self.assertGreater(after, signals.snr(clean, samples) + 8)

  def test_never_more_than_24_decibels(self):
    power = np.random.default_rng(0).exponential(size=(50, 65))
    for strength, decibels in ((1., 24), (0.5, 12)):
      gains = hiss.gains(power, np.ones((1, 65)), strength)
      self.assertAlmostEqual(
          20 * np.log10(gains.min()), -decibels, places=4)
      self.assertLessEqual(gains.max(), 1)

  def test_silence_and_strength_0_change_nothing(self):
    samples = signals.speech(2)
    noise = hiss.noise_power(samples[:, 0], _RATE)
    self.assertFalse(noise.any())  # Its pauses are silent.
    self.assertIs(hiss.repair(samples, _RATE, 1., noise[None, None]), samples)
    self.assertIs(
        hiss.repair(samples, _RATE, 0., noise[None, None] + 1), samples)


if __name__ == '__main__':
  absltest.main()
