"""Tests of models/heads.py: what a pixel is made of."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from revive_jax.models import estimate, heads
from tests import compiling
from tests.models.params import draw

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = heads.Heads(8, jnp.float32)
_FRAME, _SOFT, _SOFTER, _PREVIOUS, _NEXT, _MADE_UP = range(6)


def _soft(x, step):
  kernel = np.zeros(2 * step + 1)
  kernel[[0, step, -1]] = 0.25, 0.5, 0.25
  for axis in (1, 2):
    x = ndimage.convolve1d(x, kernel, axis, mode='nearest')
  return x


def _inputs(previous=1.0, next_=1.0, marked=0.0):
  """Features, frame, mask, and two estimates of so many frames."""
  rng = np.random.default_rng(0)
  pictures = rng.random((3, 1, 8, 12, 3), np.float32)
  features = rng.random((3, 1, 4, 6, 8), np.float32)
  before, after, mask = (np.full((1, 8, 12, 1), x, np.float32)
                         for x in (previous, next_, marked))
  return (*features, pictures[0], mask,
          estimate.Estimate(pictures[1], before),
          estimate.Estimate(pictures[2], after))


def _choosing(inputs, *, source=None, made_up=0.0, sharp=0.0):
  """Heads whose last layer says one thing everywhere: take this source."""
  params = _MODEL.init(jax.random.key(0), *inputs)['params']
  bias = np.zeros((4, 15), np.float32)  # 4 pixels of 2 x 2.
  if source is not None:
    bias[:, 9 + source] = 30
  bias[:, 3:6], bias[:, 8] = made_up, sharp
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
        (_PREVIOUS, previous.picture), (_NEXT, next_.picture),
        (_MADE_UP, np.full_like(frame, 0.7))):
      output, *_ = _choosing(inputs, source=source, made_up=0.2)
      np.testing.assert_allclose(output, wanted, atol=1e-6)

  def test_an_unsharp_mask_of_what_was_chosen(self):
    inputs = _inputs()
    frame = inputs[3]
    output, *_ = _choosing(inputs, source=_FRAME, sharp=0.4)
    np.testing.assert_allclose(
        output, frame + 0.8 * (frame - _soft(frame, 1)), atol=1e-5)

  @parameterized.parameters(
      (_FRAME, dict(marked=1.0)), (_PREVIOUS, dict(previous=0.0)),
      (_NEXT, dict(next_=0.0)), (None, dict(previous=5.0, next_=2.0)))
  def test_what_cannot_be_used_is_not_and_the_rest_by_its_worth(
      self, source, given):
    inputs = _inputs(**given)
    *_, frame, mask, previous, next_ = inputs
    pictures = [frame, _soft(frame, 1), _soft(_soft(frame, 1), 2),
                previous.picture, next_.picture, 0.5]
    output, *_ = _choosing(inputs, source=source)
    # An estimate counts as its frames, the frame itself as e^3 at first.
    share = np.array([np.exp(3), 1, 1, previous.support.max(),
                      next_.support.max(), 1])
    if source == _FRAME:
      share[:3] = 0
    wanted = sum(w * p for w, p in zip(share / share.sum(), pictures,
                                       strict=True))
    np.testing.assert_allclose(output, wanted, atol=1e-5)

  @parameterized.parameters('previous', 'next_')
  def test_of_another_shot_nothing_is_seen(self, name):
    *others, previous, next_ = _inputs(previous=0.0, next_=0.0)
    params = _MODEL.init(jax.random.key(0), *others, previous, next_)
    pair = {'previous': previous, 'next_': next_}
    a = _MODEL.apply(params, *others, *pair.values())[0]
    pair[name] = pair[name]._replace(picture=1 - pair[name].picture)
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
