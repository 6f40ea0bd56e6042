"""Tests of explain/layers.py: layers in colours, with legends."""

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import types
from revive_jax.explain import layers
from revive_jax.video import layers as files


def _made(height=24, width=40):
  rng = np.random.default_rng(0)
  found = {name: rng.integers(0, 256, (height, width), np.uint8)
           for name in files.TITLES}
  found['origin'] = rng.integers(0, 4, (height, width), np.uint8) * 85
  found['origin_frame'] = rng.integers(126, 131, (height, width), np.uint8)
  return found


class LayersTest(parameterized.TestCase):

  def test_the_same_code_has_the_same_colour_whatever_is_around(self):
    for name, layer in _made().items():
      whole = layers.coloured(name, layer)
      self.assertEqual(whole.shape, (24, 40, 3))
      self.assertEqual(whole.dtype, np.uint8)
      np.testing.assert_array_equal(
          layers.coloured(name, layer[3:9, 5:8]), whole[3:9, 5:8])

  def test_classes_differ(self):
    shown = layers.coloured('origin', np.array([[0, 85, 170, 255]], np.uint8))
    self.assertLen({tuple(x) for x in shown[0].tolist()}, len(types.Origin))
    self.assertEqual(tuple(shown[0, 3]), layers.CLASSES[3][1])
    shown = layers.coloured(
        'origin_frame', np.array([[126, 127, 128, 129, 130]], np.uint8))[0]
    self.assertLen({tuple(x) for x in shown.tolist()}, 5)
    for earlier, later in ((0, 4), (1, 3)):
      self.assertGreater(shown[earlier, 2], shown[earlier, 0])  # Blue,
      self.assertGreater(shown[later, 0], shown[later, 2])  # and orange.

  def test_shares_by_hand(self):
    layer = np.array([[0, 0, 85, 255]], np.uint8)
    self.assertEqual(layers.shares(layer), {
        'kept': 0.5, 'denoised': 0.25, 'moved from another frame': 0.0,
        'invented': 0.25})

  @parameterized.parameters((24, 40, 8), (200, 700, 1), (1, 1, 320))
  def test_a_page_holds_each_pixel(self, height, width, factor):
    found = _made(height, width)
    picture = np.full((height, width, 3), 200, np.uint8)
    page = layers.page(
        {'source': picture, 'output': picture}, found, ['A note.'])
    self.assertEqual(page.dtype, np.uint8)
    self.assertGreaterEqual(page.shape[1], 3 * 320)
    # The first panel: the bar of its title, then the picture.
    top = 3 * 22
    np.testing.assert_array_equal(
        page[top:top + factor * height, :factor * width], 200)
    # The third: the damage.
    left = 2 * (factor * width + 4)
    np.testing.assert_array_equal(
        page[top:top + factor * height:factor,
             left:left + factor * width:factor],
        layers.coloured('damage', found['damage']))


if __name__ == '__main__':
  absltest.main()
