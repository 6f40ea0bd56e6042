"""What a few steps of a run spend their time with."""

from collections.abc import Callable, Iterator
import contextlib
import os
import pathlib

from absl import logging
import jax

_FIRST, _LAST = 3, 7  # Steps of this run; the ones before compile.


@contextlib.contextmanager
def profiling(folder: str | os.PathLike | None) -> Iterator[
    Callable[[int], None]]:
  """Records steps 3 to 7, or as many of them as there are, into folder.

  Yields a function that is told the number of each step as it begins, from 1.
  TensorBoard's profile plugin reads the folder, Perfetto (ui.perfetto.dev) the
  file perfetto_trace.json.gz in it. folder None: nothing is recorded.
  """
  running = []

  def end():
    if running:
      running.pop()
      jax.profiler.stop_trace()
      logging.warning('The profile of some steps is in %s.', folder)

  def begins(step):
    if folder is None:
      return
    if step == _FIRST:
      pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
      jax.profiler.start_trace(str(folder), create_perfetto_trace=True)
      running.append(step)
    elif step > _LAST:
      end()

  try:
    yield begins
  finally:
    end()
