"""The example to click at once: the demo's clip, made and damaged here."""

import os
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

from revive_jax import demo
from revive_jax.degradations import chain
from revive_jax.video import writer

NAME = 'example.mp4'
_FRAMES, _SIZE, _RATE = 72, (360, 480), 24.0


def clip(folder: str | os.PathLike) -> pathlib.Path:
  """The clip in this folder; made, if it is not there (some seconds).

  Photographs that ship with scikit-image, set in motion and damaged as film is.
  """
  path = pathlib.Path(folder) / NAME
  if path.exists():
    return path
  clean = demo.make_clip(_FRAMES, *_SIZE)
  damaged, *_ = jax.jit(chain.degrade, static_argnames='mix')(
      jax.random.key(0), jnp.asarray(clean), chain.SEVERITY['medium'],
      mix='film')
  codes = np.round(np.clip(np.asarray(damaged), 0, 1) * 255).astype(np.uint8)
  # In a folder of its own: two may be at it at the same time.
  with tempfile.TemporaryDirectory(dir=folder) as own:
    made = pathlib.Path(own) / NAME
    writer.write_rgb(made, codes, frame_rate=_RATE, crf=12)
    os.replace(made, path)
  return path
