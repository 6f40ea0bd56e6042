"""Tests of models/matcher.py: it finds shifts that are known."""

import functools

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from revive_jax.models import matcher
from tests import compiling
from tests.models.params import draw

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _texture(height, width, channels, seed=0):
  """Descriptors of which no two are alike, [1, H, W, C]."""
  rng = np.random.default_rng(seed)
  return rng.normal(size=(1, height, width, channels)).astype(np.float32)


def _moved(x, dx, dy):
  """y with y[y + dy, x + dx] = x[y, x]."""
  return np.roll(x, (dy, dx), (1, 2))


_correlation = jax.jit(matcher.correlation, static_argnums=2)


class CorrelationTest(parameterized.TestCase):

  @parameterized.parameters((1, 4, 5), (3, 6, 9), (4, 3, 3))
  def test_against_loops(self, radius, height, width):
    a, b = (_texture(height, width, 7, seed) for seed in (0, 1))
    side = 2 * radius + 1
    wanted = np.zeros((1, height, width, side**2), np.float32)
    for y, x, dy, dx in np.ndindex(height, width, side, side):
      v, u = y + dy - radius, x + dx - radius
      if 0 <= v < height and 0 <= u < width:
        wanted[0, y, x, dy * side + dx] = a[0, y, x] @ b[0, v, u]
    np.testing.assert_allclose(_correlation(a, b, radius), wanted, atol=1e-5)

  @parameterized.parameters((0, 0), (3, -2), (-3, 1), (2, 3))
  def test_finds_shifts_of_textures(self, dx, dy):
    a = _texture(12, 16, 32)
    scores = _correlation(a, _moved(a, dx, dy), 3)
    flow = matcher.expected_shift(scores, 3)
    inner = flow[0, 3:-3, 3:-3]
    np.testing.assert_allclose(
        inner, np.broadcast_to([dx, dy], inner.shape), atol=0.05)

  def test_nothing_is_found_beyond_the_border(self):
    # All look alike: the mean of the shifts that stay inside.
    scores = _correlation(np.ones((1, 2, 4, 1), np.float32),
                          np.ones((1, 2, 4, 1), np.float32), 3)
    flow = matcher.expected_shift(
        scores + matcher.beyond_border(2, 4, 3), 3)
    np.testing.assert_allclose(
        flow[0, 0], [[1.5, 0.5], [0.5, 0.5], [-0.5, 0.5], [-1.5, 0.5]],
        atol=1e-4)

  def test_one_hot_descriptors(self):
    # Every pixel of a 4x5 frame has a channel of its own.
    a = np.eye(20, dtype=np.float32).reshape(1, 4, 5, 20)
    scores = _correlation(a, _moved(a, 1, 2), 2)
    hit = np.argwhere(np.asarray(scores[0, :2, :4]) == 1)
    self.assertLen(hit, 8)
    self.assertEqual(set(hit[:, 2].tolist()), {(2 + 2) * 5 + 1 + 2})
    self.assertEqual(np.asarray(scores).max(), 1)

  def test_bfloat16_sums_in_float32(self):
    a = _texture(4, 4, 64).astype(jnp.bfloat16)
    self.assertEqual(_correlation(a, a, 1).dtype, jnp.float32)

  def test_other_widths_are_refused(self):
    with self.assertRaises((TypeError, ValueError)):
      matcher.correlation(jnp.zeros((1, 4, 5, 2)), jnp.zeros((1, 4, 6, 2)), 1)


class ExpectedShiftTest(absltest.TestCase):

  def test_by_hand(self):
    none, one, two = np.zeros((3, 25), np.float32)
    one[0 * 5 + 3] = 100  # dy = -2, dx = 1.
    two[[2 * 5 + 4, 4 * 5 + 2]] = 100  # (2, 0) and (0, 2), half each.
    np.testing.assert_allclose(
        matcher.expected_shift(np.stack([none, one, two]), 2),
        [[0, 0], [1, -2], [1, 1]], atol=1e-6)

  def test_a_constant_does_not_matter(self):
    scores = _texture(3, 4, 9)
    np.testing.assert_allclose(
        matcher.expected_shift(scores + 50, 1),
        matcher.expected_shift(scores, 1), atol=1e-5)


@functools.cache
def _network():
  """A matcher whose refinement is silent and whose choices are sharp."""
  net = matcher.Matcher(8)
  example = _texture(16, 24, matcher.CHANNELS)
  picture = np.zeros((1, 128, 192, 3), np.float32)
  params = draw(net, example, example, picture, picture, picture[..., :1])
  params['coarse_out'] = jax.tree.map(jnp.zeros_like, params['coarse_out'])
  params['sharpness'] = jnp.full(2, 40.0)
  none = picture[..., :1]
  return params, jax.jit(lambda p, *x: net.apply({'params': p}, *x, none))


@functools.cache
def _slopes():
  """The gradients of the squared flows, for params and descriptors."""
  _, apply = _network()
  return jax.jit(jax.grad(
      lambda p, *x: sum((f**2).mean() for f in apply(p, *x)), (0, 1)))


