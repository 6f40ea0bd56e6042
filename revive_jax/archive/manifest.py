"""The manifest of an archive: which films, and how each is to be restored."""

from collections.abc import Iterator, Sequence
import csv
import importlib
import os
import pathlib
import pkgutil
from typing import Any, NamedTuple

import ml_collections

from revive_jax import files, films, networks, settings, types

COLUMNS = ('path', 'preset', 'consent')
_MOST_SHARES = 1_000_000


class Entry(NamedTuple):
  """A film that is to be restored."""

  path: str
  preset: str = ''  # Of configs/presets; '': the settings of the run.
  consent: str = ''  # A consent.json; '': that of the settings.
  line: int = 0  # Of the manifest, from 1 on; 0: there is none.


class Job(NamedTuple):
  """An entry with its name and all of its settings: what workers are given."""

  name: str  # Of its folder in the workdir, and of its film.
  entry: Entry
  settings: dict[str, Any]  # Of configs/restore.py.
  work: str  # Its folder in the workdir.
  output: str  # Its film, without a suffix.


def read(source: str, leave_out: Sequence[str] = ()) -> list[Entry]:
  """The films of a folder, a list, a manifest, or of a film alone.

  Args:
    source: a folder, whose videos are taken, those of folders in it, too; a
      list (.txt, a path a line); or a manifest (.csv, with the columns path,
      preset, consent). Paths count from where the list is.
    leave_out: folders that hold no films of the archive: the outputs.

  Raises:
    types.BadInput: there is no film, or a line, which is named, is wrong.
  """
  if not source:
    raise types.BadInput(
        'There is no input; name a folder of films, a list (.txt) or a '
        'manifest (.csv) with --input.')
  path = pathlib.Path(source)
  if path.is_dir():
    return _folder(path, [os.path.realpath(p) for p in leave_out])
  if not path.is_file():
    raise types.BadInput(f'{source}: no such file or folder.')
  if path.suffix.lower() == '.csv':
    return _table(path)
  if path.suffix.lower() == '.txt':  # One that is there twice is one film.
    return [Entry(p) for p in dict.fromkeys(
        os.path.abspath(p) for p in films.find(source))]
  return [Entry(str(path))]


def _folder(path, leave_out) -> list[Entry]:
  def refuse(error):
    raise types.BadInput(
        f'{error.filename}: this folder cannot be read ({error.strerror}); its '
        'films would be left out.')

  found = []
  for folder, inside, names in os.walk(path, onerror=refuse):
    inside[:] = sorted(
        n for n in inside if not n.startswith('.')
        and os.path.realpath(os.path.join(folder, n)) not in leave_out)
    found += [os.path.join(folder, n) for n in sorted(names)
              if films.is_video(pathlib.Path(n))]
  if not found:
    raise types.BadInput(
        f'{path}: there is no film in this folder; name another one, a list '
        '(.txt), or a manifest (.csv).')
  return [Entry(p) for p in found]


def _table(path) -> list[Entry]:
  """The rows of a manifest; a wrong one is named by its line."""
  rows = _rows(path)
  if not rows:
    raise types.BadInput(f'{path}: the manifest is empty.')
  (line, head), *rows = rows
  if 'path' not in head or set(head) - set(COLUMNS) or (
      len(set(head)) < len(head)):
    raise types.BadInput(
        f'{path}, line {line}: the columns must be path, and perhaps preset '
        f'and consent, with commas between them, not {", ".join(head)}.')
  found, seen = [], {}
  for line, row in rows:
    entry = _entry(path, line, head, row)
    before = seen.setdefault(os.path.abspath(entry.path), line)
    if before != line:
      raise types.BadInput(
          f'{path}, line {line}: {entry.path} is in line {before}, too; leave '
          'one out.')
    found.append(entry)
  if not found:
    raise types.BadInput(f'{path}: the manifest names no film.')
  return found


def _rows(path) -> list[tuple[int, list[str]]]:
  """Rows with their lines; not those that are empty, or begin with #."""
  lines, rows = None, []
  try:
    with open(path, encoding='utf-8-sig', newline='') as file:
      lines = csv.reader(file, strict=True)
      for row in lines:
        rows.append((lines.line_num, [cell.strip() for cell in row]))
  except UnicodeDecodeError as error:
    raise types.BadInput(
        f'{path}: the manifest is not UTF-8 text ({error}); save it as "CSV '
        'UTF-8".') from error
  except csv.Error as error:
    raise types.BadInput(
        f'{path}, line {lines.line_num}: the manifest cannot be read '
        f'({error}); look at the quotes.') from error
  except OSError as error:
    raise types.BadInput(
        f'{path}: the manifest cannot be read ({error.strerror}).') from error
  return [(n, row) for n, row in rows if any(row) and row[0][:1] != '#']


