"""Evaluate: the table of a restorer on held-out clips with known damage."""

from collections.abc import Callable, Mapping
import datetime
import functools
import os
import pathlib
import sys
import time
from typing import Any, NamedTuple
import zlib

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax import workdir as workdir_lib
from revive_jax.data import held_out
from revive_jax.degradations import chain
from revive_jax.degradations import textures as textures_lib
from revive_jax.metrics import scores, table, temporal
from revive_jax.models import inference, weights
from revive_jax.pipeline import choose, composite, flicker, match, measure, run
from revive_jax.video import reader, sheet

THROUGH = ('pipeline', 'model')
SCHEMA = 1
_FRAME_RATE = 24.0  # Only the search for cuts looks at it.


class Result(NamedTuple):
  """What a method made of a clip."""

  restored: np.ndarray  # [T, H, W, 3] uint8.
  found: np.ndarray  # [T, H, W] bool, what it took for damage.
  seconds: float


class Method(NamedTuple):
  """A row of the table: codes [T, H, W, 3] uint8 to a Result."""

  restore: Callable[[np.ndarray], Result]
  compiled: set[Any]  # Grows with every shape that was compiled.
  about: dict[str, Any]  # weights, sha256, steps, parameters.


class Case(NamedTuple):
  """A clip to restore, and what is wanted of it."""

  name: str
  clean: np.ndarray  # [T, H, W, 3] uint8, before it was damaged.
  damaged: np.ndarray  # [T, H, W, 3] uint8.
  target: np.ndarray  # [T, H, W, 3] float32 in [0, 1].
  damage: np.ndarray  # [T, H, W] bool, replaced pixels.
  flow: jax.Array  # [T - 1, H, W, 2] px, of the target, t to t - 1.
  visible: jax.Array  # [T - 1, H, W, 1], where the flow can be trusted.


def evaluate(c: ml_collections.ConfigDict, workdir: str) -> dict[str, Any]:
  """Measures what c says, and returns what table.json holds.

  Writes table.md, table.json and sheets/ into workdir, and prints the table.

  Args:
    c: configs/evaluate.py.
    workdir: the folder of the run.

  Raises:
    types.BadInput: anything the user can set right.
  """
  check_settings(c)
  methods, clips = make_methods(c), read_clips(c)
  textures = read_textures(c)
  with workdir_lib.opened(workdir) as folder:
    workdir_lib.write_json(folder / 'config.json', c.to_dict())
    damaged, undamaged = {}, {}
    for number, clip in enumerate(clips, 1):
      case = make_case(clip, textures, seed=c.seed, mix=c.damage.mix,
                       severity=chain.SEVERITY[c.damage.severity])
      say = functools.partial(_say, f'{case.name} ({number}/{len(clips)})')
      rows, same, results = measured(case, methods, c.undamaged, say)
      for name, sums in rows.items():
        damaged.setdefault(name, {})[case.name] = sums
      for name, sums in same.items():
        undamaged.setdefault(name, {})[case.name] = sums
      if c.sheets:
        write_sheet(folder / 'sheets' / f'{case.name}.png', case, results)
    found = {
        'schema': SCHEMA, 'date': f'{datetime.date.today()}',
        'device': device(), 'through': c.through,
        'methods': {name: m.about for name, m in methods.items()},
        'clips': {name: _about(frames) for name, frames in clips},
        'damaged': table.summary(damaged),
        'undamaged': table.summary(undamaged), 'settings': c.to_dict()}
    text = table.markdown(found)
    workdir_lib.write_json(folder / 'table.json', found)
    (folder / 'table.md').write_text(text)
  print(text, end='')
  return found


