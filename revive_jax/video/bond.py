"""Bond: what ties a file beside a film to this very film.

A name ties nothing: the next run may write another film under it. So what lies
beside a film (its original, its layers) holds the SHA-256 of the film.
"""

import hashlib
import os

from revive_jax import files
from revive_jax.video import images


def of(film: str | os.PathLike) -> str:
  """The SHA-256 of a film, read piece by piece.

  Of a folder, of the list of its pictures' sums and names.
  """
  if not os.path.isdir(film):
    with files.path(film).open('rb') as file:
      return hashlib.file_digest(file, 'sha256').hexdigest()
  lines = [f'{of(p)}  {files.opened_name(p).name}\n'
           for p in images.list_pictures(film)]
  return hashlib.sha256(''.join(lines).encode()).hexdigest()
