"""What digital coding does: blocks, bands, lost blocks, lost frames."""

import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.degradations import geometry, per_frame, walk
from revive_jax.ops import color

BLOCK = 8  # px: of the DCT; not scaled, since codecs do not scale it either.
MACROBLOCK = 16  # px: what is lost at a time.

# Quantisation at quality 50, JPEG Annex K (ITU-T T.81, tables K.1 and K.2).
LUMA_TABLE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
CHROMA_TABLE = np.full((8, 8), 99, np.float32)
CHROMA_TABLE[:4, :4] = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]


def block_compression(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    strength: tuple[float, float] = (1.25, 1.25),
    jitter: float = 0.1,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """JPEG-like compression: 8x8 DCT, coefficients rounded to multiples.

  The tables of quality 50 are multiplied by strength * severity (1.25 is
  quality 40; 0.625, 69; 2.5, 20), which walks by `jitter` of itself. Chroma
  is halved in both directions first (4:2:0), as JPEG and video do; not at
  severity 0, where the clip stays as it is. Rounding passes gradients straight
  through.

  Record: scale [T], of the tables.
  """
  del diagonal
  keys = jax.random.split(rng, 2)
  drawn = jax.random.uniform(keys[0], minval=strength[0], maxval=strength[1])
  wobble = walk.ornstein_uhlenbeck(
      keys[1], clip.shape[0], correlation=0.9, deviation=jitter
  )
  scale = drawn * severity * jnp.exp(wobble)
  damaged = per_frame.each(
      lambda x: jnp.where(x[1] > 0, _compress(*x), x[0]), (clip, scale)
  )
  return damaged, jnp.zeros_like(clip[..., :1]), {'scale': scale}


def banding(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    step: tuple[float, float] = (4 / 255, 12 / 255),
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Few levels: Y, Cb and Cr rounded to multiples of step * severity.

  Slopes become steps, as where a codec has thrown away what is smooth, or a
  conversion has cut bits without dither. The levels are offset at random.
  Rounding passes gradients straight through.

  Record: step []; offset [3], of the levels of Y, Cb, Cr, in steps.
  """
  del diagonal
  keys = jax.random.split(rng, 2)
  drawn = jax.random.uniform(keys[0], minval=step[0], maxval=step[1])
  size = drawn * severity
  # A level stays at 0 of Cb and Cr: grey has no colour.
  offset = jax.random.uniform(keys[1], (3,)) * jnp.array([1.0, 0.0, 0.0])
  ycbcr = color.rgb_to_ycbcr(clip)
  safe = jnp.maximum(size, 1e-6)
  moved = jnp.broadcast_to(offset, ycbcr.shape)
  levels = (jnp.round(ycbcr / safe - moved) + moved) * safe
  change = jax.lax.stop_gradient(color.ycbcr_to_rgb(levels - ycbcr))
  damaged = jnp.clip(clip + change, 0, 1)
  damaged = jnp.where(size > 0, damaged, clip)
  record = {'step': size, 'offset': offset}
  return damaged, jnp.zeros_like(clip[..., :1]), record


def quantisation_table(table: jax.Array, scale: jax.Array) -> jax.Array:
  """JPEG's table [8, 8] for a multiple of quality 50's: integers 1 to 255."""
  return jnp.clip(jnp.round(table * scale), 1, 255)


def lost_blocks(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    density: float = 1.0,
    rate: float = 0.15,
    mean_length: float = 8.0,
    hold: int = 3,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Lost macroblocks of 16 px: runs in scan order, for a few frames.

  rate * severity losses begin per frame on average (see geometry.slots); each
  takes a run of about mean_length blocks and stays for 1 to `hold` frames.
  kind: 0 grey, 1 green, 2 the previous frame, moved by up to 16 px, 3 garbage
  (every block another colour and ramp).

  Record [N]: alive, kind, start, length (blocks), first, last (frames), move
  [N, 2] px; and mask [T, rows, columns] of blocks.
  """
  del diagonal
  frames, height, width = clip.shape[:3]
  rows, columns = (-(-v // MACROBLOCK) for v in (height, width))
  blocks = rows * columns
  mean = rate * density * frames
  number = geometry.slots(mean)
  keys = jax.random.split(rng, 8)
  length = jnp.ceil(mean_length * jax.random.exponential(keys[0], (number,)))
  first = jax.random.randint(keys[1], (number,), 0, frames)
  stays = jax.random.randint(keys[2], (number,), 0, hold)
  record = {
      'alive': jax.random.uniform(keys[3], (number,))
      < mean * severity / number,
      'kind': jax.random.randint(keys[4], (number,), 0, 4),
      'start': jax.random.randint(keys[5], (number,), 0, blocks),
      'length': jnp.clip(length, 1, blocks).astype(jnp.int32),
      'first': first,
      'last': jnp.minimum(first + stays, frames - 1),
      'move': jax.random.randint(
          keys[6], (number, 2), -MACROBLOCK, MACROBLOCK + 1
      ),
  }
  event = _event_of_block(record, frames, blocks)  # -1: not lost.
  event = event.reshape(frames, rows, columns)
  previous = jnp.concatenate([clip[:1], clip[:-1]])
  damaged, damage = per_frame.each(
      lambda x: _lose(*x, record),
      (jax.random.split(keys[7], frames), clip, previous, event),
  )
  return damaged, damage, {**record, 'mask': event >= 0}


def lost_frames(
    rng: jax.Array,
    clip: jax.Array,
    severity: jax.Array,
    *,
    diagonal: float | None = None,
    rate: float = 0.05,
    black: float = 0.3,
) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
  """Lost frames: the last good frame again, or black.

  Each frame is lost with probability rate * severity, one in two of them
  takes the next one along. The first frame has nothing to repeat: when lost,
  it is black.

  Record [T]: lost, black, source (index of the frame shown).
  """
  del diagonal
  frames = clip.shape[0]
  keys = jax.random.split(rng, 3)
  begins = jax.random.uniform(keys[0], (frames,)) < rate * severity
  longer = begins & jax.random.bernoulli(keys[1], 0.5, (frames,))
  lost = begins | jnp.concatenate([jnp.zeros(1, bool), longer[:-1]])
  time = jnp.arange(frames)
  source = jax.lax.cummax(jnp.where(lost, -1, time))
  is_black = lost & (
      jax.random.bernoulli(keys[2], black, (frames,)) | (source < 0)
  )
  source = jnp.maximum(source, 0)
  damaged = jnp.where(
      is_black[:, None, None, None], 0.0, jnp.take(clip, source, axis=0)
  )
  damage = jnp.broadcast_to(
      lost[:, None, None, None].astype(clip.dtype), clip[..., :1].shape
  )
  return damaged, damage, {'lost': lost, 'black': is_black, 'source': source}


def dct_matrix() -> np.ndarray:
  """[64, 64]: the orthonormal 2-D DCT-II of a flattened 8x8 block."""
  k, n = np.mgrid[:BLOCK, :BLOCK]
  basis = np.cos(np.pi * (2 * n + 1) * k / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
  basis[0] /= np.sqrt(2)
  return np.kron(basis, basis).astype(np.float32)


def _compress(frame, scale):
  """Compresses one frame [H, W, 3] in [0, 1]."""
  height, width, _ = frame.shape
  pad = [(0, -v % (2 * BLOCK)) for v in (height, width)]
  ycbcr = color.rgb_to_ycbcr(jnp.pad(frame, (*pad, (0, 0)), mode='edge'))
  y = _quantise(ycbcr[..., :1] - 128 / 255, LUMA_TABLE, scale) + 128 / 255
  chroma = ycbcr[..., 1:]
  half = chroma.reshape(
      chroma.shape[0] // 2, 2, chroma.shape[1] // 2, 2, 2
  ).mean((1, 3))
  half = _quantise(half, CHROMA_TABLE, scale)
  chroma = jnp.repeat(jnp.repeat(half, 2, 0), 2, 1)
  rgb = color.ycbcr_to_rgb(jnp.concatenate([y, chroma], -1))
  return jnp.clip(rgb[:height, :width], 0, 1)


def _quantise(x, table, scale):
  """Rounds the DCT coefficients of x [8h, 8w, C] to multiples of the table."""
  rows, columns, channels = x.shape
  blocks = x.reshape(rows // 8, 8, columns // 8, 8, channels)
  blocks = blocks.transpose(0, 2, 4, 1, 3).reshape(-1, BLOCK * BLOCK)
  high = jax.lax.Precision.HIGHEST
  transform = dct_matrix()
  step = quantisation_table(table, scale).reshape(1, -1) / 255
  steps = jnp.matmul(blocks, transform.T, precision=high) / step
  # Straight through: the gradient of rounding is taken as one.
  steps = steps + jax.lax.stop_gradient(jnp.round(steps) - steps)
  blocks = jnp.matmul(steps * step, transform, precision=high)
  blocks = blocks.reshape(rows // 8, columns // 8, channels, 8, 8)
  return blocks.transpose(0, 3, 1, 4, 2).reshape(x.shape)


def _event_of_block(record, frames, blocks):
  """[T, blocks]: the last of the losses that take a block, or -1."""
  time = jnp.arange(frames)[:, None, None]
  block = jnp.arange(blocks)[None, :, None]
  first, last, start, length, alive = (
      record[k][None, None]
      for k in ('first', 'last', 'start', 'length', 'alive')
  )
  hit = alive & (time >= first) & (time <= last)
  hit = hit & (block >= start) & (block < start + length)
  index = jnp.arange(record['alive'].shape[0])[None, None]
  return jnp.max(jnp.where(hit, index, -1), -1)


def _lose(rng, frame, previous, event, record):
  """Fills the blocks [rows, columns] of frame [H, W, 3] that have an event."""
  height, width, _ = frame.shape
  full = lambda x: jnp.repeat(
      jnp.repeat(x, MACROBLOCK, 0), MACROBLOCK, 1
  )[:height, :width]
  pixel = full(event)
  chosen = jnp.maximum(pixel, 0)
  kind, move = record['kind'][chosen], record['move'][chosen]
  y = jnp.clip(jnp.arange(height)[:, None] - move[..., 0], 0, height - 1)
  x = jnp.clip(jnp.arange(width)[None, :] - move[..., 1], 0, width - 1)
  keys = jax.random.split(rng, 2)
  base = jax.random.uniform(keys[0], (*event.shape, 3))
  slope = jax.random.uniform(keys[1], (*event.shape, 3), minval=-1.0)
  ramp = (jnp.arange(max(height, width)) % MACROBLOCK) / MACROBLOCK - 0.5
  ramp = ramp[:height, None, None] + ramp[None, :width, None]
  garbage = jnp.clip(full(base) + full(slope) * ramp, 0, 1)
  fill = jnp.stack([
      jnp.full_like(frame, 0.5),
      jnp.broadcast_to(jnp.array([0.0, 0.53, 0.0]), frame.shape),
      previous[y, x],
      garbage,
  ])
  kind = jnp.broadcast_to(kind[None, ..., None], (1, *frame.shape))
  fill = jnp.take_along_axis(fill, kind, 0)[0]
  lost = (pixel >= 0)[..., None]
  return jnp.where(lost, fill, frame), lost.astype(frame.dtype)
