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

  Yields a function that is told the number of each step as it begins, from 1;
  the step before the last one is done by then.
  TensorBoard's profile plugin reads the folder, Perfetto (ui.perfetto.dev) the
  file perfetto_trace.json.gz in it. folder None: nothing is recorded.
  """
  if folder is None:
    yield lambda step: None
    return
  state = ['waiting']  # Then running, then ended.

  def end():
    if state[-1] == 'running':
      state.append('ended')
      jax.profiler.stop_trace()
      logging.warning('The profile of some steps is in %s.', folder)

  def begins(step):
    if step == _FIRST:
      pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
      jax.profiler.start_trace(str(folder), create_perfetto_trace=True)
      state.append('running')
    elif step > _LAST + 1:
      end()

  try:
    yield begins
  finally:
    end()
    if state[-1] == 'waiting':
      logging.warning('No profile: there were fewer than %d steps.', _FIRST)
