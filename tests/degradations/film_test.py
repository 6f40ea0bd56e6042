"""Tests that grain and weave on the output are those of the record."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special

from revive_jax.degradations import film
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0  # Diagonal: lengths as declared, whatever the size of the clip.


def _textured(shape, seed=0):
  """A smooth random clip, equal in all frames."""
  noise = jax.random.normal(jax.random.key(seed), (shape[0], shape[1], 3))
  spectrum = jnp.fft.fft2(noise, axes=(0, 1))
  ky = jnp.fft.fftfreq(shape[0])[:, None, None]
  kx = jnp.fft.fftfreq(shape[1])[None, :, None]
  low = jnp.exp(-200 * (ky**2 + kx**2))
  frame = jnp.fft.ifft2(spectrum * low, axes=(0, 1)).real
  return 0.5 + 0.12 * frame / frame.std()


class GrainTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.grain = staticmethod(
        jax.jit(lambda k, c, s: film.grain(k, c, s, diagonal=_FILM))
    )
    cls.grey = jnp.full((4, 128, 128, 3), 0.5)

  def test_deviation(self):
    for severity in (0.5, 1.0, 2.0):
      damaged, damage, record = self.grain(
          jax.random.key(0), self.grey, severity
      )
      found = np.std(damaged - self.grey, axis=(1, 2, 3))
      expected = record['sigma'] * film.tone_response(0.5)
      np.testing.assert_allclose(found, expected, rtol=0.02)
      np.testing.assert_allclose(
          record['sigma'], severity * 10 / 255, rtol=0.25
      )
      np.testing.assert_array_equal(damage, 0)

  def test_depends_on_the_tone(self):
    tones = jnp.linspace(0.2, 0.8, 4)[:, None, None, None]
    clip = jnp.broadcast_to(tones, (4, 128, 128, 3))
    damaged, _, record = self.grain(jax.random.key(1), clip, 0.5)
    found = np.std(damaged - clip, axis=(1, 2, 3)) / record['sigma']
    expected = film.tone_response(tones[:, 0, 0, 0])
    np.testing.assert_allclose(found, expected, rtol=0.03)
    self.assertLess(found[0], 0.9 * found[1])

  def test_correlated_in_space_not_in_time(self):
    damaged, _, record = self.grain(jax.random.key(2), self.grey, 1.0)
    noise = np.asarray(damaged - self.grey)[..., 0]
    power = (noise**2).mean()
    for axis in (1, 2):
      for lag in (1, 2):
        found = (noise * np.roll(noise, lag, axis)).mean() / power
        # The autocorrelation of the discrete Gaussian kernel.
        expected = scipy.special.ive([lag, 0], 2 * record['size'] ** 2)
        expected = expected[0] / expected[1]
        self.assertAlmostEqual(found, expected, delta=0.02)
    self.assertLess(abs((noise[1:] * noise[:-1]).mean() / power), 0.02)

  def test_grey_stays_grey_and_layers_correlate_as_recorded(self):
    damaged, _, record = self.grain(jax.random.key(3), self.grey, 1.0)
    self.assertEqual(record['correlation'], 1)
    self.assertLess(np.ptp(damaged, axis=-1).max(), 1e-6)
    colour = self.grey * jnp.array([1.0, 0.9, 1.1]).reshape(1, 1, 1, 3)
    damaged, _, record = self.grain(jax.random.key(3), colour, 1.0)
    found = np.corrcoef(np.asarray(damaged - colour).reshape(-1, 3).T)
    for i, j in ((0, 1), (0, 2), (1, 2)):
      self.assertAlmostEqual(found[i, j], record['correlation'], delta=0.02)


class WeaveTest(absltest.TestCase):

  def test_displacement_is_as_recorded(self):
    frame = _textured((64, 64))
    clip = jnp.broadcast_to(frame, (6, 64, 64, 3))
    damaged, damage, record = film.weave(
        jax.random.key(0), clip, jnp.float32(1.0), diagonal=_FILM
    )
    np.testing.assert_array_equal(damage, 0)
    window = np.hanning(64)[:, None] * np.hanning(64)[None, :]
    spectrum = lambda x: np.fft.fft2((np.asarray(x[..., 1]) - 0.5) * window)
    ky, kx = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(64)] * 2, indexing='ij')
    slow = np.hypot(ky, kx) < 0.4
    for t in range(6):
      cross = spectrum(damaged[t]) * np.conj(spectrum(clip[t]))
      weight = np.abs(cross[slow])
      phase = np.angle(cross[slow])  # Phase correlation: -k * shift.
      design = -np.stack([ky[slow], kx[slow]], 1) * weight[:, None]
      found, *_ = np.linalg.lstsq(design, phase * weight, rcond=None)
      # The window holds on to what it shows: the estimate is a bit short.
      np.testing.assert_allclose(found, record['shift'][t], atol=0.1)

  def test_deviation_follows_severity(self):
    clip = jnp.zeros((40, 2, 2, 3))
    light, heavy = (
        film.weave(jax.random.key(1), clip, jnp.float32(s), diagonal=_FILM)
        for s in (0.5, 2.0)
    )
    np.testing.assert_allclose(
        heavy[2]['shift'], 4 * light[2]['shift'], rtol=1e-5
    )

  def test_damage_moves_along(self):
    damage = jnp.zeros((1, 16, 16, 1)).at[0, 8, 8].set(1)
    moved = film.move_damage(damage, jnp.array([[2.0, -3.0]]))
    self.assertEqual(moved[0, 10, 5, 0], 1)
    self.assertEqual(moved.sum(), 1)
    moved = film.move_damage(damage, jnp.array([[0.0, 0.5]]))
    np.testing.assert_array_equal(np.nonzero(moved[0, 8, :, 0])[0], [8, 9])


if __name__ == '__main__':
  absltest.main()
