"""Matcher: learned features of frames, their correlation, and the flow.

Coarse to fine, as PWC-Net (arXiv:1709.02371) does with larger networks: a
correlation of learned features at 1/16 finds large motion, one at 1/8 around it
corrects it, and convolutions refine it. From there on nothing is learned: at
1/8, 1/4 and 1/2 what the pictures show decides (ops/lucas_kanade.py), since a
tenth of a pixel more is worth more than features here (docs/restorer.md).
"""

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from revive_jax.models import layers
from revive_jax.ops import lucas_kanade, resize, selection, spectrum, warp

CHANNELS = 32  # Channels of the descriptors, at 1/8.
_STEPS = {8: 3, 4: 3, 2: 2}  # Of Lucas and Kanade, by fraction.


def correlation(a: jax.Array, b: jax.Array, radius: int) -> jax.Array:
  """Products of a with b within radius: [N, H, W, (2 r + 1)^2], float32.

  Entry (dy + r)(2 r + 1) + dx + r is the product of a[y, x] and
  b[y + dy, x + dx], summed over the C channels of [N, H, W, C]; 0 beyond the
  border. One matrix product per row and vertical shift, of which a band is
  kept: an order faster on CPUs than shifted slices (docs/restorer.md).
  """
  number, height, width, _ = a.shape
  side = 2 * radius + 1
  padded = jnp.pad(b, ((0, 0), (radius, radius), (radius, radius), (0, 0)))
  bands = []
  for dy in range(side):
    rows = padded[:, dy:dy + height]
    product = jnp.einsum(
        'nhwc,nhvc->nhwv', a, rows, preferred_element_type=jnp.float32)
    # Row w of the product starts at column w: with one column more per row
    # the band stands upright.
    flat = product.reshape(number, height, width * (width + 2 * radius))
    flat = jnp.pad(flat, ((0, 0), (0, 0), (0, width)))
    bands.append(flat.reshape(
        number, height, width, width + 2 * radius + 1)[..., :side])
  return jnp.concatenate(bands, -1)


def expected_shift(scores: jax.Array, radius: int) -> jax.Array:
  """The mean shift (dx, dy) [..., 2] px under softmax(scores [..., n^2])."""
  weight = jax.nn.softmax(scores, -1)
  steps = jnp.arange(-radius, radius + 1, dtype=jnp.float32)
  dy, dx = jnp.meshgrid(steps, steps, indexing='ij')
  return weight @ jnp.stack([dx.ravel(), dy.ravel()], -1)


def beyond_border(height: int, width: int, radius: int) -> np.ndarray:
  """What is added to scores [1, H, W, (2 r + 1)^2]: -30 beyond the border.

  There is nothing to be found. Without it a small crop, most of whose shifts
  end beyond its border, teaches nothing about the others.
  """
  # A constant, unless the size is left open (jax.export).
  xp = jnp if any(map(jax.export.is_symbolic_dim, (height, width))) else np
  steps = xp.arange(-radius, radius + 1)[None]
  rows = xp.arange(height)[:, None] + steps
  columns = xp.arange(width)[:, None] + steps
  inside_y, inside_x = (
      (i >= 0) & (i < size) for i, size in ((rows, height), (columns, width)))
  inside = inside_y[:, None, :, None] & inside_x[None, :, None, :]
  return xp.where(inside, 0, -30).astype(np.float32).reshape(
      1, height, width, -1)


class Descriptors(nn.Module):
  """Features of frames at 1/8, from their features at 1/2.

  [N, H/2, W/2, F] to [N, H/8, W/8, 32]. Computed once per frame, not once per
  pair.
  """

  features: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    quarter = layers.leaky(layers.Down(self.features, dtype=self.dtype)(x))
    quarter = layers.leaky(
        layers.Conv(self.features, dtype=self.dtype)(quarter))
    eighth = layers.leaky(
        layers.Down(self.features, dtype=self.dtype)(quarter))
    eighth = layers.leaky(layers.Conv(self.features, dtype=self.dtype)(eighth))
    return nn.Dense(CHANNELS, dtype=self.dtype, name='coarse')(eighth)


