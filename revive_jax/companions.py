"""Companions: what earlier runs left beside a film, or in the workdir.

A run without hidden faces may have kept the original, layers, answers or a
report with pictures of the source. Under the name of a film whose faces are
hidden they would show them: --mode=restore-original would give them back.
"""

from collections.abc import Iterator
import json
import os
import pathlib
from typing import Any

import ml_collections

from revive_jax import files, types
from revive_jax.video import duplicate, layers, probe
from revive_jax.video import target as target_lib

# In a workdir, and what shows the source there.
_IN_WORKDIR = ('fills', 'outputs/*_original*', 'outputs/*_explained_*',
               'outputs/*_attribution_*')


def check(
    c: ml_collections.ConfigDict, workdir: Any, destination: Any,
    target: target_lib.Target
) -> None:
  """Refuses to hide faces where something else of that name shows them.

  Nothing is removed: it may be all that somebody has of the original.

  Args:
    c: configs/restore.py.
    workdir: of the run; its config.json is still of the run before.
    destination: of the film.
    target: what the film is written as.

  Raises:
    types.BadInput: there is something; it is named.
  """
  if c.redact.faces == 'none':
    return
  hid_before = _hid(workdir)
  for place in _found(c, workdir, destination, target, hid_before):
    raise types.BadInput(
        f'{place}: this is of an earlier run, and may show the faces that '
        '--config.redact.faces hides; move it away, or choose another --output '
        'and --workdir.')


def left(
    info: probe.VideoInfo, destination: Any, *, keeps: bool, form: str
) -> list[str]:
  """Sentences on what earlier runs left under the name of a new film.

  It stays where it is; that it is not of the new film, the film's SHA-256 says
  (video/bond.py).

  Args:
    info: of the source.
    destination: of the film.
    keeps: whether the original is kept.
    form: of the layers; see layers.form.

  Raises:
    types.BadInput: the original would take the place of another one.
  """
  own = duplicate.sidecar(info, destination) if keeps else None
  found = []
  for place in duplicate.beside(destination):
    if place != own:
      found.append(place)
    elif not duplicate.is_of(place, info):
      raise types.BadInput(
          f'{place}: this is the original of another film, and perhaps all '
          'that is left of it; move it away, or choose another --output.')
  if form != 'files':
    found += layers.beside_film(destination)
  return [f'{place}: this is of an earlier run, and not of the new film of '
          'that name.' for place in found]


def _found(c, workdir, destination, target, hid_before) -> Iterator[Any]:
  """What is there already and will not be written anew."""
  yield from duplicate.beside(destination)
  form = layers.form(c.output.layers, target)
  place = layers.sidecar(destination)
  if place.exists() and (form != 'files' or target.kind != 'video'):
    yield place
  place = layers.folder(destination)
  if place.exists() and not (
      form == 'files' and target.kind == 'image' and hid_before):
    yield place
  if not hid_before:
    yield from _in(files.path(workdir), report=bool(c.report))


def _in(workdir: pathlib.Path, *, report: bool) -> Iterator[pathlib.Path]:
  names = _IN_WORKDIR if report else (*_IN_WORKDIR, 'report.html')
  for name in names:  # A report that is wanted is written anew.
    folder, _, pattern = name.rpartition('/')
    if os.path.isdir(place := workdir / folder):
      yield from (p for p in sorted(place.iterdir()) if p.match(pattern))


def _hid(workdir) -> bool:
  """Whether the run before in this workdir hid faces, too."""
  try:
    before = json.loads((files.path(workdir) / 'config.json').read_text())
    return before['redact']['faces'] != 'none'
  except (OSError, ValueError, LookupError, TypeError):
    return False
