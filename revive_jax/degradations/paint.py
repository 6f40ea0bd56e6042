"""Painting objects (dust, hairs, scratches, stains) into frames.

Each object is evaluated in a window that just holds it, not over the frame:
the cost of a spot does not grow with the picture.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from revive_jax.degradations import per_frame

# Below this opacity nothing is painted; from it on a pixel counts as replaced.
THRESHOLD = 0.05


def is_grey(clip: jax.Array) -> jax.Array:
  """Whether clip [T, H, W, 3] has no colour (then damage has none either)."""
  return jnp.max(jnp.max(clip, -1) - jnp.min(clip, -1)) < 1e-3


def appearance(
    rng: jax.Array,
    shape: tuple[int, ...],
    *,
    grey: jax.Array,
    opacity: tuple[float, float],
    additive: float,
    tint: float = 0.05,
) -> dict[str, jax.Array]:
  """Draws how objects look; entries have the given shape.

  bright: polarity. additive: with this probability the object lightens or
  darkens the picture by `colour` (signed), otherwise `colour` replaces it.
  colour [*shape, 3]: near black or near white, tinted unless grey.
  """
  keys = jax.random.split(rng, 5)
  bright = jax.random.bernoulli(keys[0], 0.5, shape)
  is_additive = jax.random.bernoulli(keys[1], additive, shape)
  depth = jax.random.uniform(keys[2], shape)
  value = jnp.where(bright, 1 - 0.2 * depth, 0.2 * depth)
  change = jnp.where(bright, 1.0, -1.0) * (0.15 + 0.35 * depth)
  value = jnp.where(is_additive, change, value)
  hue = tint * jax.random.normal(keys[3], (*shape, 3)) * (1.0 - grey)
  low = jnp.where(is_additive, -1.0, 0.0)[..., None]
  return {
      'bright': bright,
      'additive': is_additive,
      'colour': jnp.clip(value[..., None] + hue, low, 1.0),
      'opacity': jax.random.uniform(
          keys[4], shape, minval=opacity[0], maxval=opacity[1]
      ),
  }


def blend(
    picture: jax.Array, alpha: jax.Array, colour: jax.Array, additive: jax.Array
) -> jax.Array:
  """Blends colour [3] into picture [H, W, 3] with alpha [H, W, 1].

  Where alpha is 0 the picture is returned bit for bit.
  """
  colour = jnp.broadcast_to(colour, picture.shape)
  target = jnp.where(additive, jnp.clip(picture + colour, 0, 1), colour)
  return jnp.where(alpha > 0, picture + alpha * (target - picture), picture)


def draw(
    clip: jax.Array,
    objects: dict[str, jax.Array],
    shape: Callable[..., jax.Array],
    size: tuple[int, int],
) -> tuple[jax.Array, jax.Array]:
  """Paints objects into clip [T, H, W, 3], one after the other.

  objects: arrays [T, N, ...] with at least y, x (px, centres; pixel centres
  are integers), alive, opacity, colour and additive. shape(object, y [h, 1],
  x [1, w]) is the coverage [h, w] in [0, 1] at pixel positions y, x. size
  (h, w): of the window around the centre that holds an object, px.

  Returns the painted clip and the damage [T, H, W, 1].
  """
  height, width = clip.shape[1:3]
  window = min(size[0], height), min(size[1], width)

  def one(canvas, item):
    top = _start(item['y'], window[0], height)
    left = _start(item['x'], window[1], width)
    start, extent = (top, left, 0), (*window, 4)
    patch = canvas
    if window != (height, width):
      patch = jax.lax.dynamic_slice(canvas, start, extent)
    y = (top + jnp.arange(window[0]))[:, None].astype(jnp.float32)
    x = (left + jnp.arange(window[1]))[None, :].astype(jnp.float32)
    alpha = shape(item, y, x) * item['opacity'] * item['alive']
    alpha = jnp.where(alpha >= THRESHOLD, jnp.minimum(alpha, 1), 0)[..., None]
    picture = blend(patch[..., :3], alpha, item['colour'], item['additive'])
    mask = jnp.maximum(patch[..., 3:], (alpha > 0).astype(patch.dtype))
    patch = jnp.concatenate([picture, mask], -1)
    if window != (height, width):
      patch = jax.lax.dynamic_update_slice(canvas, patch, start)
    return patch, None

  def one_frame(inputs):
    frame, items = inputs
    canvas = jnp.pad(frame, ((0, 0), (0, 0), (0, 1)))
    canvas, _ = jax.lax.scan(one, canvas, items)
    return canvas[..., :3], canvas[..., 3:]

  return per_frame.each(one_frame, (clip, objects))


def _start(centre: jax.Array, window: int, full: int) -> jax.Array:
  """First pixel of a window about centre, moved to lie inside the frame."""
  start = jnp.round(centre).astype(jnp.int32) - window // 2
  return jnp.clip(start, 0, full - window)
