"""Fills: several plausible pictures of what damage hides.

A conditional variational autoencoder (Sohn et al. 2015, "Learning Structured
Output Representation using Deep Conditional Generative Models") on top of a
restorer: a prior p(z | what was restored, where), a posterior that sees the
clean picture as well, for training, and a decoder. Outside the damage every
fill is what the restorer gave.
"""

from collections.abc import Sequence

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.models import layers, vae
from revive_jax.ops import resize

BLOCK = 8  # Height and width must be multiples.


def noise_shape(
    shape: Sequence[int], latent: int
) -> tuple[int, int, int, int]:
  """The shape of the noise for pictures of a shape [N, H, W, 3]."""
  number, height, width, _ = shape
  return number, height // BLOCK, width // BLOCK, latent


class _Pyramid(nn.Module):
  """Features of pictures [N, H, W, C] at 1/2, 1/4 and 1/8."""

  features: Sequence[int]
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x):
    levels = []
    for features in self.features:
      x = resize.space_to_depth(x.astype(self.dtype))
      x = layers.leaky(layers.Conv(features, dtype=self.dtype)(x))
      x = layers.ResBlock(dtype=self.dtype)(x)
      levels.append(x)
    return levels


class FillVae(nn.Module):
  """Pictures to a distribution of fills; all [N, H, W, C], H and W by 8."""

  features: Sequence[int] = (32, 48, 64)
  latent: int = 8
  dtype: jnp.dtype = jnp.float32

  def setup(self):
    pyramid = lambda: _Pyramid(tuple(self.features), dtype=self.dtype)
    self.context, self.recognition = pyramid(), pyramid()
    dense = lambda n: nn.Dense(n, dtype=self.dtype)
    self.to_prior, self.to_posterior = (
        dense(2 * self.latent), dense(2 * self.latent))
    self.from_latent = dense(self.features[-1])
    ups = tuple(reversed(self.features))
    self.up = [dense(4 * n) for n in (*ups[1:], ups[-1])]
    self.mix = [layers.Conv(n, dtype=self.dtype) for n in ups]
    self.out = dense(3)

  def see(
      self, restored: jax.Array, hole: jax.Array, log_variance: jax.Array
  ) -> list[jax.Array]:
    """What prior and decoder are told: maps at 1/2, 1/4 and 1/8.

    Args:
      restored: [N, H, W, 3] in [0, 1], of a restorer.
      hole: [N, H, W, 1] in {0, 1}, what is to be filled.
      log_variance: [N, H, W, 1], of restored.
    """
    return self.context(_told(restored, hole, log_variance))

  def prior(self, context: list[jax.Array]) -> vae.Gaussian:
    """p(z | context), [N, H/8, W/8, latent]."""
    return vae.Gaussian.of(self.to_prior(context[-1]))

  def posterior(
      self, restored: jax.Array, hole: jax.Array, log_variance: jax.Array,
      clean: jax.Array,
  ) -> vae.Gaussian:
    """q(z | context, clean), [N, H/8, W/8, latent]."""
    told = _told(restored, hole, log_variance)
    hidden = 4 * hole * (clean - restored)
    return vae.Gaussian.of(self.to_posterior(
        self.recognition(jnp.concatenate([told, hidden], -1))[-1]))

  def decode(
      self, context: list[jax.Array], z: jax.Array, restored: jax.Array,
      hole: jax.Array,
  ) -> jax.Array:
    """The picture whose hole is filled as z says, [N, H, W, 3].

    Not clipped to [0, 1], where it would have no gradient.
    """
    x = context[-1] + self.from_latent((z * near(hole)).astype(self.dtype))
    for level, (mix, up) in enumerate(zip(self.mix, self.up, strict=True)):
      x = layers.leaky(mix(x))
      x = resize.depth_to_space(up(x))
      if level + 1 < len(context):
        x = x + context[-2 - level]
    change = self.out(layers.leaky(x)).astype(jnp.float32)
    return jnp.where(hole > 0, restored + 0.25 * change, restored)

  def __call__(
      self, restored: jax.Array, hole: jax.Array, log_variance: jax.Array,
      clean: jax.Array, noise: jax.Array,
  ) -> tuple[jax.Array, vae.Gaussian, vae.Gaussian]:
    """A fill drawn from the posterior, the posterior, and the prior.

    noise: [N, H/8, W/8, latent], standard normal.
    """
    context = self.see(restored, hole, log_variance)
    posterior = self.posterior(restored, hole, log_variance, clean)
    fill = self.decode(context, posterior.sample(noise), restored, hole)
    return fill, posterior, self.prior(context)

  def draw(
      self, restored: jax.Array, hole: jax.Array, log_variance: jax.Array,
      noise: jax.Array,
  ) -> jax.Array:
    """Fills drawn from the prior, [S, N, H, W, 3] in [0, 1].

    noise: [S, N or 1, H/8, W/8, latent], standard normal; S fills.
    """
    context = self.see(restored, hole, log_variance)
    prior = self.prior(context)
    # One after the other: compiled once, and in the memory of one.
    scan = nn.scan(
        lambda module, _, n: (None, module.decode(
            context, prior.sample(n), restored, hole)),
        variable_broadcast='params', split_rngs={'params': False})
    return jnp.clip(scan(self, None, noise)[1], 0, 1)


def near(hole: jax.Array) -> jax.Array:
  """1 where a latent can see a hole [N, H, W, 1]: [N, H/8, W/8, 1].

  Elsewhere it has nothing to say, and costs nothing.
  """
  seen = (resize.mean_pool(hole, BLOCK) > 0).astype(jnp.float32)
  return nn.max_pool(seen, (3, 3), padding='SAME')


def _told(restored, hole, log_variance):
  return jnp.concatenate(
      [2 * restored - 1, hole, (log_variance + 5) / 3], -1)
