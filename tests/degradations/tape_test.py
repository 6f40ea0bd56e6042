"""Tests that tapes are damaged as the record says, and nowhere else."""

import functools

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from revive_jax.degradations import chain, tape
from revive_jax.ops import color
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0
_NAMES = ('dropouts', 'chroma_bleed', 'line_jitter', 'head_switching',
          'mistracking', 'interlace')


@functools.cache
def _clip(frames=4, height=40, width=48):
  return jax.random.uniform(
      jax.random.key(9), (frames, height, width, 3), minval=0.1, maxval=0.9)


@functools.cache
def _operator(name):
  """The operator, compiled for whole frames of a crop's size."""
  options = dict(diagonal=_FILM)
  if name in ('dropouts', 'mistracking'):
    options['density'] = 12.0
  return jax.jit(functools.partial(chain.OPERATORS[name], **options))


def _run(name, seed, severity=1.0, clip=None):
  clip = _clip() if clip is None else clip
  return jax.tree.map(
      np.asarray, _operator(name)(jax.random.key(seed), clip, severity))


class EveryOperatorTest(absltest.TestCase):

  def test_none_at_severity_zero(self):
    for name in _NAMES:
      damaged, damage, _ = _run(name, 0, 0.0)
      np.testing.assert_array_equal(damaged, _clip(), name)
      np.testing.assert_array_equal(damage, 0)

  def test_ranges_and_the_same_key_the_same_damage(self):
    for name in _NAMES:
      damaged, damage, _ = _run(name, 1, 2.0)
      self.assertEqual(damaged.dtype, np.float32)
      self.assertBetween(damaged.min(), 0, 1)
      self.assertBetween(damaged.max(), 0, 1)
      self.assertEqual(set(np.unique(damage)) - {0.0, 1.0}, set())
      np.testing.assert_array_equal(damaged, _run(name, 1, 2.0)[0])

  def test_grey_stays_grey(self):
    grey = color.grey(_clip())
    for name in _NAMES:
      damaged = _run(name, 1, 2.0, grey)[0]
      np.testing.assert_allclose(
          damaged, damaged[..., :1].repeat(3, -1), atol=1e-6, err_msg=name)

  @pytest.mark.slow
  def test_gradients_are_finite(self):
    clip = _clip(2, 16, 24).at[0].set(0.0).at[1, :8].set(1.0)
    operators = [functools.partial(chain.OPERATORS[n], diagonal=_FILM)
                 for n in _NAMES]
    loss = lambda c: sum(
        (f(jax.random.key(0), c, 1.0)[0] ** 2).sum() for f in operators)
    self.assertTrue(np.isfinite(jax.jit(jax.grad(loss))(clip)).all())


class DropoutsTest(absltest.TestCase):

  def test_only_the_recorded_rows_and_from_the_recorded_column_on(self):
    kinds = set()
    for seed in range(3):
      damaged, damage, record = _run('dropouts', seed)
      intact = np.broadcast_to(damage == 0, damaged.shape)
      np.testing.assert_array_equal(damaged[intact], _clip()[intact])
      expected = np.zeros(damage.shape[:3], bool)
      x = np.arange(48)
      for t, n in np.argwhere(record['alive']):
        item = {k: v[t, n] for k, v in record.items()}
        for j in range(int(item['lines'])):
          row = int(item['y']) + j
          if row < 40:
            along = x - item['x'] - item['slant'] * j
            # Until the comet's tail has fallen below 1 / 20.
            end = item['length'] + item['tail'] * np.log(20 * item['opacity'])
            head = 0.05 / item['opacity'] - 0.5
            expected[t, row] |= (along >= head) & (along <= end)
        kinds.add(int(item['kind']))
      self.assertLess((expected != (damage[..., 0] > 0)).mean(), 2e-3)
    self.assertEqual(kinds, {0, 1, 2, 3})

  def test_tails_fade_and_lines_repeat(self):
    clip = jnp.full((1, 40, 48, 3), 0.5).at[:, 9].set(0.8)
    item = dict(
        alive=[True, True], kind=[0, 3], y=[20.0, 10.0], x=[4.0, 10.0],
        length=[6.0, 20.0], tail=[5.0, 0.5], slant=[0.0, 0.0],
        lines=[1.0, 2.0], value=[1.0, 0.0], opacity=[1.0, 1.0])
    items = {k: jnp.array(v) for k, v in item.items()}
    damaged, damage = jax.jit(tape._drop)(jax.random.key(0), clip[0], items)
    white = np.asarray(damaged[20, :, 0])
    np.testing.assert_allclose(white[5:11], 1.0)
    np.testing.assert_allclose(white[15], 0.5 + 0.5 * np.exp(-1), atol=1e-5)
    np.testing.assert_allclose(damaged[10:12, 12:30], 0.8, atol=1e-6)
    self.assertEqual(damage[20, 3, 0], 0)

  def test_number_follows_severity(self):
    alive = [np.mean([_run('dropouts', s, v)[2]['alive'].sum(1).mean()
                      for s in range(20)]) for v in (0.5, 1.0, 2.0)]
    mean = 3 * 12 * 40 * 48 / (480 * 272)
    np.testing.assert_allclose(
        alive, [mean / 2, mean, 2 * mean], rtol=0.25)


