"""Tests of losses/latent.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from revive_jax.losses import latent


class KlTest(absltest.TestCase):

  def test_against_an_integral(self):
    m, s, pm, ps = 0.7, -0.4, -0.2, 0.9
    q = stats.norm(m, np.exp(s / 2))
    p = stats.norm(pm, np.exp(ps / 2))
    wanted, _ = integrate.quad(
        lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), -12, 12)
    found = latent.kl(jnp.full((2, 3), m), jnp.full((2, 3), s),
                      jnp.full((2, 3), pm), jnp.full((2, 3), ps))
    np.testing.assert_allclose(found, [3 * wanted] * 2, rtol=1e-4)

  def test_to_the_unit_normal_by_hand(self):
    mean, log_variance = jnp.array([[2.0, 0.0]]), jnp.array([[0.0, np.log(4)]])
    np.testing.assert_allclose(
        latent.kl(mean, log_variance), [2 + 0.5 * (4 - 1 - np.log(4))],
        rtol=1e-6)
    np.testing.assert_allclose(
        latent.kl(jnp.zeros((2, 4, 4, 3)), jnp.zeros((2, 4, 4, 3))), [0, 0])

  def test_free_bits_give_no_gradient_below(self):
    # Channel 0 holds 0.005 nats on average, channel 1 holds 2.
    mean = jnp.array([[0.1, 2.0], [-0.1, -2.0]])
    loss = lambda m: latent.kl(m, jnp.zeros_like(m), free_bits=0.5).sum()
    slope = jax.grad(loss)(mean)
    np.testing.assert_allclose(slope, [[0, 2], [0, -2]], atol=1e-6)
    np.testing.assert_allclose(loss(mean), 2 * (0.5 + 2), rtol=1e-6)

  def test_other_shapes_are_refused(self):
    with self.assertRaises(AssertionError):
      latent.kl(jnp.zeros((2, 3)), jnp.zeros((2, 1)))


class BetaTest(absltest.TestCase):

  def test_by_hand(self):
    rise = lambda step, **kw: float(latent.beta_schedule(
        jnp.int32(step), beta=2.0, warmup=10, **kw))
    self.assertEqual([rise(s) for s in (0, 5, 10, 25)], [0, 1, 2, 2])
    self.assertEqual(
        [rise(s, period=20) for s in (0, 5, 15, 20, 25, 31)],
        [0, 1, 2, 0, 1, 2])
    self.assertEqual(float(latent.beta_schedule(0, beta=2.0, warmup=0)), 0)


if __name__ == '__main__':
  absltest.main()
