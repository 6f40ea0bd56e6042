"""What magnetic tape and its machines do: lines lost, displaced, off colour.

A tape is read line by line, so nearly all of it happens along lines. Pixels
that are moved by a little are not damage, as in film.weave; pixels count as
replaced where another signal stands (noise, a flat level, another line), and
where the picture of a line comes from further than FAR away: there is nothing
of the place left to restore it from.
"""

import math

import jax
import jax.numpy as jnp

from revive_jax.degradations import geometry, paint, per_frame, walk
from revive_jax.ops import color, filters

FAR = 4.0  # px of a 480x272 frame.


def dropouts(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 3.0,
    length: tuple[float, float] = (15.0, 150.0),
    lines: tuple[float, float] = (1.0, 3.5),
    tail: tuple[float, float] = (0.1, 0.6),
    opacity: tuple[float, float] = (0.7, 1.0),
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Dropouts: streaks of a few lines that begin at once and fade like comets.

  count * severity of them a frame on average (see geometry.slots), each in one
  frame, of a length in px, and of a tail that falls to 1/e within `tail` times
  the length. kind: 0 white, 1 black, 2 noise, 3 the line beside it again, as
  the players' compensators do.

  Record [T, N]: alive, kind, y (first row), x, length, tail, slant (px; from
  one row to the next), lines (rows), value, opacity.
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * geometry.area_share(clip.shape, diagonal)
  shape = frames, geometry.slots(mean)
  keys = jax.random.split(rng, 4)
  drawn = jax.random.uniform(keys[0], (9, *shape))
  between = lambda x, ends: ends[0] + (ends[1] - ends[0]) * x
  extent = scale * jnp.exp(between(drawn[3], [math.log(v) for v in length]))
  kind = jax.random.randint(keys[1], shape, 0, 4)
  level = jnp.where(kind == 0, 1 - 0.2 * drawn[4], 0.15 * drawn[4])
  record = {
      'alive': drawn[0] < mean * severity / shape[1],
      'kind': kind,
      'y': jnp.floor(drawn[1] * height),
      # So that those that began left of the picture are not left out.
      'x': drawn[2] * full - 0.3 * extent,
      'length': extent,
      'tail': jnp.maximum(extent * between(drawn[5], tail), 0.5),
      'slant': 3 * scale * (2 * drawn[6] - 1),
      'lines': jnp.maximum(jnp.floor(scale * between(drawn[7], lines)), 1.0),
      'value': level,
      'opacity': between(drawn[8], opacity),
  }
  damaged, damage = per_frame.each(
      lambda x: _drop(*x), (jax.random.split(keys[2], frames), clip, record)
  )
  return damaged, damage, record


def chroma_bleed(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    sigma: tuple[float, float] = (2.0, 4.0),
    delay: tuple[float, float] = (0.5, 3.0),
    noise: float = 0.02,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Colour under: chroma of few pixels a line, late, and noisy.

  Cb and Cr are blurred along the lines by a Gaussian of sigma * severity px
  (0.5 MHz, as of VHS, are 2.4 px), come delay * severity px too far right and
  half of that too low, and get noise of deviation noise * severity with the
  same blur. Luma stays; edges mirror (blur) and repeat (delay).

  Record: sigma [], shift [2] = (dy, dx) px, noise [].
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  keys = jax.random.split(rng, 3)
  drawn = jax.random.uniform(keys[0], (3,))
  width = scale * severity * (sigma[0] + (sigma[1] - sigma[0]) * drawn[0])
  late = scale * severity * (delay[0] + (delay[1] - delay[0]) * drawn[1])
  shift = jnp.stack([0.5 * late * drawn[2], late])
  amount = noise * severity * (1.0 - paint.is_grey(clip))
  rows = filters.shift_matrix(height, shift[0], linear=True)
  soft = filters.gaussian_matrix(full, width)
  columns = jnp.matmul(
      filters.shift_matrix(full, shift[1], linear=True), soft,
      precision=jax.lax.Precision.HIGHEST,
  )
  spread = filters.noise_matrix(full, width)

  def one_frame(inputs):
    key, frame = inputs
    chroma = color.rgb_to_ycbcr(frame)[..., 1:]
    late = filters.apply_separable(chroma, rows, columns)
    grains = jax.random.normal(key, chroma.shape)
    grains = filters.apply_separable(grains, jnp.eye(height), spread)
    change = late - chroma + amount * grains
    change = color.ycbcr_to_rgb(jnp.pad(change, ((0, 0), (0, 0), (1, 0))))
    return jnp.where(severity > 0, jnp.clip(frame + change, 0, 1), frame)

  damaged = per_frame.each(one_frame, (jax.random.split(keys[1], frames), clip))
  record = {'sigma': width, 'shift': shift, 'noise': amount}
  return damaged, jnp.zeros_like(clip[..., :1]), record


def line_jitter(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    deviation: float = 0.6,
    wander: float = 0.6,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Time base error: every line is a little too far left or right.

  The deviations (times severity, px) of what differs from line to line, new in
  each frame, and of what wanders over tens of lines and from frame to frame.
  Cubic interpolation; borders repeat. Pixels move, none is replaced.

  Record: shift [T, H] px.
  """
  frames, height = clip.shape[:2]
  scale = geometry.scale(clip.shape, diagonal)
  keys = jax.random.split(rng, 2)
  quick = walk.ornstein_uhlenbeck(
      keys[0], height, (frames,), correlation=0.6 ** (1 / scale)
  )
  slow = walk.ornstein_uhlenbeck(
      keys[1], height, (frames,), correlation=0.97 ** (1 / scale)
  )
  slow = _smooth_in_time(slow.T, 0.8)
  shift = scale * severity * (deviation * quick.T + wander * slow)
  damaged = shift_lines(clip, shift)
  return damaged, jnp.zeros_like(clip[..., :1]), {'shift': shift}


def head_switching(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    lines: tuple[float, float] = (4.0, 9.0),
    skew: tuple[float, float] = (8.0, 50.0),
    noise: float = 0.35,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """The lowest lines, where the heads change: skewed sideways, and noisy.

  lines * severity px at the bottom are moved by up to `skew` px, more the
  lower they are; a share of `noise` of them is streaks. Both walk in time.

  Record: lines [T] px, skew [T] px, shift [T, H] px, noisy [T, H, W] bool.
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  keys = jax.random.split(rng, 6)
  drawn = jax.random.uniform(keys[0], (2,))
  wobble = walk.ornstein_uhlenbeck(
      keys[1], frames, (2,), correlation=0.7, deviation=0.15
  )
  extent = scale * severity * jnp.exp(wobble[:, 0])
  extent = extent * (lines[0] + (lines[1] - lines[0]) * drawn[0])
  side = jnp.where(jax.random.bernoulli(keys[2]), 1.0, -1.0)
  amount = skew[0] + (skew[1] - skew[0]) * drawn[1]
  amount = side * scale * amount * jnp.exp(wobble[:, 1])
  # 0 above, from 0.2 at the switch to 1 at the bottom.
  depth = jnp.arange(height)[None, :] + 1 - (height - extent[:, None])
  inside = depth > 0
  depth = jnp.clip(depth / jnp.maximum(extent[:, None], 1e-3), 0, 1)
  ragged = 1 + 0.1 * jax.random.normal(keys[3], (frames, height))
  shift = inside * amount[:, None] * ragged * (0.2 + 0.8 * depth**2)
  damaged, damage, noisy = _skew_and_streak(
      keys[4], clip, shift, noise * inside, scale
  )
  record = {'lines': extent, 'skew': amount, 'shift': shift, 'noisy': noisy}
  return damaged, damage, record


def mistracking(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    count: float = 1.0,
    extent: tuple[float, float] = (8.0, 28.0),
    speed: float = 4.0,
    skew: float = 6.0,
    noise: tuple[float, float] = (0.1, 0.5),
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Mistracking: bands of streaks and skew that drift up or down.

  count * severity of them over the height of a frame (fractions by chance),
  of a height in px; they move at up to `speed` px a frame and come in again at
  the other border. In the middle of a band a share of `noise` is streaks, and
  lines are moved by up to `skew` px.

  Record: alive, extent, speed, skew, noise [N]; y [T, N] px; shift [T, H] px;
  noisy [T, H, W] bool.
  """
  frames, height, full = clip.shape[:3]
  scale = geometry.scale(clip.shape, diagonal)
  mean = count * density * height / (272 * scale)
  number = max(1, math.ceil(2 * mean)) + 1
  keys = jax.random.split(rng, 5)
  drawn = jax.random.uniform(keys[0], (5, number))
  tall = scale * (extent[0] + (extent[1] - extent[0]) * drawn[0])
  pace = scale * speed * (2 * drawn[1] - 1)
  time = jnp.arange(frames)[:, None]
  # Over a way that is longer than the frame: they leave before they come in.
  start, way = drawn[2] * height + tall, height + 2 * tall
  y = (start[None] + pace[None] * time) % way[None] - tall[None]
  expected = jnp.floor(mean * severity + jax.random.uniform(keys[1]))
  record = {
      'alive': jnp.arange(number) < expected,
      'extent': tall,
      'speed': pace,
      'skew': scale * skew * (2 * drawn[3] - 1),
      'noise': noise[0] + (noise[1] - noise[0]) * drawn[4],
      'y': y,
  }
  away = jnp.arange(height)[None, :, None] - y[:, None]
  profile = jnp.maximum(1 - (away / (tall / 2)[None, None]) ** 2, 0) ** 2
  # [T, H, N] by [N]: what all bands do to a line.
  over_bands = lambda x: (profile * (record['alive'] * x)[None, None]).sum(-1)
  ragged = 1 + 0.3 * jax.random.normal(keys[2], (frames, height))
  shift = ragged * over_bands(record['skew'])
  share = jnp.minimum(over_bands(record['noise']), 0.9)
  damaged, damage, noisy = _skew_and_streak(keys[3], clip, shift, share, scale)
  return damaged, damage, {**record, 'shift': shift, 'noisy': noisy}


def interlace(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    chance: float = 0.5,
    telecine: float = 0.4,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Combing: every second line is of the next frame.

  With probability chance * severity; then in every frame, or with probability
  `telecine` in two of five, as of film that was pulled down. The last frame
  takes the one before it. Lines move in time, none is replaced.

  Record: combed [T] bool, parity [] (0: the even lines), source [T] (index of
  the frame that those lines show).
  """
  del diagonal
  frames = clip.shape[0]
  keys = jax.random.split(rng, 4)
  time = jnp.arange(frames)
  phase = jax.random.randint(keys[0], (), 0, 5)
  pulled = jax.random.bernoulli(keys[1], telecine)
  combed = jnp.where(pulled, (time + phase) % 5 < 2, True)
  combed = combed & (jax.random.uniform(keys[2]) < chance * severity)
  other = jnp.where(time < frames - 1, time + 1, max(frames - 2, 0))
  record = {
      'combed': combed,
      'parity': jax.random.bernoulli(keys[3]).astype(jnp.int32),
      'source': jnp.where(combed, other, time),
  }
  return weave_fields(clip, record), jnp.zeros_like(clip[..., :1]), record


def weave_fields(clip: jax.Array, record: dict[str, jax.Array]) -> jax.Array:
  """[T, H, W, C] with the lines that interlace's record tells of exchanged."""
  row = jnp.arange(clip.shape[1])[None, :, None, None]
  other = jnp.take(clip, record['source'], axis=0)
  return jnp.where(row % 2 == record['parity'], other, clip)


def shift_lines(
    clip: jax.Array, shift: jax.Array, *, linear: bool = False
) -> jax.Array:
  """Moves each line of clip [T, H, W, C] to the right by shift [T, H] px.

  Cubic interpolation, or linear (which does not overshoot); borders repeat. A
  line that is moved by 0 stays as it is, bit for bit.
  """
  _, height, width, channels = clip.shape
  taps = (0, 1) if linear else (-1, 0, 1, 2)

  def one_frame(inputs):
    frame, path = inputs
    x = jnp.arange(width, dtype=jnp.float32)[None, :] - path[:, None]
    x = jnp.clip(x, 0, width - 1)
    left = jnp.floor(x)
    part = x - left
    pixels = frame.reshape(height * width, channels)
    start = jnp.arange(height)[:, None] * width
    result = 0.0
    for tap in taps:
      weight = filters.cubic(part - tap)
      if linear:
        weight = 1 - jnp.abs(part - tap)
      column = jnp.clip(left + tap, 0, width - 1).astype(jnp.int32)
      value = jnp.take(
          pixels, (start + column).reshape(-1), axis=0, mode='clip'
      )
      result += weight[..., None] * value.reshape(frame.shape)
    return jnp.clip(result, 0, 1)

  return per_frame.each(one_frame, (clip, shift))


def move_damage(damage: jax.Array, shift: jax.Array) -> jax.Array:
  """Moves a mask [T, H, W, 1] along with lines moved by shift [T, H] px.

  A pixel counts as damaged if any of the pixels it is mixed from was.
  """
  moved = shift_lines(damage, shift, linear=True)
  return (moved > 1e-3).astype(damage.dtype)


def _drop(rng, frame, items):
  """Paints the dropouts of one frame [H, W, 3]; items: of record, [N]."""
  height, width, _ = frame.shape
  item = {k: v[:, None, None] for k, v in items.items()}
  row = jnp.arange(height, dtype=jnp.float32)[None, :, None] - item['y']
  inside = (row >= 0) & (row < item['lines']) & item['alive']
  along = jnp.arange(width, dtype=jnp.float32)[None, None, :] - item['x']
  along = along - item['slant'] * row
  fade = jnp.exp(-jnp.maximum(along - item['length'], 0) / item['tail'])
  alpha = inside * item['opacity'] * jnp.clip(along + 0.5, 0, 1) * fade
  index = jnp.argmax(alpha, 0)
  alpha = jnp.max(alpha, 0)[..., None]
  alpha = jnp.where(alpha >= paint.THRESHOLD, alpha, 0.0)
  noise = _noise(rng, (height, width), 1.0)
  noise = jnp.clip(0.5 + 0.3 * noise, 0, 1)
  beside = jnp.where(items['y'] > 0, items['y'] - 1, items['lines'])
  beside = jnp.minimum(beside, height - 1).astype(jnp.int32)
  fill = jnp.where(
      items['kind'][index] == 2, noise, items['value'][index]
  )[..., None]
  again = frame[beside[index], jnp.arange(width)[None, :]]
  fill = jnp.where((items['kind'][index] == 3)[..., None], again, fill)
  damaged = jnp.where(alpha > 0, frame + alpha * (fill - frame), frame)
  return damaged, (alpha > 0).astype(frame.dtype)


def _skew_and_streak(rng, clip, shift, share, scale):
  """Moves lines by shift [T, H], and puts streaks on a share [T, H] of them.

  Returns the clip, the damage, and where the streaks are, [T, H, W] bool.
  """
  frames, height, width, _ = clip.shape
  moved = shift_lines(clip, shift)

  def one_frame(inputs):
    key, frame, part = inputs
    keys = jax.random.split(key, 2)
    where = _noise(keys[0], (height, width), 6.0 * scale)
    noisy = jax.scipy.stats.norm.cdf(where) < part[:, None]
    value = jnp.clip(0.7 + 0.35 * _noise(keys[1], (height, width), 1.0), 0, 1)
    return jnp.where(noisy[..., None], value[..., None], frame), noisy

  keys = jax.random.split(rng, frames)
  damaged, noisy = per_frame.each(one_frame, (keys, moved, share))
  far = (jnp.abs(shift) > FAR * scale)[..., None]
  damage = (noisy | far)[..., None].astype(clip.dtype)
  return damaged, damage, noisy


def _noise(rng, shape, sigma):
  """Noise of deviation 1 that is blurred along lines by sigma px, [H, W]."""
  columns = filters.noise_matrix(shape[1], sigma)
  high = jax.lax.Precision.HIGHEST
  return jnp.matmul(jax.random.normal(rng, shape), columns.T, precision=high)


def _smooth_in_time(x, correlation):
  """AR(1) along the first axis from independent rows [T, ...], same spread."""
  lag = jnp.arange(len(x))[:, None] - jnp.arange(len(x))[None, :]
  matrix = jnp.where(lag >= 0, correlation ** jnp.maximum(lag, 0), 0.0)
  matrix = matrix / jnp.sqrt((matrix**2).sum(1, keepdims=True))
  return jnp.tensordot(matrix, x, 1, precision=jax.lax.Precision.HIGHEST)