class ChromaTest(absltest.TestCase):

  def test_luma_stays_and_colour_comes_late_and_soft(self):
    clip = np.full((1, 24, 96, 3), 0.5, np.float32)
    clip[:, :, 40:56] += np.float32([0.2, -0.1, 0.0])
    run = jax.jit(lambda k, c: tape.chroma_bleed(
        k, c, 1.0, diagonal=_FILM, noise=0.0))
    damaged, damage, record = jax.tree.map(
        np.asarray, run(jax.random.key(1), clip))
    np.testing.assert_array_equal(damage, 0)
    np.testing.assert_allclose(
        color.luma(damaged), color.luma(clip), atol=1e-5)
    x = np.arange(96)
    moments = []
    for frame in (clip[0], damaged[0]):
      weight = np.abs(np.asarray(color.rgb_to_ycbcr(frame))[12, :, 2])
      mean = (x * weight).sum() / weight.sum()
      moments.append((mean, ((x - mean) ** 2 * weight).sum() / weight.sum()))
    self.assertAlmostEqual(
        moments[1][0] - moments[0][0], record['shift'][1], delta=0.02)
    part = record['shift'][1] % 1  # Linear interpolation blurs a little, too.
    self.assertAlmostEqual(
        moments[1][1] - moments[0][1],
        record['sigma'] ** 2 + part * (1 - part), delta=0.1)

  def test_noise_is_that_of_the_record(self):
    clip = jnp.full((2, 40, 200, 3), 0.5).at[:, 0, 0, 0].set(0.6)
    damaged, _, record = jax.jit(lambda k: tape.chroma_bleed(
        k, clip, 1.0, diagonal=_FILM))(jax.random.key(0))
    found = np.asarray(color.rgb_to_ycbcr(damaged))[..., 5:, 20:, 1:]
    self.assertAlmostEqual(
        found.std() / float(record['noise']), 1, delta=0.15)


class LinesTest(absltest.TestCase):

  def test_lines_move_as_scipy_moves_them(self):
    smooth = ndimage.gaussian_filter(np.asarray(_clip()), (0, 0, 2, 0))
    damaged, damage, record = _run(
        'line_jitter', 0, 1.0, jnp.asarray(smooth))
    np.testing.assert_array_equal(damage, 0)
    for t, y in ((0, 3), (1, 20), (3, 39)):
      expected = ndimage.shift(
          smooth[t, y], (record['shift'][t, y], 0), order=3, mode='nearest')
      np.testing.assert_allclose(
          damaged[t, y, 6:-6], expected[6:-6], atol=0.01)

  def test_strength(self):
    clip = jnp.zeros((30, 64, 8, 3))
    run = jax.jit(lambda s: tape.line_jitter(
        jax.random.key(0), clip, s, diagonal=_FILM)[2]['shift'])
    for severity in (0.5, 1.0, 2.0):
      shift = run(severity)
      self.assertAlmostEqual(
          float(shift.std()) / (severity * np.hypot(0.6, 0.6)), 1, delta=0.15)

  def test_bottom_and_bands_are_replaced_where_the_record_says(self):
    for name in ('head_switching', 'mistracking'):
      total = 0
      for seed in range(4):
        damaged, damage, record = _run(name, seed)
        far = np.abs(record['shift']) > tape.FAR
        expected = record['noisy'] | far[..., None]
        np.testing.assert_array_equal(damage[..., 0], expected)
        still = (record['shift'] == 0)[..., None] & ~expected
        np.testing.assert_array_equal(
            damaged[still], np.asarray(_clip())[still])
        total += expected.sum()
        if name == 'head_switching':
          upper = np.arange(40) + 1 < 40 - record['lines'][:, None]
          np.testing.assert_array_equal(record['shift'][upper], 0)
          self.assertTrue(expected[:, -1].any(1).all())
      self.assertGreater(total, 100)

  def test_bands_drift(self):
    record = _run('mistracking', 1, 2.0)[2]
    self.assertGreater(record['alive'].sum(), 0)
    step = np.diff(record['y'], axis=0)
    way = 40 + 2 * record['extent']
    wrapped = (step - record['speed'] + way / 2) % way - way / 2
    np.testing.assert_allclose(wrapped, 0, atol=1e-3)


