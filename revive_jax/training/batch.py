"""Damaged batches, made on the device from clean ones."""

from typing import NamedTuple

import flax
import jax
import jax.numpy as jnp

from revive_jax.degradations import chain, mixes


class Draw(NamedTuple):
  """How clips are damaged for training, and what the network is told.

  severity: even in the logarithm between these; clean_share of the clips is
  left undamaged, since nothing must be found there. told_share get their true
  damage as the user's mask, cut_share a cut at a random frame, causal_share no
  look at the future.
  """

  mix: str  # See mixes.parse.
  severity: tuple[float, float]
  clean_share: float
  told_share: float
  cut_share: float
  causal_share: float
  diagonal: float
  density: float


class Batch(flax.struct.PyTreeNode):
  """B damaged clips of T frames, and what is wanted of them."""

  damaged: jax.Array  # [B, T, H, W, 3], in steps of 1 / 255 as films are.
  target: jax.Array  # [B, T, H, W, 3]
  damage: jax.Array  # [B, T, H, W, 1] in {0, 1}, replaced pixels.
  mask: jax.Array  # [B, T, H, W, 1] in {0, 1}, marked by the user.
  cuts: jax.Array  # [B, T] bool
  use_future: jax.Array  # [B] in {0, 1}


def damage(
    rng: jax.Array, clean: jax.Array, *, draw: Draw,
    textures: jax.Array | None,
) -> Batch:
  """Damages clean clips [B, T, H, W, 3], uint8 or float in [0, 1].

  textures: [N, S, S] shapes of real artefacts, or None.
  """
  if clean.dtype == jnp.uint8:
    clean = clean.astype(jnp.float32) / 255
  count, time = clean.shape[:2]
  keys = jax.random.split(rng, 7)
  low, high = draw.severity
  severity = jnp.exp(jax.random.uniform(
      keys[0], (count,), minval=jnp.log(low), maxval=jnp.log(high)))
  untouched = jax.random.bernoulli(keys[1], draw.clean_share, (count,))
  severity = jnp.where(untouched, 0.0, severity)
  damaged, damage_mask, target = _degraded(
      keys[2], clean, severity, draw, textures)
  damaged = jnp.round(damaged * 255) / 255
  told = jax.random.bernoulli(keys[3], draw.told_share, (count,))
  has_cut = jax.random.bernoulli(keys[4], draw.cut_share, (count,))
  place = jax.random.randint(keys[5], (count,), 1, max(time, 2))
  cuts = jnp.arange(time)[None, :] == place[:, None]
  cuts = (cuts & has_cut[:, None]).at[:, 0].set(True)
  future = 1.0 - jax.random.bernoulli(
      keys[6], draw.causal_share, (count,)).astype(jnp.float32)
  return Batch(
      damaged, target, damage_mask,
      damage_mask * told[:, None, None, None, None], cuts, future)


def _degraded(rng, clean, severity, draw, textures):
  """Damaged clips, their damage, and what is wanted: each mix has its share."""
  shares = mixes.parse(draw.mix)
  counts = mixes.counts([share for _, share in shares], len(clean))
  parts, first = [], 0
  for number, ((mix, _), count) in enumerate(zip(shares, counts, strict=True)):
    own = slice(first, first + count)
    first += count
    if not count:
      continue
    key = jax.random.fold_in(rng, number) if len(shares) > 1 else rng
    damaged, damage, record = chain.degrade_batch(
        key, clean[own], severity[own], mix=mix, diagonal=draw.diagonal,
        density=draw.density, textures=textures)
    target = jax.vmap(lambda c, r: chain.reference(c, r, keep_weave=True))(
        clean[own], record)
    parts.append((damaged, damage, target))
  if len(parts) == 1:
    return parts[0]
  return tuple(jnp.concatenate(part) for part in zip(*parts, strict=True))
