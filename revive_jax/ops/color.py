"""Colour spaces: pure functions of the last axis (red, green, blue)."""

import jax
import jax.numpy as jnp

# Rec. ITU-R BT.601 luma: what JPEG, DV and cv2.cvtColor use.
LUMA = (0.299, 0.587, 0.114)


def grey(rgb: jax.Array) -> jax.Array:
  """BT.601 luma of gamma-encoded rgb [..., 3], in all three channels."""
  return jnp.broadcast_to(luma(rgb), rgb.shape)


def luma(rgb: jax.Array) -> jax.Array:
  """BT.601 luma of gamma-encoded rgb [..., 3] as [..., 1]."""
  red, green, blue = (rgb[..., i : i + 1] for i in range(3))
  return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def rgb_to_ycbcr(rgb: jax.Array) -> jax.Array:
  """Full-range BT.601 (JFIF): Y in [0, 1], Cb and Cr in [-0.5, 0.5]."""
  y = luma(rgb)
  cb = (rgb[..., 2:] - y) / (2 * (1 - LUMA[2]))
  cr = (rgb[..., :1] - y) / (2 * (1 - LUMA[0]))
  return jnp.concatenate([y, cb, cr], -1)


def ycbcr_to_rgb(ycbcr: jax.Array) -> jax.Array:
  """The inverse of rgb_to_ycbcr."""
  y, cb, cr = (ycbcr[..., i : i + 1] for i in range(3))
  red = y + 2 * (1 - LUMA[0]) * cr
  blue = y + 2 * (1 - LUMA[2]) * cb
  green = (y - LUMA[0] * red - LUMA[2] * blue) / LUMA[1]
  return jnp.concatenate([red, green, blue], -1)
