"""A stream of frames from bytes in the host's memory to bytes there.

Windows of frames, with the state handed on and some frames ahead to look at, as
the product works on a film; transfers of neighbouring windows overlap with the
network. Several streams at once stand for several shots or films.
"""

import jax
import jax.numpy as jnp
import numpy as np
import timing

import revive_jax
from revive_jax.models import inference, restorer
from revive_jax.training import cost

_WINDOWS = 4  # In a stream that is timed.


def measure(
    name: str, size: str, batch: str, *, window: int, lookahead: int,
    repeats: int,
) -> dict[str, float]:
  """Frames per second of a stream, with and without its transfers."""
  width, height = map(int, size.split('x'))
  model, params = revive_jax.load_weights(name)
  params, batch = jax.device_put(params), int(batch)
  rng = np.random.default_rng(0)
  shape = batch, window, height, width, 3
  film = [rng.integers(0, 256, shape, np.uint8) for _ in range(2)]
  film = [film[i % 2] for i in range(_WINDOWS)]
  step = jax.jit(lambda params, memory, new: advance(
      params, memory, new, model=model))
  start = lambda: begin(model, batch, lookahead, height, width)
  run = lambda film: flow(step, params, start(), film)
  there = [jax.device_put(x) for x in film]
  stay = lambda: last(step, params, start(), there)
  count = batch * window * len(film)
  found = {
      'batch': batch, 'through': count / timing.median(
          lambda: run(film), repeats),
      'inside': count / timing.median(stay, repeats),
      'latency': timing.median(lambda: run(film[:1]), repeats),
      'flops': cost.flops(step, params, start(), there[0]) / (batch * window)}
  found['memory'] = timing.high_water()
  return found | timing.limits()


def begin(model, batch: int, lookahead: int, height: int, width: int):
  """What is known before the first frame: no frames, no state, a cut."""
  block = restorer.BLOCK
  state = model.initial_state(
      batch, -(-height // block) * block, -(-width // block) * block)
  ahead = jnp.zeros((batch, lookahead, height, width, 3), jnp.uint8)
  return ahead, state, jnp.ones(batch, bool)


def advance(params, memory, new, *, model):
  """Restores the next window: bytes [B, window, H, W, 3], and the memory.

  memory: of begin, or of the last call. new: as many bytes that follow those
  that were looked at; what comes back is as many, starting with those.
  """
  ahead, state, cut = memory
  codes = jnp.concatenate([ahead, new], 1)
  window = new.shape[1]
  cuts = jnp.zeros(codes.shape[:2], bool).at[:, 0].set(cut)
  restored, state = inference.restore_frames(
      params, codes.astype(jnp.float32) / 255, model=model, cuts=cuts,
      state=state, carry_after=window)
  output = jnp.round(255 * restored.output[:, :window]).astype(jnp.uint8)
  return output, (codes[:, window:], state, jnp.zeros_like(cut))


def flow(step, params, memory, film) -> float:
  """Passes windows of bytes on the host through; their sum is looked at."""
  waiting, total = None, 0.0
  for new in film:
    output, memory = step(params, memory, jax.device_put(new))
    output.copy_to_host_async()
    if waiting is not None:
      total += float(np.asarray(waiting)[0, 0, 0, 0, 0])
    waiting = output
  return total + float(np.asarray(waiting)[0, 0, 0, 0, 0])


def last(step, params, memory, film):
  """The last window's output, of windows that are on the device."""
  for new in film:
    output, memory = step(params, memory, new)
  return output
