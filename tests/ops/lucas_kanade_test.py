"""Tests of ops/lucas_kanade.py: it finds motion that is known."""

from absl.testing import absltest, parameterized
import jax
import numpy as np
from scipy import ndimage

from revive_jax.ops import lucas_kanade
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_refine = jax.jit(lucas_kanade.refine, static_argnames='steps')


def _texture(height=40, width=56, seed=0, sigma=2.0):
  rng = np.random.default_rng(seed)
  x = ndimage.gaussian_filter(rng.normal(size=(height, width)), sigma)
  return (0.5 + 0.2 * x / x.std()).astype(np.float32)


def _moved(x, dx, dy):
  """y with y[y + dy, x + dx] = x[y, x], by cubic splines."""
  return ndimage.shift(x, (dy, dx), order=3, mode='mirror')


def _flow(this, other, guess=(0, 0), steps=40, visible=None):
  guess = np.broadcast_to(np.float32(guess), (1, *this.shape, 2))
  visible = np.ones_like(this) if visible is None else visible
  return np.asarray(_refine(
      this[None], other[None], [guess, np.zeros_like(guess)], visible[None],
      steps=steps))[0]


class RefineTest(parameterized.TestCase):

  @parameterized.parameters((0.3, -0.7), (1.5, 1.0), (0.0, 0.0))
  def test_finds_parts_of_a_pixel(self, dx, dy):
    this = _texture()
    flow = _flow(this, _moved(this, dx, dy))[6:-6, 6:-6]
    np.testing.assert_allclose(flow.mean((0, 1)), (dx, dy), atol=0.06)
    self.assertLess(np.abs(flow - (dx, dy)).max(), 0.35)

  def test_a_good_guess_is_gone_on_from(self):
    this = _texture()
    other = _moved(this, 7.4, -5.2)
    near = _flow(this, other, (7, -5))[9:-9, 10:-10]
    np.testing.assert_allclose(near.mean((0, 1)), (7.4, -5.2), atol=0.05)

  def test_a_bad_guess_of_a_still_scene_is_dropped(self):
    this = _texture()
    np.testing.assert_allclose(_flow(this, this, (9, 6)), 0, atol=1e-3)

  def test_damage_does_not_move_the_scene(self):
    this = _texture()
    other = _moved(this, 0.6, 0.0)
    clean = _flow(this, other)
    damaged = this.copy()
    damaged[18:21, 25:28] = 1.0
    found = _flow(damaged, other)
    far = np.ones(this.shape, bool)
    far[10:30, 15:38] = False
    np.testing.assert_allclose(found[far], clean[far], atol=0.02)
    self.assertLess(np.abs(found - (0.6, 0.0))[16:23, 23:30].mean(), 0.15)

  def test_what_is_marked_is_not_looked_at(self):
    this = _texture()
    other = _moved(this, 0.6, 0.0)
    visible = np.ones_like(this)
    visible[16:22, 24:30] = 0
    flows = []
    for value in (0.0, 1.0):
      marked = np.where(visible, this, np.float32(value))
      flows.append(_flow(marked, other, visible=visible)[17:21, 25:29])
    np.testing.assert_array_equal(flows[0], flows[1])
    np.testing.assert_allclose(
        np.mean(flows, (0, 1, 2)), (0.6, 0.0), atol=0.15)

  def test_where_nothing_shows_it_is_as_around(self):
    this = _texture(sigma=1.5)
    this[14:23, 22:30] = 0.5
    flow = _flow(this, np.roll(this, 1, 1))
    self.assertGreater(flow[18, 26, 0], 0.5)

  def test_steps_explain_it_better(self):
    this, other = _texture(), _texture(seed=1)
    costs = []
    for steps in (0, 1, 4):
      flow = np.moveaxis(_flow(this, other, steps=steps), -1, 0)[:, None]
      square = (lucas_kanade.moved(other[None], flow) - this[None]) ** 2
      costs.append(float((square / (0.04 + square)).mean()))
    self.assertEqual(sorted(costs, reverse=True), costs)
    self.assertLess(costs[2], 0.9 * costs[0])

  def test_planes_do_not_meet(self):
    a, b = _texture(), _texture(seed=2)
    pair = np.stack([a, b]), np.stack([_moved(a, 1, 0), _moved(b, 0, 1)])
    flow = _refine(*pair, [np.zeros((2, *a.shape, 2), np.float32)],
                   np.ones((2, *a.shape), np.float32), steps=4)
    alone = _refine(*(x[1:] for x in pair),
                    [np.zeros((1, *a.shape, 2), np.float32)],
                    np.ones((1, *a.shape), np.float32), steps=4)
    np.testing.assert_allclose(flow[1:], alone, atol=1e-5)


class RefineShiftTest(absltest.TestCase):

  def test_finds_parts_of_a_pixel(self):
    this = np.stack([_texture(), _texture(seed=2)])
    other = np.stack([_moved(this[0], 3.3, -1.6), _moved(this[1], -0.4, 0.0)])
    found = lucas_kanade.refine_shift(
        this, other, np.float32([[3, -2], [0, 0]]), np.ones_like(this), steps=5)
    np.testing.assert_allclose(found, [[3.3, -1.6], [-0.4, 0]], atol=0.05)

  def test_planes_that_show_nothing_leave_it(self):
    flat = np.full((1, 16, 20), 0.5, np.float32)
    found = lucas_kanade.refine_shift(
        flat, flat, np.float32([[2, 1]]), np.ones_like(flat), steps=3)
    np.testing.assert_allclose(found, [[2, 1]], atol=1e-4)


class PlanesTest(absltest.TestCase):

  def test_against_scipy(self):
    x = np.random.default_rng(0).random((1, 12, 17), np.float32)
    np.testing.assert_allclose(
        lucas_kanade.box(x, 2)[0],
        ndimage.uniform_filter(x[0], 5, mode='nearest'), atol=1e-6)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    np.testing.assert_allclose(
        lucas_kanade.smooth(x)[0],
        ndimage.convolve(x[0], kernel, mode='nearest'), atol=1e-6)
    flow = np.random.default_rng(1).uniform(-4, 4, (2, 1, 12, 17)).astype('f')
    y, z = np.mgrid[:12, :17]
    np.testing.assert_allclose(
        lucas_kanade.moved(x, flow)[0],
        ndimage.map_coordinates(x[0], [y + flow[1, 0], z + flow[0, 0]],
                                order=1, mode='nearest'), atol=2e-6)


if __name__ == '__main__':
  absltest.main()
