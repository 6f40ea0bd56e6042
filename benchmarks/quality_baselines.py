"""Rows of the quality benchmark: what others do, our networks, ablations."""

from collections.abc import Callable, Mapping, Sequence
import fractions
import functools
import time
from typing import Any

import av
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from revive_jax.configs import evaluate as config
from revive_jax.configs import restore

from revive_jax import types
from revive_jax.comparison import cases, methods, networks
from revive_jax.pipeline import preprocess, spatial

# What each network is an answer to; names of --ablations.
ABLATIONS = ('single_frame', 'no_matcher', 'no_detector', 'causal',
             'no_flicker', 'half_width')

Rows = Mapping[str, methods.Method]


def settings(weights: str, through: str) -> ml_collections.ConfigDict:
  """configs/evaluate.py for rows of weights."""
  c = config.get_config()
  c.weights, c.through = weights, through
  return c


def method(restore: Callable[[np.ndarray], np.ndarray]) -> methods.Method:
  """A row of a function of codes [T, H, W, 3] that finds no damage."""
  def run(codes):
    start = time.monotonic()
    made = restore(codes)
    return methods.Result(made, np.zeros(codes.shape[:3], bool),
                          time.monotonic() - start)
  return methods.Method(run, set(), {'finds': False})


def without_learning(
    case: cases.Case, sigma: float, *, flickers: bool
) -> dict[str, methods.Method]:
  """OpenCV and FFmpeg; they are told the noise and where the damage is.

  Args:
    case: what they are to restore.
    sigma: of its noise, of full scale 1; 0: there is none.
    flickers: whether its brightness does.
  """
  rows, level = {'temporal median (FFmpeg tmedian)': temporal_median}, ''
  if flickers:
    level = 'deflicker'
    rows['FFmpeg deflicker'] = filtered(level)
  chain = [x for x in (level, _atadenoise(sigma)) if x]
  rows[_title(chain)] = filtered(','.join(chain))
  if sigma:
    rows['OpenCV NLM'] = functools.partial(non_local_means, sigma=sigma)
    chain = [x for x in (level, _nlmeans(sigma)) if x]
    rows[_title(chain)] = filtered(','.join(chain))
  if case.damage.any():
    rows['OpenCV Telea, true mask'] = fill = functools.partial(
        inpainted, damage=case.damage)
    if sigma:
      rows['OpenCV Telea, true mask, NLM'] = lambda codes: non_local_means(
          fill(codes), sigma)
  found = {name: method(f) for name, f in rows.items()}
  for name, row in found.items():  # Of what is not damaged, there is no mask.
    row.about['told'] = 'true mask' in name
  return found


def denoisers(sigma: float) -> dict[str, methods.Method]:
  """What takes out noise of a deviation that it is told."""
  rows = {
      'temporal median (FFmpeg tmedian)': temporal_median,
      'OpenCV NLM': functools.partial(non_local_means, sigma=sigma),
      'FFmpeg atadenoise': filtered(_atadenoise(sigma)),
      'FFmpeg nlmeans': filtered(_nlmeans(sigma))}
  return {name: method(f) for name, f in rows.items()}


def sharpeners() -> dict[str, methods.Method]:
  """What sharpens, without a look at how blurred it is."""
  return {'FFmpeg unsharp': method(filtered('unsharp=5:5:1:5:5:0'))}


def _title(chain) -> str:
  return 'FFmpeg ' + ', '.join(x.partition('=')[0] for x in chain)


def _atadenoise(sigma) -> str:
  # Its thresholds are of one pixel, and of all together, of full scale 1.
  a, b = min(0.3, max(0.02, 3 * sigma)), min(5.0, max(0.04, 12 * sigma))
  return ':'.join([f'atadenoise=s=9:0a={a:.3f}:1a={a:.3f}:2a={a:.3f}',
                   f'0b={b:.3f}:1b={b:.3f}:2b={b:.3f}'])


def _nlmeans(sigma) -> str:
  strength = min(30.0, max(1.0, 0.4 * 255 * sigma))  # Of some, the best.
  return f'nlmeans=s={strength:.1f}:p=7:r=11'


def to_codes(frames: np.ndarray) -> np.ndarray:
  """Codes that may be fractions, and beyond the range, as uint8."""
  return cases.to_codes(np.asarray(frames, np.float32) / 255)


def non_local_means(codes: np.ndarray, sigma: float) -> np.ndarray:
  """OpenCV's, as the classical chain has it."""
  return 255 * np.stack([preprocess.non_local_means(x / np.float32(255), sigma)
                         for x in to_codes(codes)])


def inpainted(codes: np.ndarray, damage: np.ndarray) -> np.ndarray:
  """Damage [T, H, W] bool filled frame by frame by OpenCV's Telea."""
  fill = spatial.INPAINT['telea']
  return to_codes(np.stack([
      255 * (fill(x / np.float32(255), d) if d.any() else x / np.float32(255))
      for x, d in zip(to_codes(codes), damage, strict=True)]))


def temporal_median(codes: np.ndarray) -> np.ndarray:
  """Of each pixel over five frames; the first and the last are repeated."""
  return filtered('tmedian=radius=2')(codes[[0, 0, *range(len(codes)), -1, -1]])


