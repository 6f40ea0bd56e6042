"""Tests of training/supervised.py: the loss's terms, and one step."""

import functools

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from revive_jax.algorithms import restorer as restorer_lib
from revive_jax.models import estimate, restorer
from revive_jax.training import batch as batch_lib
from revive_jax.training import sharding, supervised
from tests import compiling
from tests.training import layouts, problem

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_matching = jax.jit(supervised.matching)


def _panning(cut=None):
  """A clip [1, 3, 64, 96, 3] that moves by (32, -16) px, as a Batch.

  Pixels of 16 px, so that all resolutions show the same; at frame `cut` a new
  shot starts.
  """
  coarse = np.random.default_rng(0).random((4, 6, 3), np.float32)
  frames = np.stack([np.roll(coarse, (-t, 2 * t), (0, 1)) for t in range(3)])
  if cut is not None:
    frames[cut:] = np.random.default_rng(1).random(frames[cut:].shape)
  clip = np.kron(frames, np.ones((1, 16, 16, 1), np.float32))[None]
  cuts = np.zeros((1, 3), bool)
  cuts[:, [0] if cut is None else [0, cut]] = True
  damage = np.zeros_like(clip[..., :1])
  return batch_lib.Batch(clip, clip, damage, damage, cuts, np.ones(1))