def _entry(path, line, head, row) -> Entry:
  def refuse(what):
    raise types.BadInput(f'{path}, line {line}: {what}')

  if len(row) != len(head):
    refuse(f'there are {len(row)} cells for {len(head)} columns '
           f'({", ".join(head)}).')
  cells = dict(zip(head, row, strict=True))
  if not cells['path']:
    refuse('no film is named.')
  place = lambda name: os.fspath(path.parent / name) if name else ''
  entry = Entry(place(cells['path']), cells.get('preset', ''),
                place(cells.get('consent', '')), line)
  if not os.path.exists(entry.path):
    refuse(f'{entry.path}: no such file.')
  if entry.preset and entry.preset not in presets():
    refuse(f'there is no preset {entry.preset!r}; choose one of '
           f'{", ".join(presets())}.')
  return entry


def presets() -> list[str]:
  """The names of what is in configs/presets."""
  folder = importlib.import_module('revive_jax.configs.presets')
  return sorted(found.name for found in pkgutil.iter_modules(folder.__path__))


def share(entries: Sequence[Entry], which: str) -> list[Entry]:
  """Every N-th of them from the I-th on, of 'I/N'; all of ''.

  Raises:
    types.BadInput: which is no share.
  """
  if not which:
    return list(entries)
  index, slash, count = which.partition('/')
  if not (slash and index.isdecimal() and count.isdecimal()
          and int(index) < int(count) <= _MOST_SHARES):
    raise types.BadInput(
        f'--config.archive.share={which}: this must be I/N, with I from 0 to '
        'N - 1, as 0/4.')
  return list(entries[int(index)::int(count)])


def jobs(
    c: ml_collections.ConfigDict, entries: Sequence[Entry],
    names: Sequence[str], work: pathlib.Path, output: pathlib.Path
) -> list[Job]:
  """The entries with all of their settings.

  Args:
    c: configs/archive.py; what differs there from what ships goes over the
      preset of an entry.
    entries: of read().
    names: of each.
    work: gets a folder for each.
    output: gets the films.

  Raises:
    types.BadInput: settings that cannot be; the line is named.
  """
  made, found = {}, []
  for entry, name in zip(entries, names, strict=True):
    key = entry.preset, entry.consent
    if key not in made:
      made[key] = _checked(c, entry)
    found.append(Job(name, entry, made[key], os.fspath(work / name),
                     os.fspath(output / name)))
  return found


def _checked(c, entry) -> dict[str, Any]:
  """The settings of an entry, for restore.restore."""
  mine = _of_preset(c, entry.preset)
  if entry.consent:
    mine.consent.file = entry.consent
  mine.mode, mine.progress = 'restore', 'none'
  try:
    mine = networks.with_fills(mine)
    settings.check(mine)
  except types.BadInput as error:
    if not entry.line:
      raise
    raise types.BadInput(f'Line {entry.line}: {error}') from error
  return mine.to_dict()


def _of_preset(c, preset) -> ml_collections.ConfigDict:
  """Settings without those of the archive; '': no preset."""
  mine = ml_collections.ConfigDict(
      {k: v for k, v in c.to_dict().items() if k != 'archive'})
  if not preset:
    return mine
  load = lambda name: importlib.import_module(
      f'revive_jax.configs.{name}').get_config(c.archive.size)
  shipped, result = dict(_flat(load('archive'))), load(f'presets.{preset}')
  for key, value in _flat(mine):
    if shipped.get(key, value) != value and key != 'mode':
      result.update_from_flattened_dict({key: value})
  return result


def _flat(tree, name='') -> Iterator[tuple[str, Any]]:
  for key, value in tree.items():
    place = f'{name}.{key}' if name else key
    if isinstance(value, ml_collections.ConfigDict):
      yield from _flat(value, place)
    else:
      yield place, value


def names(entries: Sequence[Entry], before: dict[str, str]) -> list[str]:
  """A name for each film; before: of earlier runs, by path, which stay."""
  return films.names([files.path(e.path) for e in entries], before)
