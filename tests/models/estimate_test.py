"""Tests of models/estimate.py: what is carried, and what it is worth."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import estimate
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = estimate.Update(jnp.float32)
_KEEP = np.ones((1, 1, 1, 1), np.float32)
_SURE, _NOT = 30.0, -30.0


def _picture(seed=0, height=8, width=12):
  rng = np.random.default_rng(seed)
  return rng.random((1, height, width, 3), np.float32)


def _filled(value, height=8, width=12):
  return np.full((1, height, width, 1), value, np.float32)


def _update(frame, before, *, of_frame=_SURE, of_before=_SURE, mask=None):
  """An update whose network says one thing everywhere."""
  params = {'out': {
      'kernel': np.zeros((4, 8), np.float32),
      'bias': np.tile(np.float32([of_frame, of_before]), 4)}}
  hidden = np.zeros((1, frame.shape[1] // 2, frame.shape[2] // 2, 4), 'f')
  mask = np.zeros_like(frame[..., :1]) if mask is None else mask
  return _MODEL.apply({'params': params}, hidden, frame, mask, before)


class FollowTest(parameterized.TestCase):

  def test_moves_along_the_flow(self):
    before = estimate.Estimate(_picture(), _filled(2.0))
    flow = np.zeros((1, 8, 12, 2), np.float32)
    flow[..., 0], flow[..., 1] = 2, -1
    moved = estimate.follow(before, flow, _KEEP)
    np.testing.assert_allclose(
        moved.picture[:, 1:, :-2], before.picture[:, :-1, 2:], atol=1e-5)
    # A frame older: three quarters of it count.
    np.testing.assert_allclose(moved.support[:, 1:, :-2], 1.5, rtol=1e-6)
    # Beyond the border nothing is known.
    np.testing.assert_array_equal(moved.support[:, 0], 0)
    np.testing.assert_array_equal(moved.support[:, :, -2:], 0)

  def test_parts_of_a_pixel_do_not_blur(self):
    # Linear interpolation of a parabola is wrong by f (1 - f) / 2 times its
    # bend everywhere; with that put back it is exact.
    x, y = np.meshgrid(np.arange(12.0), np.arange(8.0))
    parabola = lambda x, y: (0.01 * x**2 - 0.02 * y**2)[None, ..., None]
    picture = np.repeat(parabola(x, y), 3, -1).astype(np.float32)
    flow = np.zeros((1, 8, 12, 2), np.float32)
    flow[..., 0], flow[..., 1] = 0.3, -1.5
    moved = estimate.follow(
        estimate.Estimate(picture, _filled(1.0)), flow, _KEEP)
    np.testing.assert_allclose(
        moved.picture[:, 3:-3, 3:-3],
        np.repeat(parabola(x + 0.3, y - 1.5), 3, -1)[:, 3:-3, 3:-3],
        atol=1e-5)

  def test_what_is_unknown_adds_nothing(self):
    picture, support = _picture(), _filled(1.0)
    support[:, :, 5] = 0
    flow = np.zeros((1, 8, 12, 2), np.float32)
    flow[..., 0] = 0.25  # Column 4 lies between 4, known, and 5, unknown.
    results = []
    for value in (0.0, 1.0):
      picture[:, :, 5] = value
      results.append(estimate.follow(
          estimate.Estimate(picture, support), flow, _KEEP))
    a, b = results
    np.testing.assert_array_equal(a.picture, b.picture)
    np.testing.assert_allclose(a.support[:, :, 4], 0.75 * 0.75, rtol=1e-6)

  def test_a_slope_stays_in_place(self):
    # Beside a hole, at the border, and where the support jumps.
    ramp = np.broadcast_to(
        0.05 * np.arange(12, dtype=np.float32)[:, None], (1, 8, 12, 3))
    support = _filled(1.0)
    support[:, :, 3:6], support[:, 4, 8] = 6, 0
    flow = np.zeros((1, 8, 12, 2), np.float32)
    flow[..., 0] = 0.5
    moved = estimate.follow(estimate.Estimate(ramp, support), flow, _KEEP)
    full = np.ones((1, 8, 12), bool)
    full[:, 4, 6:10] = full[:, :, 10:] = False  # The border repeats.
    np.testing.assert_allclose(
        moved.picture[full], (ramp + 0.025)[full], atol=1e-5)

  def test_over_a_cut_nothing_is_known(self):
    before = estimate.Estimate(_picture(), _filled(3.0))
    moved = estimate.follow(before, np.zeros((1, 8, 12, 2)), 0 * _KEEP)
    np.testing.assert_array_equal(moved.support, 0)
    np.testing.assert_array_equal(moved.known, 0)
    frames = _picture(1), _picture(2)
    a, b = (estimate.difference(x, moved) for x in frames)
    np.testing.assert_array_equal(a, 0)
    np.testing.assert_array_equal(b, 0)


class UpdateTest(parameterized.TestCase):

  def test_frames_that_show_the_same_are_averaged(self):
    frames = [_picture(i) for i in range(4)]
    now = estimate.Estimate(np.zeros_like(frames[0]), _filled(0.0))
    for i, frame in enumerate(frames):
      now = _update(frame, now)
      np.testing.assert_allclose(
          now.picture, np.mean(frames[:i + 1], 0), atol=1e-5)
      np.testing.assert_allclose(now.support, i + 1, rtol=1e-3)

  def test_no_estimate_stands_for_more_than_it_was_trained_on(self):
    # 1 + 3/4 + (3/4)^2 + ... = 4, however long the film.
    self.assertEqual(estimate.MOST, 4)
    still = np.zeros((1, 8, 12, 2), np.float32)
    now, seen = estimate.Estimate(_picture(), _filled(0.0)), []
    for _ in range(40):
      now = _update(_picture(), estimate.follow(now, still, _KEEP))
      seen.append(float(now.support.max()))
    np.testing.assert_allclose(seen[:3], [1, 1.75, 2.3125], rtol=1e-3)
    np.testing.assert_allclose(seen[-1], 4, rtol=1e-3)
    self.assertLessEqual(max(seen), 4)

  @parameterized.parameters(
      (_NOT, _SURE, 'before'), (_SURE, _NOT, 'frame'))
  def test_what_is_not_believed_leaves_no_trace(self, frame, before, wanted):
    pictures = {'frame': _picture(), 'before': _picture(1)}
    now = _update(
        pictures['frame'],
        estimate.Estimate(pictures['before'], _filled(1.0)),
        of_frame=frame, of_before=before)
    np.testing.assert_allclose(now.picture, pictures[wanted], atol=1e-5)

  def test_what_is_marked_comes_from_before(self):
    frame, before = _picture(), _picture(1)
    mask = _filled(0.0)
    mask[:, 2:4, 3:7] = 1
    now = _update(frame, estimate.Estimate(before, _filled(2.0)), mask=mask)
    np.testing.assert_allclose(
        now.picture[:, 2:4, 3:7], before[:, 2:4, 3:7], atol=1e-5)
    np.testing.assert_allclose(now.support[:, 2:4, 3:7], 2, rtol=1e-5)
    # A mark that stays is not seen, however often and however little is left.
    now = estimate.Estimate(before, _filled(2.0))
    for _ in range(20):
      now = _update(frame, now, mask=mask, of_before=-0.3)
      marked = np.broadcast_to((mask == 1) & (now.known == 1), frame.shape)
      np.testing.assert_allclose(
          now.picture[marked], before[marked], atol=1e-5)
    self.assertFalse(marked.any())
    alone = _update(
        frame, estimate.Estimate(before, _filled(0.0)), mask=mask)
    np.testing.assert_array_equal(alone.support[mask == 1], 0)
    self.assertTrue(np.isfinite(alone.picture).all())

  def test_it_starts_by_believing_most_of_both(self):
    frame, before = _picture(), estimate.Estimate(_picture(1), _filled(1.0))
    hidden = np.zeros((1, 4, 6, 4), np.float32)
    inputs = hidden, frame, _filled(0.0), before
    now = _MODEL.apply(_MODEL.init(jax.random.key(0), *inputs), *inputs)
    share = 1 / (1 + np.exp(-1))
    share /= share + 1 / (1 + np.exp(-3))
    np.testing.assert_allclose(
        now.picture, (1 - share) * frame + share * before.picture, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
