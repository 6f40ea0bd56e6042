"""Tests of models/latent.py, and of restoring with it."""

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import models, types
from revive_jax.models import inference, latent, weights
from tests import compiling
from tests.models import params

setUpModule, tearDownModule = compiling.quickly, compiling.as_usual

_SETTINGS = dict(features=[4, 4, 6], latent=3, mapping_features=6, num_blocks=2)
_MODEL = models.build('latent_restorer', _SETTINGS)


def _weights():
  x = np.zeros((1, 1, 16, 16, 3), np.float32)
  return params.draw(
      _MODEL, x, x[..., :1], np.zeros((1, 1, 2, 2, 3), np.float32))


def _clip(height=16, width=24):
  rng = np.random.default_rng(0)
  frames = rng.random((2, 2, height, width, 3), np.float32)
  mask = np.zeros((2, 2, height, width, 1), np.float32)
  mask[:, :, 3:7, 4:12] = 1
  return frames, mask


def _attended(seed=0, places=10):
  rng = np.random.default_rng(seed)
  queries, keys = rng.normal(size=(2, 2, places, 4)).astype('f')
  values = rng.normal(size=(2, places, 3)).astype('f')
  lends = np.ones((2, places), np.float32)
  lends[:, ::3] = 0
  return queries, keys, values, lends


class PartialAttentionTest(absltest.TestCase):

  def test_two_places_by_hand(self):
    # Logits 1 and 2, F = 4: exp(0.5) and exp(1).
    queries = np.float32([[[1, 0, 0, 0]]])
    keys = np.float32([[[1, 0, 0, 0], [2, 0, 0, 0]]])
    values = np.float32([[[10], [20]]])
    a, b = np.exp(0.5), np.exp(1)
    both = latent.partial_attention(
        queries, keys, values, np.float32([[1, 1]]))
    np.testing.assert_allclose(both, [[[(10 * a + 20 * b) / (a + b)]]],
                               rtol=1e-6)
    first = latent.partial_attention(
        queries, keys, values, np.float32([[1, 0]]))
    np.testing.assert_array_equal(first, [[[10]]])

  def test_masked_places_have_no_weight_at_all(self):
    queries, keys, values, lends = _attended()
    run = lambda keys, values: latent.partial_attention(
        queries, keys, values, lends)
    usual, hidden = run(keys, values), lends == 0
    for change in (1e4, -1e4):
      other_keys, other_values = keys.copy(), values.copy()
      other_keys[hidden] += change
      other_values[hidden] += change
      np.testing.assert_array_equal(run(other_keys, other_values), usual)
    slopes = jax.grad(
        lambda *x: (run(*x) ** 2).sum(), argnums=(0, 1))(keys, values)
    for slope in map(np.asarray, slopes):
      self.assertEqual(np.abs(slope[hidden]).max(), 0)
      self.assertGreater(np.abs(slope[~hidden]).min(), 0)

  def test_where_none_lends_it_gives_nothing(self):
    queries, keys, values, lends = _attended()
    lends[0] = 0  # Of one of two pictures.
    run = lambda q: latent.partial_attention(q, keys, values, lends, chunk=4)
    result = np.asarray(run(queries))
    self.assertEqual(np.abs(result[0]).max(), 0)
    self.assertGreater(np.abs(result[1]).min(), 0)
    slope = np.asarray(jax.grad(lambda q: run(q).sum())(queries))
    self.assertTrue(np.isfinite(slope).all())
    self.assertEqual(np.abs(slope[0]).max(), 0)

  def test_in_chunks_it_is_the_same(self):
    queries, keys, values, lends = _attended()
    run = lambda chunk: jax.jit(jax.value_and_grad(
        lambda k: (latent.partial_attention(
            queries, k, values, lends, chunk=chunk) ** 2).sum()))(keys)
    whole = run(10)
    for chunk in (4, 5):  # The last one full, and not.
      for a, b in zip(run(chunk), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

  def test_a_place_keeps_what_it_knows(self):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 3, 4, 6)).astype('f')
    masked = np.zeros((1, 3, 4, 1), np.float32)
    masked[0, 1, 2] = 1
    block = latent.PartialAttention()
    drawn = params.draw(block, x, masked)
    change = np.asarray(block.apply({'params': drawn}, x, masked)) - x
    np.testing.assert_array_equal(
        np.argwhere(np.abs(change).max(-1)), [[0, 1, 2]])
    none = block.apply({'params': drawn}, x, np.ones_like(masked))
    np.testing.assert_array_equal(none, x)  # None is left to lend.


