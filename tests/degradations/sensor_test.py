"""Tests that blur, noise and lost detail are those of the record."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import sensor
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0


def _impulses(frames=3, size=41):
  clip = jnp.zeros((frames, size, size, 3))
  return clip.at[:, size // 2, size // 2].set(1.0)


def _moments(frame):
  """Covariance [2, 2] (x, y) of a picture taken as a density."""
  y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
  points = np.stack([x.ravel(), y.ravel()])
  return np.cov(points, aweights=np.maximum(frame.ravel(), 0), ddof=0)


class BlurTest(absltest.TestCase):

  def test_width_by_the_second_moment(self):
    clip = _impulses()
    run = jax.jit(
        lambda s: sensor.blur(
            jax.random.key(0), clip, s, diagonal=_FILM, jitter=0.1,
            sigma=(1.0, 1.0))
    )
    for severity in (0.4, 1.0, 2.0):
      damaged, damage, record = run(severity)
      for t in range(3):
        covariance = _moments(np.asarray(damaged[t, ..., 1]))
        sigma = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(sigma, record['sigma'][t], rtol=0.01)
      np.testing.assert_allclose(damaged.sum((1, 2)), 1, rtol=1e-5)
      np.testing.assert_array_equal(damage, 0)

  def test_width_follows_severity_and_diagonal(self):
    clip = jnp.zeros((2, 8, 8, 3))
    run = lambda s, d: sensor.blur(
        jax.random.key(0), clip, jnp.float32(s), diagonal=d)[2]['sigma']
    np.testing.assert_allclose(run(1.0, _FILM), 0.8, rtol=2e-3)
    np.testing.assert_allclose(run(0.5, _FILM), 0.4, rtol=2e-3)
    np.testing.assert_allclose(run(2.0, 2 * _FILM), 3.2, rtol=2e-3)

  def test_anisotropic_widths_and_angle(self):
    run = jax.jit(
        lambda k: sensor.anisotropic_blur(
            k, _impulses(2), jnp.float32(1.0), diagonal=_FILM, sigma=(1.0, 3.0))
    )
    for seed in range(3):
      damaged, _, record = run(jax.random.key(seed))
      for t in range(2):
        values, vectors = np.linalg.eigh(
            _moments(np.asarray(damaged[t, ..., 0]))
        )
        expected = record['sigma_short'][t], record['sigma_long'][t]
        np.testing.assert_allclose(np.sqrt(values), expected, rtol=0.03)
        if expected[1] > 1.2 * expected[0]:
          angle = np.arctan2(vectors[1, 1], vectors[0, 1])
          error = angle - record['angle'][t]
          self.assertLess(abs(np.sin(error)), 0.05)


class NoiseTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.grey = jnp.full((3, 96, 96, 3), 0.5)

  def test_white_noise(self):
    run = jax.jit(lambda k, s: sensor.white_noise(k, self.grey, s))
    seen = set()
    for seed, severity in enumerate((0.5, 1.0, 2.0, 1.0, 1.0)):
      damaged, damage, record = run(jax.random.key(seed), severity)
      noise = np.asarray(damaged - self.grey)
      np.testing.assert_allclose(
          noise.std((1, 2, 3)), record['sigma'], rtol=0.03
      )
      np.testing.assert_allclose(record['sigma'], severity * 10 / 255, rtol=0.2)
      between = np.corrcoef(noise.reshape(-1, 3).T)[0, 1]
      self.assertAlmostEqual(between, float(record['grey']), delta=0.05)
      for axis in (0, 1, 2):
        shifted = np.roll(noise, 1, axis)
        self.assertLess(abs((noise * shifted).mean()) / noise.var(), 0.03)
      np.testing.assert_array_equal(damage, 0)
      seen.add(bool(record['grey']))
    self.assertLen(seen, 2)

  def test_poisson_variance_goes_with_the_tone(self):
    run = jax.jit(lambda c, s: sensor.poisson_noise(jax.random.key(0), c, s))
    for severity in (0.5, 1.0, 2.0):
      for x in (0.2, 0.5, 0.7):
        damaged, _, record = run(jnp.full((3, 96, 96, 3), x), severity)
        noise = np.asarray(damaged) - x
        variance = x / np.asarray(record['photons'])
        np.testing.assert_allclose(noise.var((1, 2, 3)), variance, rtol=0.05)
        self.assertLess(abs(noise.mean()), 0.002)
        skewness = (noise**3).mean() / noise.var() ** 1.5
        expected = 1 / np.sqrt(x * np.mean(record['photons']))
        self.assertAlmostEqual(skewness, expected, delta=0.04)
    black, _, _ = run(jnp.zeros((1, 8, 8, 3)), 1.0)
    self.assertLess(np.abs(black).max(), 1e-4)


class RescaleTest(absltest.TestCase):

  def test_fine_detail_is_lost_and_coarse_is_kept(self):
    x = jnp.arange(64)
    fine = 0.5 + 0.3 * jnp.cos(2 * jnp.pi * 0.42 * x)  # Cycles per pixel.
    coarse = 0.5 + 0.3 * jnp.cos(2 * jnp.pi * x / 32)
    run = jax.jit(lambda k, c, s: sensor.rescale(k, c, s))
    spread = lambda a: float(np.std(a[0, 20:44, 20:44, 0]))
    seen = set()
    for seed in range(8):
      key = jax.random.key(seed)
      for wave, low, high in ((fine, 0.0, 0.3), (coarse, 0.8, 1.05)):
        clip = jnp.broadcast_to(wave[None, None, :, None], (1, 64, 64, 3))
        damaged, damage, record = run(key, clip, 1.0)
        self.assertBetween(spread(damaged) / spread(clip), low, high)
        np.testing.assert_array_equal(damage, 0)
      self.assertEqual(record['factor'], 2)
      seen.add(int(record['kernel']))
    self.assertEqual(seen, {0, 1, 2})

  def test_nearest_shows_squares_of_the_factor(self):
    clip = jax.random.uniform(jax.random.key(0), (1, 32, 32, 3))
    run = jax.jit(lambda k: sensor.rescale(k, clip, jnp.float32(3.0)))
    for seed in range(20):
      damaged, _, record = run(jax.random.key(seed))
      if record['kernel'] == 0:
        blocks = np.asarray(damaged).reshape(8, 4, 8, 4, 3)
        self.assertEqual(record['factor'], 4)
        self.assertLess(np.ptp(blocks, axis=(1, 3)).max(), 1e-5)
        return
    self.fail('Nearest was never drawn.')

  def test_severity_zero_changes_nothing(self):
    clip = jax.random.uniform(jax.random.key(0), (1, 16, 16, 3))
    for seed in range(4):
      damaged, _, _ = sensor.rescale(
          jax.random.key(seed), clip, jnp.float32(0.0))
      np.testing.assert_allclose(damaged, clip, atol=1e-5)


class MotionAndDefocusTest(absltest.TestCase):

  def test_widths_by_the_second_moment(self):
    """Of a line of length l: l^2 / 12 along it; of a disc: r^2 / 4 each way."""
    y, x = np.mgrid[:41, :41] - 20
    blob = np.exp(-(x**2 + y**2) / (2 * 1.5**2)).astype(np.float32)
    clip = jnp.broadcast_to(blob[None, ..., None], (3, 41, 41, 3))
    run = jax.jit(lambda s: (
        sensor.motion_blur(jax.random.key(0), clip, s, diagonal=_FILM,
                           length=(6.0, 6.0)),
        sensor.defocus(jax.random.key(0), clip, s, diagonal=_FILM,
                       radius=(3.0, 3.0))))
    before = _moments(blob)
    for severity in (0.5, 1.0, 2.0):
      moved, soft = jax.tree.map(np.asarray, run(severity))
      for t in range(3):
        angle, length = moved[2]['angle'][t], moved[2]['length'][t]
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-np.sin(angle), np.cos(angle)])
        change = _moments(moved[0][t, ..., 0]) - before
        self.assertAlmostEqual(
            along @ change @ along, length**2 / 12 + 0.4**2,
            delta=0.05 * length)
        self.assertAlmostEqual(across @ change @ across, 0.4**2, delta=0.1)
        found = np.diag(_moments(soft[0][t, ..., 0]) - before)
        np.testing.assert_allclose(
            found, soft[2]['radius'][t] ** 2 / 4, rtol=0.1,
            atol=0.2)  # Its edge is one pixel wide.

  def test_flat_pictures_and_severity_zero_stay(self):
    clip = jax.random.uniform(jax.random.key(0), (2, 16, 24, 3))
    for operator in (sensor.motion_blur, sensor.defocus, sensor.low_light):
      run = jax.jit(lambda c, s, f=operator: f(jax.random.key(1), c, s)[:2])
      damaged, damage = run(clip, 0.0)
      np.testing.assert_array_equal(damaged, clip)
      np.testing.assert_array_equal(damage, 0)
      if operator is not sensor.low_light:
        flat = run(jnp.full_like(clip, 0.4), 1.0)[0]
        np.testing.assert_allclose(flat, 0.4, atol=1e-5)


class LowLightTest(absltest.TestCase):

  def test_noise_by_tone(self):
    """In linear light: x / photons + read^2 + columns^2."""
    tones = np.float32([0.3, 0.5, 0.8])
    clip = jnp.asarray(tones)[None, None, :, None].repeat(60, 1)
    clip = jnp.broadcast_to(
        clip.repeat(100, 2), (2, 60, 300, 3)).at[:, 0, 0, 0].add(0.01)
    damaged, damage, record = jax.jit(
        lambda k: sensor.low_light(k, clip, 1.0))(jax.random.key(0))
    np.testing.assert_array_equal(damage, 0)
    for i, tone in enumerate(tones):
      part = np.asarray(damaged)[:, 1:, 100 * i:100 * (i + 1)]
      light = tone**2.2
      variance = (light / float(record['photons']) + 0.01**2
                  + 0.003**2)
      slope = (light + 2e-3) ** (1 / 2.2 - 1) / 2.2
      self.assertAlmostEqual(
          part.std() / (slope * np.sqrt(variance)), 1, delta=0.1)
      self.assertAlmostEqual(part.mean(), tone, delta=0.01)

  def test_grey_stays_grey(self):
    damaged = jax.jit(lambda k: sensor.low_light(
        k, jnp.full((1, 8, 8, 3), 0.2), 2.0)[0])(jax.random.key(0))
    np.testing.assert_allclose(damaged, damaged[..., :1].repeat(3, -1))
    self.assertGreater(damaged.std(), 0.01)


if __name__ == '__main__':
  absltest.main()
