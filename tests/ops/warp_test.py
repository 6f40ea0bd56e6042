"""Tests of ops/warp.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from revive_jax.ops import warp

_by_flow = jax.jit(warp.by_flow)
_translate = jax.jit(warp.translate, static_argnames='linear')


def _frames(number=2, height=9, width=13, channels=3):
  rng = np.random.default_rng(0)
  return rng.random((number, height, width, channels), np.float32)


class ByFlowTest(absltest.TestCase):

  def test_against_scipy(self):
    frames = _frames()
    # Up to 6 px: far beyond the borders, too.
    flow = np.random.default_rng(1).uniform(-6, 6, (2, 9, 13, 2)).astype('f')
    moved = _by_flow(frames, flow)
    y, x = np.mgrid[:9, :13]
    for n in range(2):
      for c in range(3):
        wanted = ndimage.map_coordinates(
            frames[n, ..., c], [y + flow[n, ..., 1], x + flow[n, ..., 0]],
            order=1, mode='nearest')
        np.testing.assert_allclose(moved[n, ..., c], wanted, atol=2e-6)

  def test_no_flow_and_whole_pixels_are_exact(self):
    frames = _frames()
    np.testing.assert_array_equal(
        _by_flow(frames, jnp.zeros((2, 9, 13, 2))), frames)
    flow = jnp.broadcast_to(jnp.array([2.0, -1.0]), (2, 9, 13, 2))
    np.testing.assert_array_equal(
        _by_flow(frames, flow)[:, 1:, :-2], frames[:, :-1, 2:])

  def test_gradient_of_the_flow_is_the_slope(self):
    ramp = jnp.broadcast_to(
        (3.0 * jnp.arange(8))[None, None, :, None], (1, 4, 8, 1))
    slope = jax.jit(jax.grad(lambda f: warp.by_flow(ramp, f).sum()))(
        jnp.full((1, 4, 8, 2), 0.25))
    np.testing.assert_allclose(slope[:, :-1, :-1, 0], 3.0, rtol=1e-5)
    np.testing.assert_allclose(slope[..., 1], 0.0, atol=1e-5)

  def test_dtype_is_kept(self):
    moved = _by_flow(
        jnp.asarray(_frames(), jnp.bfloat16), jnp.ones((2, 9, 13, 2)))
    self.assertEqual(moved.dtype, jnp.bfloat16)

  def test_another_size_is_refused(self):
    with self.assertRaises((TypeError, ValueError)):
      warp.by_flow(_frames(), jnp.zeros((2, 9, 12, 2)))

  def test_inside_by_hand(self):
    flow = jnp.array([[-0.5, 0], [-1.6, 0], [0.5, 0], [0, 0.6]])
    # Columns 0 to 3 of one row: x at -0.5, -0.6, 2.5, 3; y at 0, 0, 0, 0.6.
    self.assertEqual(
        warp.inside(flow[None, None])[0, 0, :, 0].tolist(), [1, 0, 1, 0])


class TranslateTest(absltest.TestCase):

  def test_whole_pixels(self):
    frame = _frames(1)[0]
    moved = _translate(frame, jnp.array([2.0, -3.0]))
    np.testing.assert_allclose(moved[2:, :-3], frame[:-2, 3:], atol=1e-6)
    np.testing.assert_allclose(moved[0, 0], frame[0, 3], atol=1e-6)

  def test_linear_is_the_opposite_flow(self):
    frame = _frames(1)
    shift = jnp.array([1.25, -0.5])
    flow = jnp.broadcast_to(-shift[::-1], (1, 9, 13, 2))
    np.testing.assert_allclose(
        _translate(frame[0], shift, linear=True),
        _by_flow(frame, flow)[0], atol=1e-6)


if __name__ == '__main__':
  absltest.main()
