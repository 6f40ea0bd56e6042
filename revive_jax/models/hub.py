"""Weights on the Hugging Face hub: their names, and copies of them.

A repository there is a folder of weights (weights.py), the form that the hub
has models in: config.json, safetensors, README.md with its front matter.
"""

from collections.abc import Sequence
import os
import pathlib
import re
from typing import NamedTuple

from revive_jax import types

_SCHEME = 'hf://'
# Without '..': a part of it becomes a path in the cache.
_NAME = re.compile(
    r'(?!.*\.\.)([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w][\w./-]*))?')
# What nobody else is to read in a log: tokens, passwords, signed addresses.
_SECRET = re.compile(r'hf_\w+|(?<=://)[^/\s@]+@|(?<=\S)\?\S+=\S*')
_COMMIT = re.compile(r'[0-9a-f]{40}')
# What the hub's errors mean; the first that fits an error or what it is of.
_MEANINGS = (
    ('GatedRepoError', 'it asks for consent to terms; give it on the page of '
     'the repository, and log in with hf auth login'),
    ('RepositoryNotFoundError', 'it has none of this name, or it is private; '
     'check the name, or log in with hf auth login'),
    ('RevisionNotFoundError', 'the repository has no such revision; give a '
     'branch, a tag or a commit of it'),
    ('LocalEntryNotFoundError', 'it cannot be reached, nor has its cache here '
     'a copy; check the network, or give a folder'))


class Name(NamedTuple):
  """What weights are called on the hub."""

  repository: str  # 'user/name'.
  revision: str | None = None  # A branch, a tag or a commit; None: the newest.


class Copy(NamedTuple):
  """What was downloaded."""

  folder: pathlib.Path
  name: str  # With the commit that it is of, where that is known.


def parse(where: str) -> Name | None:
  """The name in 'user/name' or 'hf://user/name@revision'; None: it is none.

  Raises:
    types.BadInput: hf:// is before what is no name.
  """
  found = _NAME.fullmatch(where.removeprefix(_SCHEME))
  if found:
    return Name(*found.groups())
  if where.startswith(_SCHEME):
    raise types.BadInput(
        f'{where} is no name on the Hugging Face hub; write hf://user/name or '
        'hf://user/name@revision.')
  return None


def download(name: Name, files: Sequence[str]) -> Copy:
  """The hub's copy in the local cache, brought up to date where that can be.

  files: those that are wanted, by name.

  Raises:
    types.BadInput: the extra is missing, or the hub does not give it.
  """
  said = '@'.join(filter(None, name))
  try:
    import huggingface_hub  # An extra, and slow to import.
  except ImportError as error:
    raise types.BadInput(
        f'There is no folder {said}; to look for it on the Hugging Face hub, '
        "install the extra: pip install 'revive-jax[hub]'.") from error
  options = {'revision': name.revision} if name.revision else {}
  try:
    folder = pathlib.Path(huggingface_hub.snapshot_download(
        name.repository, allow_patterns=list(files), **options))
  except Exception as error:  # Of requests, httpx, the hub, the system.
    raise types.BadInput(
        f'There is no folder {said}, and {_why(error)}.') from error
  if _COMMIT.fullmatch(folder.name) and folder.parent.name == 'snapshots':
    return Copy(folder, f'{name.repository}@{folder.name}')
  return Copy(folder, said)


def is_offline() -> bool:
  """Whether the user forbade to ask the hub, as its own library reads it."""
  return os.environ.get('HF_HUB_OFFLINE', '').upper() in (
      '1', 'ON', 'YES', 'TRUE')


def _why(error: Exception) -> str:
  """Why the hub did not give something, and what to do."""
  if is_offline():
    return ('the Hugging Face hub is not asked (HF_HUB_OFFLINE is set), nor '
            'has its cache here a copy: unset it, or give a folder')
  kinds = [kind.__name__ for kind in type(error).__mro__]
  for kind, meaning in _MEANINGS:
    if kind in kinds:
      return f'the Hugging Face hub did not give it: {meaning}'
  text = _SECRET.sub('...', ' '.join(str(error).split()))
  reason = text.split('. ')[0][:200].rstrip('.')
  return ('the Hugging Face hub did not give it '
          f'({type(error).__name__}: {reason}); check the name and the '
          'network, or give a folder')
