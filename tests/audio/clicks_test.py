"""Tests of audio/clicks.py."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.audio import clicks
from tests.audio import signals


class ClicksTest(parameterized.TestCase):

  @parameterized.parameters(signals.speech, signals.music)
  def test_clean_sound_has_none(self, make):
    clean = make(4)
    for wave in clean.T:
      self.assertEqual(clicks.count(wave, signals.RATE), 0)
    np.testing.assert_array_equal(
        clicks.repair(clean, signals.RATE, 1.), clean)

  def test_they_go_and_nothing_else_changes(self):
    clean = signals.speech(4)
    burst, where = signals.clicks(clean.shape)
    repaired = clicks.repair(clean + burst, signals.RATE, 1.)
    self.assertGreater(signals.snr(clean, repaired),
                       signals.snr(clean, clean + burst) + 8)
    changed = repaired != clean + burst
    near = np.convolve(where[:, 0], np.ones(121), 'same') > 0
    self.assertFalse(np.any(changed[~near]))

  def test_half_the_strength_is_half_the_change(self):
    damaged = signals.speech(2) + signals.clicks((2 * signals.RATE, 1))[0]
    full, half, none = (
        clicks.repair(damaged, signals.RATE, s) for s in (1., 0.5, 0.))
    np.testing.assert_allclose(half, (full + damaged) / 2, atol=1e-6)
    self.assertIs(none, damaged)


if __name__ == '__main__':
  absltest.main()
