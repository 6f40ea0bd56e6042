"""Fidelity: how close a clip is to the clean one, per example."""

import chex
import dm_pix
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.ops import resize

_LARGEST = 100.0  # dB, of equal pictures.
_WINDOW = 11  # px
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Exponents by scale.


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


def ms_ssim(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Structural similarity over scales, of pictures as ssim()'s, [B].

  Wang, Simoncelli and Bovik 2003, doi:10.1109/ACSSC.2003.1292216, equation 7:
  five scales, each half the one before. Where a picture is too small for all of
  them (176 px), the scales that fit are used, their exponents scaled to sum
  to 1.
  """
  chex.assert_equal_shape([prediction, target])
  shortest, count = min(prediction.shape[1:3]), 1
  while count < len(_SCALES) and shortest >> count >= _WINDOW:
    count += 1
  exponents = np.array(_SCALES[:count]) / sum(_SCALES[:count])
  a, b = (x.astype(jnp.float32) for x in (prediction, target))
  result = jnp.ones((len(a), a.shape[-1]))
  for scale, exponent in enumerate(exponents):
    light, contrast = (x.mean((1, 2)) for x in _compared(a, b))
    if scale + 1 == count:
      contrast = light  # Brightness counts at the last scale alone.
    else:
      height, width = (n // 2 * 2 for n in a.shape[1:3])
      a, b = (resize.mean_pool(x[:, :height, :width]) for x in (a, b))
    # A negative one has no root: it is as bad as can be.
    result *= jnp.maximum(contrast, 0) ** exponent
  return result.mean(-1)


def _compared(a, b):
  """Maps of SSIM, and of its part without brightness."""
  places = np.arange(_WINDOW) - _WINDOW // 2
  window = np.exp(-0.5 * (places / 1.5) ** 2)
  window /= window.sum()

  def blurred(x):
    # As convolutions: slices that are summed up take XLA half a minute to
    # compile.
    planes = jnp.moveaxis(x, -1, 1).reshape(-1, *x.shape[1:3], 1)
    for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
      planes = jax.lax.conv_general_dilated(
          planes, jnp.asarray(window.reshape(shape), jnp.float32), (1, 1),
          'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
          precision='highest')
    planes = planes.reshape(len(x), x.shape[-1], *planes.shape[1:3])
    return jnp.moveaxis(planes, 1, -1)

  c1, c2 = 0.01**2, 0.03**2
  mean_a, mean_b = blurred(a), blurred(b)
  var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
  both = blurred(a * b) - mean_a * mean_b
  contrast = (2 * both + c2) / (var_a + var_b + c2)
  light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
  return light * contrast, contrast
