"""Places: where a film of a visitor lies, and all that is made of it.

  film.json          what the file is called, and where it is
  source.*           the upload
  segments/          what was measured, as a restore keeps it
  choices.json       what was chosen for the whole film
  decisions.json     what was decided shot by shot
  marks/             painted masks, and mask.mkv, made of them for a restore;
                     masks.lock: held by who paints, or makes it
  consent.json       who agreed to what
  work/              the workdir of the restore
  restored.*         the film
  job.json, ...      the last job

All but what jobs say of themselves is sealed, where files are.
"""

from collections.abc import Iterator
import contextlib
import pathlib
import re
from typing import NamedTuple

from revive_jax import files, types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import upload, visitors

_FORM = re.compile(r'[0-9a-f]{16}')


class Place(NamedTuple):
  """A film of a visitor; made by place()."""

  desk: desk_lib.Desk
  visitor: str
  id: str
  folder: pathlib.Path
  name: str  # As the visitor calls the file.
  source: str | pathlib.Path  # The file; a path of the vault, if it is sealed.

  def path(self, name: str) -> pathlib.Path:
    """A path in the folder of the film, sealed if files are."""
    return self.desk.path(self.folder / name)


def find(desk: desk_lib.Desk, visitor: str, film: str) -> Place:
  """The film of a visitor.

  Raises:
    types.BadInput: there is no such visitor, or the film is not theirs.
  """
  folder = visitors.folder(desk, visitor) / 'films' / str(film)
  try:
    if not _FORM.fullmatch(str(film)) or folder.is_symlink():
      raise FileNotFoundError
    note = upload.noted(desk, folder)
  except FileNotFoundError:
    raise types.BadInput(
        'There is no such film of yours here, or it was deleted; open it '
        'again.') from None
  return Place(desk, visitor, film, folder, note['name'],
               files.name(desk.path(folder / note['source'])))


def plainly(place: Place, text: str) -> str:
  """A sentence with the names that the visitor knows instead of our paths."""
  for path in (str(place.source), str(place.source).removesuffix(files.SEALED)):
    text = text.replace(path, place.name)
  return text.replace(f'{place.folder}/', '')


@contextlib.contextmanager
def named(place: Place) -> Iterator[None]:
  """Whatever is refused inside is refused plainly()."""
  try:
    yield
  except types.BadInput as error:
    raise type(error)(plainly(place, str(error))) from error
