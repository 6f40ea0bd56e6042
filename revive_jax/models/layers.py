"""Layers that several networks share. Arrays are [N, H, W, C]."""

from collections.abc import Callable
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.ops import convolution, resize

# What is kept for the gradient; all else is computed again when it is taken
# (Chen et al. 2016, arXiv:1604.06174). '': all is kept.
REMAT = {
    '': None,
    'nothing': jax.checkpoint_policies.nothing_saveable,
    'products': jax.checkpoint_policies.dots_saveable,
}


def remat(step: Callable[..., Any], name: str) -> Callable[..., Any]:
  """step(module, ...) of a scan, with what REMAT says kept of it."""
  if not name:
    return step
  # Within a scan nothing can be taken for a common subexpression.
  return nn.remat(step, policy=REMAT[name], prevent_cse=False)


def leaky(x: jax.Array) -> jax.Array:
  """Leaky ReLU of slope 0.1."""
  return nn.leaky_relu(x, 0.1)


class Conv(nn.Module):
  """A dense 3x3 convolution with bias; scale multiplies its first weights."""

  features: int
  scale: float = 1.0
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.param(
        'kernel', nn.initializers.variance_scaling(
            2.0 * self.scale**2, 'fan_in', 'truncated_normal'),
        (3, 3, x.shape[-1], self.features))
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    x = convolution.conv3x3(x.astype(self.dtype), kernel.astype(self.dtype))
    return x + bias.astype(self.dtype).reshape(1, 1, 1, -1)


class Joint(nn.Module):
  """A product per pixel of several inputs [..., C_i] together, with bias.

  As nn.Dense of their concatenation, but without writing it: half the time on
  CPUs, where that is bound by memory.
  """

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, *inputs: jax.Array) -> jax.Array:
    channels = sum(x.shape[-1] for x in inputs)
    kernel = self.param('kernel', nn.initializers.lecun_normal(),
                        (channels, self.features)).astype(self.dtype)
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    result, first = bias.astype(self.dtype), 0
    result = result.reshape(*(1,) * (inputs[0].ndim - 1), -1)
    for x in inputs:
      last = first + x.shape[-1]
      result = x.astype(self.dtype) @ kernel[first:last] + result
      first = last
    return result


class ResBlock(nn.Module):
  """x + conv(leaky(conv(x))), without normalisation.

  No layer mixes statistics of a whole picture, so a tile gives what the whole
  frame gives. The second convolution starts small, so that a deep stack starts
  near the identity (EDSR, arXiv:1707.02921; BasicVSR, arXiv:2012.02181).
  """

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    features = x.shape[-1]
    y = leaky(Conv(features, dtype=self.dtype)(x))
    return x + Conv(features, scale=0.1, dtype=self.dtype)(y)


class Down(nn.Module):
  """Half the resolution: space to depth, then a product per pixel."""

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    return nn.Dense(self.features, dtype=self.dtype)(resize.space_to_depth(x))


class Up(nn.Module):
  """Twice the resolution: a product per pixel, then depth to space."""

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    return resize.depth_to_space(
        nn.Dense(4 * self.features, dtype=self.dtype)(x))


def bands(frame: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
  """frame [B, H, W, 3] in [0, 1] as bands of like strength, [B, H/2, W/2, ...].

  The detail within 2 x 2 px (12 channels), that of their means within 3 x 3,
  and the means (3 each). As they are, pixels are nearly all brightness: what
  tells grain, dust and fills apart from the picture is some percent of them,
  and is learned late.
  """
  mean = resize.mean_pool(frame)
  detail = resize.space_to_depth(frame) - jnp.tile(mean, 4)
  height, width = mean.shape[1:3]
  padded = jnp.pad(mean, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='edge')
  around = sum(padded[:, i:i + height, j:j + width]
               for i in range(3) for j in range(3)) / 9
  return 6 * detail, 4 * (mean - around), 2 * (mean - 0.5)
