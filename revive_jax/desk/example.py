"""The example to click at once: the demo's clip, made and damaged here.

  python -m revive_jax.desk.example ROOT

makes that of a desk. It takes half a minute of a processor core, so the desk
begins with it when it is opened.
"""

from collections.abc import Iterator, Sequence
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from revive_jax import demo, files
from revive_jax.degradations import chain
from revive_jax.desk import desk as desk_lib
from revive_jax.privacy import vault as vault_lib
from revive_jax.video import writer

NAME = 'example.mp4'
_FRAMES, _SIZE, _RATE = 72, (360, 480), 24.0
_LOCK = 'example.lock'  # Held by who makes it; others wait for the same.
_PART = 'example.part'  # The folder that it is made in.
_NICE = 10  # Whoever looks at the page comes first.
_PATIENCE = 5.0  # Seconds to end in.


def clip(
    folder: str | os.PathLike, vault: vault_lib.Vault | None = None
) -> pathlib.Path:
  """The clip in this folder; made, if it is not there.

  Photographs that ship with scikit-image, set in motion and damaged as film is.

  Args:
    folder: where.
    vault: seals it; None: nothing does.
  """
  name = NAME + (files.SEALED if vault else '')
  place = lambda folder: (vault.path if vault else pathlib.Path)(
      os.path.join(folder, name))
  path = place(folder)
  if path.exists():
    return path
  with open(os.path.join(folder, _LOCK), 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not path.exists():
      _make(folder, place)
  return path


def _make(folder, place) -> None:
  clean = demo.make_clip(_FRAMES, *_SIZE)
  damaged, *_ = jax.jit(chain.degrade, static_argnames='mix')(
      jax.random.key(0), jnp.asarray(clean), chain.SEVERITY['medium'],
      mix='film')
  codes = np.round(np.clip(np.asarray(damaged), 0, 1) * 255).astype(np.uint8)
  own = os.path.join(folder, _PART)
  shutil.rmtree(own, ignore_errors=True)  # Of one that was ended.
  os.mkdir(own, 0o700)
  writer.write_rgb(files.name(place(own)), codes, frame_rate=_RATE, crf=12)
  os.replace(place(own), place(folder))
  os.rmdir(own)


@contextlib.contextmanager
def prepared(desk: desk_lib.Desk) -> Iterator[None]:
  """Makes the clip meanwhile, in a process that ends with the desk.

  What goes wrong there is told when the clip is asked for.
  """
  # What was compiled at an earlier start is used again.
  cache = jax.config.jax_compilation_cache_dir
  process = subprocess.Popen(
      [sys.executable, '-m', 'revive_jax.desk.example', str(desk.root)],
      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL, env=os.environ | (
          {'JAX_COMPILATION_CACHE_DIR': cache} if cache else {}))
  try:
    yield
  finally:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
      process.wait(_PATIENCE)


def main(arguments: Sequence[str]) -> None:
  """Makes the clip of a desk."""
  root, = arguments
  with contextlib.suppress(OSError):
    os.nice(_NICE)
  c = json.loads((pathlib.Path(root) / desk_lib.NAME).read_text())
  desk = desk_lib.opened(ml_collections.ConfigDict(c), root)
  clip(desk.root, desk.vault)


if __name__ == '__main__':
  main(sys.argv[1:])
