"""Tests of chains: the record tells what was done, and in which order."""

import functools

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from revive_jax.degradations import chain, film
from revive_jax.ops import color
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_FILM = 552.0

_POINTWISE = chain.Mix(
    operators={
        'monochrome': 0.5,
        'flicker': 0.5,
        'fading': 0.5,
        'colour_cast': 0.5,
    },
    options={'flicker': {'gamma': 0.2}},
    shuffled=True,
    spread=(0.5, 1.5),
)


def _clips(count=2, frames=3, size=24):
  return jax.random.uniform(
      jax.random.key(9), (count, frames, size, size, 3), minval=0.1, maxval=0.9
  )


def _by_record(name, clip, record):
  """What the record of a point operator says, applied by hand."""
  if name == 'monochrome':
    return color.grey(clip)
  if name == 'flicker':
    gain, gamma = (
        record[k][:, None, None, None] for k in ('gain', 'gamma'))
    return jnp.clip(clip**gamma * gain, 0, 1)
  if name == 'fading':
    black, white = (record[k][:, None, None] for k in ('black', 'white'))
    return black + (white - black) * clip
  return jnp.clip(clip * record['gain'][:, None, None], 0, 1)


class OrderTest(absltest.TestCase):

  def test_result_is_that_of_the_recorded_order(self):
    clips = _clips()
    run = jax.jit(
        lambda k: chain.degrade_batch(
            k, clips, jnp.array([1.0, 2.0]), mix=_POINTWISE
        )
    )
    names = chain.names(_POINTWISE)
    orders, actives = set(), set()
    for seed in range(6):
      damaged, _, record = run(jax.random.key(seed))
      for b in range(2):
        item = jax.tree.map(lambda x, b=b: x[b], record)
        orders.add(tuple(item['order'].tolist()))
        self.assertCountEqual(item['order'].tolist(), range(4))
        clip = clips[b]
        for i in item['order']:
          name = names[int(i)]
          actives.add((name, bool(item['active'][name])))
          if item['active'][name]:
            clip = _by_record(name, clip, item['operators'][name])
        np.testing.assert_allclose(damaged[b], clip, atol=1e-5)
    self.assertGreater(len(orders), 3)
    self.assertLen(actives, 8)

  def test_a_listed_order_is_kept(self):
    record = chain.degrade_batch(
        jax.random.key(0), _clips(), jnp.ones(2),
        mix=_POINTWISE._replace(shuffled=False))[2]
    self.assertEqual(record['order'].tolist(), [[0, 1, 2, 3]] * 2)

  def test_severity_of_each_operator(self):
    record = chain.degrade_batch(
        jax.random.key(1), _clips(6), jnp.arange(1.0, 7.0),
        mix=_POINTWISE._replace(shuffled=False))[2]
    for name, active in record['active'].items():
      ratio = record['severity'][name] / jnp.arange(1.0, 7.0)
      self.assertTrue(
          np.all(np.where(active, (ratio > 0.5) & (ratio < 1.5), ratio == 0)))


class ActiveTest(absltest.TestCase):

  def test_none_active_leaves_the_clip_bit_for_bit(self):
    mix = chain.MIXES['film']
    idle = mix._replace(operators=dict.fromkeys(mix.operators, 0.0))
    clips = _clips()
    damaged, damage, record = jax.jit(
        lambda k: chain.degrade_batch(k, clips, jnp.ones(2), mix=idle)
    )(jax.random.key(0))
    np.testing.assert_array_equal(damaged, clips)
    np.testing.assert_array_equal(damage, 0)
    for leaf in jax.tree.leaves((record['active'], record['operators'])):
      np.testing.assert_array_equal(leaf, 0)

  def test_an_inactive_clip_beside_active_ones(self):
    mix = chain.Mix({'grain': 0.5, 'dust': 0.5})
    clips = _clips(16)
    damaged, damage, record = chain.degrade_batch(
        jax.random.key(0), clips, jnp.ones(16), mix=mix, density=4.0)
    none = ~np.asarray(record['active']['grain'] | record['active']['dust'])
    self.assertTrue(none.any() and not none.all())
    np.testing.assert_array_equal(damaged[none], clips[none])
    no_dust = ~np.asarray(record['active']['dust'])
    np.testing.assert_array_equal(damage[no_dust], 0)

  def test_one_operator_more_does_not_change_the_others(self):
    clips = _clips()
    run = lambda names: chain.degrade_batch(
        jax.random.key(5), clips, jnp.ones(2),
        mix=chain.Mix(dict.fromkeys(names, 1.0)))[2]['operators']['flicker']
    chex.assert_trees_all_equal(
        run(('flicker',)), run(('blur', 'flicker', 'fading')))


class FilmTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.clips = _clips(3, 3, 32)
    cls.severities = jnp.array([0.5, 1.0, 2.0])
    cls.apply = staticmethod(
        jax.jit(
            functools.partial(
                chain.degrade_batch, diagonal=_FILM, density=8.0))
    )
    cls.result = cls.apply(jax.random.key(1), cls.clips, cls.severities)

  def test_members_are_fixed_and_half_of_the_clips_grey(self):
    active = self.result[2]['active']
    for name in ('blur', 'grain', 'scratches', 'dust', 'hairs', 'flicker'):
      self.assertTrue(active[name].all())
    grey = chain.degrade_batch(
        jax.random.key(0), jnp.zeros((200, 1, 2, 2, 3)), jnp.ones(200),
        mix=chain.Mix({'monochrome': 0.5}))[2]['active']['monochrome']
    self.assertBetween(int(grey.sum()), 75, 125)

  def test_same_key_same_result_and_another_key_another(self):
    again = self.apply(jax.random.key(1), self.clips, self.severities)
    chex.assert_trees_all_equal(again, self.result)
    other = self.apply(jax.random.key(2), self.clips, self.severities)
    self.assertGreater(np.abs(other[0] - self.result[0]).mean(), 0.01)

  def test_a_clip_does_not_depend_on_its_neighbours(self):
    clips = self.clips.at[1:].set(0.3)
    other = self.apply(jax.random.key(1), clips, jnp.array([0.5, 2.0, 0.5]))
    np.testing.assert_allclose(other[0][0], self.result[0][0], atol=1e-6)

  def test_ranges_and_shapes(self):
    damaged, damage, record = self.result
    self.assertEqual(damage.shape, (3, 3, 32, 32, 1))
    self.assertBetween(float(damaged.min()), 0, 1)
    self.assertBetween(float(damaged.max()), 0, 1)
    self.assertEqual(set(np.unique(damage)), {0.0, 1.0})
    for leaf in jax.tree.leaves(record):
      self.assertEqual(leaf.shape[0], 3)
      self.assertTrue(np.isfinite(leaf).all())

  def test_one_by_one_under_vmap(self):
    """degrade under vmap equals degrade of each, clip for clip."""
    mix = chain.Mix({'blur': 1.0, 'grain': 1.0, 'scratches': 1.0})
    run = functools.partial(
        chain.degrade, mix=mix, diagonal=_FILM, density=8.0)
    keys = jax.random.split(jax.random.key(3), 3)
    together = jax.jit(jax.vmap(run))(keys, self.clips, self.severities)
    single = jax.jit(run)
    for b in range(3):
      one = single(keys[b], self.clips[b], self.severities[b])
      chex.assert_trees_all_close(
          one, jax.tree.map(lambda x, b=b: x[b], together), atol=1e-5)

  def test_gradient_is_finite_at_black_and_white_too(self):
    clips = self.clips.at[:, 0].set(0.0).at[:, 1].set(1.0)
    loss = lambda c: (
        chain.degrade_batch(
            jax.random.key(1), c, self.severities, diagonal=_FILM,
            density=8.0)[0] ** 2
    ).sum()
    gradient = jax.jit(jax.grad(loss))(clips)
    self.assertTrue(np.isfinite(gradient).all())
    self.assertGreater(np.abs(gradient).max(), 0)


