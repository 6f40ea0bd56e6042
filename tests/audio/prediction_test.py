"""Tests of audio/prediction.py."""

from absl.testing import absltest
import numpy as np
from scipy import linalg

from revive_jax.audio import prediction


class PredictionTest(absltest.TestCase):

  def test_coefficients_are_scipys(self):
    windows = np.random.default_rng(0).normal(size=(2, 512)).cumsum(1)
    found = prediction.coefficients(windows, 8)
    for window, row in zip(windows, found, strict=True):
      tapered = window * np.hanning(512)
      lags = np.correlate(tapered, tapered, 'full')[511:520]
      lags[0] *= 1 + 1e-8
      solved = linalg.solve_toeplitz(lags[:8], -lags[1:])
      np.testing.assert_allclose(row, [1, *solved], atol=1e-3)

  def test_a_gap_in_a_chord_is_filled_and_the_rest_kept(self):
    time = np.arange(4000) / 44100
    wave = np.sin(2 * np.pi * 440 * time) + 0.5 * np.cos(2 * np.pi * 990 * time)
    missing = np.zeros(4000, bool)
    missing[2030:2060] = True  # Across a border of the grid.
    found = prediction.fill(np.where(missing, 0, wave), missing)
    np.testing.assert_array_equal(found[~missing], wave[~missing])
    np.testing.assert_allclose(found[missing], wave[missing], atol=2e-3)


if __name__ == '__main__':
  absltest.main()