def check_settings(c: ml_collections.ConfigDict) -> None:
  """Refuses settings that cannot be, each in one sentence."""
  one_of = types.check_choice
  one_of('through', c.through, THROUGH)
  one_of('damage.severity', c.damage.severity, tuple(chain.SEVERITY))
  one_of('damage.mix', c.damage.mix, tuple(chain.MIXES))
  if not c.data.root and not c.data.photos:
    raise types.BadInput(
        'There is nothing to measure on; name a folder of clean clips, which '
        'no network was trained on, with --config.data.root.')
  for key, least in (('num_frames', held_out.LEAST_FRAMES),
                     ('height', held_out.LEAST_SIDE), ('photo_clips', 1)):
    if c.data[key] < least:
      raise types.BadInput(
          f'--config.data.{key}={c.data[key]} is less than {least}.')


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
  for where in (w.strip() for w in c.weights.split(',') if w.strip()):
    found = weights.read_weights(where)
    model, params = inference.build(found)
    params = jax.device_put(params)
    network, compiled = _watched(functools.partial(
        inference.restore_frames, params, model=model, causal=c.causal))
    through = {'pipeline': restored_by, 'model': restored_by_model}[c.through]
    name = _row(where) + ', causal' * c.causal
    if name in methods:
      raise types.BadInput(
          f'--config.weights: two of them would be called {name!r}; give one '
          'of the folders another name.')
    methods[name] = Method(
        functools.partial(through, settings=settings, network=network),
        compiled, {
            'weights': found.name, 'sha256': found.config['sha256'],
            'steps': found.config.get('steps', 0),
            'parameters': sum(x.size for x in jax.tree.leaves(params))})
  if not methods:
    raise types.BadInput(
        'There is no network to measure; name its weights with '
        f'--config.weights (shipped: {", ".join(weights.shipped()) or "none"}).'
    )
  return methods


def _row(where: str) -> str:
  """What weights are called in the table: the last parts of their place."""
  return f'ours ({"/".join(pathlib.Path(where).parts[-2:])})'


def _watched(network):
  """The network, and a set that grows with each shape it had to compile."""
  seen = set()
  def call(frames, mask, cuts, *, state=None, carry_after=None):
    seen.add((frames.shape, mask is None, state is None, carry_after is None))
    return network(frames, mask=mask, cuts=cuts, state=state,
                   carry_after=carry_after)
  return call, seen


def read_clips(c: ml_collections.ConfigDict) -> list[held_out.Clean]:
  """All clean clips of c.data."""
  d, clips = c.data, []
  if d.root:
    clips += held_out.read_clips(
        d.root, clips=d.clips, starts=d.starts, exclude=d.exclude,
        num_frames=d.num_frames, height=d.height)
  if d.photos:
    clips += held_out.move_photos(
        d.photos, count=d.photo_clips, num_frames=d.num_frames, size=d.height,
        seed=c.seed)
  names = [clip.name for clip in clips]
  twice = sorted({n for n in names if names.count(n) > 1})
  if twice:
    raise types.BadInput(
        f'{", ".join(twice)} would be measured twice; name each clip once, or '
        'with another of --config.data.starts.')
  return clips


def read_textures(c: ml_collections.ConfigDict) -> np.ndarray | None:
  """Shapes of real artefacts [N, S, S] uint8, or None."""
  if not c.damage.textures:
    return None
  try:
    return textures_lib.load_textures(c.damage.textures)
  except FileNotFoundError as error:
    raise types.BadInput(f'--config.damage.textures: {error}') from error


_degrade = jax.jit(chain.degrade, static_argnames='mix')


def make_case(
    clip: held_out.Clean, textures: np.ndarray | None, *, seed: int, mix: str,
    severity: float,
) -> Case:
  """Damages a clip; its damage depends on seed and the clip's name alone."""
  key = jax.random.fold_in(
      jax.random.key(seed), zlib.crc32(clip.name.encode()) >> 1)
  clean = jnp.asarray(clip.frames, jnp.float32) / 255
  damaged, damage, record = _degrade(
      key, clean, severity, mix=mix, textures=textures)
  target = np.asarray(chain.reference(clean, record, keep_weave=True))
  matched = match.match(
      types.Clip(source=target, frames=target), quality='medium')
  flow = jnp.asarray(matched.flow_backward[1:])
  visible = temporal.consistent(flow, jnp.asarray(matched.flow_forward[:-1]))
  return Case(clip.name, clip.frames, to_codes(np.asarray(damaged)), target,
              np.asarray(damage)[..., 0] > 0.5, flow, visible)


def to_codes(frames: np.ndarray) -> np.ndarray:
  """Frames in [0, 1] as uint8, as files hold them."""
  return np.round(np.clip(frames, 0, 1) * 255).astype(np.uint8)


