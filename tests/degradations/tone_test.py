"""Tests that tone curves fitted to the output are those of the record."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import tone
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _ramp(frames=6, low=0.1, high=0.6):
  ramp = jnp.linspace(low, high, 16 * 24 * 3).reshape(1, 16, 24, 3)
  return jnp.broadcast_to(ramp, (frames, 16, 24, 3))


class FlickerTest(absltest.TestCase):

  def test_gain_and_gamma_by_regression(self):
    clip = _ramp()
    damaged, damage, record = tone.flicker(
        jax.random.key(0), clip, jnp.float32(1.0), gamma=0.1
    )
    for t in range(len(clip)):
      slope, offset = np.polyfit(
          np.log(clip[t]).ravel(), np.log(damaged[t]).ravel(), 1
      )
      self.assertAlmostEqual(slope, record['gamma'][t], delta=1e-3)
      self.assertAlmostEqual(np.exp(offset), record['gain'][t], delta=1e-3)
    self.assertGreater(np.std(record['gamma']), 0.01)
    np.testing.assert_array_equal(damage, 0)

  def test_statistics_of_the_gain_and_severity(self):
    clip = jnp.full((400, 2, 2, 3), 0.4)
    run = jax.jit(lambda s: tone.flicker(jax.random.key(1), clip, s))
    for severity in (0.5, 1.0, 2.0):
      damaged, _, record = run(severity)
      found = np.log(np.asarray(damaged)[:, 0, 0, 0] / 0.4)
      np.testing.assert_allclose(
          np.exp(np.minimum(found, np.log(2.5))), record['gain'], rtol=1e-3
      )
      self.assertAlmostEqual(found.std() / severity, 0.08, delta=0.01)
      correlation = np.corrcoef(found[1:], found[:-1])[0, 1]
      self.assertAlmostEqual(correlation, 0.5, delta=0.1)

  def test_local_gain_at_the_nodes_and_between(self):
    clip = jnp.full((3, 17, 31, 3), 0.5)
    damaged, _, record = tone.flicker(
        jax.random.key(2), clip, jnp.float32(1.0), gain=0.0, local=0.05
    )
    found = np.asarray(damaged)[..., 0] / 0.5
    np.testing.assert_allclose(
        found[:, ::8, ::10], record['local'], rtol=1e-5
    )
    middle = (found[:, 0, 0] + found[:, 0, 10]) / 2
    np.testing.assert_allclose(found[:, 0, 5], middle, rtol=1e-5)


class FadingTest(absltest.TestCase):

  def test_black_and_white_by_regression(self):
    clip = _ramp()
    damaged, damage, record = tone.fading(
        jax.random.key(0), clip, jnp.float32(1.0)
    )
    for t in range(len(clip)):
      for c in range(3):
        slope, black = np.polyfit(
            np.ravel(clip[t, ..., c]), np.ravel(damaged[t, ..., c]), 1
        )
        self.assertAlmostEqual(black, record['black'][t, c], delta=1e-4)
        self.assertAlmostEqual(
            black + slope, record['white'][t, c], delta=1e-4
        )
    self.assertBetween(float(record['black'].max()), 0.01, 0.2)
    np.testing.assert_array_equal(damage, 0)

  def test_severity(self):
    clip = _ramp()
    light, medium = (
        tone.fading(jax.random.key(0), clip, jnp.float32(s))[2]
        for s in (0.5, 1.0)
    )
    np.testing.assert_allclose(medium['black'], 2 * light['black'], rtol=1e-5)


class ColourTest(absltest.TestCase):

  def test_cast_is_recovered_and_keeps_the_mean(self):
    clip = _ramp()
    damaged, _, record = tone.colour_cast(
        jax.random.key(0), clip, jnp.float32(1.0)
    )
    found = np.sum(damaged * clip, (1, 2)) / np.sum(clip**2, (1, 2))
    np.testing.assert_allclose(found, record['gain'], rtol=1e-4)
    np.testing.assert_allclose(np.log(record['gain']).sum(1), 0, atol=1e-5)
    self.assertGreater(np.ptp(record['gain'][0]), 0.01)

  def test_monochrome_is_luma_exactly(self):
    clip = jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
    damaged, damage, record = tone.monochrome(
        jax.random.key(0), clip, jnp.float32(2.0)
    )
    expected = np.asarray(clip) @ np.array([0.299, 0.587, 0.114])
    for c in range(3):
      np.testing.assert_allclose(damaged[..., c], expected, atol=1e-6)
    np.testing.assert_array_equal(damaged[..., 0], damaged[..., 2])
    np.testing.assert_array_equal(damage, 0)
    self.assertEqual(record, {})


if __name__ == '__main__':
  absltest.main()
