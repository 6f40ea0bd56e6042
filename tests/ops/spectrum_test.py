"""Tests of ops/spectrum.py."""

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from revive_jax.ops import spectrum


class PhaseCorrelationTest(absltest.TestCase):

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

  def test_planes_that_show_nothing(self):
    flat = jnp.full((1, 16, 24), 0.5)
    self.assertTrue(np.isfinite(
        spectrum.phase_correlation(flat, flat)).all())


if __name__ == '__main__':
  absltest.main()
