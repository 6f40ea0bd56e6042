"""Restorer: damaged clip to clean clip, with what it found and how sure it is.

Bidirectional recurrence after BasicVSR (arXiv:2012.02181), at half resolution,
along a flow that begins with learned features and ends in Lucas-Kanade steps;
each step of the recurrence is a small U-Net, so that a wide damage is seen as a
whole, and hands on an estimate of the picture at full resolution as well. The
two directions are independent, so that one set of weights also runs causally,
and the forward state can be carried from window to window exactly.

All is done frame by frame, inside scans over time: what one frame needs stays
in the processor's cache, which on CPUs is worth a third of the time.
"""

from collections.abc import Sequence
from typing import NamedTuple

import flax
from flax import linen as nn
import jax
import jax.numpy as jnp

from revive_jax.models import estimate as estimate_lib
from revive_jax.models import heads, layers, matcher
from revive_jax.ops import resize, warp

BLOCK = 16  # Height and width must be multiples: the coarsest level is 1/16.


class Restored(flax.struct.PyTreeNode):
  """What a restorer says of frames [B, T, H, W, 3]."""

  output: jax.Array  # [B, T, H, W, 3], the restored frames, float32.
  damage: jax.Array  # [B, T, H, W, 1], the probability of damage, [0, 1].
  log_variance: jax.Array  # [B, T, H, W, 1], of output - clean.
  # [B, T, 2, H/2, W/2, 2] px of 1/2: to t - 1, to t + 1; 0 over a cut.
  flow: jax.Array


class State(flax.struct.PyTreeNode):
  """What the forward direction hands from frame to frame."""

  picture: jax.Array  # [B, H, W, 3], of the estimate.
  support: jax.Array  # [B, H, W, 1]
  hidden: jax.Array  # [B, H/2, W/2, F]
  descriptors: jax.Array  # [B, H/8, W/8, 32]


class Flows(flax.struct.PyTreeNode):
  """Flows to one neighbour, [B, T, h, w, 2] each (see matcher.Matcher)."""

  sixteenth: jax.Array
  eighth: jax.Array
  half: jax.Array


class Direction(NamedTuple):
  """What one direction of the recurrence saw, over time, [B, T, ...]."""

  hidden: jax.Array
  # Of the frames before (backward: after), moved to this one; and with it.
  neighbour: estimate_lib.Estimate
  estimate: estimate_lib.Estimate
  flows: Flows


class Encoder(nn.Module):
  """Features [B, H/2, W/2, F] of a frame, and its descriptors for matching."""

  features: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, frame, mask):
    x = jnp.concatenate(
        [*layers.bands(frame), resize.space_to_depth(mask)], -1)
    x = x.astype(self.dtype)
    conv = lambda: layers.Conv(self.features, dtype=self.dtype)
    x = layers.leaky(conv()(x))
    x = layers.leaky(conv()(x))
    return x, matcher.Descriptors(self.features, dtype=self.dtype)(x)


class Cell(nn.Module):
  """One step of the recurrence: features and aligned past to hidden."""

  features: int
  deep_features: int
  num_blocks: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, encoded, hidden, difference):
    x = layers.leaky(layers.Joint(self.features, dtype=self.dtype)(
        encoded, hidden, difference))
    deep = layers.leaky(layers.Down(self.deep_features, dtype=self.dtype)(x))
    for _ in range(self.num_blocks):
      deep = layers.ResBlock(dtype=self.dtype)(deep)
    x = x + layers.Up(self.features, dtype=self.dtype)(deep)
    return _bounded(layers.ResBlock(dtype=self.dtype)(x))


