"""Live: a camera, a stream or a pipe, restored while it runs.

Each frame is restored from the ones before it (and `lookahead` after it, which
are waited for). When the machine cannot keep up, frames are not dropped: they
are given a cheaper setting, see pipeline/causal.py.
"""

import collections
from collections.abc import Callable
import os
import stat
import time
from typing import Any

from absl import logging
import ml_collections

from revive_jax import ahead, live_settings, types
from revive_jax import workdir as workdir_lib
from revive_jax.pipeline import causal
from revive_jax.video import live_reader, live_writer, y4m

_SCHEMES = ('rtsp', 'rtmp', 'udp', 'tcp', 'http', 'https', 'srt', 'rtp')
_WAITING = 8  # Frames that may wait; a source that can be held up is, then.
_CALM = 2.0  # Seconds without a queue after which a dearer level is tried.
_SAVED = 60.0  # Seconds after which the report is written again.
_LONGEST = 60_000  # Latencies are told up to here, ms.


def is_live(source: str | None) -> bool:
  """Whether an input runs by itself: '-', a camera, a stream, a named pipe."""
  if not source:
    return False
  if source == '-' or source.split('://')[0] in _SCHEMES:
    return True
  try:
    mode = os.stat(source).st_mode
  except OSError:
    return False
  return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


class Levels:
  """Which setting the next frame gets, by what waits and what frames took."""

  def __init__(self, interval: float, count: int):
    """interval: seconds from frame to frame; count: of levels, 1 or more."""
    self.level = 0
    self._interval, self._count = interval, count
    self._calm = 0.0  # Seconds since anything waited.
    self._cost = [None] * count  # Seconds that a frame took, smoothed.

  def took(self, seconds: float, waiting: int) -> None:
    """Tells how long the last frame took, and how many wait behind it."""
    old = self._cost[self.level]
    # What was dear once is so again: it falls slowly, and rises at once.
    self._cost[self.level] = seconds if old is None else max(
        seconds, 0.9 * old + 0.1 * seconds)
    self._calm = 0.0 if waiting > 1 else self._calm + max(
        seconds, self._interval)
    if waiting > 2 and self.level + 1 < self._count:
      self.level += 1
      self._calm = 0.0
    elif self._calm > _CALM and self.level and self._may_rise():
      self.level -= 1
      self._calm = 0.0

  def _may_rise(self) -> bool:
    cost = self._cost[self.level - 1]
    if cost is None or cost < 0.9 * self._interval:
      return True
    # It was too dear; its memory fades, since the machine may be free by now.
    self._cost[self.level - 1] = 0.9 * cost
    self._calm = 0.0
    return False


def restore(
    c: ml_collections.ConfigDict, workdir: str, source: str, destination: str,
) -> dict[str, Any]:
  """Restores until the source ends (or Ctrl-C); returns the report.

  Args:
    c: configs/restore.py; of it live, strength, composite, weights. What else
      asks for something is warned of, or refused (live_settings.py).
    workdir: gets config.json and, each minute and at the end, report.json.
    source: '-' (standard input), a file, a named pipe, a camera's device, or
      the address of a stream.
    destination: a file, '-' (standard output: y4m where y4m comes in, else
      Matroska; c.live.sends), or an address (udp://127.0.0.1:9000) that a
      player listens at.

  Raises:
    types.BadInput: anything the user can set right.
  """
  if not destination:
    raise types.BadInput(
        'Where does it go? Name a file, - or udp://127.0.0.1:PORT with '
        '--output.')
  warnings = live_settings.check(c)
  found = live_settings.network(c)
  if found is None:
    restorer, name = causal.Mean(c.strength.noise), None
    warnings.append('Without a network nothing but noise is taken out, live.')
  else:
    restorer = causal.Network(
        found, c.strength.to_dict(), repair=c.composite == 'repair')
    name = f'{found.name}, sha256 {found.config["sha256"]}'
    warnings += live_settings.unguarded(c)
  for warning in warnings:
    logging.warning('%s', warning)
  with workdir_lib.opened(workdir) as folder:
    workdir_lib.write_json(folder / 'config.json', c.to_dict())

    def save(told):
      report = {'schema': 1, 'live': told, 'weights': name,
                'warnings': warnings, 'outputs': [{'path': destination}]}
      workdir_lib.write_json(folder / 'report.json', report)
      return report

    with live_reader.opened(source, c.live.format) as container:
      run = _Run(live_reader.Frames(container, c.interlace), restorer,
                 c.live.lookahead,
                 keeps_up=_keeps_up(source, c.live.keep_up))
      form = c.live.sends
      if form == 'auto' and container.format.name == y4m.FORM:
        form = y4m.FORM
      _follow(run, destination, c.output.crf, save, form=form)
    return save(run.told())


