"""Tests of models/discriminator.py."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import discriminator
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


def _random(*shape, seed=0):
  return np.random.default_rng(seed).random(shape, np.float32)


class SpectralNormTest(absltest.TestCase):

  def test_against_svd(self):
    for seed in range(3):
      kernel = np.random.default_rng(seed).normal(
          size=(3, 3, 5, 7)).astype('f')
      normed = np.asarray(discriminator.spectral_norm(jnp.asarray(kernel)))
      sigma = np.linalg.svd(kernel.reshape(45, 7))[1][0]
      np.testing.assert_allclose(normed, kernel / sigma, rtol=0.03)

  def test_its_gradient_keeps_the_norm(self):
    # d sigma / d W = u v^T, so along W itself nothing changes.
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), 'f')
    weight = jnp.asarray(np.random.default_rng(1).normal(size=(6, 4)), 'f')
    value, slope = jax.jvp(
        lambda k: (discriminator.spectral_norm(k) * weight).sum(),
        (kernel,), (kernel,))
    self.assertLess(abs(float(slope)), 1e-4 * abs(float(value)) + 1e-4)


class FrameDiscriminatorTest(absltest.TestCase):

  def test_a_verdict_for_each_pixel(self):
    model = discriminator.FrameDiscriminator(8)
    frame, mask = _random(2, 32, 40, 3), np.zeros((2, 32, 40, 1), 'f')
    weights = params.draw(model, frame, mask)
    apply = jax.jit(lambda *x: model.apply({'params': weights}, *x))
    verdict = apply(frame, mask)
    self.assertEqual(verdict.logits.shape, (2, 32, 40, 1))
    self.assertEqual([f.shape[1:3] for f in verdict.features],
                     [(16, 20), (8, 10), (4, 5), (16, 20)])
    # Each example for itself; the frame and the mask both count.
    other = frame.copy()
    other[1, 3, 3] = 0
    changed = apply(other, mask).logits
    np.testing.assert_allclose(changed[0], verdict.logits[0], atol=1e-6)
    self.assertGreater(np.abs(changed[1] - verdict.logits[1]).max(), 1e-4)
    mask[0, 8:12, 8:12] = 1
    self.assertGreater(
        np.abs(apply(frame, mask).logits[0] - verdict.logits[0]).max(), 1e-4)


class ClipDiscriminatorTest(absltest.TestCase):

  def test_patches_of_three_frames(self):
    model = discriminator.ClipDiscriminator(8)
    clip, mask = _random(1, 5, 32, 40, 3), np.zeros((1, 5, 32, 40, 1), 'f')
    weights = params.draw(model, clip, mask)
    apply = jax.jit(lambda *x: model.apply({'params': weights}, *x))
    logits = apply(clip, mask).logits
    self.assertEqual(logits.shape, (1, 3, 4, 5, 1))
    # The last frame is seen by the last three alone. A copy: jit may still be
    # reading the array itself.
    other = clip.copy()
    other[0, 4] = 0
    changed = apply(other, mask).logits
    np.testing.assert_allclose(changed[0, :2], logits[0, :2], atol=1e-6)
    self.assertGreater(np.abs(changed[0, 2] - logits[0, 2]).max(), 1e-4)


if __name__ == '__main__':
  absltest.main()
