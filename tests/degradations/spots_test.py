"""Tests that dust and stains are where, and as, the record says."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import spots
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0


class DustTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.clip = jnp.full((8, 96, 128, 3), 0.5)
    run = lambda s: spots.dust(
        jax.random.key(0), cls.clip, s, diagonal=_FILM, density=8.0,
        additive=0.0)
    cls.apply = staticmethod(jax.jit(run))
    cls.damaged, cls.damage, cls.record = jax.tree.map(
        np.asarray, cls.apply(1.0)
    )

  def test_each_spot_is_in_its_frame_and_of_its_colour(self):
    order = self.record['alive'].shape[1]
    seen = 0
    for t, i in np.argwhere(self.record['alive']):
      y, x = (int(round(self.record[k][t, i])) for k in ('y', 'x'))
      self.assertEqual(self.damage[t, y, x, 0], 1)
      later = [j for j in range(order) if j != i and self.record['alive'][t, j]]
      near = [
          np.hypot(self.record['y'][t, j] - y, self.record['x'][t, j] - x)
          for j in later
      ]
      if min(near, default=99) < 24 or self.record['radius'][t, i] < 2:
        continue
      a = self.record['opacity'][t, i]
      expected = 0.5 + a * (self.record['colour'][t, i] - 0.5)
      np.testing.assert_allclose(self.damaged[t, y, x], expected, atol=1e-5)
      self.assertEqual(expected[0] > 0.5, self.record['bright'][t, i])
      seen += 1
    self.assertGreater(seen, 3)

  def test_area_is_that_of_the_recorded_radii(self):
    alive = self.record['alive']
    area = (np.pi * self.record['radius'] ** 2 * alive).sum()
    found = self.damage.sum()
    # The mask has a soft edge more; spots overlap and leave the frame.
    self.assertBetween(found, 0.75 * area, 1.7 * area)

  def test_single_frames(self):
    same = (self.damage[1:] * self.damage[:-1]).sum()
    self.assertLess(same, 0.1 * self.damage.sum())

  def test_untouched_where_not_damaged(self):
    whole = np.broadcast_to(self.damage > 0, self.damaged.shape)
    np.testing.assert_array_equal(self.damaged[~whole], 0.5)

  def test_count_follows_severity(self):
    mean = 6 * 8 * 96 * 128 / (480 * 272)
    for severity in (0.5, 1.0, 2.0):
      count = self.apply(severity)[2]['alive'].sum() / 8
      self.assertAlmostEqual(
          count / (mean * severity), 1, delta=0.35
      )


class StainsTest(absltest.TestCase):

  def test_stays_where_it_is_through_the_clip(self):
    clip = jnp.full((8, 96, 128, 3), 0.5)
    run = jax.jit(
        lambda k: spots.stains(
            k, clip, jnp.float32(1.0), diagonal=_FILM, density=8.0
        )
    )
    damaged, damage, record = jax.tree.map(np.asarray, run(jax.random.key(2)))
    alive = np.flatnonzero(record['alive'])
    self.assertNotEmpty(alive)
    for t in range(8):
      for i in alive:
        y, x = (int(round(record[k][t, i])) for k in ('y', 'x'))
        self.assertEqual(damage[t, np.clip(y, 0, 95), np.clip(x, 0, 127), 0], 1)
    both = damage[0] * damage[-1]
    self.assertGreater(both.sum(), 0.9 * damage[0].sum())
    speed = np.sqrt(np.diff(record['y'], axis=0) ** 2).max()
    self.assertLess(speed, 0.5)
    np.testing.assert_array_equal(
        damaged[np.broadcast_to(damage == 0, damaged.shape)], 0.5
    )
    self.assertGreater(np.std(record['opacity'][:, alive[0]]), 1e-3)


if __name__ == '__main__':
  absltest.main()