class Restorer(nn.Module):
  """Damaged frames [B, T, H, W, 3] in [0, 1] to Restored, State, Directions.

  H and W are multiples of 16. features: channels at half resolution;
  deep_features: at a quarter, inside the recurrence. remat: what is kept of
  each frame for the gradient, and what is computed again: see layers.REMAT.
  aligned: False for comparison, where nothing follows motion.
  """

  features: int = 48
  deep_features: int = 64
  num_blocks: int = 2
  noise: int = 0
  aligned: bool = True
  dtype: jnp.dtype = jnp.float32
  remat: str = ''

  def setup(self):
    self.encoder = Encoder(self.features, dtype=self.dtype)
    self.matcher = matcher.Matcher(self.features, dtype=self.dtype)
    cell = lambda: Cell(self.features, self.deep_features, self.num_blocks,
                        dtype=self.dtype)
    self.forward_cell, self.backward_cell = cell(), cell()
    self.forward_update = estimate_lib.Update(dtype=self.dtype)
    self.backward_update = estimate_lib.Update(dtype=self.dtype)
    self.heads = heads.Heads(self.features, dtype=self.dtype)

  def __call__(
      self,
      frames: jax.Array,
      *,
      mask: jax.Array | None = None,
      cuts: jax.Array | None = None,
      state: State | None = None,
      causal: bool = False,
      use_future: jax.Array | None = None,
      carry_after: jax.Array | int | None = None,
      noise: jax.Array | None = None,
      count: jax.Array | int | None = None,
  ) -> tuple[Restored, State, tuple[Direction, Direction | None] | None]:
    """Restores clips.

    Args:
      frames: [B, T, H, W, 3] in [0, 1].
      mask: [B, T, H, W, 1], 1 where the user marked damage.
      cuts: [B, T] bool, a shot starts at this frame: nothing passes over it.
      state: of the frame before the first; None: there is none.
      causal: leave the backward direction out altogether.
      use_future: [B] in {0, 1}, which clips see their future (training).
      carry_after: how many frames the returned state has seen; None: all.
      noise: standard normal, of noise_shape, if the network has any; None:
        always the same.
      count: how many of the frames there are; what follows is gone through in
        no time, and means nothing. None: all. With it there is no gradient
        and no use_future, and half the memory is enough.

    Returns:
      What was restored, the state, and what each direction saw; with a count
      that is not kept, and None.

    Raises:
      ValueError: both use_future and count are given.
    """
    if count is not None and use_future is not None:
      raise ValueError('use_future is for training, which has no count.')
    batch, time, height, width, _ = frames.shape
    cuts = jnp.zeros((batch, time), bool) if cuts is None else cuts
    if mask is None:
      mask = jnp.zeros((*frames.shape[:-1], 1), jnp.float32)
    if state is None:
      state = self.initial_state(batch, height, width)
      cuts = cuts.at[:, 0].set(True)
    if count is not None:
      cuts = cuts | (jnp.arange(time) == count)[None]

    encoded, descriptors = self._over_time(
        lambda m, _, x: (None, m.encoder(*x)), None, (frames, mask),
        count=count)
    seen = (frames, mask, encoded, descriptors)
    noise = self._noise(encoded, noise)
    if count is not None:
      return *self._first_frames(
          seen, cuts, state, noise, causal=causal, count=count,
          carry_after=count if carry_after is None else carry_after), None
    _, past = self._over_time(
        lambda m, s, x: m._step(m.forward_cell, m.forward_update, s, *x),
        state, (*seen, _keep(cuts)), carry=True)
    last = (time if carry_after is None else carry_after) - 1
    state = State(*(x[:, last] for x in (
        *past.estimate, past.hidden, descriptors)))
    future = None if causal else self._from_the_future(seen, cuts)
    backward, next_ = _used(future, past, use_future)
    said = self._over_time(
        lambda m, _, x: (None, m.heads(*x)), None,
        (encoded, past.hidden, backward, frames, mask, past.neighbour, next_,
         noise))
    flow = _flow(past.flows.half, future and future.flows.half, cuts)
    return Restored(*said, flow), state, (past, future)

  def _first_frames(
      self, seen, cuts, state, noise, *, causal, count, carry_after
  ) -> tuple[Restored, State]:
    """__call__, of the first count frames.

    The future comes first; then each frame is seen after those before it and
    goes to the heads, in one loop. So of all frames at once there is only what
    the encoder and the future say, and what is returned.
    """
    future = None if causal else self._from_the_future(
        seen, cuts, count, of=lambda x: x._replace(
            estimate=None, flows=Flows(None, None, x.flows.half)))

    def step(model, state, x):
      (frame, mask, encoded, descriptors), keep, after, noise = x
      state, past = model._step(
          model.forward_cell, model.forward_update, state, frame, mask, encoded,
          descriptors, keep)
      backward, next_ = _used(after, past, None)
      said = model.heads(encoded, past.hidden, backward, frame, mask,
                         past.neighbour, next_, noise)
      return state, (said, past.flows.half)

    state, (said, to_past) = self._over_time(
        step, state, (seen, _keep(cuts), future, noise), carry=True,
        count=count, carry_after=carry_after)
    flow = _flow(to_past, future and future.flows.half, cuts)
    return Restored(*said, flow), state

  def _from_the_future(
      self, seen, cuts, count=None, of=lambda x: x
  ) -> Direction:
    """The backward direction; of: what is kept of what it saw of a frame."""
    batch, _, height, width, _ = seen[0].shape

    def step(model, state, x):
      state, found = model._step(
          model.backward_cell, model.backward_update, state, *x)
      return state, of(found)

    _, found = self._over_time(
        step, self.initial_state(batch, height, width),
        (*seen, _keep(_ends(cuts))), carry=True, reverse=True, count=count)
    return found

  def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the noise for clips [B, T, H, W, 3]; of all their frames."""
    batch, _, height, width, _ = shape
    return batch, height // 2, width // 2, self.noise

  def _noise(self, hidden, noise):
    """Noise [B, T, H/2, W/2, noise] for hidden states [B, T, H/2, W/2, F]."""
    if not self.noise:
      return None
    batch, time, height, width, _ = hidden.shape
    if noise is None:
      noise = jax.random.normal(
          jax.random.key(0), (batch, height, width, self.noise))
    return jnp.broadcast_to(
        noise[:, None], (batch, time, *noise.shape[1:]))

  def initial_state(self, batch: int, height: int, width: int) -> State:
    """The state before the first frame of a shot."""
    zeros = lambda n, c: jnp.zeros((batch, height // n, width // n, c),
                                   self.dtype)
    pictures = [zeros(1, n).astype(jnp.float32) for n in (3, 1)]
    return State(
        *pictures, zeros(2, self.features), zeros(8, matcher.CHANNELS))

  def _step(
      self, cell, update, state, frame, mask, encoded, descriptors, keep
  ) -> tuple[State, Direction]:
    """Aligns the neighbour and its state to this frame, and goes on.

    All of one frame, keep [B, 1, 1, 1]: 0 where the neighbour is of another
    shot.
    """
    # The matcher learns from clean frames (losses/temporal.py) alone: what the
    # picture asks of a flow is mostly noise, and once led it astray.
    flows = (Flows(*self.matcher(
        descriptors, state.descriptors, frame, state.picture, mask))
             if self.aligned else _no_flows(frame))
    neighbour = estimate_lib.follow(
        estimate_lib.Estimate(state.picture, state.support),
        2 * resize.double(flows.half), keep)
    hidden = warp.by_flow(state.hidden, flows.half) * keep.astype(self.dtype)
    hidden = cell(
        encoded, hidden, estimate_lib.difference(frame, neighbour))
    estimate = update(hidden, frame, mask, neighbour)
    state = State(*estimate, hidden, descriptors)
    return state, Direction(hidden, neighbour, estimate, flows)

  def _over_time(self, step, state, inputs, *, carry=False, reverse=False,
                 count=None, carry_after=None):
    """Scans step(module, state, inputs of one frame) over axis 1.

    carry_after: how many frames of count the returned state has seen; None:
    all. Where fewer are gone through it is zeros.
    """
    if self.is_initializing():  # Frames share their parameters: one will do.
      time = jax.tree.leaves(inputs)[0].shape[1]
      state, outputs = step(
          self, state, jax.tree.map(lambda x: x[:, 0], inputs))
      outputs = jax.tree.map(
          lambda x: jnp.repeat(x[:, None], time, 1), outputs)
    elif count is None:
      over = nn.scan(
          layers.remat(step, self.remat), variable_broadcast='params',
          split_rngs={'params': False}, in_axes=1, out_axes=1, reverse=reverse)
      state, outputs = over(self, state, inputs)
    else:
      state, outputs = self._first(
          step, state, inputs, count, reverse, carry_after)
    return (state, outputs) if carry else outputs

  def _first(self, step, state, inputs, count, reverse, carry_after):
    """As a scan, of the first count frames alone; zeros for the others.

    What count and carry_after are need not be known when it is compiled.
    """
    model, variables = self.unbind()
    # As a program of its own it is traced once, not for its shapes as well.
    once = jax.jit(lambda variables, state, x: model.apply(
        variables, state, x, method=step))
    at = lambda t: jax.tree.map(
        lambda x: jax.lax.dynamic_index_in_dim(x, t, 1, keepdims=False), inputs)
    _, found = jax.eval_shape(once, variables, state, at(0))
    batch, time = jax.tree.leaves(inputs)[0].shape[:2]
    outputs = jax.tree.map(
        lambda x: jnp.zeros((batch, time, *x.shape[1:]), x.dtype), found)

    put = lambda all_, x, t: jax.tree.map(
        lambda all_, x: jax.lax.dynamic_update_index_in_dim(all_, x, t, 1),
        all_, x)

    def frame(i, carry):
      state, outputs, states = carry
      t = count - 1 - i if reverse else i
      state, found = once(variables, state, at(t))
      if carry_after is not None:  # Written: a choice would read both.
        states = put(states, state, jnp.where(i == carry_after - 1, 0, 1))
      return state, put(outputs, found, t), states

    states = None
    if carry_after is not None:
      states = jax.tree.map(lambda x: jnp.zeros(
          (batch, 2, *x.shape[1:]), x.dtype), state)
    state, outputs, states = jax.lax.fori_loop(
        0, count, frame, (state, outputs, states))
    if carry_after is not None:
      state = jax.tree.map(lambda x: x[:, 0], states)
    return state, outputs


def _no_flows(frame) -> Flows:
  """Flows that say that nothing moved."""
  batch, height, width, _ = frame.shape
  return Flows(*(jnp.zeros((batch, height // n, width // n, 2), jnp.float32)
                 for n in (16, 8, 2)))


def _bounded(x, limit=4.0):
  """x [..., C], shrunk where its root mean square over C nears limit.

  The recurrence is free to amplify its own state; without a bound a training
  of 2000 steps ended in gradients a thousand times their usual size.
  """
  square = jnp.mean(jnp.square(x.astype(jnp.float32)), -1, keepdims=True)
  return x * jax.lax.rsqrt(1 + square / limit**2).astype(x.dtype)


def _used(future, past, use_future):
  """What the heads see of the future: hidden and the estimate after it."""
  if future is None:
    return jnp.zeros_like(past.hidden), past.neighbour._replace(
        support=jnp.zeros_like(past.neighbour.support))
  if use_future is None:
    return future.hidden, future.neighbour
  share = use_future[:, None, None, None, None]
  return (future.hidden * share.astype(future.hidden.dtype),
          future.neighbour._replace(support=future.neighbour.support * share))


def _keep(cuts):
  """[B, T, 1, 1, 1]: 0 where the state of the neighbour must not be used."""
  return (~cuts)[:, :, None, None, None].astype(jnp.float32)


def _ends(cuts):
  """[B, T]: the frames that end a shot; the last one does."""
  return jnp.concatenate([cuts[:, 1:], jnp.ones_like(cuts[:, :1])], 1)


def _flow(to_past, to_future, cuts):
  """Restored.flow: none leads over a cut, though the matcher was asked.

  to_past, to_future: [B, T, H/2, W/2, 2] px; the latter None: there is none.
  """
  to_past = to_past * _keep(cuts)
  to_future = (jnp.zeros_like(to_past) if to_future is None
               else to_future * _keep(_ends(cuts)))
  return jnp.stack([to_past, to_future], 2)
