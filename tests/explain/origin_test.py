"""Tests of explain/origin.py: what was done, in numbers of 8 bits."""

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.explain import origin


def _clip(**fields):
  source = np.zeros((1, 1, 4, 3), np.float32)
  return types.Clip(source=source, frames=source, **fields)


def _field(*values, dtype=np.float32):
  return np.array(values, dtype).reshape(1, 1, -1, 1)


class OriginTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.same = np.full((1, 4, 3), 100, np.uint8)

  def test_numbers_by_hand(self):
    after = self.same.copy()
    after[0, 1] = 101, 90, 100  # The largest of three is 10.
    found = origin.layers(_clip(
        damage=_field(0, 0.5, 1, 0.002),
        origin=_field(0, 1, 2, 3, dtype=np.uint8),
        origin_frame=_field(-3, -2, -1, 2, dtype=np.int8),
        # Deviations of 0.02, 0.02, 0.1 and 1.
        log_variance=2 * np.log(_field(0.02, 0.02, 0.1, 1))), 0, self.same,
                          after)
    self.assertEqual(list(found), ['damage', 'change', 'uncertainty', 'origin',
                                   'origin_frame'])
    self.assertEqual(found['damage'].tolist(), [[0, 128, 255, 1]])
    self.assertEqual(found['change'].tolist(), [[0, 10, 0, 0]])
    self.assertEqual(found['uncertainty'].tolist(), [[0, 20, 102, 255]])
    self.assertEqual(found['origin'].tolist(), [[0, 85, 170, 255]])
    self.assertEqual(found['origin_frame'].tolist(), [[128, 128, 127, 128]])
    self.assertEqual(origin.classes(found['origin']).tolist(), [[0, 1, 2, 3]])
    self.assertEqual(
        origin.offsets(found['origin_frame']).tolist(), [[0, 0, -1, 0]])
    np.testing.assert_allclose(
        origin.deviations(found['uncertainty'])[0, 1:3], [0.02, 0.1], atol=5e-4)

  def test_every_change_shows_also_of_16_bits(self):
    deep = np.full((1, 4, 3), 25_700, np.uint16)
    after = deep.copy()
    after[0, 1, 2] += 1  # A 257th of a code of 8 bits: rounded up.
    after[0, 2, 0] += 258
    found = origin.layers(_clip(), 0, deep, after)
    self.assertEqual(found['change'].tolist(), [[0, 1, 2, 0]])

  def test_without_a_network_nobody_knows(self):
    found = origin.layers(
        _clip(origin=_field(0, 1, 2, 3, dtype=np.uint8)), 0, self.same,
        self.same)
    self.assertEqual(found['uncertainty'].tolist(), [[0, 255, 255, 255]])
    self.assertNotIn('spread', found)

  def test_of_several_fills(self):
    found = origin.layers(
        _clip(origin=_field(0, 3, 3, 3, dtype=np.uint8),
              spread=_field(0.1, 0, 0.05, 9)), 0, self.same, self.same)
    self.assertEqual(found['spread'].tolist(), [[0, 0, 51, 255]])

  def test_what_is_drawn_in_is_invented(self):
    found = origin.layers(_clip(), 0, self.same, self.same)
    after = self.same.copy()
    after[0, 3] = 255
    drawn = origin.drawn(found, self.same, after)
    self.assertEqual(drawn['origin'].tolist(), [[0, 0, 0, 255]])
    self.assertEqual(drawn['change'].tolist(), [[0, 0, 0, 155]])
    self.assertIsNone(origin.drawn(None, self.same, after))


if __name__ == '__main__':
  absltest.main()
