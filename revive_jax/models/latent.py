"""Restoration in latent space: two autoencoders, and a mapping between them.

One autoencoder is of clean clips, one of damaged ones; the mapping takes a
latent of the second to one of the first, where masked places borrow from the
others. Wan et al. 2020, "Bringing Old Photos Back to Life", arXiv:2004.09484.
"""

from collections.abc import Sequence

from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax import types
from revive_jax.models import discriminator, layers, vae
from revive_jax.ops import resize

BLOCK = vae.BLOCK  # Height and width of clips must be multiples.
_CHUNK = 256  # Queries at once: they times all keys is what memory must hold.


def partial_attention(
    queries: jax.Array, keys: jax.Array, values: jax.Array, lends: jax.Array,
    *, chunk: int = _CHUNK,
) -> jax.Array:
  """What each of P places borrows from those of Q places that lend, [N, P, C].

  Sum over j of w_ij values_j, w_ij proportional to lends_j exp(q_i k_j / F^½),
  adding up to 1: the partial non-local block of arXiv:2004.09484, section 3.2.
  The weight of a place that does not lend is exactly 0; where none lends, so is
  the result. The weights are never all in memory, neither for the gradient:
  those of a chunk of queries are, [N, chunk, Q].

  Args:
    queries: [N, P, F].
    keys: [N, Q, F].
    values: [N, Q, C].
    lends: [N, Q], above 0 where a place lends.
    chunk: queries at once.
  """
  scale = queries.shape[-1] ** -0.5
  lends = (lends > 0)[:, None, :]

  def borrowed(q):
    logits = scale * jnp.einsum(
        'npf,nqf->npq', q, keys, preferred_element_type=jnp.float32)
    logits = jnp.where(lends, logits, -jnp.inf)
    top = jax.lax.stop_gradient(logits.max(-1, keepdims=True))
    # Where none lends, infinity less infinity would be no number.
    weight = jnp.exp(logits - jnp.maximum(top, -1e30))
    total = weight.sum(-1, keepdims=True)
    weight = weight / jnp.where(total > 0, total, 1)
    return jnp.einsum('npq,nqc->npc', weight.astype(values.dtype), values)

  number, places, features = queries.shape
  if places <= chunk:
    return borrowed(queries)
  padded = jnp.pad(queries, ((0, 0), (0, -places % chunk), (0, 0)))
  chunks = padded.reshape(number, -1, chunk, features).swapaxes(0, 1)
  result = jax.lax.map(jax.checkpoint(borrowed), chunks).swapaxes(0, 1)
  return result.reshape(number, -1, values.shape[-1])[:, :places]


class PartialAttention(nn.Module):
  """Adds to masked places of a frame what they borrow from the others.

  The article puts what is borrowed in the place of what was there. Here a place
  is 8 x 8 pixels, of which a scratch takes a few: it keeps what it knows.
  """

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, masked: jax.Array) -> jax.Array:
    """x [N, h, w, C], masked [N, h, w, 1] in {0, 1}."""
    features = x.shape[-1]
    flat = lambda a: a.reshape(a.shape[0], -1, a.shape[-1])
    dense = lambda name, **kw: nn.Dense(
        features, dtype=self.dtype, name=name, **kw)
    known = nn.LayerNorm(dtype=self.dtype)(x)  # Over channels: per place.
    borrowed = partial_attention(
        flat(dense('query')(known)), flat(dense('key')(known)),
        flat(dense('value')(known)), 1 - flat(masked)[..., 0])
    # No bias: where there is nothing to borrow, nothing is added.
    added = dense('out', use_bias=False)(borrowed.reshape(x.shape))
    return x + masked.astype(self.dtype) * added


