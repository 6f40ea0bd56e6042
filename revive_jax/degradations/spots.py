"""Dust, which lies on one frame, and stains, which stay for many."""

import math

import jax
import jax.numpy as jnp

from revive_jax.degradations import geometry, paint, walk

_WAVES = 4  # Harmonics of the outline of a spot.


def dust(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 6.0,
    radius: tuple[float, float] = (1.0, 6.0),
    rough: float = 0.25,
    opacity: tuple[float, float] = (0.7, 1.0),
    additive: float = 0.2,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Dust: irregular spots, each in a single frame.

  count * severity of them a frame on average (see geometry.slots), with radii
  in px spread evenly in their logarithm; outlines deviate from an ellipse by
  about `rough` of the radius.

  Record [T, N]: alive, y, x, radius (px), stretch, angle, soft (px), waves
  [T, N, 4, 2], opacity, bright, additive, colour [T, N, 3].
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * geometry.area_share(clip.shape, diagonal)
  number = geometry.slots(mean)
  keys = jax.random.split(rng, 4)
  drawn = jax.random.uniform(keys[0], (3, frames, number))
  record = {
      'alive': drawn[0] < mean * severity / number,
      'y': drawn[1] * (height - 1),
      'x': drawn[2] * (full - 1),
      **_outline(keys[1], (frames, number), radius, rough, scale),
      'soft': jnp.full((frames, number), 1.0),
      **paint.appearance(
          keys[2],
          (frames, number),
          grey=paint.is_grey(clip),
          opacity=opacity,
          additive=additive,
      ),
  }
  extent = 2 * math.ceil(radius[1] * scale * (1 + 3 * rough)) + 3
  damaged, damage = paint.draw(clip, record, _spot, (extent, extent))
  return damaged, damage, record


def stains(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 1.5,
    radius: tuple[float, float] = (10.0, 36.0),
    rough: float = 0.3,
    opacity: tuple[float, float] = (0.3, 0.8),
    additive: float = 0.4,
    speed: float = 0.05,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Stains: large soft spots that stay through the clip, with a darker rim.

  count * severity of them (fractions by chance). They creep by `speed` px a
  frame, and their opacity walks by a tenth of itself.

  Record: as of dust for each stain [N], and y, x, opacity [T, N].
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * geometry.area_share(clip.shape, diagonal)
  number = max(1, math.ceil(2 * mean)) + 1
  keys = jax.random.split(rng, 6)
  drawn = jnp.floor(mean * severity + jax.random.uniform(keys[0]))
  look = paint.appearance(
      keys[1],
      (number,),
      grey=paint.is_grey(clip),
      opacity=opacity,
      additive=additive,
      tint=0.1,
  )
  wobble = walk.ornstein_uhlenbeck(
      keys[2], frames, (number,), correlation=0.95, deviation=0.1
  )
  centre = jax.random.uniform(keys[3], (2, number))
  creep = walk.drift(keys[4], frames, (2, number), speed=speed * scale)
  outline = _outline(keys[5], (number,), radius, rough, scale)
  fixed = {
      **look,
      **outline,
      'alive': jnp.arange(number) < drawn,
      'soft': 1 + 0.3 * outline['radius'],
  }
  moving = {
      'y': centre[:1] * (height - 1) + creep[:, 0],
      'x': centre[1:] * (full - 1) + creep[:, 1],
      'opacity': jnp.clip(look['opacity'][None] * jnp.exp(wobble), 0, 1),
  }
  repeat = lambda v: jnp.broadcast_to(v, (frames, *v.shape))
  objects = {**jax.tree.map(repeat, fixed), **moving}
  extent = 2 * math.ceil(radius[1] * scale * (1.15 + 3 * rough)) + 3
  damaged, damage = paint.draw(clip, objects, _stain, (extent, extent))
  return damaged, damage, {**fixed, **moving}


def _outline(rng, shape, radius, rough, scale):
  """Draws radius, stretch, angle and waves of spots."""
  keys = jax.random.split(rng, 2)
  low, high = (math.log(v) for v in radius)
  drawn = jax.random.uniform(keys[0], (3, *shape))
  # Higher harmonics are weaker, as of torn paper; limited to 3 deviations.
  weight = 1 / (1 + jnp.arange(_WAVES, dtype=jnp.float32))
  weight = weight / jnp.sqrt((weight**2).sum())
  waves = jax.random.normal(keys[1], (*shape, _WAVES, 2))
  weight = jnp.broadcast_to(weight[:, None], waves.shape)
  return {
      'radius': scale * jnp.exp(low + (high - low) * drawn[0]),
      'stretch': jnp.exp(0.5 * (2 * drawn[1] - 1)),
      'angle': 2 * math.pi * drawn[2],
      'waves': rough / math.sqrt(2) * weight * jnp.clip(waves, -2, 2),
  }


def _distance(item, y, x):
  """Signed distance (px, about) to the outline: positive inside."""
  dy, dx = y - item['y'], x - item['x']
  sin, cos = jnp.sin(item['angle']), jnp.cos(item['angle'])
  along = (cos * dx + sin * dy) / item['stretch']
  across = (cos * dy - sin * dx) * item['stretch']
  # The epsilon keeps the point at the centre off the singularity of angles.
  distance = jnp.sqrt(along**2 + across**2 + 1e-6)
  wave, unit = 0.0, (along / distance, across / distance)
  cosine, sine = unit
  for k in range(_WAVES):  # cos and sin of (k + 1) theta, by angle addition.
    wave += item['waves'][k, 0] * cosine + item['waves'][k, 1] * sine
    cosine, sine = (
        cosine * unit[0] - sine * unit[1],
        sine * unit[0] + cosine * unit[1],
    )
  outline = item['radius'] * jnp.clip(1 + wave, 0.3, 1.75)
  return outline - distance


def _spot(item, y, x):
  """Coverage of a dust spot: one pixel of soft edge."""
  return jnp.clip(_distance(item, y, x) / item['soft'] + 0.5, 0, 1)


def _stain(item, y, x):
  """Coverage of a stain: soft, and stronger towards the rim as dried water."""
  inside = _distance(item, y, x) / item['soft'] + 0.5
  cover = jnp.clip(inside, 0, 1)
  rim = jnp.exp(-((inside - 1.0) ** 2) / 0.1)
  return cover * (0.7 + 0.3 * rim)
