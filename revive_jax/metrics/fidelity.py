"""Fidelity: how close a clip is to the clean one, per example."""

import chex
import dm_pix
import jax
import jax.numpy as jnp

_LARGEST = 100.0  # dB, of equal pictures.


def psnr(
    prediction: jax.Array, target: jax.Array, *, peak: float = 1.0
) -> jax.Array:
  """Peak signal-to-noise ratio of [B, ...], dB, [B]; at most 100."""
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32)
  mse = jnp.mean(error**2, axis=range(1, error.ndim))
  least = peak**2 * 10 ** (-_LARGEST / 10)
  return 10 * jnp.log10(peak**2 / jnp.maximum(mse, least))


def ssim(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Structural similarity of pictures [B, H, W, C] in [0, 1], [B].

  Wang et al. 2004, doi:10.1109/TIP.2003.819861: Gaussian window of sigma 1.5
  and 11 pixels, on each channel, averaged. H and W are at least 11.
  """
  chex.assert_equal_shape([prediction, target])
  return dm_pix.ssim(prediction, target)
