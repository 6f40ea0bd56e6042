"""Distances of a picture to its target, one value per example."""

import math

import chex
import jax
import jax.numpy as jnp

from revive_jax.ops import resize


def charbonnier(
    prediction: jax.Array,
    target: jax.Array,
    *,
    weight: jax.Array | None = None,
    epsilon: float = 1e-3,
) -> jax.Array:
  """Smooth L1: d^2 / (2 epsilon) near zero, |d| far from it; float32 [B].

  Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553. weight: [..., 1],
  multiplies the pixels; the mean is over all of them, not over the weights.
  """
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32)
  loss = jnp.sqrt(error**2 + epsilon**2) - epsilon
  if weight is not None:
    chex.assert_equal_shape_prefix([prediction, weight], prediction.ndim - 1)
    loss = loss * weight
  return loss.mean(axis=range(1, loss.ndim))


def gaussian_nll(
    prediction: jax.Array,
    target: jax.Array,
    log_variance: jax.Array,
    *,
    beta: float = 0.0,
) -> jax.Array:
  """Negative log-likelihood of target under N(prediction, exp(log_variance)).

  Without the constant: (error^2 exp(-s) + s) / 2, mean over [B, ..., C]; [B].
  log_variance is [B, ..., 1], one for all channels. Kendall and Gal 2017,
  arXiv:1703.04977, equation 5. beta: each pixel counts in proportion to its
  variance^beta, held still (Seitzer et al. 2022, arXiv:2203.09168), so that a
  few wild errors where the network was sure do not decide alone.
  """
  chex.assert_equal_shape([prediction, target])
  chex.assert_equal_shape_prefix(
      [prediction, log_variance], prediction.ndim - 1)
  s = log_variance.astype(jnp.float32)
  error = (prediction - target).astype(jnp.float32)
  square = (error**2).mean(-1, keepdims=True)
  weight = jnp.exp(beta * jax.lax.stop_gradient(s))
  loss = 0.5 * weight * (square * jnp.exp(-s) + s)
  return loss.mean(axis=range(1, s.ndim))


def bernoulli_nll(logits: jax.Array, target: jax.Array) -> jax.Array:
  """Negative log-likelihood of target in [0, 1], nats, summed; [B].

  -x log p - (1 - x) log(1 - p), p = sigmoid(logits): Kingma and Welling 2014,
  arXiv:1312.6114, appendix C.1.
  """
  chex.assert_equal_shape([logits, target])
  logits, target = (x.astype(jnp.float32) for x in (logits, target))
  loss = jax.nn.softplus(logits) - target * logits
  return loss.sum(axis=range(1, loss.ndim))


def normal_nll(
    prediction: jax.Array, target: jax.Array, *, sigma: float
) -> jax.Array:
  """-log N(target; prediction, sigma^2), nats, summed over [B, ...]; [B]."""
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32) / sigma
  loss = 0.5 * (error**2 + math.log(2 * math.pi * sigma**2))
  return loss.sum(axis=range(1, loss.ndim))


def l1(prediction: jax.Array, target: jax.Array) -> jax.Array:
  """Mean absolute difference, float32 [B]."""
  chex.assert_equal_shape([prediction, target])
  error = jnp.abs((prediction - target).astype(jnp.float32))
  return error.mean(axis=range(1, error.ndim))


def laplacian_pyramid(
    prediction: jax.Array, target: jax.Array, *, levels: int = 4
) -> jax.Array:
  """Sum over levels of the mean |difference| of band-passed pictures, [B].

  The last level is the low-pass that is left. Bojanowski et al. 2018,
  arXiv:1707.05776, equation 2, divided by the number of pixels: its factor
  2^(2j) makes up for the fewer pixels of a level, as a mean does.

  Args:
    prediction: [B, ..., H, W, C]; H and W are multiples of 2^(levels - 1).
    target: as prediction.
    levels: bands, the low-pass among them.
  """
  chex.assert_equal_shape([prediction, target])
  *lead, height, width, channels = prediction.shape
  rest = (prediction - target).astype(jnp.float32)  # The pyramid is linear.
  rest = rest.reshape(-1, height, width, channels)
  total = jnp.zeros(lead[0])
  for level in range(levels):
    band = rest
    if level < levels - 1:
      rest = resize.mean_pool(rest)
      band = band - resize.double(rest)
    total += jnp.abs(band).reshape(lead[0], -1).mean(-1)
  return total


def focal_frequency(
    prediction: jax.Array, target: jax.Array, *, alpha: float = 1.0
) -> jax.Array:
  """Squared difference of spectra, more where it is large, [B].

  mean(w |F(prediction) - F(target)|^2), w = |.|^alpha over its maximum in the
  picture and channel, held still. Jiang et al. 2021, arXiv:2012.12821,
  equation 8.

  Args:
    prediction: [B, ..., H, W, C].
    target: as prediction.
    alpha: how much more.
  """
  chex.assert_equal_shape([prediction, target])
  error = (prediction - target).astype(jnp.float32)
  spectrum = jnp.fft.fft2(error, axes=(-3, -2), norm='ortho')
  power = spectrum.real**2 + spectrum.imag**2
  weight = (jax.lax.stop_gradient(power) + 1e-20) ** (alpha / 2)
  weight /= weight.max((-3, -2), keepdims=True)
  loss = weight * power
  return loss.mean(axis=range(1, loss.ndim))
