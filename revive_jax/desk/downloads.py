"""Downloads: what a visitor takes home, opened on the way if it is sealed."""

from collections.abc import Iterator
import contextlib
import pathlib
from typing import Any, NamedTuple

from revive_jax import files, types
from revive_jax.desk import film, masks, places, settings

_PIECE = 1 << 20  # Bytes.
_MIMES = {'.mp4': 'video/mp4', '.mkv': 'video/x-matroska',
          '.mov': 'video/quicktime', '.png': 'image/png',
          '.html': 'text/html; charset=utf-8', '.json': 'application/json',
          '.avi': 'video/x-msvideo', '.jpg': 'image/jpeg',
          '.jpeg': 'image/jpeg', '.webm': 'video/webm'}


class Item(NamedTuple):
  """A file that can be taken home."""

  kind: str
  name: str  # For the visitor's computer.
  bytes: int
  mime: str


def _paths(place) -> dict[str, tuple[pathlib.Path, str]]:
  """By kind: the file, and what it is called at home."""
  stem = pathlib.PurePath(place.name).stem
  output = settings.output(place)
  made = f'{stem}_restored'
  return {
      'film': (output, made + files.suffix(output)),
      'report': (place.path('work/report.html'), f'{made}_report.html'),
      'report.json': (place.path('work/report.json'), f'{made}_report.json'),
      'layers': (files.beside(output, '.layers.mkv'), f'{made}_layers.mkv'),
      'statement': (files.beside(output, '.c2pa'), f'{made}.c2pa'),
      'decisions': (place.path(settings.DECISIONS), settings.DECISIONS),
      **({'mask': (place.path(settings.mask_name(place)), settings.MASK)}
         if masks.is_marked(place) else {}),
      'consent': (place.path(settings.CONSENT), settings.CONSENT),
      **{f'film_{end}': (path, f'{made}_before.{end}')
         for end, path in settings.outputs_before(place).items()},
      'original': (files.path(place.source), place.name)}


def listed(place: places.Place) -> list[Item]:
  """What there is; 'original' always, 'film' when it is restored.

  The size of a mask is that of the last one that was made.
  """
  paths = _paths(place)
  if 'mask' in paths and not paths['mask'][0].is_file():
    with contextlib.suppress(types.BadInput):  # It is to be measured anew.
      masks.compose(place)
  return [_item(kind, *file) for kind, file in paths.items()
          if file[0].is_file()]


def has_film(place: places.Place) -> bool:
  """Whether a restored film is there, of this restore or an earlier one."""
  return settings.output(place).is_file() or bool(
      settings.outputs_before(place))


def _item(kind, path, name) -> Item:
  return Item(kind, name, size(path), _MIMES.get(
      pathlib.PurePath(name).suffix.lower(), 'application/octet-stream'))


def item(place: places.Place, kind: str) -> Item:
  """One of listed(); a mask as it is painted now, or as the job there reads it.

  Raises:
    types.BadInput: it is not there.
  """
  if kind == 'mask' and masks.is_marked(place):
    masks.compose(place, spares_job=True)
  return _item(kind, *_file(place, kind))


def _file(place, kind):
  path, name = _paths(place).get(kind, (None, ''))
  if path is None or not path.is_file():
    raise types.BadInput(f'{place.name}: there is no {kind} of it here (yet).')
  return path, name


def stream(
    place: places.Place, kind: str, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
  """The bytes [start, stop) of a file, in pieces.

  Raises:
    types.BadInput: it is not there; or, where it is sealed, was changed.
  """
  return pieces(_file(place, kind)[0], start, stop)


def pieces(path, start, stop) -> Iterator[bytes]:
  """The bytes [start, stop) of a file, opened with its vault."""
  with path.open('rb') as file:
    file.seek(start)
    left = None if stop is None else stop - start
    while left is None or left > 0:
      piece = file.read(_PIECE if left is None else min(left, _PIECE))
      if not piece:
        return
      left = None if left is None else left - len(piece)
      yield piece


def size(path) -> int:
  """Bytes of a file, of what is in it if it is sealed."""
  if not files.is_sealed(path):
    return path.stat().st_size
  with path.open('rb') as file:
    return file.seek(0, 2)


def report(place: places.Place) -> dict[str, Any] | None:
  """report.json of the last finished restore; None: there is none."""
  return film.report(place)
