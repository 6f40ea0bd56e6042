"""Tests of losses/temporal.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.losses import temporal
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_photometric = jax.jit(temporal.photometric)
_roughness = jax.jit(temporal.roughness)
# The gradients for the flow; the sum is over the batch.
_photometric_slope = jax.jit(jax.value_and_grad(
    lambda flow, *a: temporal.photometric(a[0], a[1], flow, a[2]).sum()))
_roughness_slope = jax.jit(jax.value_and_grad(
    lambda flow, frames: temporal.roughness(flow, frames).sum()))


def _pair(dx=2, dy=-1):
  """Frames, and the same moved: others[y + dy, x + dx] = frames[y, x]."""
  frames = np.random.default_rng(0).random((2, 8, 10, 3), np.float32)
  flow = np.broadcast_to(np.float32([dx, dy]), (2, 8, 10, 2))
  return frames, np.roll(frames, (dy, dx), (1, 2)), flow


class PhotometricTest(absltest.TestCase):

  def test_true_flow_explains_all_that_stays_inside(self):
    frames, others, flow = _pair()
    loss = _photometric(frames, others, flow, jnp.ones(2))
    np.testing.assert_allclose(loss, 0, atol=1e-6)
    wrong = _photometric(frames, others, 0 * flow, jnp.ones(2))
    self.assertGreater(wrong.min(), 0.1)

  def test_by_hand(self):
    frames = jnp.zeros((1, 2, 4, 1))
    others = jnp.full((1, 2, 4, 1), 0.3)
    flow = jnp.zeros((1, 2, 4, 2)).at[..., 2:, 0].set(5.0)  # Half leaves.
    loss = _photometric(frames, others, flow, jnp.ones(1))
    np.testing.assert_allclose(
        loss, [(np.sqrt(0.09 + 1e-4) - 0.01) / 2], rtol=1e-5)

  def test_other_shots_do_not_count(self):
    frames, others, flow = _pair()
    loss, slope = _photometric_slope(
        0.5 * flow, frames, others, jnp.array([0.0, 1.0]))
    alone = _photometric(
        frames[1:], others[1:], 0.5 * flow[1:], jnp.ones(1))
    np.testing.assert_allclose(loss, alone.sum(), rtol=1e-6)
    self.assertEqual(np.abs(slope[0]).max(), 0)
    self.assertGreater(np.abs(slope[1]).max(), 0)

  def test_gradient_is_finite_where_all_is_explained(self):
    frames, others, flow = _pair()
    _, slope = _photometric_slope(flow, frames, others, jnp.ones(2))
    self.assertTrue(np.isfinite(slope).all())

  def test_wrong_shape_is_refused(self):
    frames, others, flow = _pair()
    with self.assertRaises(AssertionError):
      temporal.photometric(frames, others[:1], flow, jnp.ones(2))


class RoughnessTest(absltest.TestCase):

  def test_by_hand(self):
    flow = jnp.zeros((1, 3, 4, 2)).at[:, :, 2:].set(jnp.array([3.0, -1.0]))
    frames = jnp.zeros((1, 3, 4, 3))
    # |3| + |-1| in one of three columns of steps.
    np.testing.assert_allclose(_roughness(flow, frames), [4 / 3])
    edge = frames.at[:, :, 2:].set(0.2)
    np.testing.assert_allclose(
        _roughness(flow, edge), [4 / 3 * np.exp(-2)], rtol=1e-5)

  def test_an_even_flow_is_smooth(self):
    flow = jnp.full((2, 3, 4, 2), 7.0)
    frames = jax.random.uniform(jax.random.key(0), (2, 3, 4, 3))
    loss, slope = _roughness_slope(flow, frames)
    self.assertEqual(loss, 0)
    self.assertTrue(np.isfinite(slope).all())

  def test_both_axes_count_alike(self):
    rng = np.random.default_rng(0)
    flow, frames = rng.random((1, 5, 5, 2)), rng.random((1, 5, 5, 3))
    turn = lambda x: jnp.asarray(np.swapaxes(x, 1, 2), jnp.float32)
    np.testing.assert_allclose(
        _roughness(turn(flow), turn(frames)),
        _roughness(jnp.asarray(flow), jnp.asarray(frames)), rtol=1e-5)


class WarpingTest(absltest.TestCase):

  def test_by_hand(self):
    frames = jnp.zeros((3, 4, 4, 1)).at[:2, 0, 0].set(0.2)
    others = jnp.zeros_like(frames)
    clean = jnp.zeros_like(frames).at[1, 0, 0].set(0.1)  # Not to be trusted.
    flow = jnp.zeros((3, 4, 4, 2))
    loss = temporal.warping(
        frames, others, clean, others, flow, jnp.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(
        loss, [0.2 / 16, 0.2 * np.exp(-0.5) / 16, 0], rtol=1e-5)

  def test_what_moves_as_the_flow_says_costs_nothing(self):
    others = np.random.default_rng(0).random((1, 6, 8, 3)).astype(np.float32)
    frames = np.roll(others, 2, axis=2)  # Moved right: found 2 px to the left.
    flow = np.zeros((1, 6, 8, 2), np.float32)
    flow[..., 0] = -2
    call = lambda x, flow: temporal.warping(
        x, others, frames, others, flow, jnp.ones(1))[0]
    np.testing.assert_allclose(call(frames, flow), 0, atol=1e-6)
    self.assertGreater(float(call(frames + 0.1, flow)), 0.05)
    slope = jax.grad(call, argnums=1)(frames + 0.1, jnp.asarray(flow))
    np.testing.assert_array_equal(slope, 0)


if __name__ == '__main__':
  absltest.main()
