"""Tests of models/restorer.py: what passes over time, and what does not."""

import functools

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from configs import restorer as config
from revive_jax.algorithms import restorer as restorer_algorithm
from revive_jax.models import estimate, heads, restorer
from tests import compiling
from tests.models.params import draw
from tests.pipeline import clips

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = restorer.Restorer(features=8, deep_features=8, num_blocks=1)
_PICTURES = ('output', 'damage', 'log_variance')


@functools.cache
def _params():
  return draw(_MODEL, jnp.zeros((1, 2, 32, 32, 3)))


@functools.partial(jax.jit, static_argnames=('model', 'causal'))
def _apply(params, frames, model, causal, **kwargs):
  return model.apply({'params': params}, frames, causal=causal, **kwargs)


def _run(frames, *, causal=False, model=_MODEL, **kwargs):
  """Restores; all is always given, so that each shape is compiled once."""
  batch, time, height, width, _ = frames.shape
  given = dict(
      mask=np.zeros((batch, time, height, width, 1), np.float32),
      cuts=np.zeros((batch, time), bool), carry_after=np.int32(time),
      use_future=np.ones(batch, np.float32)) | kwargs
  if 'state' not in given:
    given['state'] = model.initial_state(batch, height, width)
    given['cuts'] = given['cuts'] | (np.arange(time) == 0)
  return _apply(_params(), frames, model, causal, **given)


def _frames(batch=2, time=4, height=32, width=48, seed=0):
  rng = np.random.default_rng(seed)
  return rng.random((batch, time, height, width, 3), np.float32)


def _scenes(time):
  """Two pans, [2, T, 32, 48, 3]."""
  return np.stack([clips.panning(time, 32, 48, seed=i) for i in range(2)])


def _cuts(batch, time, *places):
  cuts = np.zeros((batch, time), bool)
  for place in places:
    cuts[place] = True
  return cuts


def _equal(a, b):
  """Whether what is seen of two results is the same, bit for bit."""
  return all((getattr(a, k) == getattr(b, k)).all() for k in _PICTURES)


def _part(restored, index):
  """restored at [B, T] index."""
  return jax.tree.map(lambda x: x[index], restored)


class ShapesTest(parameterized.TestCase):

  def test_shapes_and_ranges(self):
    restored, state, (past, future) = _run(_frames())
    self.assertEqual(restored.output.shape, (2, 4, 32, 48, 3))
    self.assertEqual(restored.damage.shape, (2, 4, 32, 48, 1))
    self.assertEqual(restored.log_variance.shape, (2, 4, 32, 48, 1))
    self.assertEqual(restored.flow.shape, (2, 4, 2, 16, 24, 2))
    for flows in (past.flows, future.flows):
      self.assertEqual(flows.sixteenth.shape, (2, 4, 2, 3, 2))
      self.assertEqual(flows.eighth.shape, (2, 4, 4, 6, 2))
      self.assertEqual(flows.half.shape, (2, 4, 16, 24, 2))
    np.testing.assert_array_equal(
        restored.flow[:, 1:, 0], past.flows.half[:, 1:])
    np.testing.assert_array_equal(
        restored.flow[:, :-1, 1], future.flows.half[:, :-1])
    chex.assert_trees_all_equal_shapes_and_dtypes(
        state, _MODEL.initial_state(2, 32, 48))
    chex.assert_tree_all_finite((restored, state))
    self.assertBetween(restored.damage.min(), 0, restored.damage.max())
    self.assertLessEqual(restored.damage.max(), 1)

  def test_default_has_at_most_two_million_parameters(self):
    model = restorer_algorithm.make_model(config.get_config())
    params = jax.eval_shape(
        model.init, jax.random.key(0), jnp.zeros((1, 1, 16, 16, 3)))
    count = sum(x.size for x in jax.tree.leaves(params))
    self.assertBetween(count, 500_000, 2_000_000)
    live = restorer_algorithm.make_model(config.get_config('live'))
    self.assertLess(sum(x.size for x in jax.tree.leaves(jax.eval_shape(
        live.init, jax.random.key(0), jnp.zeros((1, 1, 16, 16, 3))))),
        count / 2)
    self.assertEqual({x.dtype for x in jax.tree.leaves(params)},
                     {jnp.dtype(jnp.float32)})

  @parameterized.parameters((24, 32), (32, 40))
  def test_other_sizes_are_refused(self, height, width):
    with self.assertRaises((TypeError, ValueError)):
      jax.eval_shape(_MODEL.init, jax.random.key(0),
                     jnp.zeros((1, 1, height, width, 3)))

  def test_without_alignment_nothing_moves(self):
    model = restorer.Restorer(
        features=8, deep_features=8, num_blocks=1, aligned=False)
    zeros = jnp.zeros((1, 2, 32, 32, 3))
    params = jax.eval_shape(model.init, jax.random.key(0), zeros)['params']
    self.assertNotIn('matcher', params)
    self.assertIn('matcher', jax.eval_shape(
        _MODEL.init, jax.random.key(0), zeros)['params'])
    np.testing.assert_array_equal(
        restorer._no_flows(_frames(2, 1, 32, 48)[:, 0]).half,
        np.zeros((2, 16, 24, 2)))

  def test_bfloat16_is_close(self):
    model = _MODEL.copy(dtype=jnp.bfloat16)
    # In noise, rounding decides which way it moves.
    frames = _scenes(4)
    whole = _run(frames, causal=True)[0]
    half = _run(frames, causal=True, model=model)[0]
    self.assertEqual({x.dtype for x in jax.tree.leaves(half)},
                     {jnp.dtype(jnp.float32)})
    self.assertLess(np.abs(half.output - whole.output).mean(), 0.02)
    self.assertFalse(_equal(half, whole))