class InterlaceTest(absltest.TestCase):

  def test_every_second_line_is_of_the_next_frame(self):
    seen = set()
    for seed in range(8):
      damaged, _, record = _run('interlace', seed, 2.0)
      for t in range(4):
        other = np.asarray(_clip()[record['source'][t]])
        rows = slice(int(record['parity']), None, 2)
        np.testing.assert_array_equal(damaged[t, rows], other[rows])
        rows = slice(1 - int(record['parity']), None, 2)
        np.testing.assert_array_equal(
            damaged[t, rows], np.asarray(_clip())[t, rows])
        self.assertEqual(
            int(record['source'][t]),
            t if not record['combed'][t] else t + 1 if t < 3 else 2)
      seen.add(int(record['combed'].sum()))
    self.assertIn(4, seen)
    self.assertTrue(seen & {1, 2})

  def test_one_frame_has_no_other(self):
    clip = _clip()[:1]
    damaged = jax.jit(lambda k: tape.interlace(k, clip, 2.0)[0])(
        jax.random.key(0))
    np.testing.assert_array_equal(damaged, clip)


class ChainTest(absltest.TestCase):

  def test_what_moves_lines_moves_the_damage_that_came_before(self):
    mix = chain.Mix({'dropouts': 1.0, 'line_jitter': 1.0},
                    options={'line_jitter': {'wander': 3.0}})
    run = lambda key, severity, mix: chain.degrade(
        key, _clip(), severity, mix=mix, diagonal=_FILM, density=12.0)
    _, damage, record = jax.jit(lambda k: run(k, 1.0, mix))(jax.random.key(2))
    before = jax.jit(lambda k: run(k, 1.0, chain.Mix({'dropouts': 1.0}))[1])(
        jax.random.key(2))
    shift = record['operators']['line_jitter']['shift']
    moved = jax.jit(tape.move_damage)(before, shift)
    np.testing.assert_array_equal(damage, moved)
    self.assertGreater(np.abs(damage - before).sum(), 0)

  def test_mixes_name_known_operators_and_their_options(self):
    for name, mix in chain.MIXES.items():
      self.assertLessEqual(set(mix.operators), set(chain.OPERATORS), name)
      self.assertLessEqual(set(mix.options), set(mix.operators), name)
    for name in _NAMES:
      self.assertIn(name, chain.MIXES['tape'].operators)
      self.assertIn(name, chain.MIXES['footage'].operators)

  def test_clips_of_a_batch_are_damaged_one_by_one(self):
    mix = chain.Mix({'interlace': 0.5, 'dropouts': 0.5})
    clips = jnp.stack([_clip()] * 8)
    damaged, damage, record = jax.jit(lambda k: chain.degrade_batch(
        k, clips, jnp.ones(8), mix=mix, diagonal=_FILM, density=12.0))(
            jax.random.key(0))
    none = ~np.asarray(
        record['active']['interlace'] | record['active']['dropouts'])
    self.assertTrue(none.any() and not none.all())
    np.testing.assert_array_equal(damaged[none], clips[none])
    np.testing.assert_array_equal(damage[none], 0)


if __name__ == '__main__':
  absltest.main()
