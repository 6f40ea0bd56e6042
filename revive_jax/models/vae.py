"""Variational autoencoders: their latents, and one of frames and clips."""

from collections.abc import Sequence
from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax import types
from revive_jax.models import layers
from revive_jax.ops import resize

BLOCK = 8  # Height and width of clips must be multiples.
_LEAST, _MOST = -14.0, 10.0  # Of log-variances: exp() of them is of use.


class Gaussian(NamedTuple):
  """Independent normal distributions, [B, ..., Z]."""

  mean: jax.Array
  log_variance: jax.Array

  @classmethod
  def of(cls, x: jax.Array) -> 'Gaussian':
    """From channels [B, ..., 2 Z] of a network: means, then log-variances."""
    mean, log_variance = jnp.split(x.astype(jnp.float32), 2, -1)
    return cls(mean, jnp.clip(log_variance, _LEAST, _MOST))

  def sample(self, noise: jax.Array) -> jax.Array:
    """mean + sigma noise: the reparameterised draw, arXiv:1312.6114, 2.4."""
    return self.mean + jnp.exp(0.5 * self.log_variance) * noise


class Coded(NamedTuple):
  """What an autoencoder makes of x."""

  latent: Gaussian  # q(z | x).
  output: jax.Array  # Of p(x | z): as the likelihood wants it, logits or mean.


class CausalConv(nn.Module):
  """A 3x3 convolution of clips [B, T, H, W, C] that may see the frame before.

  temporal: it sees this frame and the one before, and no other; so a clip can
  be gone through piece by piece.
  """

  features: int
  temporal: bool
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
      self, x: jax.Array, before: jax.Array | None
  ) -> tuple[jax.Array, jax.Array]:
    """x, and the last frame [B, 1, H, W, C] before it (None: there is none).

    Returns the result, and the last frame of x.
    """
    last = x[:, -1:]
    if self.temporal:
      before = jnp.zeros_like(last) if before is None else before
      x = jnp.concatenate(
          [jnp.concatenate([before, x[:, :-1]], 1), x], -1)
    flat = x.reshape(-1, *x.shape[2:])
    y = layers.Conv(self.features, dtype=self.dtype)(flat)
    return y.reshape(*x.shape[:2], *y.shape[1:]), last


class _Tower(nn.Module):
  """Convolutions of falling or rising resolution, with a memory of frames."""

  features: Sequence[int]
  up: bool
  temporal: bool
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x, memory):
    memory, left = list(memory or ()), []

    for features in self.features:
      if not self.up:
        x = resize.space_to_depth(x)
      # One layer of each resolution sees the frame before: a tower of three
      # sees four frames, and both seven, which clips of six nearly show.
      x, last = CausalConv(features, self.temporal, dtype=self.dtype)(
          x, memory.pop(0) if memory else None)
      left.append(last)
      flat = layers.leaky(x).reshape(-1, *x.shape[2:])
      flat = layers.ResBlock(dtype=self.dtype)(flat)
      x = flat.reshape(*x.shape)
      if self.up:
        x = resize.depth_to_space(
            nn.Dense(4 * features, dtype=self.dtype)(x))
    return x, tuple(left)


Memory = tuple[jax.Array, ...]  # Of a tower: the last frame of each layer.


class ClipVae(nn.Module):
  """Autoencoder of clips [B, T, H, W, 3] in [0, 1], of 1/8 of the resolution.

  Latents [B, T, H/8, W/8, latent]. With temporal each frame is coded with those
  before it in sight, never those after (as the causal video autoencoders of
  arXiv:2310.05737); without it, alone: an autoencoder of frames. No layer mixes
  a whole picture. H and W are multiples of 8. Its output is the mean of
  p(x | z).
  """

  features: Sequence[int] = (32, 64, 96)
  latent: int = 16
  temporal: bool = True
  dtype: jnp.dtype = jnp.float32

  def setup(self):
    tower = lambda features, up: _Tower(
        features, up, self.temporal, dtype=self.dtype)
    self.encoder = tower(tuple(self.features), False)
    self.decoder = tower(tuple(reversed(self.features)), True)
    self.to_latent = nn.Dense(2 * self.latent, dtype=self.dtype)
    self.out = nn.Dense(3, dtype=self.dtype)

  def encode(
      self, x: jax.Array, memory: Memory | None = None
  ) -> tuple[Gaussian, Memory]:
    """q(z | x), and what the next piece of the clip needs.

    Raises:
      types.BadInput: the latents, of 1/8 of the resolution, do not fit.
    """
    if x.shape[2] % BLOCK or x.shape[3] % BLOCK:
      raise types.BadInput(
          f'Clips of shape {x.shape} do not fit the latents, which are of '
          f'1/{BLOCK} of the resolution; pad height and width to a multiple.')
    x, memory = self.encoder(2 * x.astype(self.dtype) - 1, memory)
    return Gaussian.of(self.to_latent(x)), memory

  def decode(
      self, z: jax.Array, memory: Memory | None = None
  ) -> tuple[jax.Array, Memory]:
    """The mean of p(x | z), and what the next piece of the clip needs."""
    x, memory = self.decoder(z.astype(self.dtype), memory)
    return self.out(x).astype(jnp.float32) + 0.5, memory

  def __call__(self, x: jax.Array, noise: jax.Array) -> Coded:
    """x there and back; noise: standard normal, of noise_shape."""
    latent, _ = self.encode(x)
    return Coded(latent, self.decode(latent.sample(noise))[0])

  def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the noise for clips of a shape [B, T, H, W, 3]."""
    batch, time, height, width, _ = shape
    return batch, time, height // BLOCK, width // BLOCK, self.latent
