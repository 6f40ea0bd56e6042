"""Tests of explain/attribution.py: where the answer is known."""

import functools
import pathlib

from absl.testing import absltest, parameterized
import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from revive_jax import types
from revive_jax.explain import attribution
from revive_jax.models import inference
from tests.pipeline import clips

_BOX = (slice(8, 16), slice(8, 16))


def _clip(count=3, size=24):
  return np.random.default_rng(0).uniform(
      0, 1, (count, size, size, 3)).astype(np.float32)


class AttributionTest(parameterized.TestCase):

  def test_of_a_linear_function_it_is_the_product(self):
    """IG of w . x is w (x - x0), exactly; and so is occlusion by pixels."""
    clip = _clip(size=8)
    weights = np.random.default_rng(1).normal(size=clip.shape)
    function = lambda x: (weights * x).sum()
    found = attribution.attribute(
        function, clip, baseline=np.zeros_like(clip), steps=1, patch=1)
    expected = (weights * clip).sum(-1)
    np.testing.assert_allclose(found.pixels, expected, atol=1e-4)
    np.testing.assert_allclose(found.patches, expected, atol=1e-3)

  @parameterized.parameters(1, 2, 3)
  def test_it_is_complete(self, degree):
    function = lambda x: (x[1, 4:9, 4:9] ** degree * x[0, 4:9, 4:9]).mean()
    found = attribution.attribute(function, _clip(), steps=4)
    self.assertGreater(abs(found.value - found.at_baseline), 1e-4)
    self.assertLess(found.gap, 1e-5)
    self.assertAlmostEqual(
        found.pixels.sum(), found.value - found.at_baseline, places=5)

  @parameterized.parameters(0.11, 0.5, 0.87)
  def test_it_is_complete_where_the_number_jumps(self, place):
    """A verdict as a network's: from 0 to 1 in a hundredth of the way."""
    asked = []
    def function(x):
      jax.debug.callback(lambda: asked.append(1))
      return jax.nn.sigmoid(800 * (x.mean() - place))
    clip = np.ones((2, 8, 8, 3), np.float32)
    run = lambda steps: attribution.integrated_gradients(
        function, clip, np.zeros_like(clip), steps=steps)
    pixels, value, start = run(16)
    self.assertAlmostEqual(value - start, 1, places=5)
    self.assertAlmostEqual(pixels.sum(), 1, delta=0.02)
    np.testing.assert_allclose(pixels, pixels.mean(), rtol=1e-5)
    jax.effects_barrier()
    self.assertLess(len(asked), 16 * 16 + 32)

  def test_a_jump_that_has_no_gradient_is_told_by_the_gap(self):
    clip = np.ones((2, 8, 8, 3), np.float32)
    found = attribution.attribute(
        lambda x: (x.mean() > 0.3).astype(jnp.float32), clip,
        baseline=np.zeros_like(clip), steps=4)
    self.assertAlmostEqual(found.gap, 1, places=5)

  def test_a_function_of_the_frame_before_points_there(self):
    """Network-free: what is shown at frame 2 is frame 1, moved by 3 px."""
    function = lambda x: jnp.roll(x[1], 3, axis=1)[_BOX].mean()
    found = attribution.attribute(function, _clip(), patch=4)
    np.testing.assert_allclose(found.frames, (0, 1, 0), atol=1e-6)
    np.testing.assert_allclose(found.frames_by_occlusion, (0, 1, 0), atol=1e-6)
    where = np.abs(found.pixels[1]) > 1e-9
    rows, columns = np.nonzero(where)
    self.assertEqual((rows.min(), rows.max()), (8, 15))
    self.assertEqual((columns.min(), columns.max()), (5, 12))

  def test_a_median_over_time_ignores_the_spot(self):
    """The spot in frame 1 is an outlier on all of the way: no part of it."""
    clip = np.broadcast_to(np.float32([0.4, 0.0, 0.5])[:, None, None, None],
                           (3, 24, 24, 3)).copy()
    clip[1, 8:16, 8:16] = 1
    base = np.zeros_like(clip)
    function = lambda x: jnp.median(x, axis=0)[_BOX].mean()
    found = attribution.attribute(
        function, clip, baseline=base, steps=8, patch=8)
    np.testing.assert_allclose(found.frames, (0, 0, 1), atol=1e-6)
    self.assertLess(found.gap, 1e-5)
    # Hidden, frame 0 and frame 2 both change the median: each to the other.
    self.assertGreater(found.frames_by_occlusion[2], 0)

  def test_verdict_and_region_are_means_of_what_a_network_says(self):
    result = lambda x: types.Clip(source=x, frames=x, damage=x[..., :1],
                                  output=2 * x)
    clip = _clip()
    both = [make(network, 1, _BOX)(clip) for make in (
        attribution.damage_verdict, attribution.restored_region)
            for network in (result, lambda x: (result(x), None))]
    np.testing.assert_allclose(both[:2], clip[1, 8:16, 8:16, 0].mean(), 1e-5)
    np.testing.assert_allclose(both[2:], 2 * clip[1, 8:16, 8:16].mean(), 1e-5)

  def test_pictures(self):
    clip = np.full((2, 24, 32, 3), 0.5, np.float32)
    values = np.zeros((2, 24, 32))
    values[0, 5, 5], values[1, 7, 7] = 1, -1
    drawn = attribution.picture(clip, values)
    self.assertEqual(drawn.shape, (24, 2 * 34, 3))
    self.assertEqual(tuple(drawn[5, 1 + 5]), (230, 97, 0))
    self.assertEqual(tuple(drawn[7, 34 + 1 + 7]), (30, 120, 255))
    path = pathlib.Path(self.create_tempdir().full_path) / 'a.png'
    attribution.write(path, clip, attribution.Attribution(
        values, values, 0.0, 0.0, 0.0))
    self.assertEqual(cv2.imread(str(path)).shape, (48, 68, 3))

  def test_refusals(self):
    with self.assertRaisesRegex(ValueError, 'baseline'):
      attribution.attribute(jnp.sum, _clip(), baseline=_clip(2))
    with self.assertRaisesRegex(types.BadInput, r'\(0, 99, 0, 5\)'):
      attribution.checked_box((0, 99, 0, 5), (24, 24))

  @pytest.mark.slow
  def test_the_network_sees_a_spot_by_the_frames_around_it(self):
    """Complete, and both the spot and its neighbours in time count."""
    model, params = inference.load_weights('restorer')
    network = functools.partial(
        inference.restore_frames, params, model=model)
    clean = clips.panning(3, 48, 48)
    clip = clean.copy()
    clip[1, 20:26, 20:26] = 0.98
    box = attribution.checked_box((20, 26, 20, 26), (48, 48))
    verdict = attribution.damage_verdict(network, 1, box)
    # From the clip without the spot, of which the network is as sure: what is
    # left of a spot in a blurred clip it calls damage, too.
    found = attribution.attribute(
        verdict, clip, baseline=clean, steps=32, patch=8)
    self.assertGreater(found.value, 0.9)
    self.assertLess(found.at_baseline, 0.1)
    self.assertLess(found.gap, 0.05 * abs(found.value - found.at_baseline))
    inside = np.abs(found.patches[1, 16:32, 16:32]).max()
    self.assertEqual(inside, np.abs(found.patches).max())
    region = attribution.restored_region(network, 1, box)
    filled = attribution.attribute(region, clip, steps=32, patch=8)
    self.assertGreater(filled.frames_by_occlusion[[0, 2]].sum(), 0.3)
    jax.clear_caches()


if __name__ == '__main__':
  absltest.main()
