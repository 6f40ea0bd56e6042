"""What a run on clips shows of itself: a few clips of its data, in rows."""

from collections.abc import Mapping

import jax
import ml_collections
import numpy as np

from revive_jax.algorithms import restorer
from revive_jax.training import batch as batch_lib
from revive_jax.video import sheet

_CLIPS = 4
_SEED = 1_000_003  # Of the damage; no step of a training draws with it.


def clips(c: ml_collections.ConfigDict) -> np.ndarray:
  """The first clips of c.data, [4 at most, T, H, W, 3] uint8."""
  alone = c.copy_and_resolve_references()
  alone.data.workers = 0  # No processes for one batch.
  return next(iter(restorer.make_data(alone)(start=0)))['clean'][:_CLIPS]


def damaged(
    c: ml_collections.ConfigDict, clean: np.ndarray, textures
) -> batch_lib.Batch:
  """Those clips, damaged as c says, the same every time."""
  # Of several processes the first draws alone, of what it has itself.
  return jax.jit(batch_lib.damage, static_argnames='draw')(
      jax.random.key(_SEED), clean, draw=restorer.make_draw(c),
      textures=jax.device_get(textures))


def rows(frames: Mapping[str, np.ndarray]) -> np.ndarray:
  """A row for each clip, a column for each name in order, as a picture.

  frames: the middle frames [B, H, W, 3] in [0, 1], by name.
  """
  columns = [np.asarray(x, np.float32) for x in frames.values()]
  joined = np.stack(columns, 1)
  return sheet.grid(joined.reshape(-1, *joined.shape[2:]), len(columns))