class TimeTest(parameterized.TestCase):

  def test_clips_do_not_meet(self):
    frames = _frames()
    other = frames.copy()
    other[1] += 0.1
    a, b = _run(frames)[0], _run(other)[0]
    chex.assert_trees_all_equal(_part(a, 0), _part(b, 0))
    self.assertFalse(_equal(_part(a, 1), _part(b, 1)))

  def test_a_cut_stops_all_in_both_directions(self):
    frames = _frames()
    cuts = _cuts(2, 4, (0, 2))  # Clip 1 has none: there, all passes.
    before, after = frames.copy(), frames.copy()
    before[:, :2] = 1 - before[:, :2]
    after[:, 2:] = 1 - after[:, 2:]
    wanted, state, _ = _run(frames, cuts=cuts)
    found, other, _ = _run(before, cuts=cuts)
    self.assertTrue(_equal(_part(wanted, np.s_[0, 2:]),
                           _part(found, np.s_[0, 2:])))
    chex.assert_trees_all_equal(_part(state, 0), _part(other, 0))
    for t in (2, 3):
      self.assertFalse(_equal(_part(wanted, (1, t)), _part(found, (1, t))))
    found = _run(after, cuts=cuts)[0]
    chex.assert_trees_all_equal(
        _part(wanted, np.s_[0, :2]).replace(flow=None),
        _part(found, np.s_[0, :2]).replace(flow=None))
    for t in (0, 1):
      self.assertFalse(_equal(_part(wanted, (1, t)), _part(found, (1, t))))

  def test_a_cut_at_the_first_frame_forgets_the_state(self):
    frames = _frames()
    _, state, _ = _run(frames)
    fresh, carried = _run(frames)[0], _run(frames, state=state)[0]
    cut = _run(frames, state=state, cuts=_cuts(2, 4, np.s_[:, 0]))[0]
    self.assertTrue(_equal(fresh, cut))
    self.assertFalse(_equal(fresh, carried))

  def test_causal_does_not_see_the_future(self):
    frames = _frames()
    later = frames.copy()
    later[:, 2:] = 0
    causal = _run(frames, causal=True)[0]
    chex.assert_trees_all_equal(
        _part(causal, np.s_[:, :2]),
        _part(_run(later, causal=True)[0], np.s_[:, :2]))
    self.assertEqual(np.abs(causal.flow[:, :, 1]).max(), 0)
    # Both directions, of which one is not used by clip 0: other programs, so
    # the last bits may differ.
    mixed = _run(frames, use_future=np.float32([0, 1]))[0]
    for name in _PICTURES:
      a, b = getattr(causal, name), getattr(mixed, name)
      np.testing.assert_allclose(a[0], b[0], atol=1e-5)
      self.assertGreater(np.abs(a[1] - b[1]).max(), 1e-3)
    self.assertTrue(_equal(_part(mixed, 1), _part(_run(frames)[0], 1)))
    unseen = _run(later, use_future=np.float32([0, 1]))[0]
    self.assertTrue(_equal(_part(mixed, np.s_[0, :2]),
                           _part(unseen, np.s_[0, :2])))

  def test_causal_windows_equal_one_run(self):
    frames = _frames()
    whole, last, _ = _run(frames, causal=True)
    first, state, _ = _run(frames, causal=True, carry_after=np.int32(2))
    second, end, _ = _run(frames[:, 2:], causal=True, state=state)
    chex.assert_trees_all_equal(first, whole)
    chex.assert_trees_all_equal(second, _part(whole, np.s_[:, 2:]))
    chex.assert_trees_all_equal(end, last)
    lost = _run(frames[:, 2:], causal=True,
                state=_MODEL.initial_state(2, 32, 48))[0]
    self.assertGreater(np.abs(lost.output - whole.output[:, 2:]).max(), 1e-3)

  def test_carried_state_has_seen_so_many_frames(self):
    frames = _frames()
    later = frames.copy()
    later[:, 3:] = 0
    states = [_run(frames, carry_after=np.int32(n))[1] for n in (2, 3, 4)]
    # Frames that come after it leave no trace, though both directions ran.
    chex.assert_trees_all_equal(
        states[1], _run(later, carry_after=np.int32(3))[1])
    for a, b in ((0, 1), (1, 2)):
      self.assertGreater(
          np.abs(states[a].hidden - states[b].hidden).max(), 1e-3)
    self.assertTrue(_equal(
        _run(frames)[0], _run(frames, carry_after=np.int32(2))[0]))

  @parameterized.parameters(False, True)
  def test_with_a_count_all_is_the_same(self, causal):
    frames, cuts = _frames(), _cuts(2, 4, (0, 2))
    given = dict(causal=causal, state=_run(_frames(seed=1))[1])
    more = frames.copy()
    more[:, 3] = np.nan  # It makes up the shape.
    for carried in np.int32([1, 3]):
      whole, state, _ = _run(
          frames[:, :3], cuts=cuts[:, :3], carry_after=carried, **given)
      found, kept, saw = _run(
          more, cuts=cuts, carry_after=carried, count=np.int32(3),
          use_future=None, **given)
      chex.assert_trees_all_close(
          _part(found, np.s_[:, :3]), whole, atol=1e-5)
      chex.assert_trees_all_close(kept, state, atol=1e-5)
      self.assertIsNone(saw)

  def test_with_a_count_it_has_the_same_kinds(self):
    frames = jax.ShapeDtypeStruct((2, 4, 32, 48, 3), jnp.float32)
    for model in (_MODEL.clone(dtype=jnp.bfloat16), _MODEL.clone(noise=2),
                  _MODEL.clone(aligned=False)):
      params = jax.eval_shape(
          lambda x, m=model: m.init(jax.random.key(0), x), frames)
      of = lambda x, p, m, **count: m.apply(p, x, **count)[:2]
      whole, counted = (jax.eval_shape(
          functools.partial(of, m=model, **count), frames, params)
                        for count in ({}, {'count': 3}))
      chex.assert_trees_all_equal_shapes_and_dtypes(whole, counted)

  def test_clips_that_see_no_future_have_no_count(self):
    with self.assertRaisesRegex(ValueError, 'use_future'):
      _run(_frames(), count=np.int32(3))

  def test_more_lookahead_comes_closer_to_the_whole(self):
    # The estimate remembers some six frames; in noise, chance decides longer.
    frames = _scenes(10)
    whole = _run(frames)[0].output[:, 0]
    # A cut ends what frame 0 sees, as the end of a window does.
    errors = []
    for seen in (1, 4, 8):
      window = _run(frames, cuts=_cuts(2, 10, np.s_[:, seen]))[0].output[:, 0]
      errors.append(np.abs(window - whole).mean())
    self.assertEqual(sorted(errors, reverse=True), errors)
    self.assertGreater(errors[-1], 0)
    self.assertLess(errors[-1], errors[0] / 2)
    # And the end of a window is such a cut.
    frames = _frames(2, 4)
    short = _run(frames[:, :2])[0]
    cut = _run(frames, cuts=_cuts(2, 4, np.s_[:, 2]))[0]
    for name in _PICTURES:
      np.testing.assert_allclose(
          getattr(short, name), getattr(cut, name)[:, :2], atol=1e-5)

  def test_the_state_is_bounded(self):
    _, state, _ = _run(1e3 * _frames(), causal=True)
    rms = np.sqrt((state.hidden**2).mean(-1))
    self.assertBetween(rms.max(), 2, 4)

  def test_no_flow_leads_over_a_cut(self):
    flow = _run(_frames(), cuts=_cuts(2, 4, (0, 2)))[0].flow
    none = np.abs(flow).max((3, 4, 5)) == 0
    # [T, to the past or to the future]: the ends of a clip, and the cut.
    np.testing.assert_array_equal(
        none[0], [[1, 0], [0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(
        none[1], [[1, 0], [0, 0], [0, 0], [0, 1]])


class SpaceTest(absltest.TestCase):
  """Of single frames: what one pixel tells another."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.frames = _frames(1, 1, 96, 112)
    cls.whole = _run(cls.frames, causal=True)[0]

  def test_one_frame_is_a_clip(self):
    self.assertEqual(self.whole.output.shape, (1, 1, 96, 112, 3))
    chex.assert_tree_all_finite(self.whole)
    both, _, _ = jax.eval_shape(
        lambda p, x: _MODEL.apply({'params': p}, x), _params(), self.frames)
    chex.assert_trees_all_equal_shapes_and_dtypes(both, self.whole)

  def test_a_tile_gives_what_the_whole_frame_gives(self):
    tile = _run(self.frames[:, :, 16:, 16:], causal=True)[0]
    # All convolutions together reach 28 px.
    for name in _PICTURES:
      a = getattr(tile, name)[0, 0, 32:, 32:]
      b = getattr(self.whole, name)[0, 0, 48:, 48:]
      np.testing.assert_allclose(a, b, atol=1e-5)
    edge = tile.output[0, 0, :2] - self.whole.output[0, 0, 16:18, 16:]
    self.assertGreater(np.abs(edge).max(), 1e-3)

  def test_what_is_marked_counts_as_damaged(self):
    mask = np.zeros((1, 1, 96, 112, 1), np.float32)
    mask[:, :, 8:16, 8:20] = 1
    marked = _run(self.frames, causal=True, mask=mask)[0]
    self.assertEqual(marked.damage[mask == 1].min(), 1)
    self.assertLess(self.whole.damage.max(), 1)
    for name in _PICTURES:
      a, b = getattr(marked, name), getattr(self.whole, name)
      np.testing.assert_allclose(
          a[:, :, :, 64:], b[:, :, :, 64:], atol=1e-6)
      self.assertGreater(np.abs(a - b)[:, :, 8:16, 8:20].max(), 1e-3)

  def test_what_is_replaced_does_not_show(self):
    # What is marked is no source: the frame acts through the features alone.
    mask = np.zeros((1, 1, 96, 112, 1), np.float32)
    for value in (0.0, 1.0):
      mask[...] = value
      other = self.frames.copy()
      other[0, 0, 40, 40] += 1e-3
      a, b = (_run(x, causal=True, mask=mask)[0].output[0, 0, 40, 40]
              for x in (self.frames, other))
      share = np.mean((b - a) / 1e-3)
      self.assertLess(abs(share - (1 - value)), 0.5)


class NoiseTest(absltest.TestCase):

  def test_texture_is_in_the_damage_alone(self):
    model = heads.Heads(8, dtype=jnp.float32)
    rng = np.random.default_rng(0)
    array = lambda *shape: rng.random((1, *shape), np.float32)
    guess = estimate.Estimate(array(32, 48, 3), array(32, 48, 1))
    mask = np.zeros((1, 32, 48, 1), np.float32)
    mask[:, 4:12, 8:20] = 1
    inputs = (*(array(16, 24, 8) for _ in range(3)), array(32, 48, 3), mask,
              guess, guess)
    noises = rng.normal(size=(2, 1, 16, 24, 2)).astype(np.float32)
    params = draw(model, *inputs, noises[0])
    apply = jax.jit(lambda *x: model.apply({'params': params}, *x)[:2])
    (one, damage), (two, _) = (apply(*inputs, n) for n in noises)
    hole = np.broadcast_to(np.asarray(damage) > 0.5, one.shape)
    self.assertTrue(hole[:, 4:12, 8:20].all())
    self.assertFalse(hole.all())
    np.testing.assert_array_equal(one[~hole], two[~hole])
    self.assertGreater(np.abs(one - two)[hole].mean(), 1e-3)

  def test_noise_is_of_the_clip_and_drawn(self):
    model = _MODEL.clone(noise=2)
    hidden = jnp.zeros((2, 3, 8, 8, 4))
    noise = lambda given=None: np.asarray(
        model.apply({}, hidden, given, method='_noise'))
    fixed = noise()
    self.assertEqual(fixed.shape, (2, 3, 8, 8, 2))
    np.testing.assert_array_equal(fixed, noise())
    np.testing.assert_array_equal(fixed[:, 0], fixed[:, 2])
    self.assertTrue((fixed[0] != fixed[1]).any())
    shape = model.noise_shape((2, 3, 16, 16, 3))
    given = jax.random.normal(jax.random.key(1), shape)
    np.testing.assert_array_equal(
        noise(given), np.repeat(np.asarray(given)[:, None], 3, 1))
    self.assertIsNone(_MODEL.apply({}, hidden, None, method='_noise'))


if __name__ == '__main__':
  absltest.main()
