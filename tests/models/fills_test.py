"""Tests of models/fills.py."""

from absl.testing import absltest
import numpy as np

from revive_jax.models import fills
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_MODEL = fills.FillVae(features=(4, 6, 8), latent=3)


def _inputs(count=2):
  rng = np.random.default_rng(0)
  restored = rng.random((count, 16, 24, 3), np.float32)
  hole = np.zeros((count, 16, 24, 1), np.float32)
  hole[:, 4:10, 6:12] = 1
  return restored, hole, np.full_like(hole, -5.0)


def _apply(method, *inputs):
  given = _inputs()
  weights = params.draw(
      _MODEL, *given, given[0], np.zeros((2, 2, 3, 3), np.float32))
  return _MODEL.apply({'params': weights}, *inputs, method=method)


class FillVaeTest(absltest.TestCase):

  def test_outside_the_hole_all_fills_are_the_same(self):
    restored, hole, log_variance = _inputs()
    noise = np.random.default_rng(1).normal(size=(3, 2, 2, 3, 3)).astype('f')
    drawn = np.asarray(_apply('draw', restored, hole, log_variance, noise))
    self.assertEqual(drawn.shape, (3, 2, 16, 24, 3))
    outside = hole[..., 0] == 0
    for fill in drawn:
      np.testing.assert_array_equal(fill[outside], restored[outside])
    inside = ~outside
    self.assertGreater(np.abs(drawn[0] - drawn[1])[inside].mean(), 1e-3)
    self.assertTrue(((drawn >= 0) & (drawn <= 1)).all())

  def test_the_posterior_sees_what_is_hidden_and_no_more(self):
    restored, hole, log_variance = _inputs()
    clean = restored.copy()
    first = _apply('posterior', restored, hole, log_variance, clean)
    clean[hole[..., 0] == 0] = 0  # Beyond the hole nothing is looked at.
    same = _apply('posterior', restored, hole, log_variance, clean)
    np.testing.assert_array_equal(first.mean, same.mean)
    clean[:, 6, 8] = 1 - clean[:, 6, 8]
    other = _apply('posterior', restored, hole, log_variance, clean)
    self.assertGreater(np.abs(other.mean - first.mean).max(), 1e-4)

  def test_shapes(self):
    restored, hole, log_variance = _inputs()
    fill, posterior, prior = _apply(
        None, restored, hole, log_variance, restored,
        np.zeros((2, 2, 3, 3), np.float32))
    self.assertEqual(fill.shape, restored.shape)
    self.assertEqual(posterior.mean.shape, (2, 2, 3, 3))
    self.assertEqual(prior.log_variance.shape, (2, 2, 3, 3))


if __name__ == '__main__':
  absltest.main()
