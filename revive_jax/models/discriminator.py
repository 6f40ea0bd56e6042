"""Discriminators of a restorer: of frames, pixel by pixel, and of clips.

Both are told where the damage was, so that they learn what fills look like,
and both give their features, too, for feature matching (losses/adversarial.py).
"""

from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.models import layers
from revive_jax.ops import convolution, resize

_ITERATIONS = 8


class Verdict(NamedTuple):
  """What a discriminator says."""

  logits: jax.Array  # [..., 1], positive: real.
  features: tuple[jax.Array, ...]


def spectral_norm(kernel: jax.Array) -> jax.Array:
  """kernel [..., F] over its largest singular value as a matrix to F.

  Miyato et al. 2018, arXiv:1802.05957. Their power iteration goes on from step
  to step and needs a state; this one runs anew on the small F x F product, from
  a fixed start, and needs none.
  """
  matrix = kernel.reshape(-1, kernel.shape[-1]).astype(jnp.float32)
  still = jax.lax.stop_gradient(matrix)
  gram = still.T @ still
  # Not a constant vector, which may be orthogonal to the one that is sought.
  v = jnp.cos(jnp.arange(len(gram), dtype=jnp.float32)) + 1.5
  for _ in range(_ITERATIONS):
    v = gram @ (v / (jnp.linalg.norm(v) + 1e-12))
  v = v / (jnp.linalg.norm(v) + 1e-12)
  sigma = jnp.linalg.norm(matrix @ v)
  return (kernel / jnp.maximum(sigma, 1e-12)).astype(kernel.dtype)


class SpectralConv(nn.Module):
  """A 3x3 convolution of spectral norm 1, with bias and leaky ReLU."""

  features: int
  active: bool = True
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.param('kernel', nn.initializers.he_normal(),
                        (3, 3, x.shape[-1], self.features))
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    x = convolution.conv3x3(
        x.astype(self.dtype), spectral_norm(kernel).astype(self.dtype))
    x = x + bias.astype(self.dtype).reshape(1, 1, 1, -1)
    # The norm of a convolution is up to 3 times that of its matrix; without a
    # gain, leaky ReLUs shrink what comes through four layers to nothing.
    return layers.leaky(x) * 1.4 if self.active else x


def _seen(frame, damage):
  """What a discriminator sees of frames [N, H, W, 3], at half resolution."""
  return jnp.concatenate(
      [*layers.bands(frame), resize.space_to_depth(damage)], -1)


class FrameDiscriminator(nn.Module):
  """A U-Net with a verdict for each pixel: [N, H, W, 1].

  Schonfeld et al. 2020, arXiv:2002.12655. H and W are multiples of 8.
  """

  features: int = 24
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frame: jax.Array, damage: jax.Array) -> Verdict:
    """frame [N, H, W, 3] in [0, 1], damage [N, H, W, 1]."""
    conv = lambda n, **kw: SpectralConv(n, dtype=self.dtype, **kw)
    half = conv(self.features)(_seen(frame, damage))
    quarter = conv(2 * self.features)(resize.space_to_depth(half))
    eighth = conv(4 * self.features)(resize.space_to_depth(quarter))
    up = resize.depth_to_space(conv(8 * self.features)(eighth))
    up = resize.depth_to_space(
        conv(4 * self.features)(jnp.concatenate([up, quarter], -1)))
    last = conv(self.features)(jnp.concatenate([up, half], -1))
    logits = resize.depth_to_space(conv(4, active=False)(last))
    return Verdict(logits.astype(jnp.float32), (half, quarter, eighth, last))


class ClipDiscriminator(nn.Module):
  """Verdicts of patches of three frames each: [B, T - 2, H/8, W/8, 1].

  A temporal PatchGAN (Chang et al. 2019, arXiv:1904.10247), its first layer of
  three frames, the others of one time: enough to see flicker and motion.
  """

  features: int = 24
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frames: jax.Array, damage: jax.Array) -> Verdict:
    """frames [B, T, H, W, 3] in [0, 1], damage [B, T, H, W, 1]; T >= 3."""
    batch, time = frames.shape[:2]
    conv = lambda n, **kw: SpectralConv(n, dtype=self.dtype, **kw)
    flat = lambda x: x.reshape(-1, *x.shape[2:])
    x = _seen(flat(frames), flat(damage))
    x = x.reshape(batch, time, *x.shape[1:])
    x = flat(jnp.concatenate([x[:, i:time - 2 + i] for i in range(3)], -1))
    features = []
    for times in (1, 2, 4):
      x = x if times == 1 else resize.space_to_depth(x)
      x = conv(times * self.features)(x)
      features.append(x)
    logits = conv(1, active=False)(x).astype(jnp.float32)
    apart = lambda x: x.reshape(batch, time - 2, *x.shape[1:])
    return Verdict(apart(logits), tuple(map(apart, features)))