class Mapping(nn.Module):
  """Latents of damaged clips to latents of clean ones, frame by frame."""

  features: int
  num_blocks: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, z: jax.Array, mask: jax.Array) -> jax.Array:
    """z [B, T, h, w, Z], mask [B, T, 8 h, 8 w, 1] in [0, 1]; as z.

    A place with a masked pixel counts as masked: it does not lend, it borrows.

    Raises:
      types.BadInput: the mask is not of that size.
    """
    *lead, height, width, latent = z.shape
    wanted = (*lead, BLOCK * height, BLOCK * width, 1)
    if mask.shape != wanted:
      raise types.BadInput(
          f'A mask of shape {mask.shape} does not fit latents of shape '
          f'{z.shape}; it must be of shape {wanted}.')
    flat = lambda a: a.reshape(-1, *a.shape[2:])
    share = flat(resize.mean_pool(mask.astype(jnp.float32), BLOCK))
    masked = (share > 0).astype(jnp.float32)
    x = jnp.concatenate([flat(z), share, masked], -1)
    x = layers.leaky(layers.Conv(self.features, dtype=self.dtype)(x))
    for number in range(self.num_blocks):
      if number == self.num_blocks // 2:
        x = PartialAttention(dtype=self.dtype, name='attention')(x, masked)
      x = layers.ResBlock(dtype=self.dtype)(x)
    x = nn.Dense(latent, dtype=self.dtype, name='out')(x)
    return x.astype(jnp.float32).reshape(z.shape)


class LatentRestorer(nn.Module):
  """Autoencoders of clean and of damaged clips, and the mapping between them.

  Clips are [B, T, H, W, 3] in [0, 1], H and W multiples of 8. features, latent
  and temporal: of both autoencoders (models/vae.py); mapping_features and
  num_blocks: channels and residual blocks of the mapping, at least one.
  """

  features: Sequence[int] = (32, 64, 96)
  latent: int = 16
  temporal: bool = False
  mapping_features: int = 96
  num_blocks: int = 6
  dtype: jnp.dtype = jnp.float32

  def setup(self):
    coder = lambda: vae.ClipVae(
        tuple(self.features), self.latent, self.temporal, dtype=self.dtype)
    self.clean, self.damaged = coder(), coder()
    self.mapping = Mapping(
        self.mapping_features, self.num_blocks, dtype=self.dtype)

  def code_clean(self, x: jax.Array, noise: jax.Array) -> vae.Coded:
    """Clean clips there and back; noise: standard normal, of noise_shape."""
    return self.clean(x, noise)

  def code_damaged(self, x: jax.Array, noise: jax.Array) -> vae.Coded:
    """Damaged clips there and back, as code_clean."""
    return self.damaged(x, noise)

  def translate(self, z: jax.Array, mask: jax.Array) -> jax.Array:
    """The clean latents [B, T, H/8, W/8, Z] of damaged ones.

    mask: [B, T, H, W, 1] in [0, 1].
    """
    return self.mapping(z, mask)

  def picture(self, z: jax.Array) -> jax.Array:
    """The clean clip [B, T, H, W, 3] of clean latents; not clipped."""
    return self.clean.decode(z)[0]

  def restore(self, frames: jax.Array, mask: jax.Array) -> jax.Array:
    """Damaged frames as clean ones, masked or not; not clipped.

    Args:
      frames: [B, T, H, W, 3] in [0, 1].
      mask: [B, T, H, W, 1] in [0, 1], above 0 where damage hides the picture.

    Raises:
      types.BadInput: H or W is not a multiple of 8, or the mask does not fit.
    """
    if frames.shape[2] % BLOCK or frames.shape[3] % BLOCK:
      raise types.BadInput(
          f'Frames of shape {frames.shape} do not fit the latents, which are '
          f'of 1/{BLOCK} of the resolution; pad them to a multiple.')
    latent, _ = self.damaged.encode(frames)
    return self.picture(self.translate(latent.mean, mask))

  def __call__(
      self, frames: jax.Array, mask: jax.Array, noise: jax.Array
  ) -> tuple[vae.Coded, vae.Coded, jax.Array]:
    """All parts at once: as clean, as damaged, and restored; for init."""
    return (self.code_clean(frames, noise), self.code_damaged(frames, noise),
            self.restore(frames, mask))

  def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the noise for clips of a shape [B, T, H, W, 3]."""
    alone = vae.ClipVae(latent=self.latent, parent=None)
    return alone.noise_shape(shape)


class LatentDiscriminator(nn.Module):
  """Verdicts of latents [N, h, w, Z], each of 9 x 9 places: [N, h, w, 1].

  Its kernels are of spectral norm 1, as models/discriminator.py's.
  """

  features: int = 32
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, z: jax.Array) -> discriminator.Verdict:
    conv = lambda n, **kw: discriminator.SpectralConv(
        n, dtype=self.dtype, **kw)
    x, features = z, []
    for times in (1, 2, 2):
      x = conv(times * self.features)(x)
      features.append(x)
    logits = conv(1, active=False)(x).astype(jnp.float32)
    return discriminator.Verdict(logits, tuple(features))
