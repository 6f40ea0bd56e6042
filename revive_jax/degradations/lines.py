"""Scratches, which run along the film, and hairs, which lie on one frame."""

import math

import jax
import jax.numpy as jnp

from revive_jax.degradations import geometry, paint, walk

_SEGMENTS = 10  # Of the polyline that stands for a hair.


def scratches(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 3.0,
    width: tuple[float, float] = (1.6, 4.0),
    opacity: tuple[float, float] = (0.8, 0.8),
    speed: float = 0.7,
    partial: float = 0.0,
    broken: float = 0.1,
    additive: float = 0.0,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Persistent, nearly vertical scratches that drift.

  count * severity of them (fractions by chance) over the width of a frame,
  each of a width in px, tilted by up to 3 px and bent by up to 1 px between
  centre and border, drifting `speed` px a frame. With probability `partial` a
  scratch begins or ends within the clip; its opacity varies along it by
  `broken` of itself. density multiplies the count (for small crops).

  Record, per scratch [N]: alive, width, opacity, bright, additive, colour
  [N, 3], tilt, bend, phase, first, last (frames, inclusive); and x [T, N], px
  at half height.
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * geometry.width_share(clip.shape, diagonal)
  number = max(1, math.ceil(2 * mean)) + 1
  keys = jax.random.split(rng, 8)
  drawn = jnp.floor(mean * severity + jax.random.uniform(keys[0]))
  shape = jax.random.uniform(keys[1], (4, number))
  low, high = math.log(width[0]), math.log(width[1])
  start = jax.random.uniform(keys[2], (number,)) * (full - 1)
  first, last = _lifetime(keys[3], number, frames, partial)
  record = {
      'alive': jnp.arange(number) < drawn,
      'width': scale * jnp.exp(low + (high - low) * shape[0]),
      'tilt': scale * 3 * (2 * shape[1] - 1),
      'bend': scale * shape[2],
      'phase': 2 * math.pi * shape[3],
      'first': first,
      'last': last,
      'x': start[None]
      + walk.drift(keys[4], frames, (number,), speed=speed * scale),
      **paint.appearance(
          keys[5],
          (number,),
          grey=paint.is_grey(clip),
          opacity=opacity,
          additive=additive,
      ),
  }
  objects = _along_time(record, frames)
  objects['y'] = jnp.full((frames, number), height / 2)
  wear = walk.ornstein_uhlenbeck(
      keys[6], height, (frames, number), correlation=0.93 ** (1 / scale)
  )
  objects['wear'] = jnp.moveaxis(1 + broken * wear, 0, -1)  # [T, N, H].
  window = height, math.ceil((width[1] + 8) * scale) + 4
  damaged, damage = paint.draw(clip, objects, _scratch, window)
  return damaged, damage, record


def scratch_centre(item: dict[str, jax.Array], y: jax.Array, height: int):
  """Where (x, px) the scratch `item` of a record crosses the rows y."""
  v = 2 * y / height - 1  # -1 at the top, 1 at the bottom.
  wave = jnp.sin(math.pi * v + item['phase']) - jnp.sin(item['phase'])
  return item['x'] + item['tilt'] * v + 0.5 * item['bend'] * wave


def hairs(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 2.0,
    length: tuple[float, float] = (20.0, 70.0),
    width: tuple[float, float] = (0.8, 2.0),
    curl: float = 2.5,
    opacity: tuple[float, float] = (0.6, 1.0),
    additive: float = 0.2,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Hairs and fibres: curved lines, each in a single frame.

  count * severity of them a frame on average (see geometry.slots); the angle
  of a hair walks along it by about `curl` radians in all.

  Record [T, N]: alive, y, x (px, centre), length, width, angle, opacity,
  bright, additive, colour [T, N, 3]; points_y, points_x [T, N, K], px.
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * geometry.area_share(clip.shape, diagonal)
  number = geometry.slots(mean)
  shape = frames, number
  keys = jax.random.split(rng, 6)
  low, high = (math.log(v) for v in length)
  drawn = jax.random.uniform(keys[0], (5, *shape))
  record = {
      'alive': drawn[0] < mean * severity / number,
      'y': drawn[1] * (height - 1),
      'x': drawn[2] * (full - 1),
      'length': scale * jnp.exp(low + (high - low) * drawn[3]),
      'width': jnp.maximum(
          scale * (width[0] + (width[1] - width[0]) * drawn[4]), 0.7
      ),
      'angle': 2 * math.pi * jax.random.uniform(keys[1], shape),
      **paint.appearance(
          keys[2],
          shape,
          grey=paint.is_grey(clip),
          opacity=opacity,
          additive=additive,
      ),
  }
  turn = curl / math.sqrt(_SEGMENTS) * jax.random.normal(
      keys[3], (*shape, _SEGMENTS)
  )
  # A constant curl for each hair besides the random one: arcs and loops.
  turn += curl / _SEGMENTS * jax.random.normal(keys[4], (*shape, 1))
  angle = record['angle'][..., None] + jnp.cumsum(turn, -1) / 2
  step = (record['length'] / _SEGMENTS)[..., None]
  for axis, along in (('y', jnp.sin(angle)), ('x', jnp.cos(angle))):
    path = jnp.cumsum(step * along, -1)
    path = jnp.concatenate([jnp.zeros_like(path[..., :1]), path], -1)
    middle = (path.max(-1, keepdims=True) + path.min(-1, keepdims=True)) / 2
    record[f'points_{axis}'] = path - middle + record[axis][..., None]
  extent = math.ceil(length[1] * scale + width[1] * scale) + 4
  damaged, damage = paint.draw(clip, record, _hair, (extent, extent))
  return damaged, damage, record


def _lifetime(rng, number, frames, partial):
  """First and last frame of each of `number` objects; [number] each."""
  keys = jax.random.split(rng, 3)
  whole = jax.random.uniform(keys[0], (number,)) >= partial
  cut = jax.random.randint(keys[1], (number,), 0, frames)
  begins = jax.random.bernoulli(keys[2], 0.5, (number,))
  first = jnp.where(whole | ~begins, 0, cut)
  last = jnp.where(whole | begins, frames - 1, cut)
  return first, last


def _along_time(record, frames):
  """Repeats per-object entries for each frame; alive within first..last."""
  time = jnp.arange(frames)[:, None]
  objects = {
      k: v if k == 'x' else jnp.broadcast_to(v, (frames, *v.shape))
      for k, v in record.items()
  }
  lives = (time >= record['first'][None]) & (time <= record['last'][None])
  objects['alive'] = objects['alive'] & lives
  return objects


def _scratch(item, y, x):
  """Coverage of a scratch: full in the middle, one pixel of soft edge."""
  height = item['wear'].shape[-1]
  distance = jnp.abs(x - scratch_centre(item, y, height))
  cover = jnp.clip(item['width'] / 2 + 0.5 - distance, 0, 1)
  return cover * jnp.maximum(item['wear'], 0)[:, None]


def _hair(item, y, x):
  """Coverage of a polyline: by the distance to its nearest segment."""
  nearest = jnp.inf
  for i in range(_SEGMENTS):
    y0, x0 = item['points_y'][i], item['points_x'][i]
    dy, dx = item['points_y'][i + 1] - y0, item['points_x'][i + 1] - x0
    along = ((y - y0) * dy + (x - x0) * dx) / jnp.maximum(dy**2 + dx**2, 1e-6)
    along = jnp.clip(along, 0, 1)
    square = (y - y0 - along * dy) ** 2 + (x - x0 - along * dx) ** 2
    nearest = jnp.minimum(nearest, square)
  return jnp.clip(item['width'] / 2 + 0.5 - jnp.sqrt(nearest), 0, 1)
