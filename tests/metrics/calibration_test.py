"""Tests of metrics/calibration.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.metrics import calibration

Calibration = calibration.Calibration


def _drawn(count=200_000, seed=0, scale=1.0):
  """Errors drawn with deviations between 0.01 and 0.3, and those."""
  rng = np.random.default_rng(seed)
  sigma = np.exp(rng.uniform(np.log(0.01), np.log(0.3), count))
  return rng.normal(0, scale * sigma), sigma


class RiskTest(absltest.TestCase):

  def test_by_hand(self):
    # Sure: errors 0.1, 0.1; unsure: 0.2, 0.4.
    found = calibration.risk(Calibration.of(
        [0.1, -0.1, 0.2, 0.4], [0.01, 0.012, 0.1, 0.2]), points=4)
    np.testing.assert_allclose(found.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(
        found.predicted, [0.01, 0.01, 0.02, 0.055], rtol=1e-6)
    np.testing.assert_allclose(found.predicted, found.oracle)
    self.assertAlmostEqual(found.random_area, 0.055)
    self.assertAlmostEqual(found.area, 0.095 / 4)
    self.assertAlmostEqual(found.gained, 1)

  def test_against_sorting(self):
    error, sigma = _drawn(20_000)
    found = calibration.risk(Calibration.of(error, sigma))
    for key, curve in ((sigma, found.predicted), (np.abs(error), found.oracle)):
      square = error[np.argsort(key)] ** 2
      for share in (0.1, 0.5, 0.9):
        expected = square[:round(share * len(error))].mean()
        np.testing.assert_allclose(
            curve[round(100 * share) - 1], expected, rtol=0.03)
    # It falls as the least sure are withheld.
    self.assertTrue((np.diff(found.predicted[9::10]) > 0).all())
    self.assertBetween(found.gained, 0.3, 1)

  def test_what_says_nothing_gains_nothing(self):
    error, sigma = _drawn()
    mixed = np.random.default_rng(1).permutation(sigma)
    found = calibration.risk(Calibration.of(error, mixed))
    self.assertLess(abs(found.gained), 0.02)

  def test_parts_merge(self):
    error, sigma = _drawn(1000)
    whole = Calibration.of(error, sigma)
    parts = Calibration.of(error[:300], sigma[:300]).merge(
        Calibration.of(error[300:], sigma[300:]))
    for a, b in zip(whole, parts, strict=True):
      np.testing.assert_allclose(a, b)


class ReliabilityTest(absltest.TestCase):

  def test_true_deviations_are_calibrated(self):
    found = Calibration.of(*_drawn())
    self.assertAlmostEqual(found.temperature, 1, delta=0.01)
    line = calibration.reliability(found)
    np.testing.assert_allclose(line.observed, line.predicted, rtol=0.05)
    self.assertLess(line.relative_error, 0.02)
    self.assertAlmostEqual(line.share.sum(), 1)

  def test_too_sure_is_found_and_mended(self):
    found = Calibration.of(*_drawn(scale=2.0))
    self.assertAlmostEqual(found.temperature, 2, delta=0.02)
    self.assertAlmostEqual(
        calibration.reliability(found).relative_error, 1, delta=0.03)
    other = Calibration.of(*_drawn(seed=1, scale=2.0))
    self.assertLess(calibration.reliability(
        other, temperature=found.temperature).relative_error, 0.03)

  def test_by_hand(self):
    # Two bins: predicted 0.1, observed 0.2; predicted 0.3, observed 0.3.
    found = calibration.reliability(
        Calibration.of([0.2, 0.2, 0.3, -0.3], [0.1, 0.1, 0.3, 0.3]), bins=2)
    np.testing.assert_allclose(found.predicted, [0.1, 0.3])
    np.testing.assert_allclose(found.observed, [0.2, 0.3])
    self.assertAlmostEqual(found.error, 0.05)
    self.assertAlmostEqual(found.relative_error, 0.5)

  def test_refuses_other_shapes(self):
    with self.assertRaisesRegex(ValueError, '2 errors, 3 deviations'):
      Calibration.of([1, 2], [1, 2, 3])
    for sigma in (0.0, -1.0, np.nan):
      with self.assertRaisesRegex(ValueError, 'not above 0'):
        Calibration.of([0.1, 0.2], [0.1, sigma])

  def test_a_mask_leaves_the_rest_out(self):
    error, sigma = _drawn(1000)
    mask = np.arange(1000) < 300
    sigma[~mask] = 0
    for a, b in zip(Calibration.of(error, sigma, mask),
                    Calibration.of(error[:300], sigma[:300]), strict=True):
      np.testing.assert_array_equal(a, b)


if __name__ == '__main__':
  absltest.main()
