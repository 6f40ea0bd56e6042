"""Tests of painting objects into frames."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import paint


def _disc(item, y, x):
  return jnp.clip(3.5 - jnp.hypot(y - item['y'], x - item['x']), 0, 1)


def _objects(y, x, **changes):
  one = {
      'y': jnp.full((1, 1), y),
      'x': jnp.full((1, 1), x),
      'alive': jnp.ones((1, 1), bool),
      'opacity': jnp.ones((1, 1)),
      'additive': jnp.zeros((1, 1), bool),
      'colour': jnp.ones((1, 1, 3)),
  }
  return {**one, **changes}


class PaintTest(absltest.TestCase):

  def test_a_window_gives_what_the_whole_frame_gives(self):
    clip = jax.random.uniform(jax.random.key(0), (1, 24, 32, 3))
    for y, x in ((12.0, 15.3), (0.2, 31.0), (23.0, 1.5), (-2.0, 10.0)):
      small = paint.draw(clip, _objects(y, x), _disc, (11, 11))
      whole = paint.draw(clip, _objects(y, x), _disc, (99, 99))
      np.testing.assert_allclose(small[0], whole[0], atol=1e-6)
      np.testing.assert_array_equal(small[1], whole[1])
      self.assertGreater(small[1].sum(), 3)

  def test_opacity_colour_and_addition(self):
    clip = jnp.full((1, 16, 16, 3), 0.5)
    colour = jnp.array([[[0.2, 0.4, 1.0]]])
    half = jnp.full((1, 1), 0.5)
    damaged, damage = paint.draw(
        clip, _objects(8.0, 8.0, colour=colour, opacity=half), _disc, (9, 9)
    )
    np.testing.assert_allclose(damaged[0, 8, 8], [0.35, 0.45, 0.75], atol=1e-6)
    self.assertEqual(damage[0, 8, 8, 0], 1)
    added = _objects(
        8.0, 8.0, colour=colour, opacity=half, additive=jnp.ones((1, 1), bool)
    )
    damaged, _ = paint.draw(clip, added, _disc, (9, 9))
    np.testing.assert_allclose(damaged[0, 8, 8], [0.6, 0.7, 0.75], atol=1e-6)

  def test_below_the_threshold_nothing_is_painted(self):
    clip = jnp.full((1, 16, 16, 3), 0.5)
    faint = _objects(8.0, 8.0, opacity=jnp.full((1, 1), 0.04))
    damaged, damage = paint.draw(clip, faint, _disc, (9, 9))
    np.testing.assert_array_equal(damaged, clip)
    np.testing.assert_array_equal(damage, 0)

  def test_grey_is_recognised_and_damage_to_it_is_grey(self):
    grey = jnp.full((1, 4, 4, 3), 0.3)
    self.assertTrue(paint.is_grey(grey))
    self.assertFalse(paint.is_grey(grey.at[0, 0, 0, 0].set(0.5)))
    look = paint.appearance(
        jax.random.key(0),
        (50,),
        grey=jnp.array(True),
        opacity=(0.5, 1.0),
        additive=0.3,
    )
    self.assertEqual(np.ptp(look['colour'], axis=-1).max(), 0)
    self.assertBetween(int(look['bright'].sum()), 10, 40)
    sign = np.sign(look['colour'][:, 0])
    added = np.asarray(look['additive'])
    np.testing.assert_array_equal(
        sign[added] > 0, np.asarray(look['bright'])[added]
    )


if __name__ == '__main__':
  absltest.main()
