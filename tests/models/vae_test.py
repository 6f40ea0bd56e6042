"""Tests of models/vae.py."""

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np

from revive_jax.models import vae
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual


class GaussianTest(absltest.TestCase):

  def test_by_hand(self):
    found = vae.Gaussian.of(jnp.array([[1.0, -2.0, 0.0, np.log(4.0)]]))
    np.testing.assert_allclose(found.mean, [[1, -2]])
    # Deviations 1 and 2.
    np.testing.assert_allclose(
        found.sample(jnp.array([[3.0, -1.0]])), [[4, -4]], rtol=1e-6)

  def test_wild_variances_stay_finite(self):
    found = vae.Gaussian.of(jnp.array([[0.0, 1e6], [0.0, -1e6]]))
    sigma = found.sample(jnp.ones((2, 1)))
    self.assertTrue(np.isfinite(sigma).all())
    self.assertGreater(float(sigma[1, 0]), 0)

class ClipVaeTest(parameterized.TestCase):

  def _model(self, temporal=True):
    model = vae.ClipVae(features=(4, 6, 8), latent=3, temporal=temporal)
    x = np.random.default_rng(0).random((2, 5, 16, 24, 3), np.float32)
    noise = np.zeros(model.noise_shape(x.shape), np.float32)
    weights = params.draw(model, x, noise)
    return lambda method, *a: model.apply(
        {'params': weights}, *a, method=method), x

  def test_shapes(self):
    apply, x = self._model()
    coded = apply(None, x, np.zeros((2, 5, 2, 3, 3), 'f'))
    self.assertEqual(coded.output.shape, x.shape)
    self.assertEqual(coded.latent.mean.shape, (2, 5, 2, 3, 3))

  @parameterized.parameters(1, 2, 3)
  def test_in_pieces_it_is_the_same(self, length):
    apply, x = self._model()
    whole, _ = apply('encode', x)
    pieces, memory = [], None
    for start in range(0, 5, length):
      part, memory = apply('encode', x[:, start:start + length], memory)
      pieces.append(part)
    for a, b in zip(whole, zip(*pieces, strict=True), strict=True):
      np.testing.assert_allclose(
          a, np.concatenate(b, 1), rtol=1e-5, atol=1e-6)
    z = whole.mean
    pictures, memory = [], None
    for start in range(0, 5, length):
      part, memory = apply('decode', z[:, start:start + length], memory)
      pictures.append(part)
    np.testing.assert_allclose(
        apply('decode', z)[0], np.concatenate(pictures, 1), rtol=1e-5,
        atol=1e-6)

  def _changed(self, temporal):
    """Which of five frames' latents change when the third frame does."""
    apply, x = self._model(temporal)
    y = x.copy()
    y[:, 2] = 1 - y[:, 2]
    before, after = (apply('encode', clip)[0].mean for clip in (x, y))
    return np.abs(after - before).max((0, 2, 3, 4)) > 1e-6

  def test_the_future_is_not_seen_and_the_past_is(self):
    np.testing.assert_array_equal(self._changed(True), [0, 0, 1, 1, 1])

  def test_of_frames_each_is_alone(self):
    np.testing.assert_array_equal(self._changed(False), [0, 0, 1, 0, 0])


if __name__ == '__main__':
  absltest.main()
