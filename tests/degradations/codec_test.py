"""Tests of quantised blocks, lost blocks and lost frames."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from revive_jax.degradations import codec
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


class BlockCompressionTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    key = jax.random.key(0)
    # Grey and of moderate contrast, so that no value leaves [0, 1].
    noise = 0.5 + 0.1 * jax.random.normal(key, (2, 32, 48, 1))
    cls.clip = jnp.broadcast_to(noise, (2, 32, 48, 3))
    cls.apply = staticmethod(
        jax.jit(lambda c, s: codec.block_compression(jax.random.key(1), c, s))
    )

  def test_coefficients_are_multiples_of_the_recorded_table(self):
    for severity in (0.5, 1.0, 2.0):
      damaged, damage, record = self.apply(self.clip, severity)
      np.testing.assert_array_equal(damage, 0)
      for t in range(2):
        luma = np.asarray(damaged[t, ..., 0], np.float64) * 255 - 128
        blocks = luma.reshape(4, 8, 6, 8).transpose(0, 2, 1, 3)
        found = scipy.fft.dctn(blocks, axes=(2, 3), norm='ortho')
        table = codec.quantisation_table(
            codec.LUMA_TABLE, record['scale'][t]
        )
        steps = found / np.asarray(table)
        np.testing.assert_allclose(steps, np.round(steps), atol=5e-3)
        self.assertGreater(np.abs(np.round(steps)).max(), 1)

  def test_strength(self):
    scales, errors = [], []
    for severity in (0.5, 1.0, 2.0):
      damaged, _, record = self.apply(self.clip, severity)
      scales.append(record['scale'])
      errors.append(float(np.abs(damaged - self.clip).mean()))
    np.testing.assert_allclose(scales[1], 2 * scales[0], rtol=1e-5)
    np.testing.assert_allclose(scales[2], 4 * scales[0], rtol=1e-5)
    self.assertSequenceEqual(errors, sorted(errors))

  def test_table_of_quality_50_and_odd_sizes(self):
    table = codec.quantisation_table(codec.LUMA_TABLE, jnp.float32(1.0))
    self.assertEqual(table[0, 0], 16)
    self.assertEqual(table[7, 7], 99)
    damaged, _, _ = codec.block_compression(
        jax.random.key(0), self.clip[:, :19, :21], jnp.float32(1.0)
    )
    self.assertEqual(damaged.shape, (2, 19, 21, 3))

  def test_colour_comes_back(self):
    clip = jnp.broadcast_to(jnp.array([0.8, 0.3, 0.2]), (1, 16, 16, 3))
    damaged, _, _ = codec.block_compression(
        jax.random.key(0), clip, jnp.float32(0.5)
    )
    np.testing.assert_allclose(damaged, clip, atol=0.04)


class BandingTest(absltest.TestCase):

  def test_a_slope_becomes_the_steps_of_the_record(self):
    slope = np.linspace(0.2, 0.8, 256, dtype=np.float32)
    clip = jnp.broadcast_to(slope[None, None, :, None], (1, 4, 256, 3))
    run = jax.jit(lambda s: codec.banding(jax.random.key(1), clip, s))
    for severity in (0.5, 1.0, 2.0):
      damaged, damage, record = jax.tree.map(np.asarray, run(severity))
      np.testing.assert_array_equal(damage, 0)
      step = record['step']
      self.assertBetween(step * 255 / severity, 4, 12)
      levels = np.unique(np.round(damaged[0, 0, :, 1], 3))
      np.testing.assert_allclose(np.diff(levels), step, atol=1.1e-3)
      self.assertAlmostEqual(len(levels), 0.6 / step, delta=1.5)
      self.assertLessEqual(np.abs(damaged - clip).max(), step / 2 + 1e-5)
    np.testing.assert_array_equal(run(0.0)[0], clip)

  def test_gradients_pass(self):
    clip = jnp.full((1, 2, 2, 3), 0.37)
    gradient = jax.grad(
        lambda c: codec.banding(jax.random.key(0), c, 1.0)[0].sum())(clip)
    np.testing.assert_allclose(gradient, 1)


class LostBlocksTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.clip = jax.random.uniform(
        jax.random.key(0), (12, 64, 80, 3), minval=0.1, maxval=0.9
    )
    run = lambda k, s: codec.lost_blocks(k, cls.clip, s, density=2.0)
    cls.apply = staticmethod(jax.jit(run))

  def test_exactly_the_recorded_blocks_with_the_recorded_kind(self):
    seen = set()
    for seed in range(6):
      damaged, damage, record = jax.tree.map(
          np.asarray, self.apply(jax.random.key(seed), 1.0)
      )
      full = record['mask'].repeat(16, 1).repeat(16, 2)[..., None]
      np.testing.assert_array_equal(damage, full.astype(np.float32))
      np.testing.assert_array_equal(
          np.where(full, 0, damaged), np.where(full, 0, self.clip)
      )
      expected = np.full((12, 20), -1)
      for i in np.flatnonzero(record['alive']):
        stop = record['start'][i] + record['length'][i]
        frames = slice(record['first'][i], record['last'][i] + 1)
        expected[frames, record['start'][i] : stop] = i
      np.testing.assert_array_equal(
          record['mask'].reshape(12, 20), expected >= 0
      )
      for t, block in np.argwhere(expected >= 0):
        event = expected[t, block]
        kind = int(record['kind'][event])
        y, x = 16 * (block // 5), 16 * (block % 5)
        found = damaged[t, y : y + 16, x : x + 16]
        if kind == 0:
          np.testing.assert_array_equal(found, 0.5)
        elif kind == 1:
          np.testing.assert_allclose(found[..., 1], 0.53)
          np.testing.assert_array_equal(found[..., 0], 0)
        elif kind == 2:
          move = record['move'][event]
          rows = np.clip(np.arange(y, y + 16) - move[0], 0, 63)
          columns = np.clip(np.arange(x, x + 16) - move[1], 0, 79)
          previous = np.asarray(self.clip[max(t - 1, 0)])
          np.testing.assert_array_equal(found, previous[rows][:, columns])
        seen.add(kind)
    self.assertEqual(seen, {0, 1, 2, 3})

  def test_count_follows_severity(self):
    alive = [
        np.mean([
            self.apply(jax.random.key(seed), severity)[2]['alive'].sum()
            for seed in range(30)
        ])
        for severity in (0.5, 1.0, 2.0)
    ]
    np.testing.assert_allclose(alive, [1.8, 3.6, 7.2], rtol=0.3)


class LostFramesTest(absltest.TestCase):

  def test_exactly_the_recorded_frames(self):
    clip = jax.random.uniform(
        jax.random.key(0), (60, 4, 6, 3), minval=0.1, maxval=0.9
    )
    run = jax.jit(lambda k, s: codec.lost_frames(k, clip, s))
    black = repeated = 0
    for seed in range(4):
      damaged, damage, record = jax.tree.map(
          np.asarray, run(jax.random.key(seed), 2.0)
      )
      last = None
      for t in range(60):
        np.testing.assert_array_equal(damage[t], record['lost'][t])
        if not record['lost'][t]:
          np.testing.assert_array_equal(damaged[t], clip[t])
          last = t
        elif record['black'][t]:
          np.testing.assert_array_equal(damaged[t], 0)
          black += 1
        else:
          self.assertEqual(record['source'][t], last)
          np.testing.assert_array_equal(damaged[t], clip[last])
          repeated += 1
    self.assertGreater(black, 0)
    self.assertGreater(repeated, black)

  def test_rate_follows_severity(self):
    clip = jnp.zeros((3000, 1, 1, 3))
    lost = [
        float(
            codec.lost_frames(jax.random.key(0), clip, jnp.float32(s))[2][
                'lost'
            ].mean()
        )
        for s in (0.5, 1.0, 2.0)
    ]
    # 1.5 frames a loss, less what overlaps.
    np.testing.assert_allclose(lost, [0.0375, 0.074, 0.145], rtol=0.2)


if __name__ == '__main__':
  absltest.main()
