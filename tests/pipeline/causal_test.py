"""Tests of pipeline/causal.py; tests/live_test.py has the rest."""

from unittest import mock

from absl.testing import absltest
import numpy as np

from revive_jax.pipeline import causal
from tests.video import clips


class NetworkTest(absltest.TestCase):

  def _restored(self, films):
    """Films [H, W, 3] uint8, by a network that adds 20 to every pixel."""
    found = mock.Mock(config={'sha256': ''})
    with mock.patch.object(
        causal.inference, 'build', return_value=(None, {})):
      network = causal.Network(
          found, {'noise': 1.0, 'dust': 1.0, 'scratch': 1.0})
    change = lambda _, frames, state, **__: (
        np.full(frames.shape[1:], 20, np.float32), state)
    with mock.patch.object(causal, '_change', change):
      for frame in films:
        yield network([frame], 0)

  def test_black_borders_stay_black_for_as_long_as_they_are_there(self):
    frame = np.full((64, 96, 3), 120, np.uint8)
    framed = frame.copy()
    framed[:5] = framed[:, -7:] = 0
    framed[2, 40] = 60  # A grain, that is averaged along the border.
    out = list(self._restored([framed] * 10 + [frame] * 9))
    wanted = np.full((64, 96, 3), 140, np.uint8)
    wanted[:7], wanted[:, -9:] = 120, 120  # Blurred edges: as they are.
    wanted[:5] = wanted[:, -7:] = 0
    wanted[2, 25:56] = 2  # 60 / 31, along the row.
    for frame in out[:10]:
      np.testing.assert_array_equal(frame, wanted)
    # A look is taken every eighth frame, the first that sees no border at 16.
    np.testing.assert_array_equal(out[16], np.full_like(frame, 140))


class MeanTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.rng = np.random.default_rng(0)
    self.clean = clips.pictures(1, 64, 96)[0].clip(40, 210).astype(float)

  def _noisy(self, clean):
    return np.uint8(np.clip(np.rint(
        clean + self.rng.normal(0, 8, clean.shape)), 0, 255))

  def test_noise_falls_as_that_of_a_mean_where_nothing_moves(self):
    mean = causal.Mean(1.0)
    for _ in range(20):
      out = mean([self._noisy(self.clean)], 0)
    error = np.sqrt(np.mean((out - self.clean) ** 2))
    # Of eight frames: sqrt(1 / 8); a running one is at sqrt(1 / 15).
    self.assertBetween(error / 8, np.sqrt(1 / 16), np.sqrt(1 / 8) * 1.1)

  def test_what_moves_is_not_smeared(self):
    mean = causal.Mean(1.0)
    for t in range(12):
      clean = self.clean.copy()
      clean[20:36, 4 * t:4 * t + 16] = (20, 200, 110)
      out = mean([self._noisy(clean)], 0)
    inside = out[24:32, 48:56].astype(float)
    self.assertLess(np.abs(inside.mean((0, 1)) - (20, 200, 110)).max(), 6)
    behind = out[24:32, 34:40] - self.clean[24:32, 34:40]
    self.assertLess(np.abs(behind.mean()), 6)

  def test_a_change_of_colour_alone_is_seen(self):
    mean = causal.Mean(1.0)
    for colour in [(160, 80, 120)] * 8 + [(80, 160, 120)]:
      clean = np.broadcast_to(np.float64(colour), (64, 96, 3))
      out = mean([self._noisy(clean)], 0)
    self.assertLess(np.abs(out.mean((0, 1)) - (80, 160, 120)).max(), 3)

  def test_nothing_changes_without_strength_or_at_the_cheapest(self):
    frames = [self._noisy(self.clean) for _ in range(3)]
    none, mean = causal.Mean(0.0), causal.Mean(1.0)
    for frame in frames:
      self.assertIs(none([frame], 0), frame)
      self.assertIs(mean([frame], 1), frame)


if __name__ == '__main__':
  absltest.main()
