"""Tests of the loss that tells persons apart."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
from sklearn import discriminant_analysis

from revive_jax.training import face


def _unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


class ContrastiveTest(absltest.TestCase):

  def test_by_hand(self):
    rng = np.random.default_rng(0)
    vectors = _unit(rng.normal(size=(3, 3, 4))).astype(np.float32)
    person = jnp.array([0, 1, 0])
    loss, right = jax.jit(face.contrastive, static_argnames='temperature')(
        jnp.asarray(vectors), person, temperature=0.5)
    # Of the first view of record 0: its second, against all vectors of record
    # 1 and its own decoy; record 2 shows the same person, and does not count.
    first, second, decoy = np.moveaxis(vectors, 1, 0)
    others = np.stack([first[1], second[0], second[1], decoy[0], decoy[1]])
    scores = others @ first[0] / 0.5
    expected = -scores[1] + np.log(np.exp(scores).sum())
    self.assertAlmostEqual(float(loss[0]), expected, places=5)
    self.assertEqual(bool(right[0]), int(scores.argmax()) == 1)

  def test_least_where_views_agree(self):
    one = jnp.eye(4)
    apart = jnp.stack([one, one, -one], 1)
    person = jnp.arange(4)
    loss = jax.jit(jax.value_and_grad(lambda v: face.contrastive(
        v, person, temperature=0.1)[0].mean()))
    least, grad = loss(apart)
    self.assertLess(least, 0.01)
    self.assertGreater(loss(jnp.roll(apart, 1, axis=1))[0], least + 1)
    self.assertTrue(np.isfinite(np.asarray(grad)).all())

class DiscriminantTest(absltest.TestCase):

  def test_as_of_scikit_learn(self):
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(4), 30)
    features = rng.normal(size=(4, 5))[person] + rng.normal(
        size=(120, 5)) @ rng.normal(size=(5, 5))
    kernel, bias = face.discriminant(features, person, size=3, ridge=0.0)
    ours = features @ kernel + bias
    theirs = discriminant_analysis.LinearDiscriminantAnalysis(
        solver='eigen').fit(features, person).transform(features)
    # Up to sign and order, and a shift.
    match = np.corrcoef(ours.T, theirs.T)[:3, 3:]
    np.testing.assert_allclose(np.abs(match).max(0), 1, atol=1e-6)
    means = np.stack([ours[person == i].mean(0) for i in range(4)])
    np.testing.assert_allclose(means.mean(0), 0, atol=1e-5)
    left = ours - means[person]
    np.testing.assert_allclose(
        left.T @ left / (120 - 4), np.eye(3), atol=1e-4)


if __name__ == '__main__':
  absltest.main()
