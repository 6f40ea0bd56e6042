"""The index of an archive: a page with a row for each film, to look through.

It asks for nothing, and all that comes from films or names is escaped.
"""

from collections.abc import Mapping, Sequence
import math
import os
from typing import Any
import urllib.parse

from revive_jax.explain import page

_HEAD = ('film', 'state', 'frames', 'length', 'work', 'tasks', 'what')
_SCRIPT = """
const find = document.querySelector('#find');
const state = document.querySelector('#state');
const rows = [...document.querySelectorAll('tbody tr')];
function show() {
  const words = find.value.toLowerCase();
  let count = 0;
  for (const row of rows) {
    const fits = row.textContent.toLowerCase().includes(words) &&
        (!state.value || row.cells[1].textContent === state.value);
    row.hidden = !fits;
    count += fits;
  }
  document.querySelector('#count').textContent = `${count} shown`;
}
find.addEventListener('input', show);
state.addEventListener('input', show);
"""


def document(
    summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> str:
  """The page of all films.

  Args:
    summary: of rows.summary.
    rows: of rows.Row, as dicts; with link, the way to the film.
  """
  states = page.tag('select', page.tag('option', 'all', value=''), *(
      page.tag('option', state) for state in summary['states']), id='state')
  counts = ', '.join(f'{n} {s}' for s, n in summary['states'].items())
  return page.document('Restored films', [
      page.tag('h1', 'Restored films'),
      page.tag('p', f'{summary["films"]} films: {counts}. '
               f'{summary["frames"]} frames, {clock(summary["film_seconds"])} '
               f'of film, {clock(summary["work_seconds"])} of work.'),
      page.tag('p', page.tag('label', 'Find ', page.tag(
          'input', id='find', type='search')), ' ',
               page.tag('label', 'State ', states), ' ',
               page.tag('output', f'{len(rows)} shown', id='count')),
      page.table(_HEAD, (_cells(row) for row in rows), caption='Films'),
      page.tag('script', page.Html(_SCRIPT))])


def clock(seconds: float | None) -> str:
  """A length of time, as 1:02:03; '' if it is not known."""
  if not seconds or not math.isfinite(seconds):
    return ''
  whole = math.ceil(seconds)
  return f'{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}'


def _cells(row) -> tuple[Any, ...]:
  bad = 'worse' if row['state'] in ('refused', 'failed') else None
  return (_film(row), page.tag('span', row['state'], class_=bad),
          row['frames'] or '', clock(row['film_seconds']),
          clock(row['work_seconds']), row['shares'] or '', row['what'])


def _film(row) -> page.Html:
  """The name of a film, and the ways to what there is of it."""
  return page.join([row['file'], *(
      page.join([' ', page.tag('a', name, href=urllib.parse.quote(
          os.fsencode(row[key])))])
      for name, key in (('film', 'link'), ('report', 'report')) if row[key])])