class EveryOperatorTest(absltest.TestCase):

  def test_replacing_operators_leave_the_rest_untouched(self):
    clip = _clips(1, 3, 40)[0]
    shapes = jnp.full((2, 8, 8), 255, jnp.uint8)
    for name in ('scratches', 'dust', 'hairs', 'stains', 'lost_blocks',
                 'lost_frames', 'textures'):
      options = {'textures': shapes} if name == 'textures' else {}
      damaged, damage, record = jax.jit(
          functools.partial(chain.OPERATORS[name], **options)
      )(jax.random.key(4), clip, 2.0)
      self.assertEqual(damage.shape, (3, 40, 40, 1))
      intact = np.broadcast_to(damage == 0, damaged.shape)
      np.testing.assert_array_equal(damaged[intact], clip[intact])
      if name != 'lost_frames':
        self.assertIn('alive', record)

  def test_gradients_are_finite(self):
    clip = _clips(1, 2, 16)[0].at[0].set(0.0).at[1, :8].set(1.0)
    for name in ('anisotropic_blur', 'poisson_noise', 'flicker', 'weave',
                 'rescale', 'block_compression', 'stains'):
      options = {'gamma': 0.3} if name == 'flicker' else {}
      operator = functools.partial(chain.OPERATORS[name], **options)
      loss = lambda c, f=operator: (f(jax.random.key(0), c, 1.0)[0] ** 2).sum()
      self.assertTrue(np.isfinite(jax.jit(jax.grad(loss))(clip)).all(), name)


class TrainingTest(absltest.TestCase):

  @pytest.mark.slow
  def test_runs_and_tells_all(self):
    clips = _clips(3, 3, 32)
    run = jax.jit(
        lambda k: chain.degrade_batch(
            k, clips, jnp.array([0.5, 1.0, 2.0]), mix='training',
            diagonal=_FILM, density=8.0))
    damaged, damage, record = run(jax.random.key(0))
    self.assertTrue(np.isfinite(damaged).all())
    self.assertEqual(set(np.unique(damage)) - {0.0, 1.0}, set())
    names = chain.names('training')
    self.assertCountEqual(record['active'], names)
    self.assertCountEqual(record['order'][0].tolist(), range(len(names)))
    other = run(jax.random.key(1))[2]['order'][0]
    self.assertNotEqual(record['order'][0].tolist(), other.tolist())


class DamageMaskTest(absltest.TestCase):

  def test_weave_moves_the_damage_that_came_before(self):
    mix = chain.Mix({'dust': 1.0, 'weave': 1.0},
                    options={'weave': {'deviation': 4.0}})
    clip = _clips(1, 3, 48)[0]
    damaged, damage, record = chain.degrade(
        jax.random.key(2), clip, 1.0, mix=mix, diagonal=_FILM, density=8.0)
    dusty = chain.degrade(
        jax.random.key(2), clip, 1.0, mix=chain.Mix({'dust': 1.0}),
        diagonal=_FILM, density=8.0)
    shift = record['operators']['weave']['shift']
    np.testing.assert_array_equal(
        damage, film.move_damage(dusty[1], shift))
    np.testing.assert_allclose(damaged, film.move(dusty[0], shift), atol=1e-6)
    self.assertGreater(np.abs(damage - dusty[1]).sum(), 0)


class ReferenceTest(absltest.TestCase):

  def test_grey_where_the_film_was_grey(self):
    clips = _clips(8)
    _, _, record = chain.degrade_batch(
        jax.random.key(0), clips, jnp.ones(8),
        mix=chain.Mix({'monochrome': 0.5, 'weave': 1.0}))
    found = jax.vmap(chain.reference)(clips, record)
    grey = np.asarray(record['active']['monochrome'])
    self.assertTrue(grey.any() and not grey.all())
    np.testing.assert_array_equal(found[~grey], clips[~grey])
    np.testing.assert_array_equal(found[grey], color.grey(clips[grey]))

  def test_keeps_the_weave_if_asked(self):
    clip = _clips(1)[0]
    damaged, _, record = chain.degrade(
        jax.random.key(0), clip, 1.0, mix=chain.Mix({'weave': 1.0}))
    np.testing.assert_allclose(
        chain.reference(clip, record, keep_weave=True), damaged, atol=1e-6)
    self.assertGreater(
        np.abs(chain.reference(clip, record) - damaged).max(), 1e-2)


class TexturesTest(absltest.TestCase):

  def test_take_the_place_of_dust_and_hairs(self):
    shapes = jnp.full((3, 8, 8), 255, jnp.uint8)
    _, damage, record = chain.degrade(
        jax.random.key(0), _clips(1)[0], 1.0, textures=shapes, density=8.0,
        mix=chain.Mix({'dust': 1.0, 'grain': 1.0, 'hairs': 1.0}))
    self.assertCountEqual(record['active'], ('textures', 'grain'))
    self.assertGreater(damage.sum(), 0)


if __name__ == '__main__':
  absltest.main()
