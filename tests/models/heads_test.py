"""Tests of models/heads.py: what a pixel is made of."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from revive_jax.models import heads
from tests import compiling
from tests.models.params import draw

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = heads.Heads(8, jnp.float32)
_FRAME, _SOFT, _SOFTER, _PREVIOUS, _, _NEXT, _NEXT_SOFT, _MADE_UP = range(8)


def _soft(x, step):
  kernel = np.zeros(2 * step + 1)
  kernel[[0, step, -1]] = 0.25, 0.5, 0.25
  for axis in (1, 2):
    x = ndimage.convolve1d(x, kernel, axis, mode='nearest')
  return x


def _inputs(has_previous=1.0, has_next=1.0, marked=0.0, marked_before=0.0):
  rng = np.random.default_rng(0)
  pictures = rng.random((3, 1, 8, 12, 3), np.float32)
  features = rng.random((3, 1, 4, 6, 8), np.float32)
  known = [np.full((1, 1, 1, 1), x, np.float32)
           for x in (has_previous, has_next)]
  mask, before, after = (np.full((1, 8, 12, 1), x, np.float32)
                         for x in (marked, marked_before, 0.0))
  return (*features, pictures[0], mask,
          heads.Neighbour(pictures[1], known[0], before),
          heads.Neighbour(pictures[2], known[1], after))


def _choosing(inputs, *, source=None, made_up=0.0):
  """Heads whose last layer says one thing everywhere: take this source."""
  params = _MODEL.init(jax.random.key(0), *inputs)['params']
  bias = np.zeros((4, 16), np.float32)  # 4 pixels of 2 x 2.
  if source is not None:
    bias[:, 8 + source] = 30
  bias[:, 3:6] = made_up
  params['out'] = {'kernel': jnp.zeros_like(params['out']['kernel']),
                   'bias': jnp.asarray(bias.ravel())}
  return _MODEL.apply({'params': params}, *inputs)


class HeadsTest(parameterized.TestCase):

  def test_each_source_can_be_taken(self):
    inputs = _inputs()
    *_, frame, _, previous, next_ = inputs
    for source, wanted in (
        (_FRAME, frame), (_SOFT, _soft(frame, 1)),
        (_SOFTER, _soft(_soft(frame, 1), 2)),
        (_NEXT_SOFT, _soft(next_.picture, 1)), (_PREVIOUS, previous.picture),
        (_NEXT, next_.picture), (_MADE_UP, np.full_like(frame, 0.7))):
      output, *_ = _choosing(inputs, source=source, made_up=0.2)
      np.testing.assert_allclose(output, wanted, atol=1e-6)

  @parameterized.parameters(
      (_FRAME, dict(marked=1.0)), (_PREVIOUS, dict(has_previous=0.0)),
      (_NEXT, dict(has_next=0.0)), (_PREVIOUS, dict(marked_before=1.0)))
  def test_what_cannot_be_used_is_not(self, source, absent):
    inputs = _inputs(**absent)
    *features, frame, mask, previous, next_ = inputs
    soft = [(x, _soft(x, 1)) for x in (previous.picture, next_.picture)]
    pictures = [frame, _soft(frame, 1), _soft(_soft(frame, 1), 2),
                *soft[0], *soft[1], 0.5]
    output, *_ = _choosing(inputs, source=source)
    # The others in equal shares, but that the frame has e^3 of one.
    share = np.array([np.exp(3), 1, 1, 1, 1, 1, 1, 1])
    share[source:source + (3 if source == _FRAME else 2)] = 0
    wanted = sum(w * p for w, p in zip(share / share.sum(), pictures,
                                       strict=True))
    np.testing.assert_allclose(output, wanted, atol=1e-5)

  @parameterized.parameters(_PREVIOUS, _NEXT)
  def test_of_another_shot_nothing_is_seen(self, source):
    *others, previous, next_ = _inputs(has_previous=0.0, has_next=0.0)
    params = _MODEL.init(jax.random.key(0), *others, previous, next_)
    pair = {_PREVIOUS: previous, _NEXT: next_}
    a = _MODEL.apply(params, *others, *pair.values())[0]
    pair[source] = pair[source]._replace(picture=1 - pair[source].picture)
    b = _MODEL.apply(params, *others, *pair.values())[0]
    np.testing.assert_array_equal(a, b)

  def test_marked_is_damaged_and_the_rest_is_as_found(self):
    inputs = _inputs()
    mask = inputs[4].copy()
    mask[:, 2:5, 3:7] = 1
    _, damage, log_variance = _choosing((*inputs[:4], mask, *inputs[5:]))
    np.testing.assert_allclose(
        damage, np.where(mask == 1, 1, 1 / (1 + np.exp(2))), rtol=1e-5)
    np.testing.assert_allclose(log_variance, -5, rtol=1e-5)

  def test_how_sure_it_is_does_not_shape_what_it_sees(self):
    inputs = _inputs()
    params = draw(_MODEL, *inputs)
    grads = jax.jit(jax.grad(
        lambda p: _MODEL.apply({'params': p}, *inputs)[2].sum()))(params)
    for name, tree in grads.items():
      largest = max(np.abs(x).max() for x in jax.tree.leaves(tree))
      (self.assertGreater if name == 'out' else self.assertEqual)(largest, 0)


if __name__ == '__main__':
  absltest.main()
