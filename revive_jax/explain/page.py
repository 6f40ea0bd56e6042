"""A page: HTML of which every text is escaped, and that asks for nothing."""

import base64
from collections.abc import Iterable
import html
import math
import pathlib
from typing import Any

_VOID = ('img', 'input', 'meta', 'link', 'br')
# What the page may load: pictures that are in it, and nothing else.
_POLICY = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
           "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
UNKNOWN = 'not measured'


class Html(str):
  """Text that is HTML already."""


def tag(name: str, /, *inside: Any, **attributes: Any) -> Html:
  """An element; what is inside is escaped unless it is Html, None left out.

  attributes: class_ is class, other _ are -; True has no value, None and False
  are left out.
  """
  parts = [name]
  for key, value in attributes.items():
    key = key.rstrip('_').replace('_', '-')
    if value is True:
      parts.append(key)
    elif value is not None and value is not False:
      parts.append(f'{key}="{html.escape(str(value))}"')
  opened = f'<{" ".join(parts)}>'
  if name in _VOID:
    return Html(opened)
  return Html(f'{opened}{join(inside)}</{name}>')


def join(parts: Iterable[Any]) -> Html:
  """Parts one after the other; None is left out."""
  return Html(''.join(
      part if isinstance(part, Html) else html.escape(str(part))
      for part in parts if part is not None))


def table(
    head: Iterable[Any], rows: Iterable[Iterable[Any]], caption: str = ''
) -> Html:
  """A table that scrolls by itself where it is too wide; '' without rows."""
  rows = [tuple(row) for row in rows]
  if not rows:
    return Html('')
  head = tuple(head)
  body = [tag('tr', *(
      tag('th', cell, scope='row') if not i else tag('td', cell)
      for i, cell in enumerate(row))) for row in rows]
  return tag('div', tag(
      'table', tag('caption', caption) if caption else None,
      tag('thead', tag('tr', *(tag('th', cell, scope='col') for cell in head))),
      tag('tbody', *body)), class_='scroll', tabindex=0, role='region',
      aria_label=caption or ', '.join(str(h) for h in head if h) or 'table')


def section(title: str, *inside: Any) -> Html:
  """A part of the page with its title; '' if there is nothing inside."""
  text = join(inside)
  return tag('section', tag('h2', title), text) if text else Html('')


def picture(data: bytes, alt: str, **attributes: Any) -> Html:
  """A JPEG or PNG, inside the page."""
  kind = 'png' if data.startswith(b'\x89PNG') else 'jpeg'
  code = base64.b64encode(data).decode()
  return tag('img', src=f'data:image/{kind};base64,{code}', alt=alt,
             **attributes)


def figure(image: Html, caption: Any, **attributes: Any) -> Html:
  """A picture with what it shows."""
  return tag('figure', image, tag('figcaption', caption), **attributes)


def number(value: Any, unit: str) -> str:
  """A number of three digits, with its unit; or that it was not measured."""
  if value is None or not math.isfinite(value):
    return UNKNOWN
  text = '0' if not value else (
      f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}')
  if 'e' in text:
    text = f'{value:.6f}'.rstrip('0')
  return f'{text} {unit}'.strip()


def anything(value: Any, unit: str = '') -> Any:
  """A value of JSON as text, lists and tables: for what others report.

  unit: of numbers that are no part of it by a name, which says their own.
  """
  if value is None:
    return 'none'
  if isinstance(value, bool):
    return 'yes' if value else 'no'
  if isinstance(value, dict):
    return tag('dl', *(join([tag('dt', _words(k)),
                             tag('dd', anything(v, _unit(k) or unit))])
                       for k, v in value.items())) if value else 'none'
  if isinstance(value, (list, tuple)):
    if value and all(isinstance(x, dict) for x in value):
      keys = list(dict.fromkeys(k for x in value for k in x))
      return table([_words(k) for k in keys], (
          [anything(x[k], _unit(k)) if k in x else '' for k in keys]
          for x in value))
    if any(isinstance(x, (dict, list, tuple)) for x in value):
      return tag('ul', *(tag('li', anything(x, unit)) for x in value))
    text = ', '.join(str(anything(x)) for x in value) or 'none'
    is_number = any(isinstance(x, (int, float)) for x in value)
    return f'{text} {unit}'.strip() if is_number else text
  if isinstance(value, (int, float)):
    text = f'{value:.4g}' if isinstance(value, float) else str(value)
    return f'{text} {unit}'.strip()
  return value


# Of numbers by how their names end.
_UNITS = {
    'percent': '%', 'pixels': 'pixels', 'seconds': 'seconds', 'db': 'dB',
    'hz': 'Hz', 'of_255': 'of 255', 'lufs': 'LUFS', 'share': 'of 1',
    'similarity': 'of 1', 'threshold': 'of 1', 'width': 'pixels',
    'height': 'pixels', 'frame_rate': 'frames a second', 'rate': 'Hz',
    'strength': 'of 1', 'strengths': 'of 1', 'share_of_samples_kept': 'of 1'}


def _unit(key: Any) -> str:
  """The unit that a name says at its end, or ''."""
  name = str(key).lower()
  return next((unit for end, unit in _UNITS.items()
               if name == end or name.endswith(f'_{end}')), '')


def _words(key: Any) -> str:
  return str(key).replace('_', ' ')


def document(title: str, body: Iterable[Any]) -> str:
  """The whole page."""
  here = pathlib.Path(__file__).parent
  read = lambda name: Html((here / name).read_text())
  return '<!DOCTYPE html>\n' + tag(
      'html', tag(
          'head', tag('meta', charset='utf-8'),
          tag('meta', http_equiv='Content-Security-Policy', content=_POLICY),
          tag('meta', name='viewport',
              content='width=device-width, initial-scale=1'),
          tag('meta', name='color-scheme', content='light dark'),
          tag('title', title), tag('link', rel='icon', href='data:,'),
          tag('style', read('page.css'))),
      tag('body', tag('main', *body), tag('script', read('page.js'))),
      lang='en') + '\n'