def _flows(dx, dy):
  """Flows of (dx, dy) px of the whole resolution, everywhere."""
  level = lambda n: jnp.broadcast_to(
      jnp.array([dx / n, dy / n]), (1, 3, 64 // n, 96 // n, 2))
  return restorer.Flows(*(level(n) for n in (16, 8, 2)))


class MatchingTest(absltest.TestCase):

  def test_true_flows_explain_the_clip(self):
    past, future = _flows(-32, 16), _flows(32, -16)
    right = _matching((past, future), _panning())
    np.testing.assert_allclose(right['photometric'], 0, atol=1e-5)
    self.assertEqual(right['roughness'], 0)
    swapped = _matching((future, past), _panning())
    self.assertGreater(swapped['photometric'], 0.03)

  def test_a_quarter_for_each_level_and_direction(self):
    right, none = (_flows(-32, 16), _flows(32, -16)), _flows(0, 0)
    past = _matching((none, right[1]), _panning())['photometric']
    future = _matching((right[0], none), _panning())['photometric']
    both = _matching((none, none), _panning())['photometric']
    np.testing.assert_allclose(both, past + future, rtol=1e-5)
    causal = _matching((none,), _panning())['photometric']
    np.testing.assert_allclose(causal, past, rtol=1e-5)
    one = none.replace(eighth=right[0].eighth)
    np.testing.assert_allclose(
        _matching((one, right[1]), _panning())['photometric'], past / 2,
        rtol=1e-4)

  def test_nothing_is_matched_over_a_cut(self):
    flows = _flows(-32, 16), _flows(32, -16)
    batch = _panning(cut=2)
    np.testing.assert_allclose(
        _matching(flows, batch)['photometric'], 0, atol=1e-5)
    unaware = batch.replace(cuts=_panning().cuts)
    self.assertGreater(_matching(flows, unaware)['photometric'], 0.03)


class LossesTest(absltest.TestCase):

  def test_by_hand(self):
    batch = _panning()
    damage = batch.damage.copy()
    damage[:, :, :16] = 1  # A quarter.
    batch = batch.replace(damage=damage)
    error = np.where(damage == 1, np.float32(0.3), np.float32(0.1))
    restored = restorer.Restored(
        batch.target + error, np.full_like(damage, 0.5),
        np.zeros_like(damage), None)
    directions = [
        restorer.Direction(None, None, estimate.Estimate(picture, None), flows)
        for picture, flows in ((batch.target + error, _flows(-32, 16)),
                               (batch.target, _flows(32, -16)))]
    terms = jax.jit(functools.partial(
        supervised.losses, damage_weight=4.0, epsilon=1e-3, weights={}))(
        restored, directions, batch)
    smooth = lambda d: np.sqrt(d**2 + 1e-6) - 1e-3
    # Replaced pixels count five times, the others once.
    np.testing.assert_allclose(
        terms['charbonnier'], (5 * smooth(0.3) + 3 * smooth(0.1)) / 4,
        rtol=1e-4)
    # Of one direction the estimate is as wrong, of the other it is right.
    np.testing.assert_allclose(
        terms['estimate'], terms['charbonnier'] / 2, rtol=1e-4)
    causal = jax.jit(functools.partial(
        supervised.losses, damage_weight=4.0, epsilon=1e-3,
        weights={'l1': 0.1, 'laplacian_pyramid': 0.0}))(
        restored, (directions[0], None), batch)
    np.testing.assert_allclose(causal['l1'], (0.3 + 3 * 0.1) / 4, rtol=1e-4)
    self.assertNotIn('laplacian_pyramid', causal)
    np.testing.assert_allclose(
        causal['estimate'], terms['charbonnier'], rtol=1e-4)
    np.testing.assert_allclose(terms['cross_entropy'], np.log(2), rtol=1e-5)
    number = damage.size
    np.testing.assert_allclose(
        terms['dice'], 1 - (number / 4 + 1) / (number * 3 / 4 + 1), rtol=1e-4)
    # Of variance 1 everywhere: half the mean square.
    np.testing.assert_allclose(
        terms['likelihood'], (0.09 + 3 * 0.01) / 8, rtol=1e-4)
    self.assertEqual({*terms, *supervised.FURTHER},
                     set(problem.make_config().losses))


def _means(state):
  """The optimizer's means of the gradients of kernels and of vectors."""
  inner = state.opt_state[1].inner_states
  return tuple(inner[k].inner_state[0].mu for k in ('muon', 'adam'))


def _compile(layout, parts):
  c = problem.make_config(num_steps=100, accumulate=parts)
  return problem.make_trainer(c, layout)[1]


@functools.cache
def _after(**layout):
  init, _ = problem.trainer()
  first = init(jax.random.key(0), params=problem.first_params())
  return layouts.steps(
      _compile, first, [problem.clean(64)] * 2, constants=(None,), **layout)


class StepTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(problem.mixes())

  def _state(self):
    init, _ = problem.trainer()
    # From outside, as weights are; each test's own, since a step takes it.
    return sharding.make_state(
        lambda p: init(jax.random.key(0), params=p), sharding.make_layout(1),
        problem.first_params())

  def _steps(self, count):
    _, step = problem.trainer()
    clips = sharding.put_batch(
        {'clean': problem.clean()}, sharding.make_layout(1))['clean']
    state, all_metrics, states = self._state(), [], []
    for _ in range(count):
      state, metrics = step(state, clips, None)
      all_metrics.append(jax.device_get(metrics))
      states.append(jax.device_get(state))
    return states, all_metrics

  def test_first_state(self):
    state = self._state()
    self.assertEqual(int(state.step), 0)
    chex.assert_trees_all_equal(state.params, state.ema)
    chex.assert_trees_all_equal(state.params, problem.first_params())
    self.assertEqual(
        {float(np.abs(x).max()) for x in jax.tree.leaves(_means(state))}, {0})

  def test_two_steps_by_hand(self):
    states, metrics = self._steps(2)
    self.assertEqual([int(s.step) for s in states], [1, 2])
    first = problem.first_params()
    # The warm-up begins with a rate of 0.
    chex.assert_trees_all_equal(states[0].params, first)
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), states[1].params,
                         first)
    self.assertGreater(min(jax.tree.leaves(moved)), 0)
    # The average: (1 + 1) / (10 + 1) of the old, early on.
    chex.assert_trees_all_close(
        states[1].ema,
        jax.tree.map(lambda old, new: 2 / 11 * old + 9 / 11 * new,
                     states[0].ema, states[1].params), atol=1e-6)
    weights = problem.make_config().losses
    for m in metrics:
      np.testing.assert_allclose(
          m['loss'], sum(w * m[k] for k, w in weights.items() if w),
          rtol=1e-5)
      self.assertGreater(m['psnr_damaged'], 5)
    norms = {k: v for k, v in metrics[0].items() if k.startswith('grad_norm/')}
    self.assertEqual(set(norms), {f'grad_norm/{k}' for k in first})
    # The means are a tenth of the first gradient of vectors, and a twentieth
    # of that of kernels; it was clipped.
    o = problem.make_config().optimizer
    self.assertEqual((o.b1, o.momentum), (0.9, 0.95))
    whole = np.sqrt(sum(v**2 for v in norms.values()))
    kernels, vectors = _means(states[0])
    norm = np.sqrt(sum(
        (x**2).sum() / share**2 for tree, share in ((kernels, 0.05),
                                                    (vectors, 0.1))
        for x in jax.tree.leaves(tree)))
    np.testing.assert_allclose(norm, min(o.clip_norm, whole), rtol=1e-4)

  @pytest.mark.slow
  def test_heads_alone(self):
    layout = sharding.make_layout(1)
    init, step = problem.make_trainer(
        problem.make_config(num_steps=100, only=('heads',)), layout)
    first = problem.first_params()
    state = sharding.make_state(
        lambda p: init(jax.random.key(0), params=p), layout, first)
    clips = sharding.put_batch({'clean': problem.clean()}, layout)['clean']
    for _ in range(2):  # The warm-up begins with a rate of 0.
      state, metrics = step(state, clips, None)
    params = jax.device_get(state.params)
    for name, value in first.items():
      moved = min(jax.tree.leaves(jax.tree.map(
          lambda a, b: np.abs(a - b).max(), params[name], value)))
      self.assertEqual(moved > 0, name == 'heads', name)
      self.assertEqual(metrics[f'grad_norm/{name}'] > 0, name == 'heads')

  @pytest.mark.slow
  def test_every_weight_learns_and_twice_is_the_same(self):
    (state,), (metrics,) = self._steps(1)
    (again,), (metrics_again,) = self._steps(1)
    chex.assert_trees_all_equal((state, metrics), (again, metrics_again))
    flat = jax.tree_util.tree_leaves_with_path(_means(state))
    self.assertLen(flat, len(jax.tree.leaves(state.params)))
    for path, mean in flat:
      self.assertGreater(np.abs(mean).max(), 0, jax.tree_util.keystr(path))

  @parameterized.parameters(*layouts.LAYOUTS)
  @pytest.mark.slow
  def test_every_layout_does_the_same(self, name):
    plain, other = _after(**layouts.PLAIN), _after(**layouts.LAYOUTS[name])
    for key, value in plain[1].items():
      np.testing.assert_allclose(value, other[1][key], rtol=2e-3, err_msg=key)
    # The means are the gradients: rounding is not blown up there as in the
    # steps, which divide by their own size.
    a, b = _means(plain[0]), _means(other[0])
    largest = max(np.abs(x).max() for x in jax.tree.leaves(a))
    chex.assert_trees_all_close(a, b, atol=1e-4 * largest)
    rate = problem.make_config().optimizer.peak
    far = jax.tree.map(lambda a, b: np.mean(np.abs(a - b) > 0.05 * rate),
                       plain[0].params, other[0].params)
    self.assertLess(max(jax.tree.leaves(far)), 0.05)
    self.assertEqual(other[2] > 0, 'fsdp' in layouts.LAYOUTS[name])

  def test_bfloat16_is_of_activations_alone(self):
    c = problem.make_config()
    c.model.dtype = 'bfloat16'
    model, tx = restorer_lib.make_model(c), restorer_lib.make_optimizer(c)
    self.assertEqual(model.dtype, jnp.bfloat16)
    first = jax.eval_shape(functools.partial(
        supervised.init_state, model=model, tx=tx), jax.random.key(0))
    step = functools.partial(
        supervised.train_step, model=model, tx=tx, seed=0,
        draw=restorer_lib.make_draw(c), ema_decay=0.9,
        **restorer_lib.make_costs(c))
    new, metrics = jax.eval_shape(step, first, problem.clean(), None)
    chex.assert_trees_all_equal_shapes_and_dtypes(new, first)
    self.assertEqual(
        {x.dtype for x in jax.tree.leaves((new.params, metrics))},
        {jnp.dtype('float32')})

  @parameterized.parameters('nothing', 'products')
  @pytest.mark.slow
  def test_what_is_computed_again_is_the_same(self, remat):
    c = problem.make_config(num_steps=100)
    c.model.remat = remat
    layout = sharding.make_layout(1)
    _, step = problem.make_trainer(c, layout)
    _, plain = problem.trainer()
    state = self._state()
    memory = [s.lower(state, problem.clean(), None).compile(
        ).memory_analysis().temp_size_in_bytes for s in (plain, step)]
    self.assertLess(memory[1], 0.8 * memory[0])
    _, metrics = step(state, problem.clean(), None)
    _, wanted = plain(self._state(), problem.clean(), None)
    chex.assert_trees_all_close(
        jax.device_get(metrics), jax.device_get(wanted), rtol=1e-3)

  def test_loss_falls(self):
    _, metrics = self._steps(30)
    loss = np.array([m['loss'] for m in metrics])
    self.assertTrue(np.isfinite(loss).all())
    self.assertLess(loss[-10:].mean(), 0.75 * loss[:10].mean())

  def test_a_batch_that_cannot_be_shared_is_refused(self):
    with self.assertRaises(ValueError):
      sharding.put_batch(
          {'clean': problem.clean()[:6]}, sharding.make_layout(4))


if __name__ == '__main__':
  absltest.main()
