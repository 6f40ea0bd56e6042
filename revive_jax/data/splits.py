"""Which files are trained on, and which are held out, by their names."""

from collections.abc import Iterable, Sequence
import hashlib
import os
import pathlib

from revive_jax import types
from revive_jax.video import images


def name_of(path: str | os.PathLike) -> str:
  """Returns the name that a video, a sequence or a picture is known by."""
  return pathlib.Path(path).name


def marks(names: Iterable[str]) -> list[str]:
  """What weights keep of the names that they were trained on, sorted.

  The first 16 digits of the SHA-256 of each: a name that is measured on, or
  guessed, can be looked for among them, but the names of a family's films are
  not told to all who are given the weights.
  """
  return sorted({hashlib.sha256(name_of(name).encode()).hexdigest()[:16]
                 for name in names})


def split_names(
    paths: Iterable[str | os.PathLike],
    held_out: Sequence[str] = (),
    *,
    every: int | None = 10,
) -> tuple[list[str], list[str]]:
  """Splits files into (train, held_out), two lists of paths without overlap.

  Held out are the files named in held_out and, of all files sorted by name,
  the tenth, the twentieth and so on. Files of one name, in whatever folders,
  stay together. Both lists are sorted by name. A file that is added moves the
  tenth: split a folder once it is complete.

  Args:
    paths: files, or folders of frames.
    held_out: names, without folders.
    every: hold out one in so many; None: those of held_out only.

  Raises:
    types.BadInput: a held-out name is not among the paths (else a typing error
      would let it be trained on), or nothing is left to train on.
  """
  by_name = {}
  for path in paths:
    by_name.setdefault(name_of(path), []).append(os.fspath(path))
  names = sorted(by_name, key=images.natural_key)
  unknown = sorted(set(held_out) - set(names))
  if unknown:
    raise types.BadInput(
        f'{", ".join(unknown)}: to be held out, but not among the '
        f'{len(names)} files given; correct the name or the folder.')
  apart = set(held_out)
  if every is not None:
    apart |= set(names[every - 1::every])
  train, rest = [], []
  for name in names:
    (rest if name in apart else train).extend(by_name[name])
  if not train:
    raise types.BadInput(
        f'All of the {len(names)} files given are held out; nothing is left '
        'to train on.')
  return train, rest


def refuse_held_out(
    names: Iterable[str], held_out: Iterable[str], where: str
) -> None:
  """Raises BadInput if a name that is held out is among names."""
  found = sorted(set(map(name_of, names)) & set(held_out))
  if found:
    raise types.BadInput(
        f'{where} holds {", ".join(found)}, which are held out of training; '
        'prepare it again without them.')