def _keeps_up(source, wanted) -> bool:
  """Whether frames may get cheaper settings: where the source does not wait."""
  return bool(wanted) if wanted >= 0 else (
      '://' in source or source.startswith('/dev/'))


class _Run:
  """What goes on while frames are restored, and what is told of it."""

  def __init__(self, frames, restorer, lookahead, *, keeps_up):
    self.frames, self.lookahead, self._restorer = frames, lookahead, restorer
    self.rate = float(frames.stream.average_rate or 25)
    self._count = len(restorer.scales) if keeps_up else 1
    self._levels = Levels(1 / self.rate, self._count)
    self._by_level = collections.Counter()
    # How many frames took so many ms: a day of them would fill the memory.
    self._latencies = collections.Counter()
    self.window, self._start = collections.deque(), None

  @property
  def written(self) -> int:
    """Frames."""
    return self._by_level.total()

  def warm_up(self, rgb) -> None:
    """Compiles all that may be needed: no frame is to wait for that."""
    for level in range(self._count):
      for count in range(1, self.lookahead + 2):
        for _ in range(2):  # Without a state, and with one.
          self._restorer([rgb] * count, level)
    self._restorer.forget()
    self._start = time.monotonic()

  def take(self, frame) -> None:
    """A frame joins the window."""
    # What waited for the compiler did not wait for the network.
    frame = frame._replace(arrived=max(frame.arrived, self._start))
    if self.window and frame.rgb.shape != self.window[-1].rgb.shape:
      raise types.BadInput(
          'The input changed the size of its pictures; start again.')
    self.window.append(frame)

  def step(self, output) -> None:
    """The oldest frame of the window is restored and written."""
    began = time.monotonic()
    level = self._levels.level
    rgb = self._restorer([f.rgb for f in self.window], level)
    frame = self.window.popleft()
    output.write(rgb, frame.pts)
    now = time.monotonic()
    self._latencies[min(round(1000 * (now - frame.arrived)), _LONGEST)] += 1
    self._by_level[level] += 1
    left = self.frames.taken - self.written - len(self.window)
    self._levels.took(now - began, left)

  def told(self) -> dict[str, Any]:
    """Of the report: 'live'."""
    seconds = time.monotonic() - self._start
    names = {1.0: 'full size', 0.5: 'half size', 0.0: 'as it is'}
    return {
        'frames': self.written, 'seconds': round(seconds, 2),
        'frames_per_second': round(self.written / max(seconds, 1e-9), 2),
        'source_frames_per_second': self.rate, 'lookahead': self.lookahead,
        'latency_ms': {f'p{share}': percentile(self._latencies, share)
                       for share in (50, 95, 99)},
        'frames_by_setting': {
            names[scale]: self._by_level[i]
            for i, scale in enumerate(self._restorer.scales)},
        'damaged': self.frames.damaged,
        'interlaced': self.frames.fields.interlaced,
        'flagged_interlaced': self.frames.flagged}


def percentile(counts: collections.Counter, share: float) -> int:
  """The value that share percent of all values are at most; counts: of each."""
  reached, wanted = 0, share / 100 * counts.total()
  for value in sorted(counts):
    reached += counts[value]
    if reached >= wanted:
      break
  return value


def _follow(
    run: _Run, destination: str, crf: float, save: Callable[[dict], Any], *,
    form: str,
) -> None:
  """Restores and writes frame after frame until the source ends, or Ctrl-C."""
  # An idle source must not keep Ctrl-C from ending the file.
  frames = ahead.ahead(run.frames, _WAITING, patience=1.0)
  output, saved = None, time.monotonic()
  try:
    for frame in frames:
      if output is None:
        output = live_writer.Writer(
            destination, run.frames.stream, frame.rgb.shape[1::-1], crf,
            run.frames.colours, form=form)
        run.warm_up(frame.rgb)
      run.take(frame)
      if len(run.window) > run.lookahead:
        run.step(output)
        if time.monotonic() - saved > _SAVED:
          save(run.told())
          saved = time.monotonic()
    while run.window:
      run.step(output)
  except KeyboardInterrupt:
    if not run.written:
      raise
    logging.warning('Stopped.')
  finally:
    try:
      if output is not None:
        output.close()
    finally:
      frames.close()
  if output is None:
    raise types.BadInput('Not one frame came from the input.')
