"""Dense networks for small pictures: the article's GAN, and its VAE twin."""

from collections.abc import Sequence

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import vae

# Keeps the variance through ReLUs (arXiv:1502.01852): with linen's default a
# generator of four layers starts almost deaf to its noise.
_HE = nn.initializers.he_normal()


class Generator(nn.Module):
  """Noise [B, latent] to pictures [B, *shape] in (-1, 1).

  The article's: 100 -> 128 -> 256 -> 512 -> 1024 -> 784, ReLU, tanh.
  """

  hidden: Sequence[int] = (128, 256, 512, 1024)
  shape: Sequence[int] = (28, 28, 1)
  latent: int = 100
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, z: jax.Array) -> jax.Array:
    x = z.astype(self.dtype)
    for features in self.hidden:
      x = nn.relu(nn.Dense(features, dtype=self.dtype, kernel_init=_HE)(x))
    x = nn.Dense(int(np.prod(self.shape)), dtype=self.dtype, name='out')(x)
    return nn.tanh(x).astype(jnp.float32).reshape(-1, *self.shape)


class Discriminator(nn.Module):
  """Pictures [B, ...] to verdicts [B], as logits.

  The article's: 784 -> 1024 -> 512 -> 256 -> 1, ReLU; its sigmoid is in the
  loss (losses/adversarial.py), where it does not overflow.
  """

  hidden: Sequence[int] = (1024, 512, 256)
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    x = x.reshape(len(x), -1).astype(self.dtype)
    for features in self.hidden:
      x = nn.relu(nn.Dense(features, dtype=self.dtype, kernel_init=_HE)(x))
    return nn.Dense(1, dtype=self.dtype, name='out')(x)[:, 0].astype(
        jnp.float32)


class Vae(nn.Module):
  """Autoencoder of pictures [B, *shape] in [0, 1] with a Gaussian latent.

  784 - hidden - (mean, log-variance) - hidden - 784, ReLU (Kingma and Welling
  2014, arXiv:1312.6114, appendix C). Its output is in logits: a sigmoid makes
  pixels of it.
  """

  hidden: Sequence[int] = (512,)
  shape: Sequence[int] = (28, 28, 1)
  latent: int = 16
  dtype: jnp.dtype = jnp.float32

  def setup(self):
    dense = lambda n: nn.Dense(n, dtype=self.dtype)
    self.encoder = [dense(n) for n in self.hidden]
    self.to_latent = nn.Dense(2 * self.latent, dtype=self.dtype)
    self.decoder = [dense(n) for n in reversed(self.hidden)]
    self.out = nn.Dense(int(np.prod(self.shape)), dtype=self.dtype)

  def encode(self, x: jax.Array) -> vae.Gaussian:
    """The latents' distribution, mean and log-variance [B, latent]."""
    x = 2 * x.reshape(len(x), -1).astype(self.dtype) - 1
    for layer in self.encoder:
      x = nn.relu(layer(x))
    return vae.Gaussian.of(self.to_latent(x))

  def decode(self, z: jax.Array) -> jax.Array:
    """z [B, latent] to logits [B, *shape]."""
    x = z.astype(self.dtype)
    for layer in self.decoder:
      x = nn.relu(layer(x))
    return self.out(x).astype(jnp.float32).reshape(-1, *self.shape)

  def __call__(self, x: jax.Array, noise: jax.Array) -> vae.Coded:
    """x [B, *shape] there and back; noise: [B, latent], standard normal."""
    latent = self.encode(x)
    return vae.Coded(latent, self.decode(latent.sample(noise)))

  def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the noise for pictures of a shape [B, ...]."""
    return shape[0], self.latent
