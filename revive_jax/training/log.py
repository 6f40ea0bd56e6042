"""What a training run says: a line on stderr, a file, TensorBoard, a plot."""

from collections.abc import Iterator, Mapping
import contextlib
import json
import math
import os
import pathlib
import sys
import time
from typing import Any

from matplotlib import ticker
from matplotlib.backends import backend_agg
from matplotlib.figure import Figure
import tensorboardX.event_file_writer
import tensorboardX.proto.event_pb2 as event_pb2
import tensorboardX.summary

from revive_jax import types
from revive_jax.video import atomic

_FILE = 'metrics.jsonl'


class Log:
  """Writes the metrics of one run; made by opened()."""

  def __init__(self, workdir: pathlib.Path, total_steps: int, start_step: int,
               seconds: tuple[float, float]):
    self._workdir = workdir
    self._say_every, self._plot_every = seconds
    self._line = _Line(total_steps, start_step)
    self._said = self._plotted = time.monotonic()
    self._dirty = False  # Whether there is something that is not plotted.
    # Line buffered: what was written is there after a kill, too.
    self._file = open(workdir / _FILE, 'a', buffering=1)
    self._events = _events(workdir / 'tensorboard', start_step)

  def write(self, step: int, values: Mapping[str, Any]) -> None:
    """Writes the metrics of a step; once a step, and steps go up.

    Args:
      step: steps done so far.
      values: anything float() takes, on any device. What comes before a '/'
        in a name is its group: the names of a group share a panel. 'loss' is
        shown on stderr. Values that are not finite become null.

    Raises:
      types.BadInput: no space left on the disk.
    """
    now = time.time()
    numbers = {name: float(value) for name, value in values.items()}
    finite = {k: v for k, v in numbers.items() if math.isfinite(v)}
    record = {'step': int(step), 'time': round(now, 3),
              **{name: finite.get(name) for name in numbers}}
    with _refusing_os_errors(self._workdir):
      self._file.write(json.dumps(record) + '\n')
      for name, value in finite.items():
        self._events.write_event(event_pb2.Event(
            wall_time=now, step=int(step),
            summary=tensorboardX.summary.scalar(name, value)))
    self._dirty = True
    self._line.update(step, numbers.get('loss'))
    clock = time.monotonic()
    if sys.stderr.isatty() or clock - self._said >= self._say_every:
      self._said = clock
      self._line.say()
    if clock - self._plotted >= self._plot_every:
      self._plotted = clock
      self.plot()

  def plot(self) -> None:
    """Draws what was written so far, and flushes TensorBoard's file."""
    self._dirty = False
    with _refusing_os_errors(self._workdir):
      self._events.flush()
    plot(self._workdir)

  def close(self) -> None:
    """Says the last line, and draws what has not been drawn."""
    self._line.end()
    try:
      if self._dirty:
        self.plot()
    finally:
      with _refusing_os_errors(self._workdir):
        self._file.close()
        self._events.close()


@contextlib.contextmanager
def opened(
    workdir: str | os.PathLike,
    *,
    total_steps: int,
    start_step: int = 0,
    seconds: tuple[float, float] = (15, 120),
) -> Iterator[Log]:
  """Opens the log of a run; draws it at the end, whatever ends the run.

  Files: `metrics.jsonl`, `plots/metrics.png`, `tensorboard/`. One process of
  a run opens it.

  Args:
    workdir: the folder of the run.
    total_steps: steps after which the run is done.
    start_step: where it goes on; what an earlier run wrote of later steps is
      dropped, so that each step is there once.
    seconds: between two lines on stderr where that is no terminal (on one,
      each write shows), and between two plots.

  Raises:
    types.BadInput: the files cannot be written.
  """
  workdir = pathlib.Path(workdir)
  with _refusing_os_errors(workdir):
    workdir.mkdir(parents=True, exist_ok=True)
    _drop_after(workdir, start_step)
    log = Log(workdir, total_steps, start_step, seconds)
  try:
    yield log
  finally:
    log.close()


def read_metrics(workdir: str | os.PathLike) -> list[dict[str, Any]]:
  """The lines of metrics.jsonl; those that are not whole are left out."""
  records = []
  path = pathlib.Path(workdir) / _FILE
  for line in path.read_bytes().splitlines() if path.is_file() else ():
    try:
      record = json.loads(line)
    except ValueError:  # The end of a run that was killed.
      continue
    if isinstance(record, dict) and isinstance(record.get('step'), int):
      records.append(record)
  return records


def plot(workdir: str | os.PathLike) -> None:
  """Draws metrics.jsonl to plots/metrics.png, a panel for each group.

  Raises:
    types.BadInput: it cannot be written.
  """
  workdir = pathlib.Path(workdir)
  figure = _draw(read_metrics(workdir), workdir.resolve().name)
  with atomic.replacing(workdir / 'plots' / 'metrics.png') as part:
    figure.savefig(part, format='png', dpi=100)


