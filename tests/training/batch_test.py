"""Tests of training/batch.py: how clips are damaged for training."""

import functools
from unittest import mock

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from revive_jax import types
from revive_jax.degradations import chain
from revive_jax.ops import color
from revive_jax.training import batch as batch_lib
from tests import compiling

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

# All that the default restorer learns from, at once, and in colour.
_ALL = chain.Mix(
    {name: 1.0 for name in chain.MIXES['restoration'].operators
     if name != 'monochrome'}, chain.MIXES['restoration'].options)
_GREY = chain.Mix({'monochrome': 1.0, 'weave': 1.0})
_DUST = chain.Mix({'dust': 1.0})
_NOISE = chain.Mix({'white_noise': 1.0}, {'white_noise': {'jitter': 0.0}})

_damage = functools.partial(
    jax.jit, static_argnames='draw')(batch_lib.damage)


def _draw(mix, **values):
  return batch_lib.Draw(**(dict(
      mix=mix, severity=(0.25, 2.0), clean_share=0.0, told_share=0.0,
      cut_share=0.0, causal_share=0.0, diagonal=552.0, density=3.0) | values))


def _clips(count=4, time=3, size=24):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (count, time, size, size, 3), dtype=np.uint8)


class BatchTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.dict(
        chain.MIXES, all=_ALL, grey=_GREY, dust=_DUST, noise=_NOISE))

  def test_undamaged_clips_stay_as_they_are(self):
    clean = _clips()
    batch = _damage(
        jax.random.key(0), clean, draw=_draw('all', clean_share=1.0),
        textures=jnp.full((2, 8, 8), 255, jnp.uint8))
    np.testing.assert_array_equal(np.round(batch.damaged * 255), clean)
    np.testing.assert_allclose(batch.target, clean / np.float32(255), atol=1e-4)
    self.assertEqual(batch.damage.max(), 0)

  def test_black_and_white_film_stays_so(self):
    clean = _clips()
    draw = _draw('grey', clean_share=1.0)
    batch = _damage(jax.random.key(0), clean, draw=draw, textures=None)
    grey = color.grey(clean / np.float32(255))
    np.testing.assert_allclose(batch.target, grey, atol=1e-5)
    np.testing.assert_allclose(batch.damaged, grey, atol=0.51 / 255)
    # Moved film is wanted moved: to hold it still is another's task.
    batch = _damage(jax.random.key(0), clean, draw=_draw('grey'), textures=None)
    self.assertGreater(np.abs(batch.target - grey).mean(), 0.01)
    np.testing.assert_allclose(batch.damaged, batch.target, atol=0.51 / 255)

  def test_by_key(self):
    draw = _draw('dust', density=60.0)
    make = lambda seed, clean: _damage(
        jax.random.key(seed), clean, draw=draw, textures=None)
    first, again, other = (make(seed, _clips()) for seed in (3, 3, 4))
    chex.assert_trees_all_equal(first, again)
    self.assertTrue((first.damaged != other.damaged).any())
    chex.assert_trees_all_close(
        first, make(3, _clips().astype(np.float32) / 255), atol=1e-6)
    # 256 levels, as a film that is decoded.
    levels = np.asarray(first.damaged) * 255
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-4)
    # Exactly what is not marked as damaged is still there.
    where = np.broadcast_to(first.damage == 1, first.damaged.shape)
    np.testing.assert_allclose(
        first.damaged[~where], first.target[~where], atol=1e-6)
    self.assertGreater(np.abs(first.damaged - first.target)[where].mean(), 0.1)

  def test_shares(self):
    clean = _clips(64, 4, 16)
    draw = _draw('dust', severity=(2.0, 2.0), density=20.0, clean_share=0.25,
                 told_share=0.5, cut_share=0.5, causal_share=0.25)
    batch = _damage(jax.random.key(1), clean, draw=draw, textures=None)
    empty = np.asarray(batch.damage.max((1, 2, 3, 4)) == 0)
    self.assertBetween(empty.sum(), 8, 26)
    told = np.asarray((batch.mask == batch.damage).all((1, 2, 3, 4)))
    untold = np.asarray(batch.mask.max((1, 2, 3, 4)) == 0)
    self.assertTrue((told | untold).all())
    self.assertBetween((told & ~empty).mean() / (~empty).mean(), 0.3, 0.7)
    cuts = np.asarray(batch.cuts)
    self.assertTrue(cuts[:, 0].all())
    self.assertEqual(set(cuts.sum(1).tolist()), {1, 2})
    self.assertBetween((cuts.sum(1) == 2).mean(), 0.3, 0.7)
    self.assertTrue(cuts[:, 1:].any(0).all())  # At every frame, in some clip.
    self.assertEqual(set(batch.use_future.tolist()), {0.0, 1.0})
    self.assertBetween((batch.use_future == 0).sum(), 8, 26)

  def test_severities_are_even_in_the_logarithm(self):
    clean = np.full((128, 1, 32, 32, 3), 128, np.uint8)
    batch = _damage(
        jax.random.key(0), clean, draw=_draw('noise'), textures=None)
    # The noise of severity 1 has a deviation of 10 levels; rounding adds 1/12.
    noise = 255 * np.asarray(batch.damaged - batch.target)
    severity = np.sqrt(noise.var((1, 2, 3, 4)) - 1 / 12) / 10
    self.assertBetween(severity.min(), 0.22, 0.35)
    self.assertBetween(severity.max(), 1.7, 2.2)
    share = (np.log(severity) - np.log(0.25)) / np.log(8)
    self.assertGreater(stats.kstest(share, 'uniform').pvalue, 0.01)
    # Clips of one frame have no second shot.
    np.testing.assert_array_equal(batch.cuts, np.ones((128, 1), bool))

  def test_unknown_mixes_are_refused(self):
    with self.assertRaisesRegex(types.BadInput, 'acid.*film'):
      batch_lib.damage(jax.random.key(0), _clips(), draw=_draw('acid'),
                       textures=None)

  def test_each_mix_has_its_share_of_a_batch(self):
    clean = _clips(8)
    batch = _damage(
        jax.random.key(0), clean, draw=_draw('noise:0.5,dust:0.25,grey:0.25'),
        textures=None)
    # Noise, in the first half alone, reaches every pixel.
    untouched = np.asarray((batch.damaged == batch.target).mean((1, 2, 3, 4)))
    self.assertLess(untouched[:4].max(), 0.5)
    self.assertGreater(untouched[4:6].min(), 0.5)
    colour = np.asarray(jnp.ptp(batch.target, -1).max((1, 2, 3)))
    self.assertGreater(colour[:6].min(), 0.1)
    self.assertLess(colour[6:].max(), 1e-3)


if __name__ == '__main__':
  absltest.main()
