"""Tests of audio/repair.py."""

import subprocess
import sys

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax import types
from revive_jax.audio import blocks, measure, repair
from tests.audio import signals

_LONG = """
import resource, sys
from revive_jax.audio import blocks, measure, repair
from tests.audio import signals
part = signals.damage(signals.speech(30, 8000), 8000)
track = lambda: (part for _ in range(2 * int(sys.argv[1])))
measured = measure.measure(track(), 8000)
plan = repair.plan(measured, repair.DEFAULT)
count = sum(map(len, blocks.overlapped(
    track(), repair.repairer(measured, plan), size=16 * blocks.GRID,
    reach=repair.reach(measured, plan))))
assert count == measured.samples == int(sys.argv[1]) * 60 * 8000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


class RepairTest(parameterized.TestCase):

  @parameterized.parameters(signals.speech, signals.music)
  def test_noise_hum_and_clicks_go_and_the_sound_stays(self, make):
    clean = make()
    damaged = signals.damage(clean)
    repaired = repair.repair(damaged, signals.RATE)
    before, after = (signals.snr(clean, s) for s in (damaged, repaired))
    self.assertEqual(repaired.shape, clean.shape)
    self.assertEqual(repaired.dtype, np.float32)
    # The target is 5 dB; 12.7 dB (speech) and 11.2 dB (music) were measured.
    self.assertGreater(after, before + 9)
    self.assertGreater(after, 18)

  @parameterized.parameters(signals.speech, signals.music)
  def test_clean_sound_stays_to_the_bit(self, make):
    clean = make()
    self.assertIs(repair.repair(clean, signals.RATE), clean)
    forced = repair.repair(clean, signals.RATE, dict(
        clicks=1., hum=1., hiss=1., clipping=1.))
    self.assertGreater(signals.snr(clean, forced), 40)

  def test_borders_of_blocks_leave_no_trace(self):
    samples = np.clip(signals.damage(signals.speech(7)), -0.45, 0.45)
    measured = measure.measure([samples], signals.RATE)
    plan = repair.plan(measured, dict(clipping=1.))
    self.assertGreater(min(plan.strengths[n] for n in repair.REPAIRS[:4]), 0)
    change = repair.repairer(measured, plan)
    parts = list(blocks.overlapped(
        [samples], change, size=blocks.GRID,
        reach=repair.reach(measured, plan)))
    # The stated bound is 1e-6 of full scale; 0 was measured.
    np.testing.assert_allclose(
        np.concatenate(parts), change(samples, 0), rtol=0, atol=1e-6)

  def test_drawn_peaks_are_kept_in_full_scale(self):
    plan = repair.Plan(dict.fromkeys(repair.REPAIRS, 1.), {})
    self.assertAlmostEqual(repair.within(plan, 1.96).gain, 0.5)
    self.assertIs(repair.within(plan, 0.9), plan)

  @parameterized.parameters(
      dict(clicks=2), dict(hum='full'), dict(hiss=True), dict(echo=1.))
  def test_other_settings_are_refused(self, **settings):
    with self.assertRaises(types.BadInput):
      repair.check(settings)

  @pytest.mark.slow
  def test_memory_does_not_grow_with_the_track(self):
    short, long = (
        float(subprocess.run(
            [sys.executable, '-c', _LONG, str(minutes)], check=True,
            capture_output=True, text=True).stdout) for minutes in (2, 20))
    # Mebibytes; 20 minutes at 8 kHz are 37. 17 were measured.
    self.assertLess(long, short + 30)


if __name__ == '__main__':
  absltest.main()
