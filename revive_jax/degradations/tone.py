"""Brightness and colour: flicker, fading, colour casts, monochrome film."""

import jax
import jax.numpy as jnp

from revive_jax.degradations import walk
from revive_jax.ops import color

_GRID = (3, 4)  # Nodes of the local gain, over the height and the width.


def flicker(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    gain: float = 0.08,
    gamma: float = 0.0,
    local: float = 0.0,
    correlation: float = 0.5,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Flicker: gain[t] * local[t, y, x] * clip^gamma[t].

  The logarithms of the global gain and gamma are Ornstein-Uhlenbeck walks of
  the deviations given (times severity) and of one correlation from frame to
  frame; that of the local gain walks slowly (0.9) on a grid of 3 x 4 nodes,
  linear between them.

  Record: gain, gamma [T]; local [T, 3, 4], as factors.
  """
  del diagonal
  frames, height, width = clip.shape[:3]
  keys = jax.random.split(rng, 3)
  path = walk.ornstein_uhlenbeck(keys[0], frames, (2,), correlation=correlation)
  nodes = walk.ornstein_uhlenbeck(keys[1], frames, _GRID, correlation=0.9)
  record = {
      'gain': jnp.exp(gain * severity * path[:, 0]),
      'gamma': jnp.exp(gamma * severity * path[:, 1]),
      'local': jnp.exp(local * severity * nodes),
  }
  damaged = clip
  if gamma:
    # The floor keeps the gradient finite at black.
    power = record['gamma'][:, None, None, None]
    damaged = jnp.maximum(damaged, 1e-4) ** power
  if local:
    rows = _between_nodes(height, _GRID[0])
    columns = _between_nodes(width, _GRID[1])
    field = jnp.einsum('yi,tij,xj->tyx', rows, record['local'], columns)
    damaged = damaged * field[..., None]
  damaged = jnp.clip(damaged * record['gain'][:, None, None, None], 0, 1)
  return damaged, jnp.zeros_like(clip[..., :1]), record


def fading(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    lift: float = 0.12,
    loss: float = 0.12,
    per_dye: float = 0.5,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Faded film: black + (white - black) * clip, per channel.

  black is up to lift * severity, white down to 1 - loss * severity; a part
  `per_dye` of both is drawn for each dye layer, unless the clip stays grey by
  per_dye = 0. Both walk slowly, by a tenth of themselves.

  Record: black, white [T, 3].
  """
  del diagonal
  keys = jax.random.split(rng, 3)
  shared = jax.random.uniform(keys[0], (2, 1))
  own = jax.random.uniform(keys[1], (2, 3))
  depth = (1 - per_dye) * shared + per_dye * own
  wobble = walk.ornstein_uhlenbeck(
      keys[2], clip.shape[0], (2, 1), correlation=0.97, deviation=0.1
  )
  depth = depth[None] * jnp.exp(wobble)
  black = jnp.clip(lift * severity * depth[:, 0], 0, 0.45)
  white = jnp.clip(1 - loss * severity * depth[:, 1], 0.55, 1)
  record = {'black': black, 'white': white}
  black, white = (v[:, None, None, :] for v in (black, white))
  damaged = black + (white - black) * clip
  return damaged, jnp.zeros_like(clip[..., :1]), record


def colour_cast(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    deviation: float = 0.1,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """A colour cast: one gain per channel, whose logarithms sum to zero.

  The logarithms have `deviation` * severity and walk slowly.

  Record: gain [T, 3].
  """
  del diagonal
  keys = jax.random.split(rng, 2)
  base = jax.random.normal(keys[0], (1, 3))
  path = base + walk.ornstein_uhlenbeck(
      keys[1], clip.shape[0], (3,), correlation=0.97, deviation=0.1
  )
  path = path - path.mean(-1, keepdims=True)
  gain = jnp.exp(deviation * severity * path)
  damaged = jnp.clip(clip * gain[:, None, None, :], 0, 1)
  return damaged, jnp.zeros_like(clip[..., :1]), {'gain': gain}


def monochrome(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Black-and-white film: BT.601 luma in all channels, whatever severity.

  The record is empty: nothing is drawn.
  """
  del rng, severity, diagonal
  return color.grey(clip), jnp.zeros_like(clip[..., :1]), {}


def _between_nodes(size: int, nodes: int) -> jax.Array:
  """[size, nodes] weights of linear interpolation; nodes at the borders."""
  at = jnp.linspace(0, nodes - 1, size)
  distance = jnp.abs(at[:, None] - jnp.arange(nodes)[None, :])
  return jnp.maximum(1 - distance, 0.0)
