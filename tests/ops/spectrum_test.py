"""Tests of ops/spectrum.py."""

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from revive_jax.ops import spectrum


class PhaseCorrelationTest(parameterized.TestCase):

  def test_finds_shifts_in_grain(self):
    rng = np.random.default_rng(0)
    wide = ndimage.gaussian_filter(rng.random((80, 100)), 1.5)
    wide = (wide - wide.mean()) / wide.std() / 8 + 0.5
    this, other = [], []
    shifts = [(0, 0), (5, -3), (-8, 2)]
    for dx, dy in shifts:
      this.append(wide[10:58, 10:74])
      # other[y + dy, x + dx] == this[y, x].
      other.append(wide[10 - dy:58 - dy, 10 - dx:74 - dx])
    this, other = (np.float32(x) for x in (this, other))
    grain = lambda: 0.04 * rng.standard_normal(this.shape).astype('f')
    found = spectrum.phase_correlation(
        jnp.asarray(this + grain()), jnp.asarray(other + grain()))
    np.testing.assert_allclose(found, shifts, atol=1)

  @parameterized.parameters((8, 24), (9, 15), (136, 240))
  def test_transforms_as_products(self, height, width):
    x = np.random.default_rng(0).standard_normal((2, height, width), np.float32)
    wanted = np.fft.rfft2(x)
    found = spectrum.rfft2_as_products(jnp.asarray(x))
    np.testing.assert_allclose(
        found, wanted, atol=2e-6 * np.abs(wanted).max())
    np.testing.assert_allclose(
        spectrum.irfft2_as_products(found, s=(height, width)), x, atol=1e-5)

  def test_planes_that_show_nothing(self):
    flat = jnp.full((1, 16, 24), 0.5)
    self.assertTrue(np.isfinite(
        spectrum.phase_correlation(flat, flat)).all())


if __name__ == '__main__':
  absltest.main()