def _smooth(height, width, channels, sigma):
  # Smooth, so that half a pixel of 1/16 is not lost when it is averaged.
  x = ndimage.gaussian_filter(
      _texture(height, width, channels), (0, sigma, sigma, 0), mode='wrap')
  return x / x.std()


class MatcherTest(parameterized.TestCase):

  @parameterized.parameters((0, 0), (4, 0), (-2, 6), (3, -5))
  def test_finds_shifts_coarse_to_fine(self, dx, dy):
    params, apply = _network()
    features = _smooth(16, 24, matcher.CHANNELS, 1)
    picture = 0.5 + 0.15 * _smooth(128, 192, 3, 4)
    flows = apply(params, features, _moved(features, dx, dy), picture,
                  _moved(picture, 8 * dx, 8 * dy))
    self.assertEqual([f.shape[1:] for f in flows], [
        (8, 12, 2), (16, 24, 2), (64, 96, 2)])
    for level, scale in zip(flows, (0.5, 1, 4), strict=True):
      margin = level.shape[1] // 2 - 1
      inner = np.asarray(level[0, margin:-margin, margin:-margin])
      np.testing.assert_allclose(
          np.median(inner, (0, 1)), np.array([dx, dy]) * scale,
          atol=0.2 if scale == 4 else 0.5 * scale)

  def test_the_pictures_decide(self):
    # The features say (2, 1) px of 1/8; the pictures stand still.
    params, apply = _network()
    features = _smooth(16, 24, matcher.CHANNELS, 1)
    picture = 0.5 + 0.15 * _smooth(128, 192, 3, 4)
    _, eighth, half = apply(
        params, features, _moved(features, 2, 1), picture, picture)
    np.testing.assert_allclose(
        np.median(eighth[0, 6:-6, 8:-8], (0, 1)), (2, 1), atol=0.5)
    np.testing.assert_allclose(half, 0, atol=1e-3)

  def test_gradients_reach_what_is_learnt_and_no_picture(self):
    params, _ = _network()
    a = _texture(16, 24, matcher.CHANNELS)
    picture = 0.5 + 0.15 * _smooth(128, 192, 3, 4)
    grads, to_a = _slopes()(
        params, a, _moved(a, 1, 0), picture, _moved(picture, 8, 0))
    self.assertTrue(all(
        np.isfinite(x).all() for x in jax.tree.leaves((grads, to_a))))
    self.assertGreater(np.abs(to_a).max(), 0)
    self.assertGreater(np.abs(grads['coarse_out']['kernel']).max(), 0)
    _, apply = _network()
    to_picture = jax.jit(jax.grad(lambda x: sum(
        f.sum() for f in apply(params, a, a, x, picture))))(picture)
    np.testing.assert_array_equal(to_picture, 0)

  def test_of_empty_descriptors(self):
    params, apply = _network()
    zeros = jnp.zeros((1, 16, 24, matcher.CHANNELS))
    picture = jnp.zeros((1, 128, 192, 3))
    # All shifts that stay inside are as likely: in the corner 0 to 4 px of
    # 1/16, then 0 to 3 px of 1/8.
    flow = apply(params, zeros, zeros, picture, picture)[1]
    np.testing.assert_allclose(flow[0, 0, 0], 2 * 2 + 1.5, atol=1e-4)
    np.testing.assert_allclose(flow, -flow[:, ::-1, ::-1], atol=1e-4)
    grads = _slopes()(params, zeros, zeros, picture, picture)
    self.assertTrue(all(np.isfinite(x).all() for x in jax.tree.leaves(grads)))


class DescriptorsTest(absltest.TestCase):

  def test_shapes(self):
    net, x = matcher.Descriptors(8), jnp.zeros((2, 16, 24, 8))
    coarse, _ = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
    self.assertEqual(coarse.shape, (2, 4, 6, matcher.CHANNELS))


class ExactTest(absltest.TestCase):

  def test_a_pan_is_found_without_a_guess(self):
    rng = np.random.default_rng(0)
    wide = ndimage.gaussian_filter(rng.random((96, 160)), 1.2)
    wide = (wide - wide.min()) / np.ptp(wide)
    # The neighbour shows the scene 14 px further right and 6 px further down.
    frame, neighbour = wide[16:80, 24:136], wide[10:74, 10:122]
    noise = lambda: 0.03 * rng.standard_normal((64, 112))
    frame, neighbour = (np.repeat((x + noise())[None, ..., None], 3, -1).astype(
        np.float32) for x in (frame, neighbour))
    flow = jax.jit(matcher.exact)(
        np.zeros((1, 8, 14, 2), np.float32), frame, neighbour,
        np.zeros((1, 64, 112, 1), np.float32))
    inner = 2 * np.asarray(flow)[0, 6:-6, 8:-10]
    np.testing.assert_allclose(np.median(inner, (0, 1)), (14, 6), atol=0.2)


if __name__ == '__main__':
  absltest.main()
