"""Tests of training/optimizer.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

from revive_jax import types
from revive_jax.training import optimizer


def _schedule(**values):
  settings = dict(peak=8.0, num_steps=100, warmup=4, final_decay=0.2) | values
  rate = optimizer.schedule(**settings)
  return lambda *steps: [float(rate(jnp.int32(s))) for s in steps]


class ScheduleTest(absltest.TestCase):

  def test_cosine_by_hand(self):
    rate = _schedule()
    np.testing.assert_allclose(rate(0, 1, 3, 4), [0, 2, 6, 8], atol=1e-5)
    # A quarter, half and three quarters of the way from 4 to 100.
    np.testing.assert_allclose(
        rate(28, 52, 76, 100, 120),
        [4 + 4 * 0.5**0.5, 4, 4 - 4 * 0.5**0.5, 0, 0], atol=1e-4)

  def test_constant_by_hand(self):
    rate = _schedule(shape='constant')
    np.testing.assert_allclose(
        rate(0, 1, 3, 4, 50, 80, 90, 95, 99, 100, 120),
        [0, 2, 6, 8, 8, 8, 4, 2, 0.4, 0, 0], atol=1e-5)

  def test_long_warmup_leaves_less_to_the_end(self):
    rate = _schedule(shape='constant', warmup=90, final_decay=0.3)
    np.testing.assert_allclose(rate(45, 90, 95, 100), [4, 8, 4, 0], atol=1e-5)

  def test_short_runs(self):
    for shape in ('cosine', 'constant'):
      for num_steps, warmup in ((1, 0), (1, 1), (4, 1), (4, 300)):
        rate = _schedule(num_steps=num_steps, warmup=warmup, shape=shape)
        for value in rate(*range(num_steps)):
          self.assertBetween(value, 0, 8)

  def test_another_shape_is_refused(self):
    with self.assertRaisesRegex(ValueError, 'zigzag'):
      _schedule(shape='zigzag')


class AdamWTest(absltest.TestCase):

  def _update(self, grads, params, **values):
    settings = dict(b1=0.9, b2=0.99, weight_decay=0.0, clip_norm=1.0) | values
    tx = optimizer.adamw(lambda _: 0.5, **settings)
    updates, state = jax.jit(tx.update)(grads, tx.init(params), params)
    return updates, state[1][0].mu

  def test_clips_the_global_norm(self):
    params = {'a': jnp.zeros(2), 'b': jnp.zeros(1)}
    grads = {'a': jnp.array([3.0, 0.0]), 'b': jnp.array([-4.0])}
    _, mean = self._update(grads, params)  # Of norm 5: a fifth is left.
    np.testing.assert_allclose(mean['a'], [0.06, 0], rtol=1e-5)
    np.testing.assert_allclose(mean['b'], [-0.08], rtol=1e-5)
    _, mean = self._update(grads, params, clip_norm=6.0)
    np.testing.assert_allclose(mean['b'], [-0.4], rtol=1e-5)

  def test_first_step_by_hand(self):
    # Adam's first step is the rate along the sign; decay adds rate * decay *
    # weight, outside of Adam (AdamW).
    updates, _ = self._update(
        jnp.array([0.2, -0.3]), jnp.array([1.0, 4.0]), weight_decay=0.1)
    np.testing.assert_allclose(updates, [-0.55, 0.3], rtol=1e-4)


class MuonTest(absltest.TestCase):

  def _update(self, grads, params, **values):
    settings = dict(momentum=0.95, others=0.1, b1=0.9, b2=0.99,
                    weight_decay=0.0, clip_norm=1.0) | values
    tx = optimizer.muon(lambda _: 0.5, **settings)
    return jax.jit(tx.update)(grads, tx.init(params), params)[0]

  def test_kernels_move_along_all_that_the_gradient_has(self):
    # Singular values of 1 and 1/50: both are to move by about the rate.
    rng = np.random.default_rng(0)
    left = np.linalg.qr(rng.normal(size=(36, 2)))[0]
    right = np.linalg.qr(rng.normal(size=(5, 2)))[0]
    grads = (left * [1.0, 0.02]) @ right.T
    update = self._update(
        jnp.float32(grads.reshape(3, 3, 4, 5)), jnp.zeros((3, 3, 4, 5)))
    moved = -left.T @ np.asarray(update).reshape(36, 5) @ right
    np.testing.assert_allclose(moved, np.diag(np.diag(moved)), atol=0.02)
    np.testing.assert_array_less(0.3, np.diag(moved))
    np.testing.assert_array_less(np.diag(moved), 0.65)

  def test_vectors_and_last_layers_move_by_the_others_rate(self):
    grads = {'kernel': jnp.ones((2, 2)), 'bias': jnp.array([1e-3, -1e-3]),
             'coarse_out': {'kernel': jnp.array([[1e-3], [-1e-3]])}}
    update = self._update(
        grads, {'kernel': jnp.zeros((2, 2)), 'bias': jnp.zeros(2),
                'coarse_out': {'kernel': jnp.zeros((2, 1))}}, others=0.02)
    # Adam with Nesterov's momentum: at the first step 1.47 times the sign.
    for found in (update['bias'], update['coarse_out']['kernel'].ravel()):
      np.testing.assert_allclose(
          found, [-0.01 * 1.474, 0.01 * 1.474], rtol=1e-2)

  def test_weights_decay(self):
    still = self._update(jnp.zeros((2, 2)), jnp.ones((2, 2)), weight_decay=0.1)
    np.testing.assert_allclose(still, np.full((2, 2), -0.05), rtol=1e-5)


class OnlyTest(absltest.TestCase):

  def test_others_stay_where_they_are(self):
    tx = optimizer.only(optax.sgd(0.5), ['heads'])
    params = {'heads': {'w': jnp.ones(2)}, 'encoder': jnp.ones(3)}
    grads = {'heads': {'w': jnp.array([1., -2.])}, 'encoder': jnp.ones(3)}
    updates, _ = tx.update(grads, tx.init(params), params)
    np.testing.assert_array_equal(updates['heads']['w'], [-0.5, 1])
    np.testing.assert_array_equal(updates['encoder'], np.zeros(3))

  def test_no_names_are_all(self):
    tx = optax.sgd(0.5)
    self.assertIs(optimizer.only(tx, ()), tx)

  def test_refuses_a_part_that_is_not_there(self):
    tx = optimizer.only(optax.sgd(0.5), ('head',))
    with self.assertRaisesRegex(types.BadInput, "no part 'head'.*encoder, he"):
      tx.init({'heads': jnp.ones(1), 'encoder': jnp.ones(1)})


if __name__ == '__main__':
  absltest.main()
