"""Records that cross package borders, and the one error users can cause."""

from collections.abc import Collection
import enum

import flax
import jax
import numpy as np

Array = jax.Array | np.ndarray


class BadInput(ValueError):
  """Input or usage that cannot be worked with: exit code 2.

  The message is one sentence for the user: what, where, and what to do.
  """


def check_choice(key: str, value: object, known: Collection[str]) -> None:
  """Raises BadInput where the setting --config.key is none of known."""
  if value not in known:
    raise BadInput(
        f'--config.{key}={value!r} is not known; choose one of '
        f'{", ".join(known)}.')


class Origin(enum.IntEnum):
  """Where a pixel of the output comes from (the values of Clip.origin)."""

  KEPT = 0  # The source's own value, at most toned.
  # The source's own place, averaged with its surroundings, or sharpened.
  DENOISED = 1
  MOVED = 2  # Taken from another frame, along the motion.
  INVENTED = 3  # Interpolated or generated: the source never showed it.


class DamageKind(enum.IntEnum):
  """What was found at a pixel (the values of Clip.damage_kind)."""

  NONE = 0
  DUST = 1  # Dust, hair, stains: there in one frame, not in its neighbours.
  SCRATCH = 2  # A line that stays for many frames.
  MARKED = 3  # Marked by the user.
  MOVING = 4  # It looked like damage, but it moves: no damage.


class Clip(flax.struct.PyTreeNode):
  """A window of one shot in the pipeline; each stage fills one field.

  T frames of H x W pixels, C = 3 channels (RGB, gamma-encoded), float32 in
  [0, 1] unless said otherwise.
  """

  source: Array  # [T, H, W, C], as decoded; no stage changes it.
  frames: Array  # [T, H, W, C], toned: what the later stages see.
  pts: Array | None = None  # [T] int64, timestamps in the source's time base.
  cuts: Array | None = None  # [T] bool: a shot starts at this frame.
  tone: Array | None = None  # [T, 2]: frames = exp(tone[0]) * source^tone[1].
  # [T, H, W, 1] of the user: 1 = damage, -1 = none, to be left as it is.
  user_mask: Array | None = None
  flow_forward: Array | None = None  # [T, H, W, 2] px (dx, dy), t to t + 1.
  flow_backward: Array | None = None  # [T, H, W, 2] px (dx, dy), t to t - 1.
  damage: Array | None = None  # [T, H, W, 1], 1 = damaged.
  damage_kind: Array | None = None  # [T, H, W, 1] uint8, a DamageKind.
  restored: Array | None = None  # [T, H, W, C], repaired and denoised.
  log_variance: Array | None = None  # [T, H, W, 1], of restored.
  spread: Array | None = None  # [T, H, W, 1], deviation of several fills.
  origin: Array | None = None  # [T, H, W, 1] uint8, an Origin.
  origin_frame: Array | None = None  # [T, H, W, 1] int8: frame offset.
  output: Array | None = None  # [T, H, W, C], what will be written.
  faces: Array | None = None  # [T, N, 7], of N faces: pipeline/faces.py.
  hidden: Array | None = None  # [T, H, W, 1] bool, not to be looked at.
