"""Methods: the rows of a table, chains without learning and networks."""

from collections.abc import Callable
import functools
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax.comparison import cases, networks
from revive_jax.models import weights
from revive_jax.pipeline import (
    choose,
    composite,
    flicker,
    measure,
    run,
    timeline,
)
from revive_jax.video import reader

THROUGH = ('pipeline', 'model')
_FRAME_RATE = 24.0  # Only the search for cuts looks at it.


class Result(NamedTuple):
  """What a method made of a clip."""

  restored: np.ndarray  # [T, H, W, 3] uint8.
  found: np.ndarray  # [T, H, W] bool, what it took for damage.
  seconds: float
  # [T, H, W, 1], the standard deviation it predicts of its error; None: it
  # predicts nothing.
  deviation: np.ndarray | None = None


class Method(NamedTuple):
  """A row of the table: codes [T, H, W, 3] uint8 to a Result."""

  restore: Callable[[np.ndarray], Result]
  compiled: set[Any]  # Grows with every shape that was compiled.
  about: dict[str, Any]  # weights, sha256, steps, parameters.
  trained_on: frozenset[str] = frozenset()  # As networks.Network's.


def make_methods(c: ml_collections.ConfigDict) -> dict[str, Method]:
  """The rows of the table that restore, by name."""
  settings = c.pipeline.to_dict()
  methods = {}
  if c.through == 'pipeline':
    every = settings | {'stages': tuple(c.classical_stages)}
    for name, chosen in (('classical', settings),
                         ('classical, every stage', every)):
      methods[name] = Method(
          functools.partial(restored_by, settings=chosen, network=None),
          set(), {'parameters': 0})
  through = {'pipeline': restored_by, 'model': restored_by_model}[c.through]
  for name, found in networks.load(
      c.weights, num_samples=c.num_samples, causal=c.causal, seed=c.seed):
    if name in methods:
      raise types.BadInput(
          f'--config.weights: two of them would be called {name!r}; give one '
          'of the folders another name.')
    network, compiled = _watched(found.call)
    methods[name] = Method(
        functools.partial(through, settings=settings, network=network,
                          predicts=found.predicts),
        compiled, found.about, found.trained_on)
  if not methods:
    raise types.BadInput(
        'There is no network to measure; name its weights with '
        f'--config.weights (shipped: {", ".join(weights.shipped()) or "none"}).'
    )
  return methods


def make_method(c: ml_collections.ConfigDict) -> Method:
  """The one row that restores, of a comparison through the network alone.

  Raises:
    types.BadInput: c.weights names none or several, or they cannot be read.
  """
  methods = make_methods(c)
  if len(methods) > 1:
    raise types.BadInput(
        f'One network is measured at a time, not {", ".join(methods)}; name '
        'the weights of one.')
  return next(iter(methods.values()))


def _watched(network):
  """The network, and a set that grows with each shape it had to compile."""
  seen = set()
  def call(frames, mask, cuts, **more):
    seen.add((frames.shape, mask is None, *sorted(
        key for key, value in more.items() if value is not None)))
    return network(frames, mask=mask, cuts=cuts, **more)
  return call, seen


def restored_by(
    codes: np.ndarray, *, settings: dict[str, Any], network: Any | None,
    predicts: bool = False,
) -> Result:
  """Restores codes [T, H, W, 3] uint8 through the pipeline, as users do.

  Args:
    codes: the film.
    settings: configs/restore.py.
    network: what the stage restore runs; None: the classical chain.
    predicts: whether its log-variance is of what it gives.
  """
  shots, plans = _plan(codes, settings, learned=network is not None)
  frames = (reader.SourceFrame(i, i, rgb, ()) for i, rgb in enumerate(codes))
  start = time.monotonic()
  restored, found, deviation = [], [], []
  for part in run.run(
      frames, shots, plans, window=settings['window'],
      context=timeline.context(settings['repeats'], settings['lookahead']),
      tile=settings['tile'],
      overlap=settings['overlap'], network=network):
    clip = part.clip
    restored.append(cases.to_codes(clip.output))
    found.append(composite.damage_mask(clip, radius=0))
    if predicts:
      deviation.append(np.exp(0.5 * clip.log_variance))
  seconds = time.monotonic() - start
  return Result(np.concatenate(restored), np.concatenate(found), seconds,
                np.concatenate(deviation) if deviation else None)


def restored_by_model(
    codes: np.ndarray, *, settings: dict[str, Any], network: Any,
    predicts: bool,
) -> Result:
  """Restores codes [T, H, W, 3] uint8 by the network, in one window.

  Flicker is taken out before, as the pipeline does; all else is left out. Args:
  as restored_by's.
  """
  shots, plans = _plan(codes, settings, learned=True)
  tones = [run.shot_tone(s, p) for s, p in zip(shots, plans, strict=True)]
  frames = np.concatenate([
      part if tone is None else flicker.apply_tone(part, tone)
      for part, tone in zip(
          np.split(measure.to_float(codes), [s.start for s in shots[1:]]),
          tones, strict=True)])
  cuts = np.isin(np.arange(len(codes)), [s.start for s in shots])
  start = time.monotonic()
  result, _ = network(jnp.asarray(frames)[None], None, jnp.asarray(cuts)[None])
  jax.block_until_ready(result)
  seconds = time.monotonic() - start
  deviation = np.exp(0.5 * np.asarray(result.log_variance[0], np.float32))
  return Result(
      cases.to_codes(np.asarray(result.output[0], np.float32)),
      np.asarray(result.damage[0, ..., 0]) > 0.5, seconds,
      deviation if predicts else None)


def _plan(codes, settings, *, learned):
  """Measures a film, and plans the stages of its shots: see restore.py."""
  shots, _ = measure.measure(
      iter(codes), frame_rate=_FRAME_RATE,
      motion=settings['repeats'] != 'leave')
  planned = timeline.plan(shots, [], settings['repeats'], timed=False)
  plans = [choose.choose(
      shot, mode=settings['composite'], strength=settings['strength'],
      stages=tuple(settings['stages']),
      output=dict(bits=8, grain=settings['output']['grain']),
      fill=settings['fill'], inpaint=settings['inpaint'],
      denoiser=settings['denoiser'], seed=settings['seed'], marked=False,
      learned=learned, replaces=planned.replaced[shot.start:shot.stop])
           for shot in shots]
  return shots, plans
