"""Cases: held-out clips, damaged in a known way."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
import zlib

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import types
from revive_jax.data import held_out, splits
from revive_jax.degradations import chain
from revive_jax.degradations import textures as textures_lib
from revive_jax.metrics import temporal
from revive_jax.pipeline import match


class Case(NamedTuple):
  """A clip to restore, and what is wanted of it."""

  name: str
  clean: np.ndarray  # [T, H, W, 3] uint8, before it was damaged.
  damaged: np.ndarray  # [T, H, W, 3] uint8.
  target: np.ndarray  # [T, H, W, 3] float32 in [0, 1].
  damage: np.ndarray  # [T, H, W] bool, replaced pixels.
  flow: jax.Array  # [T - 1, H, W, 2] px, of the target, t to t - 1.
  visible: jax.Array  # [T - 1, H, W, 1], where the flow can be trusted.


def check(c: ml_collections.ConfigDict) -> None:
  """Refuses clips and damage that cannot be, each in one sentence."""
  types.check_choice('damage.severity', c.damage.severity,
                     tuple(chain.SEVERITY))
  types.check_choice('damage.mix', c.damage.mix, tuple(chain.MIXES))
  if not c.data.root and not c.data.photos:
    raise types.BadInput(
        'There is nothing to measure on; name a folder of clean clips, which '
        'no network was trained on, with --config.data.root.')
  for key, least in (('num_frames', held_out.LEAST_FRAMES),
                     ('height', held_out.LEAST_SIDE), ('photo_clips', 1)):
    if c.data[key] < least:
      raise types.BadInput(
          f'--config.data.{key}={c.data[key]} is less than {least}.')


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


def refuse_trained(
    clips: Iterable[held_out.Clean], trained_on: Mapping[str, Iterable[str]]
) -> None:
  """Raises BadInput if a row of the table was trained on one of the clips.

  Args:
    clips: to be measured on.
    trained_on: marks of what each row was trained on (data/splits.py).
  """
  names = {clip.name.rpartition('@')[0] for clip in clips}
  for row, seen in trained_on.items():
    if found := sorted(n for n in names if splits.marks([n])[0] in seen):
      raise types.BadInput(
          f'{row} was trained on {", ".join(found)}, so nothing can be '
          'measured there; leave out such clips with --config.data.exclude or '
          '--config.data.clips, or that row with --config.weights.')


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
