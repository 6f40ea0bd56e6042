"""Damaged batches, made on the device from clean ones."""

from collections.abc import Callable, Sequence
import functools
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp

from revive_jax.degradations import apart, chain, mixes


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
  clean, severity, keys = begin(rng, clean, draw)
  degraded = []
  for number, (mix, own) in enumerate(portions(draw.mix, len(clean))):
    degraded.append(chain.degrade_batch(
        key_of(keys[2], number), clean[own], severity[own], mix=mix,
        diagonal=draw.diagonal, density=draw.density, textures=textures))
  return finish(clean, degraded, keys, draw)


def portions(text: str, count: int) -> list[tuple[mixes.Mix, slice]]:
  """The mixes of a text (mixes.parse), and which of count clips each has."""
  shares = mixes.parse(text)
  counts = mixes.counts([share for _, share in shares], count)
  found, first = [], 0
  for (mix, _), number in zip(shares, counts, strict=True):
    if number:
      found.append((mix, slice(first, first + number)))
    first += number
  return found


def key_of(rng: jax.Array, number: int) -> jax.Array:
  """The key of the mix of that number; of the first, rng itself."""
  return jax.random.fold_in(rng, number) if number else rng


def begin(
    rng: jax.Array, clean: jax.Array, draw: Draw
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Clips as float, their severities [B], and the keys of what follows."""
  if clean.dtype == jnp.uint8:
    clean = clean.astype(jnp.float32) / 255
  keys = jax.random.split(rng, 7)
  low, high = draw.severity
  severity = jnp.exp(jax.random.uniform(
      keys[0], clean.shape[:1], minval=jnp.log(low), maxval=jnp.log(high)))
  untouched = jax.random.bernoulli(
      keys[1], draw.clean_share, clean.shape[:1])
  return clean, jnp.where(untouched, 0.0, severity), keys


def finish(
    clean: jax.Array, degraded: Sequence[Any], keys: jax.Array, draw: Draw
) -> Batch:
  """The batch, of what each mix made of its clips (chain.degrade_batch)."""
  parts, first = [], 0
  for damaged, damage_mask, record in degraded:
    own = clean[first:first + len(damaged)]
    first += len(damaged)
    target = jax.vmap(lambda c, r: chain.reference(c, r, keep_weave=True))(
        own, record)
    parts.append((damaged, damage_mask, target))
  damaged, damage_mask, target = parts[0] if len(parts) == 1 else (
      jnp.concatenate(part) for part in zip(*parts, strict=True))
  damaged = jnp.round(damaged * 255) / 255
  count, time = clean.shape[:2]
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


def compile_damage(
    draw: Draw, shape: tuple[int, ...], textures: jax.Array | None
) -> Callable[[jax.Array, jax.Array], Batch]:
  """damage(rng, clean) for uint8 clips of shape, an operator a program.

  What takes minutes to compile for a GPU in one (degradations/apart.py).
  """
  first = jax.jit(functools.partial(begin, draw=draw))
  last = jax.jit(functools.partial(finish, draw=draw))
  mixed = [(own, apart.compile_mix(
      mix, (own.stop - own.start, *shape[1:]), diagonal=draw.diagonal,
      density=draw.density, textures=textures))
           for mix, own in portions(draw.mix, shape[0])]

  def damaged(rng, clean):
    clean, severity, keys = first(rng, clean)
    return last(clean, [
        degrade(key_of(keys[2], number), clean[own], severity[own])
        for number, (own, degrade) in enumerate(mixed)], keys)

  return damaged