def _draw(records: list[dict[str, Any]], title: str) -> Figure:
  """The figure; None is a gap, a name that a line lacks is not."""
  groups = {}
  for record in records:
    for name in record.keys() - {'step', 'time'}:
      groups.setdefault(name.split('/')[0], set()).add(name)
  columns = min(3, max(1, len(groups)))
  rows = max(1, -(-len(groups) // columns))
  figure = Figure((5 * columns, 3.2 * rows), layout='constrained')
  backend_agg.FigureCanvasAgg(figure)  # No window, no pyplot, no globals.
  figure.suptitle(title)
  for i, (group, names) in enumerate(sorted(groups.items())):
    axes = figure.add_subplot(rows, columns, i + 1)
    for name in sorted(names):
      points = [(r['step'], math.nan if r[name] is None else r[name])
                for r in records if name in r]
      # A point between two gaps has no line: it needs a mark to be seen.
      axes.plot(*zip(*points, strict=True), label=name, linewidth=1,
                marker='.', markersize=3 if len(points) < 200 else 1)
    drawn = [v for line in axes.lines for v in line.get_ydata()
             if math.isfinite(v)]
    if drawn and min(drawn) > 0 and max(drawn) > 30 * min(drawn):
      axes.set_yscale('log')
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
    axes.set(title=group, xlabel='step')
    axes.grid(alpha=0.3)
    if len(names) > 1:
      axes.legend(fontsize='small')
  return figure


class _Line:
  """The line on stderr; on a terminal it is written over."""

  def __init__(self, total: int, start: int):
    self._total = total
    self._marks = [(start, time.monotonic())]  # Steps, and when.
    self._loss = None
    self._said = None  # The step of the last line.
    self._width = 0

  def update(self, step, loss):
    self._loss = loss
    self._marks.append((step, time.monotonic()))
    # The rate of the last few writes. The first mark goes as soon as it can:
    # the time from there to the next one is mostly compilation.
    del self._marks[:1 if len(self._marks) == 3 else len(self._marks) - 12]

  def say(self):
    step, now = self._marks[-1]
    rate = (step - self._marks[0][0]) / max(now - self._marks[0][1], 1e-6)
    parts = [f'step {step}/{self._total}']
    if self._loss is not None:
      parts.append(f'loss {self._loss:.4g}')
    parts.append(f'{rate:.3g} steps/s')
    if rate > 0:
      parts.append(f'{_clock((self._total - step) / rate)} left')
    line = ', '.join(parts)
    terminal = sys.stderr.isatty()
    sys.stderr.write(
        f'\r{line.ljust(self._width)}' if terminal else f'{line}\n')
    sys.stderr.flush()
    self._said, self._width = step, len(line)

  def end(self):
    if len(self._marks) > 1 and self._said != self._marks[-1][0]:
      self.say()
    if self._said is not None and sys.stderr.isatty():
      sys.stderr.write('\n')
      sys.stderr.flush()


def _clock(seconds: float) -> str:
  minutes, seconds = divmod(max(int(seconds), 0), 60)
  return f'{minutes // 60}:{minutes % 60:02d}:{seconds:02d}'


def _events(folder: pathlib.Path, start_step: int):
  """A new file of events that hides what earlier ones have of later steps.

  tensorboardX's SummaryWriter would hand the events to a thread, and wait for
  ever once that has met a full disk.
  """
  folder.mkdir(parents=True, exist_ok=True)
  writer = tensorboardX.event_file_writer.EventsWriter(
      # Its names have whole seconds; a run may be resumed within one.
      str(folder / 'events'), f'.from_{start_step}')
  # How tensorboardX itself does it: SummaryWriter(purge_step=...).
  writer.write_event(event_pb2.Event(
      step=start_step + 1, wall_time=time.time(),
      session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)))
  return writer


def _drop_after(workdir: pathlib.Path, step: int) -> None:
  """Drops the lines of later steps, and a half one, from metrics.jsonl."""
  path = workdir / _FILE
  if not path.is_file():
    return
  kept = [json.dumps(r) for r in read_metrics(workdir) if r['step'] <= step]
  text = ''.join(f'{line}\n' for line in kept)
  if path.read_bytes() != text.encode():
    with atomic.replacing(path) as part:
      part.write_text(text)


@contextlib.contextmanager
def _refusing_os_errors(workdir: pathlib.Path) -> Iterator[None]:
  try:
    yield
  except OSError as error:
    raise types.BadInput(
        f'{workdir}: the metrics cannot be written ({error.strerror}); free '
        'some space, or choose another workdir.') from error
