"""The report: one HTML page of what was done to a film, for anybody to read.

Nothing in it is loaded from elsewhere. The same facts are in report.json.
"""

from collections.abc import Callable, Mapping, Sequence
import os
from typing import Any

from revive_jax import files
from revive_jax.explain import sections, told
from revive_jax.explain import shots as shots_lib
from revive_jax.explain.page import Html, document, tag
from revive_jax.video import atomic

_QUALITY = '<!-- quality -->'


def write(
    path: str | os.PathLike, report: Mapping[str, Any],
    pictures: Sequence[Mapping[str, Any]] = (), *,
    read: Callable[[str], bytes | None] = lambda name: None,
    sounds: Mapping[int, bytes] | None = None,
) -> None:
  """Writes the page of a record; whatever the record lacks is left out.

  Args:
    path: of the page.
    report: explain.record.record, and what was added to it.
    pictures: of explain.gather.pictures_of.
    read: the bytes of a picture's file; None if it is not there.
    sounds: PNGs of spectrograms, by track.
  """
  with atomic.replacing(files.path(path)) as part:
    part.write_text(page(report, pictures, read=read, sounds=sounds))


def page(
    report: Mapping[str, Any], pictures: Sequence[Mapping[str, Any]] = (), *,
    read: Callable[[str], bytes | None] = lambda name: None,
    sounds: Mapping[int, bytes] | None = None,
) -> str:
  """The page as text; see write."""
  shown = {}
  for picture in pictures:
    data = read(picture['file'])
    if data:
      shown.setdefault(picture['shot'], []).append(dict(picture) | {
          'data': data})
  name = os.path.basename(str(report['input']['path'])) or 'film'
  body = [
      tag('p', 'Report of a restoration', class_='soft'),
      tag('h1', name),
      sections.summary(report),
      Html(_QUALITY), sections.quality(report),
      sections.measured(report),
      *(shots_lib.shot(report, i, shown[i]) for i in sorted(shown)),
      sections.all_shots(report, set(shown)),
      sections.doubt(report),
      sections.choice(report),
      sections.events(report),
      told.faces(report),
      told.sound(report, sounds or {}),
      told.trust(report),
      sections.warnings(report),
      sections.settings(report),
  ]
  return document(f'Restored: {name}', body)


def add_quality(path: str | os.PathLike, report: Mapping[str, Any]) -> None:
  """Adds report['quality'], known later, to a page that was written before."""
  path = files.path(path)
  page_ = path.read_bytes() if path.is_file() else b''
  if _QUALITY.encode() not in page_:  # There is none, or it is sealed.
    return
  text = page_.decode().replace(
      _QUALITY, _QUALITY + sections.quality(report), 1)
  with atomic.replacing(path) as part:
    part.write_text(text)