class Matcher(nn.Module):
  """Flow from frames to their neighbours.

  Returns the learned flows at 1/16 and 1/8, and the flow at 1/2 of the
  resolution, each [N, h, w, 2] = (dx, dy) px of that resolution:
  neighbour[y + dy, x + dx] shows what the frame shows at [y, x]. Of the last
  there is no gradient.
  """

  features: int
  far: int = 4  # Reach of the correlation at 1/16: 64 px of the frame.
  near: int = 3
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
      self, this: jax.Array, other: jax.Array, frame: jax.Array,
      neighbour: jax.Array, mask: jax.Array,
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Descriptors [N, H/8, W/8, 32] and pictures [N, H, W, 3] of two frames.

    mask: [N, H, W, 1], 1 where the user marked damage in frame.
    """
    sharp = self.param('sharpness', nn.initializers.constant(8.0), (2,))
    a, b = _unit(resize.mean_pool(this)), _unit(resize.mean_pool(other))
    scores = sharp[0] * correlation(a, b, self.far)
    sixteenth = expected_shift(
        scores + beyond_border(*a.shape[1:3], self.far), self.far)

    flow = 2 * resize.double(sixteenth)
    moved = warp.by_flow(other, jax.lax.stop_gradient(flow))
    scores = sharp[1] * correlation(_unit(this), _unit(moved), self.near)
    flow = flow + expected_shift(
        scores + beyond_border(*this.shape[1:3], self.near), self.near)
    eighth = flow + self._refine([0.1 * scores, this, moved, 0.1 * flow])
    return sixteenth, eighth, exact(eighth, frame, neighbour, mask)

  def _refine(self, inputs):
    x = jnp.concatenate([i.astype(self.dtype) for i in inputs], -1)
    conv = lambda n, features, **kw: layers.Conv(
        features, dtype=self.dtype, name=f'coarse_{n}', **kw)
    x = layers.leaky(conv(0, self.features)(x))
    x = layers.leaky(conv(1, self.features)(x))
    return conv('out', 2, scale=0.1)(x).astype(jnp.float32)


def exact(
    guess: jax.Array, frame: jax.Array, neighbour: jax.Array, mask: jax.Array
) -> jax.Array:
  """The flow at 1/2, by what frame and neighbour [N, H, W, 3] show.

  guess: [N, H/8, W/8, 2] px of 1/8. What is marked in the frame (mask) is not
  looked at. The result has no gradient.
  """
  flow, frame, neighbour = jax.lax.stop_gradient((guess, frame, neighbour))
  this, other = (resize.mean_pool(x.mean(-1, keepdims=True))
                 for x in (frame, neighbour))
  unmarked = resize.mean_pool(1 - mask)
  planes = {2: (this, other, unmarked)}
  shift = _pan(this[..., 0], other[..., 0], unmarked[..., 0])
  for block in (4, 8):
    planes[block] = tuple(map(resize.mean_pool, planes[block // 2]))
  for block, steps in _STEPS.items():
    if block < 8:
      flow = 2 * resize.double(flow)
    this, other, unmarked = (x[..., 0] for x in planes[block])
    visible = (unmarked > 0.999).astype(jnp.float32)
    guesses = [flow, jnp.broadcast_to(
        (2 / block * shift)[:, None, None], flow.shape)]
    if block == 8:
      # A scene that stands still is common, and a guess may be far off.
      guesses.append(jnp.zeros_like(flow))
    flow = lucas_kanade.refine(this, other, guesses, visible, steps=steps)
    shift = block / 2 * selection.median(flow)
  return flow


def _pan(this, other, unmarked):
  """What most of the planes [N, H, W] is moved by, [N, 2] px: a camera's pan.

  What is marked in this is not looked at.
  """
  good = (unmarked > 0.999).astype(jnp.float32)
  mean = (this * good).sum((1, 2)) / jnp.maximum(good.sum((1, 2)), 1)
  this = jnp.where(good > 0, this, mean[:, None, None])
  shift = spectrum.phase_correlation(this, other)
  return lucas_kanade.refine_shift(this, other, shift, good, steps=4)


def _unit(x: jax.Array) -> jax.Array:
  """x scaled to unit length over its channels, so that scores are cosines."""
  x = x.astype(jnp.float32)
  return x * jax.lax.rsqrt((x * x).sum(-1, keepdims=True) + 1e-4)
