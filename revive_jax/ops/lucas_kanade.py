"""Motion of planes by Lucas and Kanade's method, from a first guess.

Gauss-Newton steps on what a window around each pixel shows (Lucas and Kanade
1981), with robust weights, and drawn towards the flow around it where the
window shows little (as Bruhn, Weickert and Schnoerr 2005,
doi:10.1023/B:VISI.0000045324.43199.43). A step that explains the window worse
is not taken. Nothing is learned: it is as exact on the first day as later.
All in planes [N, H, W], whose shifts CPUs add fast.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from revive_jax.ops import warp

_ROBUST = 0.2  # Differences (of [0, 1]) well above it are no motion but damage.
_STIFFNESS = 1e-2  # Squared slope at which a window counts as its surroundings.
_FARTHEST = 1.0  # px a step may go: beyond, the slope says nothing.


def refine(
    this: jax.Array, other: jax.Array, guesses: Sequence[jax.Array],
    visible: jax.Array, *, steps: int,
) -> jax.Array:
  """The flow from this to other, [N, H, W] in [0, 1], near one of some guesses.

  Each pixel begins with the guess that explains its window best, of equal ones
  the first.

  Args:
    this: planes.
    other: planes: other[y + dy, x + dx] is to show what this shows at [y, x].
    guesses: [N, H, W, 2] = (dx, dy) px each.
    visible: [N, H, W] in {0, 1}, where this shows the scene: elsewhere the flow
      is that around it.
    steps: how many are tried.

  Returns:
    (dx, dy) [N, H, W, 2] px.
  """
  slope, visible = _slope(this), _inner(visible)
  best = None
  for guess in guesses:
    flow = jnp.moveaxis(guess, -1, 0)
    error = moved(other, flow) - this
    new = flow, error, _cost(error, visible)
    best = new if best is None else _better(best, new)

  def once(_, best):
    flow, error, _ = best
    tried = flow + _step(slope, error, flow, visible)
    there = moved(other, tried) - this
    # Where nothing shows, both are as good: the step goes with those around.
    return _better((tried, there, _cost(there, visible)), best)

  # A loop, since compiling the steps one by one takes longer than they do.
  flow, _, _ = jax.lax.fori_loop(0, steps, once, best)
  return jnp.moveaxis(flow, 0, -1)


def refine_shift(
    this: jax.Array, other: jax.Array, shift: jax.Array, visible: jax.Array,
    *, steps: int,
) -> jax.Array:
  """As refine, of one shift [N, 2] = (dx, dy) px of whole planes [N, H, W].

  To parts of a pixel, from a shift that is right to about one.
  """
  dx, dy = _slope(this)

  def once(_, shift):
    flow = jnp.broadcast_to(
        jnp.moveaxis(shift, -1, 0)[..., None, None], (2, *this.shape))
    error = moved(other, flow) - this
    weight = visible * warp.inside(jnp.moveaxis(flow, 0, -1))[..., 0] / (
        1 + jnp.square(error / _ROBUST))
    mean = lambda x: (weight * x).mean((1, 2))
    xx, xy, yy = mean(dx * dx) + 1e-8, mean(dx * dy), mean(dy * dy) + 1e-8
    xe, ye = mean(dx * error), mean(dy * error)
    step = jnp.stack([xy * ye - yy * xe, xy * xe - xx * ye], -1)
    step = step / (xx * yy - xy * xy)[:, None]
    return shift + jnp.clip(step, -_FARTHEST, _FARTHEST)

  return jax.lax.fori_loop(0, steps, once, shift)


def _better(a, b):
  """Of two (flow, error, cost) that of the lower cost; where equal, a."""
  taken = b[-1] < a[-1] - 1e-6  # More than rounding.
  return tuple(jnp.where(taken if y.ndim == taken.ndim else taken[None], y, x)
               for x, y in zip(a, b, strict=True))


def _step(slope, error, flow, visible):
  """The Gauss-Newton step [2, N, H, W] px."""
  dx, dy = slope
  weight = visible / (1 + jnp.square(error / _ROBUST))
  wx, wy = weight * dx, weight * dy
  xx, xy, yy, xe, ye = box(
      jnp.stack([wx * dx, wx * dy, wy * dy, wx * error, wy * error]), 2)
  xx, yy = xx + _STIFFNESS, yy + _STIFFNESS
  wanted = _STIFFNESS * (smooth(smooth(flow)) - flow)
  right_x, right_y = wanted[0] - xe, wanted[1] - ye
  determinant = xx * yy - xy * xy
  step = jnp.stack([yy * right_x - xy * right_y,
                    xx * right_y - xy * right_x]) / determinant[None]
  return jnp.clip(step, -_FARTHEST, _FARTHEST)


def _cost(error, visible):
  """How badly a window is explained, in [0, 1]; damage counts little."""
  square = jnp.square(error / _ROBUST)
  return box(visible * square / (1 + square), 2)


def _slope(x):
  """Half the difference of the neighbours, across and down."""
  across, down = _padded(x, -1, 1), _padded(x, -2, 1)
  return ((across[..., 2:] - across[..., :-2]) / 2,
          (down[..., 2:, :] - down[..., :-2, :]) / 2)


def _inner(visible):
  """visible, but where a neighbour is not: slopes there have seen it."""
  across, down = _padded(visible, -1, 1), _padded(visible, -2, 1)
  return (visible * across[..., 2:] * across[..., :-2]
          * down[..., 2:, :] * down[..., :-2, :])


def box(x: jax.Array, radius: int) -> jax.Array:
  """Mean of planes [..., H, W] over (2 radius + 1)^2 px; borders repeat."""
  count = 2 * radius + 1
  height, width = x.shape[-2:]
  rows = _padded(x, -2, radius)
  rows = sum(rows[..., i:i + height, :] for i in range(count))
  rows = _padded(rows, -1, radius)
  return sum(rows[..., i:i + width] for i in range(count)) / count**2


def smooth(x: jax.Array) -> jax.Array:
  """Planes [..., H, W] under (1, 2, 1) / 4 across and down; borders repeat."""
  rows = _padded(x, -2, 1)
  rows = rows[..., :-2, :] + 2 * x + rows[..., 2:, :]
  across = _padded(rows, -1, 1)
  return (across[..., :-2] + 2 * rows + across[..., 2:]) / 16


def _padded(x, axis, size):
  pads = [(0, 0)] * x.ndim
  pads[axis] = (size, size)
  return jnp.pad(x, pads, mode='edge')


def moved(x: jax.Array, flow: jax.Array) -> jax.Array:
  """Planes [N, H, W] along flow [2, N, H, W] = (dx, dy) px, bilinearly."""
  return warp.by_flow(x[..., None], jnp.moveaxis(flow, 0, -1))[..., 0]
