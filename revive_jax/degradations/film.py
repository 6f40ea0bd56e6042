"""What film itself does to the picture: grain, and weave in the gate."""

import jax
import jax.numpy as jnp

from revive_jax.degradations import geometry, paint, per_frame, walk
from revive_jax.ops import filters, warp


def grain(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    sigma: float = 10 / 255,
    size: tuple[float, float] = (0.6, 0.6),
    jitter: float = 0.05,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Film grain: signal-dependent, spatially correlated, new in each frame.

  Noise of deviation sigma * severity * tone_response(x), white noise blurred
  by a Gaussian of `size` px (drawn within this range). sigma walks through
  time by `jitter` of itself. The three layers of colour film share a part of
  the noise (`correlation`); a grey clip gets grey grain.

  Record: sigma [T], size [] px of this clip, correlation [].
  """
  frames = clip.shape[0]
  keys = jax.random.split(rng, 4)
  radius = jax.random.uniform(keys[0], minval=size[0], maxval=size[1])
  radius = radius * geometry.scale(clip.shape, diagonal)
  wobble = walk.ornstein_uhlenbeck(
      keys[1], frames, correlation=0.9, deviation=jitter
  )
  deviation = sigma * severity * jnp.exp(wobble)
  common = jax.random.uniform(keys[2], minval=0.2, maxval=0.9)
  common = jnp.where(paint.is_grey(clip), 1.0, common)
  mix = _mixing(common)
  rows = filters.noise_matrix(clip.shape[1], radius)
  columns = filters.noise_matrix(clip.shape[2], radius)

  def one_frame(inputs):
    key, frame, amount = inputs
    noise = jax.random.normal(key, frame.shape)
    noise = filters.apply_separable(noise, rows, columns) @ mix
    return jnp.clip(frame + amount * tone_response(frame) * noise, 0, 1)

  damaged = per_frame.each(
      one_frame, (jax.random.split(keys[3], frames), clip, deviation)
  )
  record = {'sigma': deviation, 'size': radius, 'correlation': common}
  return damaged, jnp.zeros_like(clip[..., :1]), record


def tone_response(x: jax.Array) -> jax.Array:
  """How strong grain is at tone x: strongest in the mid-tones.

  1.181 (0.5 + 2 x (1 - x)): half as strong in black and white as at 0.5, and
  of root mean square 1 over uniformly spread tones.
  """
  return 1.181 * (0.5 + 2 * x * (1 - x))


def weave(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    deviation: float = 0.7,
    correlation: float = 0.7,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Gate weave: the frame moves by fractions of a pixel, mostly sideways.

  Deviation of the walk: `deviation` * severity px across, half of it down.
  Cubic interpolation; borders repeat. Pixels move, none is replaced.

  Record: shift [T, 2] = (dy, dx) px.
  """
  amount = deviation * severity * geometry.scale(clip.shape, diagonal)
  path = walk.ornstein_uhlenbeck(
      rng, clip.shape[0], (2,), correlation=correlation
  )
  shift = path * amount * jnp.array([[0.5, 1.0]])
  return move(clip, shift), jnp.zeros_like(clip[..., :1]), {'shift': shift}


def move(clip: jax.Array, shift: jax.Array) -> jax.Array:
  """Moves each frame of clip [T, H, W, 3] by shift [T, 2] = (dy, dx) px."""
  return per_frame.each(
      lambda x: jnp.clip(warp.translate(x[0], x[1]), 0, 1), (clip, shift)
  )


def move_damage(damage: jax.Array, shift: jax.Array) -> jax.Array:
  """Moves a damage mask [T, H, W, 1] by the shifts [T, 2] that weave drew.

  A pixel counts as damaged if any of the pixels it is mixed from was.
  """
  moved = per_frame.each(
      lambda x: warp.translate(x[0], x[1], linear=True), (damage, shift)
  )
  return (moved > 1e-3).astype(damage.dtype)


def _mixing(common: jax.Array) -> jax.Array:
  """[3, 3] that gives independent channels a pairwise correlation `common`."""
  rest = 1 - common
  b = jnp.sqrt(jnp.maximum(1 - common**2, 0.0))
  c = common * rest / jnp.maximum(b, 1e-6)
  d = jnp.sqrt(jnp.maximum(1 - common**2 - c**2, 0.0))
  zero = jnp.zeros_like(common)
  one = jnp.ones_like(common)
  return jnp.stack([
      jnp.stack([one, common, common]),
      jnp.stack([zero, b, c]),
      jnp.stack([zero, zero, d]),
  ])
