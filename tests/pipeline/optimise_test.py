"""Tests of pipeline/optimise.py: local flicker."""

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.pipeline import match, optimise
from tests.pipeline import clips


class LocalFlickerTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.still = np.repeat(clips.texture()[None], 7, 0)
    self.matched = match.match(
        types.Clip(source=self.still, frames=self.still))

  def _changed(self, output):
    output = output.astype(np.float32)
    return optimise.remove_local_flicker(
        output, self.matched.replace(output=output), 1.0) - output

  def test_a_corner_that_flickers_is_evened_out(self):
    flickering = self.still.copy()
    gain = np.exp(0.04 * np.array([1, -1, 0, 1, -1, 1, 0]))
    flickering[:, :48, :64] *= gain[:, None, None, None]
    inner = np.s_[2:-2, 8:40, 8:56]
    before = np.abs(flickering - self.still)[inner].mean()
    mended = flickering + self._changed(flickering)
    self.assertLess(np.abs(mended - self.still)[inner].mean(), 0.5 * before)

  def test_what_is_steady_stays(self):
    # The means of cells differ by their noise, which no gain explains.
    noise = np.random.default_rng(0).standard_normal(self.still.shape)
    changed = self._changed(self.still + 0.01 * noise)
    self.assertLess(np.abs(changed).max(), 1e-3)


if __name__ == '__main__':
  absltest.main()