def measured(
    case: Case, methods: Mapping[str, Method], undamaged: bool,
    say: Callable[[str], None],
) -> tuple[dict, dict, dict[str, Result]]:
  """Scores of one clip: damaged and undamaged, scores.Sums by row; Results."""
  score = lambda codes: scores.of_clip(
      codes, case.target, case.damage, case.flow, case.visible)
  still = temporal.warping_error(
      case.target[None], case.flow[None], case.visible[None])
  rows = {'clean': {'warping_error': (float(still[0]), 1.0)},
          'damaged': score(case.damaged)}
  same, results = {}, {}
  for name, method in methods.items():
    if undamaged:  # First: it compiles what the damaged clip is timed with.
      result = method.restore(case.clean)
      same[name] = scores.of_undamaged(result.restored, case.clean,
                                       result.found)
    before = len(method.compiled)
    result = method.restore(case.damaged)
    if len(method.compiled) > before:
      result = method.restore(case.damaged)
    rows[name] = score(result.restored) | scores.of_damage(
        result.found, case.damage) | {
            'frames_per_second': (float(len(case.damaged)), result.seconds)}
    results[name] = result
    say(f'{name} {rows[name]["psnr"][0]:.2f} dB, '
        f'damaged {rows["damaged"]["psnr"][0]:.2f} dB')
  return rows, same, results


def restored_by(
    codes: np.ndarray, *, settings: dict[str, Any], network: Any | None
) -> Result:
  """Restores codes [T, H, W, 3] uint8 through the pipeline, as users do.

  Args:
    codes: the film.
    settings: configs/restore.py.
    network: what the stage restore runs; None: the classical chain.
  """
  shots, plans = _plan(codes, settings, learned=network is not None)
  frames = (reader.SourceFrame(i, i, rgb, ()) for i, rgb in enumerate(codes))
  start = time.monotonic()
  restored, found = [], []
  for _, clip, _ in run.run(
      frames, shots, plans, window=settings['window'],
      context=settings['lookahead'], tile=settings['tile'],
      overlap=settings['overlap'], network=network):
    restored.append(to_codes(clip.output))
    found.append(composite.damage_mask(clip, radius=0))
  seconds = time.monotonic() - start
  return Result(np.concatenate(restored), np.concatenate(found), seconds)


def restored_by_model(
    codes: np.ndarray, *, settings: dict[str, Any], network: Any
) -> Result:
  """Restores codes [T, H, W, 3] uint8 by the network, in one window.

  Flicker is taken out before, as the pipeline does; all else is left out.
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
  return Result(to_codes(np.asarray(result.output[0], np.float32)),
                np.asarray(result.damage[0, ..., 0]) > 0.5, seconds)


def _plan(codes, settings, *, learned):
  """Measures a film, and plans the stages of its shots: see restore.py."""
  shots, _ = measure.measure(iter(codes), frame_rate=_FRAME_RATE)
  plans = [choose.choose(
      shot, mode=settings['composite'], strength=settings['strength'],
      stages=tuple(settings['stages']),
      output=dict(bits=8, grain=settings['output']['grain']),
      fill=settings['fill'], inpaint=settings['inpaint'],
      denoiser=settings['denoiser'], seed=settings['seed'], marked=False,
      learned=learned) for shot in shots]
  return shots, plans


def write_sheet(
    path: pathlib.Path, case: Case, results: Mapping[str, Result]
) -> None:
  """The middle frame of all rows, and below enlarged where damage is worst."""
  t = len(case.damaged) // 2
  frames = {'damaged': case.damaged[t], 'damage': case.damage[t]}
  for name, result in results.items():
    frames |= {f'{name}: damage': result.found[t], name: result.restored[t]}
  frames['clean'] = to_codes(case.target[t])
  centre = sheet.densest(case.damage[t])
  sheet.write_sheet(path, [frames, sheet.crop(frames, centre, factor=3)])


def device() -> str:
  """What this runs on, for the table."""
  first = jax.devices()[0]
  return f'{first.device_kind}, {os.cpu_count()} CPU cores'


def _about(frames: np.ndarray) -> dict[str, Any]:
  return {'frames': len(frames), 'height': frames.shape[1],
          'width': frames.shape[2]}


def _say(label: str, text: str) -> None:
  sys.stderr.write(f'{label}: {text}\n')
