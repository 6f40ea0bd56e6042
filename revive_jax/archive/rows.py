"""How it went with each film: rows, kept beside the films, and the table."""

from collections.abc import Iterable, Sequence
import csv
import io
import json
import os
import pathlib
from typing import Any, NamedTuple

from revive_jax import workdir as workdir_lib
from revive_jax.archive import index, manifest
from revive_jax.video import atomic

GOOD = ('restored', 'done before')
WAITING = 'waiting'
# What formulas begin with, in wide letters, too.
_FORMULAS = tuple('=+-@\t\r\n＝＋－＠')


class Row(NamedTuple):
  """One film."""

  name: str  # Of its folder in the workdir.
  file: str
  preset: str = ''
  consent: str = ''
  state: str = WAITING  # Or 'restored', 'done before', 'refused', 'failed'.
  frames: int = 0
  film_seconds: float = 0.0  # Its length.
  work_seconds: float = 0.0  # Of all tasks, one after the other.
  shares: int = 0  # Tasks that it was divided into.
  tries: int = 0  # That failed: a worker died of it, say.
  lost: int = 0  # Machines that were lost while they were at it.
  output: str = ''
  report: str = ''  # From the workdir.
  warnings: int = 0
  what: str = ''  # What was wrong; or the first warning.

  @property
  def is_good(self) -> bool:
    """Whether there is a restored film."""
    return self.state in GOOD


def waiting(job: manifest.Job) -> Row:
  """The row of a film that nobody was at."""
  return Row(job.name, job.entry.path, job.entry.preset, job.entry.consent)


def before(job: manifest.Job) -> Row:
  """The row that an earlier run left of a film; or that it waits."""
  try:
    found = json.loads(_path(job).read_text())
    row = Row(**{k: v for k, v in found.items() if k in Row._fields})
  except (OSError, ValueError, TypeError):
    return waiting(job)
  return row if row.file == job.entry.path else waiting(job)


def again(job: manifest.Job, row: Row) -> Row:
  """A row; of a film that was done before, with what was told of it then."""
  old = before(job)
  is_same = row.state == 'done before' and old.is_good and (
      old.output == row.output)
  return old._replace(state=row.state) if is_same else row


def keep(job: manifest.Job, row: Row) -> None:
  """Keeps a row beside its film."""
  pathlib.Path(job.work).mkdir(parents=True, exist_ok=True)
  workdir_lib.write_json(_path(job), row._asdict())


def _path(job) -> pathlib.Path:
  return pathlib.Path(job.work) / 'row.json'


def summary(rows: Sequence[Row]) -> dict[str, Any]:
  """What report.json says of all films together."""
  states = sorted({row.state for row in rows})
  total = lambda name: round(sum(getattr(r, name) or 0 for r in rows), 3)
  return {
      'films': len(rows),
      'states': {s: sum(r.state == s for r in rows) for s in states},
      'frames': total('frames'), 'film_seconds': total('film_seconds'),
      'work_seconds': total('work_seconds'), 'warnings': total('warnings'),
      'tries': total('tries'), 'lost': total('lost')}


def write(
    work: pathlib.Path, rows: Iterable[Row], settings: dict[str, Any]
) -> None:
  """Writes the table (films.csv), report.json and index.html.

  Each is whole at every time, whoever else writes it.
  """
  rows = list(rows)
  told = summary(rows)
  _put(work / 'films.csv', _table(rows))
  workdir_lib.write_json(work / 'report.json', {
      'schema': 1, 'summary': told, 'settings': settings,
      'films': [r._asdict() for r in rows]})
  _put(work / 'index.html', index.document(
      told, [r._asdict() | {'link': _link(work, r.output)} for r in rows]))


def _table(rows) -> str:
  text = io.StringIO()
  table = csv.writer(text, lineterminator='\n')
  table.writerow(Row._fields)
  table.writerows([_safe(cell) for cell in row] for row in rows)
  return text.getvalue()


def _safe(cell):
  """A cell that no spreadsheet takes for a formula."""
  is_formula = isinstance(cell, str) and cell[:1] in _FORMULAS
  return f"'{cell}" if is_formula else cell


def _link(work, output) -> str:
  """The way from the index to a film; '' if there is none."""
  return os.path.relpath(output, work) if output else ''


def _put(path, text) -> None:
  with workdir_lib.written(path), atomic.replacing(path) as part:
    # Names of files need not be UTF-8, as on old disks.
    pathlib.Path(part).write_text(
        text, encoding='utf-8', errors='backslashreplace')


def named(row: Row) -> str:
  """The film of a row, and what was wrong with it."""
  is_named = row.what.startswith(row.file)
  return row.what if is_named else f'{row.file}: {row.what}'


def text(rows: Sequence[Row]) -> str:
  """What was restored, and each film that was not, for a terminal."""
  told = summary(rows)
  lines = [', '.join(f'{n} {state}' for state, n in told['states'].items())
           + f'; {told["frames"]} frames.']
  lines += [f'{row.state}: {named(row)}' for row in rows
            if not row.is_good and row.state != WAITING]
  # Names that are not UTF-8 cannot be printed as they are.
  return '\n'.join(lines).encode(errors='backslashreplace').decode()