def filtered(chain: str) -> Callable[[np.ndarray], np.ndarray]:
  """Codes [T, H, W, 3] through filters of FFmpeg, in YUV 4:4:4 of 8 bits."""
  def run(codes):
    frames = [av.VideoFrame.from_ndarray(x, 'rgb24') for x in to_codes(codes)]
    graph = av.filter.Graph()
    nodes = [graph.add_buffer(
        width=frames[0].width, height=frames[0].height, format='rgb24',
        time_base=fractions.Fraction(1, 24))]
    for text in ('format=yuv444p', *chain.split(','), 'format=rgb24',
                 'buffersink'):
      name, _, options = text.partition('=')
      nodes.append(graph.add(name, options or None))
    graph.link_nodes(*nodes).configure()
    made = []
    for i, frame in enumerate((*frames, None)):
      if frame is not None:
        frame.pts, frame.time_base = i, fractions.Fraction(1, 24)
      graph.push(frame)
      try:
        while True:
          made.append(graph.pull().to_ndarray(format='rgb24'))
      except (av.BlockingIOError, av.EOFError):
        continue
    return np.stack(made)

  return run


def pipelines(
    weights: str, *, as_users: bool = False
) -> dict[str, methods.Method]:
  """The classical chains, and the pipeline with each of weights.

  as_users: with the strengths that users get; else all noise is taken out.
  """
  c = settings(weights, 'pipeline')
  chosen = (restore.get_config() if as_users else c.pipeline).to_dict()
  every = chosen | {'stages': tuple(c.classical_stages)}
  found = {'classical': (chosen, None, False),
           'classical, every stage': (every, None, False)}
  for name, network in networks.load(
      weights, num_samples=2, causal=False, seed=0):
    found[name] = chosen, network.call, network.predicts
  return {name: methods.Method(functools.partial(
      methods.restored_by, settings=used, network=call, predicts=predicts),
                               set(), {})
          for name, (used, call, predicts) in found.items()}


def repairing(found: Rows) -> dict[str, methods.Method]:
  """Rows of pipelines, their networks the same, with repeats replaced."""
  def told(method):
    settings = method.restore.keywords['settings'] | {'repeats': 'replace'}
    return method._replace(
        restore=functools.partial(method.restore, settings=settings))
  return {f'{name}, --config.repeats=replace': told(method)
          for name, method in found.items()}


def load_networks(
    weights: str, ablations: Mapping[str, str]
) -> dict[str, Any]:
  """Networks by row: call(frames [1, T, H, W, 3], mask, cuts) to Restored.

  weights: comma-separated; ablations: folders by name. 'causal' sees no future
  frames, 'single_frame' one frame at a time.
  """
  found = {}
  for name, network in networks.load(
      weights, num_samples=2, causal=False, seed=0):
    found[f'{name}, network alone'] = adapted(network.call)
  for name, folder in ablations.items():
    _, network = next(networks.load(
        folder, num_samples=2, causal=name == 'causal', seed=0))
    call = one_by_one if name == 'single_frame' else adapted
    found[name] = call(network.call)
  return found


def adapted(network):
  """The network, as methods.restored_by_model calls it."""
  return lambda frames, mask, cuts: network(frames, mask=mask, cuts=cuts)


def one_by_one(network):
  """The network, of which no frame sees another."""
  def call(frames, mask, cuts):
    del cuts
    parts = [network(
        frames[:, t:t + 1], mask=None if mask is None else mask[:, t:t + 1],
        cuts=None)[0] for t in range(frames.shape[1])]
    return jax.tree.map(lambda *x: jnp.concatenate(x, 1), *parts), None
  return call


def alone(found: Mapping[str, Any]) -> dict[str, methods.Method]:
  """Rows of networks alone, on frames whose flicker was taken out."""
  c = settings('', 'model').pipeline.to_dict()
  return {name: methods.Method(functools.partial(
      methods.restored_by_model, settings=c, network=call, predicts=True),
                               set(), {}) for name, call in found.items()}


def as_they_are(found: Mapping[str, Any]) -> dict[str, methods.Method]:
  """Rows of networks alone, on codes as they are: fractions, any range."""
  def run(codes, call):
    start = time.monotonic()
    frames = jnp.asarray(codes, jnp.float32)[None] / 255
    result, _ = call(frames, None, None)
    made = 255 * np.asarray(result.output[0], np.float32)
    return methods.Result(
        made, np.asarray(result.damage[0, ..., 0]) > 0.5,
        time.monotonic() - start,
        np.exp(0.5 * np.asarray(result.log_variance[0], np.float32)))
  return {name: methods.Method(functools.partial(run, call=call), set(), {})
          for name, call in found.items()}


def parse_ablations(texts: Sequence[str]) -> dict[str, str]:
  """Folders by name, of name=folder.

  Raises:
    types.BadInput: a name that is not among ABLATIONS.
  """
  found = {}
  for text in texts:
    name, _, folder = text.partition('=')
    if name not in ABLATIONS or not folder:
      raise types.BadInput(
          f'--ablations: {text!r} is no name=folder with a name of '
          f'{", ".join(ABLATIONS)}.')
    found[name] = folder
  return found
