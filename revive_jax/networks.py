"""Networks: what the learned stage of a restore runs, of weights."""

from collections.abc import Callable
import contextlib
import functools
import threading

import jax
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax.models import inference, weights
from revive_jax.ops import windows
from revive_jax.pipeline import fit, timeline
from revive_jax.video import probe


def make_network(
    found: weights.Weights, c: ml_collections.ConfigDict | None = None
):
  """What the learned stage runs (pipeline.restore.Network), of weights.

  c: says whether there are fills, or other answers; None: there are none.

  Raises:
    types.BadInput: there is but one answer, and c asks for several.
  """
  several = c is not None and c.num_samples > 1 and not c.fills
  if several and not found.config['settings'].get('noise'):
    raise types.BadInput(
        f'--config.num_samples={c.num_samples}: {found.name} gives one answer '
        'only; take weights with noise (gan) or fills (vae), or name fills '
        'that were trained for it with --config.fills (--config=fills trains '
        'some).')
  model, params = inference.build(found)
  params = jax.device_put(params)  # Once, not with every window.
  if c is not None and c.fills:
    return functools.partial(
        inference.fill_frames, params, model=model, seed=c.seed,
        num_samples=c.num_samples, fills=inference.load_fills(
            c.fills, restorer_weights=c.weights))
  return functools.partial(inference.restore_window, params, model=model)


def with_fills(c: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """c, where weights of fills stand for them and for the restorer below them.

  `--config.weights=vae` is the restorer that ships which they were trained for,
  and `--config.fills=vae`. Other settings are returned as they are.

  Raises:
    types.BadInput: they are fills for a restorer that does not ship, or other
      fills are asked for as well.
  """
  found = weights.read_weights(c.weights) if c.weights else None
  if found is None or found.config['model'] != 'fill_vae':
    return c
  if c.fills and identity(c.fills) != found.config['sha256']:
    raise types.BadInput(
        f'--config.weights={c.weights} and --config.fills={c.fills}: both are '
        'fills; leave out one of them.')
  for name in weights.shipped():
    if identity(name) == found.config.get('restorer'):
      told = ml_collections.ConfigDict(c.to_dict())
      told.weights, told.fills = name, c.weights
      return told.lock()
  raise types.BadInput(
      f'{found.name}: fills for a restorer that does not ship; name it with '
      '--config.weights, and these with --config.fills.')


def compiled_ahead(
    network: Callable | None, info: probe.VideoInfo,
    c: ml_collections.ConfigDict,
) -> Callable | None:
  """The network, whose program a thread reads or compiles from now on.

  So that it is there when the film has been measured: the first use waits for
  it. Networks of several answers are returned as they are.
  """
  count = info.frame_count or round((info.duration or 0) * info.frame_rate)
  known = isinstance(network, functools.partial) and (
      network.func is inference.restore_window)
  if not known or not count:
    return network
  size = dict(height=info.height, width=info.width)
  most = fit.window(c.window, **size) + timeline.context(
      c.repeats, fit.context(c.lookahead, **size))
  shape = (1, fit.length(count, most=most), *(
      windows.tile_size(n, c.tile, c.overlap) for n in size.values()), 3)
  thread = threading.Thread(target=_compile, args=(network, shape))
  thread.start()
  return functools.partial(_after, thread, *network.args, **network.keywords)


def _compile(network, shape) -> None:
  # What is wrong is said where the network is used.
  with contextlib.suppress(Exception):
    network(np.zeros(shape, np.float32), count=0)  # No frame is gone through.


def _after(thread, *args, **options):
  thread.join()
  return inference.restore_window(*args, **options)


def described(found: weights.Weights, fills: str = '') -> str:
  """Which weights these are, for the report: name, steps, hash.

  fills: of those that are drawn from, if there are any.
  """
  own = (f'{found.name}, {found.config.get("steps", 0)} steps, sha256 '
         f'{found.config["sha256"]}')
  if not fills:
    return own
  return f'{own}; fills: {described(weights.read_weights(fills))}'


def identity(name: str) -> str | None:
  """What tells weights from others, their SHA-256; None: there are none."""
  return weights.read_weights(name).config['sha256'] if name else None
