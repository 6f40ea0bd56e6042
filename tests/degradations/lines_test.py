"""Tests that scratches and hairs are where, and as, the record says."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import lines
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0


def _isolated(x, width):
  """Indices of scratches that no other comes near, and that are inside."""
  x = np.asarray(x)
  far = [
      all(np.abs(x[:, i] - x[:, j]).min() > 16 for j in range(x.shape[1])
          if j != i)
      for i in range(x.shape[1])
  ]
  inside = (x.min(0) > 12) & (x.max(0) < width - 12)
  return np.flatnonzero(np.array(far) & inside)


class ScratchesTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.clip = jnp.full((8, 64, 480, 3), 0.5)
    cls.apply = staticmethod(
        jax.jit(
            lambda k, c, s: lines.scratches(k, c, s, diagonal=_FILM, broken=0.0)
        )
    )
    cls.damaged, cls.damage, cls.record = jax.tree.map(
        np.asarray, cls.apply(jax.random.key(1), cls.clip, 1.0)
    )

  def _found(self):
    """(index, frame, centroid, mass) of lone scratches at half height."""
    alive = np.flatnonzero(self.record['alive'])
    lone = alive[_isolated(self.record['x'][:, alive], 480)]
    self.assertNotEmpty(lone)
    for i in lone:
      for t in range(len(self.clip)):
        row = np.abs(self.damaged[t, 32, :, 0] - 0.5)
        middle = int(round(self.record['x'][t, i]))
        near = np.arange(middle - 8, middle + 9)
        yield i, t, (row[near] * near).sum() / row[near].sum(), row[near].sum()

  def test_position_in_every_frame(self):
    for i, t, centroid, _ in self._found():
      self.assertAlmostEqual(centroid, self.record['x'][t, i], delta=0.1)

  def test_width_opacity_and_polarity(self):
    for i, t, _, mass in self._found():
      contrast = abs(self.record['colour'][i, 0] - 0.5)
      self.assertAlmostEqual(
          mass, self.record['width'][i] * 0.8 * contrast, delta=0.05
      )
      middle = int(round(self.record['x'][t, i]))
      change = self.damaged[t, 32, middle, 0] - 0.5
      self.assertEqual(change > 0, bool(self.record['bright'][i]))
      self.assertAlmostEqual(abs(change), 0.8 * contrast, delta=0.15)

  def test_shape_over_the_height(self):
    alive = np.flatnonzero(self.record['alive'])
    lone = alive[_isolated(self.record['x'][:, alive], 480)]
    for i in lone:
      item = {k: v[i] for k, v in self.record.items() if k != 'x'}
      item['x'] = self.record['x'][3, i]
      for y in (0, 20, 63):
        expected = float(lines.scratch_centre(item, y, 64))
        near = np.arange(int(expected) - 7, int(expected) + 9)
        row = np.abs(self.damaged[3, y, near, 0] - 0.5)
        self.assertAlmostEqual(
            (row * near).sum() / row.sum(), expected, delta=0.1
        )

  def test_ranges_and_count(self):
    self.assertEqual(self.record['alive'].sum(), 3)
    self.assertBetween(self.record['width'].min(), 1.6, 4.0)
    np.testing.assert_allclose(self.record['opacity'], 0.8)
    for severity, count in ((1.0, 3), (2.0, 6)):
      record = self.apply(jax.random.key(2), self.clip, severity)[2]
      self.assertEqual(record['alive'].sum(), count)
    record = self.apply(jax.random.key(2), self.clip, 0.5)[2]
    self.assertIn(int(record['alive'].sum()), (1, 2))

  def test_untouched_where_not_damaged(self):
    whole = np.broadcast_to(self.damage > 0, self.damaged.shape)
    np.testing.assert_array_equal(self.damaged[~whole], 0.5)
    self.assertGreater(np.abs(self.damaged - 0.5)[whole].min(), 1e-3)

  def test_drift_and_lifetime(self):
    clip = jnp.full((60, 16, 480, 3), 0.5)
    run = lambda k: lines.scratches(
        k, clip, jnp.float32(2.0), diagonal=_FILM, partial=1.0
    )
    damaged, _, record = jax.tree.map(
        np.asarray, jax.jit(run)(jax.random.key(0))
    )
    speed = np.sqrt((np.diff(record['x'], axis=0) ** 2).mean())
    self.assertAlmostEqual(speed, 0.7, delta=0.25)
    alive = np.flatnonzero(record['alive'])
    drawn = np.abs(np.asarray(damaged) - 0.5).max((1, 3)) > 0.05
    seen = 0
    for i in alive:
      for t in range(60):
        x = int(np.round(record['x'][t, i]))
        lives = record['first'][i] <= t <= record['last'][i]
        if lives and 0 <= x < 480:
          self.assertTrue(drawn[t, x])
          seen += 1
    self.assertGreater(seen, 30)
    # Frames in which none lives are untouched.
    lives = (np.arange(60)[:, None] >= record['first'][alive]) & (
        np.arange(60)[:, None] <= record['last'][alive]
    )
    self.assertFalse(drawn[~lives.any(1)].any())


class HairsTest(absltest.TestCase):

  def test_along_the_recorded_points_in_single_frames(self):
    clip = jnp.full((6, 96, 128, 3), 0.5)
    run = lambda k, s: lines.hairs(
        k, clip, s, diagonal=_FILM, density=6.0, additive=0.0
    )
    damaged, damage, record = jax.tree.map(
        np.asarray, jax.jit(run)(jax.random.key(0), 1.0)
    )
    self.assertGreater(record['alive'].sum(), 2)
    for t, i in np.argwhere(record['alive']):
      y = np.round(record['points_y'][t, i, ::2]).astype(int)
      x = np.round(record['points_x'][t, i, ::2]).astype(int)
      ok = (y >= 0) & (y < 96) & (x >= 0) & (x < 128)
      self.assertTrue((damage[t, y[ok], x[ok], 0] == 1).all())
      path = np.hypot(
          np.diff(record['points_y'][t, i]), np.diff(record['points_x'][t, i])
      ).sum()
      self.assertAlmostEqual(path, record['length'][t, i], delta=0.01)
    for t in range(6):
      budget = record['alive'][t] * record['length'][t] * (
          record['width'][t] + 2
      )
      self.assertLessEqual(damage[t].sum(), 1.1 * budget.sum() + 1)
    np.testing.assert_array_equal(
        damaged[np.broadcast_to(damage == 0, damaged.shape)], 0.5
    )
    same = (damage[1:] * damage[:-1]).sum()
    self.assertLess(same, 0.3 * damage.sum())

  def test_count_follows_severity(self):
    clip = jnp.full((60, 8, 8, 3), 0.5)
    # 8x8 px of the film: a density that makes 2 a frame on average.
    density = 480 * 272 / 64
    run = jax.jit(
        lambda s: lines.hairs(
            jax.random.key(0), clip, s, diagonal=_FILM, density=density
        )[2]['alive'].sum()
    )
    counts = [int(run(s)) / 60 for s in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(counts, [1, 2, 4], rtol=0.3)


if __name__ == '__main__':
  absltest.main()