class LatentRestorerTest(parameterized.TestCase):

  def test_shapes(self):
    frames, mask = _clip()
    noise = np.zeros((2, 2, 2, 3, 3), np.float32)
    self.assertEqual(_MODEL.noise_shape(frames.shape), noise.shape)
    clean, damaged, restored = jax.eval_shape(
        lambda: _MODEL.apply({'params': _weights()}, frames, mask, noise))
    self.assertEqual(restored.shape, frames.shape)
    self.assertEqual(damaged.output.shape, frames.shape)
    self.assertEqual(clean.latent.mean.shape, noise.shape)

  @parameterized.parameters((16, 24), (13, 21))
  def test_beyond_the_mask_the_source_comes_back(self, height, width):
    frames, mask = _clip(height, width)
    filled = np.asarray(inference.restore_latent(
        _weights(), frames, mask, model=_MODEL))
    hole = mask[..., 0] > 0
    np.testing.assert_array_equal(filled[~hole], frames[~hole])
    self.assertGreater(np.abs(filled - frames)[hole].mean(), 0.01)
    self.assertTrue(((filled >= 0) & (filled <= 1)).all())

  def test_refusals(self):
    frames, mask = _clip()
    with self.assertRaisesRegex(
        types.BadInput, r'mask of shape .*16, 16, 1.* does not fit frames'):
      inference.restore_latent(
          _weights(), frames, mask[:, :, :, :16], model=_MODEL)
    restore = lambda *x: jax.eval_shape(lambda: _MODEL.apply(
        {'params': _weights()}, *x, method='restore'))
    with self.assertRaisesRegex(
        types.BadInput, 'do not fit the latents, which are of 1/8'):
      restore(frames[:, :, :12], mask[:, :, :12])
    with self.assertRaisesRegex(
        types.BadInput, 'mask of shape .* does not fit latents'):
      restore(frames, mask[:, :, :8])

  def test_weights_are_loaded_and_others_refused(self):
    folder = self.create_tempdir().full_path
    saved = lambda name, settings, tree: weights.save_weights(
        f'{folder}/{name}', tree, model=name, settings=settings, card='')
    saved('latent_restorer', _SETTINGS, _weights())
    model, loaded = inference.load_latent(f'{folder}/latent_restorer')
    self.assertEqual(model, _MODEL)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3),
                 loaded, _weights())
    saved('clip_vae', {}, {'out': np.zeros(3, np.float32)})
    with self.assertRaisesRegex(
        types.BadInput, 'weights of a clip_vae, which does not restore in lat'):
      inference.load_latent(f'{folder}/clip_vae')
    with self.assertRaisesRegex(types.BadInput, 'does not restore frames'):
      inference.load_weights(f'{folder}/latent_restorer')

  def test_the_mapping_sees_where_the_mask_is(self):
    frames, mask = _clip()
    z = jnp.asarray(np.random.default_rng(1).normal(size=(2, 2, 2, 3, 3)), 'f')
    run = jax.jit(lambda mask: _MODEL.apply(
        {'params': _weights()}, z, mask, method='translate'))
    self.assertGreater(np.abs(run(mask) - run(0 * mask)).max(), 1e-3)
    self.assertTrue(np.isfinite(run(np.ones_like(mask))).all())


class LatentDiscriminatorTest(absltest.TestCase):

  def test_nine_places_decide_a_verdict(self):
    judge = latent.LatentDiscriminator(4)
    z = np.random.default_rng(0).normal(size=(1, 13, 13, 3)).astype('f')
    drawn = params.draw(judge, z)
    logits = lambda z: judge.apply({'params': drawn}, z).logits
    slope = jax.jit(jax.grad(lambda z: logits(z)[0, 6, 6, 0]))(z)
    slope = np.abs(slope).sum(-1)[0]
    seen = np.argwhere(slope > 0)
    np.testing.assert_array_equal(seen.min(0), [2, 2])
    np.testing.assert_array_equal(seen.max(0), [10, 10])
    self.assertEqual(jax.eval_shape(logits, z).shape, (1, 13, 13, 1))


if __name__ == '__main__':
  absltest.main()
