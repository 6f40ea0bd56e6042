"""The operators of a mix as programs of their own, for accelerators.

All in one program with a step of the restorer, the 35 operators of three mixes
were not compiled for a GPU after 290 s, beside other programs (jax 0.11.2).
Apart they are compiled side by side, and called one after the other; what they
do is the same.
"""

from collections.abc import Callable
from concurrent import futures
from typing import Any

import jax
import numpy as np

from revive_jax.degradations import chain


def compile_mix(
    mix: chain.Mix, shape: tuple[int, ...], *, diagonal: float | None = None,
    density: float = 1.0, textures: jax.Array | None = None,
) -> Callable[[jax.Array, jax.Array, jax.Array], Any]:
  """chain.degrade_batch of a mix, compiled for clips of shape [B, T, H, W, 3].

  Returns degrade(rng, clips, severities), which is not to be jitted: it waits
  for the order that was drawn. Options as of chain.degrade_batch.
  """
  mix = chain.with_what_there_is(mix, textures)
  steps = {}
  for name in mix.operators:
    def step(inputs, state, textures, name=name):
      return chain.steps_of(mix, diagonal, density, textures)[name](
          inputs, state)
    steps[name] = jax.jit(step)
  begin = jax.jit(lambda *drawn: chain.begin(*drawn, mix))
  finish = jax.jit(chain.record_of, static_argnums=2)
  like = (jax.eval_shape(lambda: jax.random.key(0)),
          jax.ShapeDtypeStruct(shape, np.float32),
          jax.ShapeDtypeStruct(shape[:1], np.float32))
  _, inputs, state = jax.eval_shape(begin, *like)
  lowered = {name: step.lower(inputs, state, textures)
             for name, step in steps.items()}
  with futures.ThreadPoolExecutor() as pool:
    programs = dict(zip(lowered, pool.map(
        lambda program: program.compile(), lowered.values()), strict=True))

  def degrade(rng, clips, severities):
    order, inputs, state = begin(rng, clips, severities)
    records, known = {}, tuple(programs)
    for index in np.asarray(order):
      name = known[index]
      state, records[name] = programs[name](inputs, state, textures)
    records = {name: records[name] for name in known}
    return *state, finish(order, records, len(clips))

  return degrade
