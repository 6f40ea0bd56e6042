"""Tests of metrics/temporal.py: the warping error."""

from absl.testing import absltest
import cv2
import jax
import numpy as np

from revive_jax.metrics import temporal

_warping_error = jax.jit(temporal.warping_error)
_consistent = jax.jit(temporal.consistent)


class WarpingErrorTest(absltest.TestCase):

  def test_by_hand(self):
    # A row of pixels that moves right by one: in frame 1, pixel x shows what
    # pixel x - 1 of frame 0 did, off by 0.1 at x = 2; what enters is hidden.
    frames = np.float32([[0.1, 0.2, 0.3, 0.4], [0.9, 0.1, 0.3, 0.3]])
    frames = np.repeat(frames.reshape(1, 2, 1, 4, 1), 3, -1)
    flow = np.tile(np.float32([-1, 0]), (1, 1, 1, 4, 1))
    visible = np.float32([0, 1, 1, 1]).reshape(1, 1, 1, 4, 1)
    error = _warping_error(frames, flow, visible)
    np.testing.assert_allclose(error, [0.1 / 3], rtol=1e-5)
    # What stays at its place: (0.8 + 0.1 + 0 + 0.1) / 4.
    error = _warping_error(frames, 0 * flow, np.ones_like(visible))
    np.testing.assert_allclose(error, [0.25], rtol=1e-5)

  def test_against_opencv(self):
    rng = np.random.default_rng(0)
    frames = rng.random((1, 2, 20, 24, 3), np.float32)
    flow = rng.normal(0, 0.7, (1, 1, 20, 24, 2)).astype(np.float32)
    y, x = np.mgrid[:20, :24].astype(np.float32)
    x, y = x + flow[0, 0, ..., 0], y + flow[0, 0, ..., 1]
    inside = (x >= 0) & (x <= 23) & (y >= 0) & (y <= 19)
    moved = cv2.remap(frames[0, 0], x, y, cv2.INTER_LINEAR)
    wanted = np.abs(frames[0, 1] - moved)[inside].mean()
    error = _warping_error(
        frames, flow, inside[None, None, ..., None].astype(np.float32))
    # OpenCV interpolates in steps of 1/32 px.
    np.testing.assert_allclose(error, [wanted], rtol=2e-2)

  def test_each_clip_has_its_own(self):
    rng = np.random.default_rng(1)
    frames = rng.random((2, 3, 8, 8, 3), np.float32)
    flow = rng.normal(0, 1, (2, 2, 8, 8, 2)).astype(np.float32)
    visible = np.ones((2, 2, 8, 8, 1), np.float32)
    both = _warping_error(frames, flow, visible)
    for i in range(2):
      one = _warping_error(*(a[i:i + 1] for a in (
          frames, flow, visible)))
      np.testing.assert_allclose(one[0], both[i], rtol=1e-5)

  def test_nothing_visible(self):
    frames = np.random.default_rng(2).random((1, 2, 4, 4, 3), np.float32)
    zeros = np.zeros((1, 1, 4, 4, 2), np.float32)
    self.assertEqual(
        float(_warping_error(frames, zeros, zeros[..., :1])[0]), 0)

  def test_flows_of_other_frames_are_refused(self):
    frames = np.zeros((1, 3, 4, 4, 3), np.float32)
    flow = np.zeros((1, 3, 4, 4, 2), np.float32)
    with self.assertRaises(AssertionError):
      _warping_error(frames, flow, flow[..., :1])


class ConsistentTest(absltest.TestCase):

  def test_by_hand(self):
    flow = np.tile(np.float32([-2, 0]), (1, 1, 6, 1))
    back = np.tile(np.float32([2, 0]), (1, 1, 6, 1))
    # Pixel 4 looks at pixel 2, which came from somewhere else.
    back[0, 0, 2] = [5, 0]
    # Pixels 0 and 1 look out of the picture.
    np.testing.assert_array_equal(
        _consistent(flow, back)[0, 0, :, 0], [0, 0, 1, 1, 0, 1])

  def test_small_disagreement_is_allowed(self):
    # |w + w'|^2 < 0.01 (|w|^2 + |w'|^2) + 0.5: up to 0.707 px for still ones.
    still = np.zeros((1, 2, 2, 2), np.float32)
    for shift, wanted in ((0.69, 1), (0.73, 0)):
      back = still + np.float32([shift, 0])
      self.assertEqual(float(_consistent(still, back).min()), wanted)


if __name__ == '__main__':
  absltest.main()
