"""A vault: paths whose files are sealed with one master key."""

import io
import os
import pathlib

from revive_jax.privacy import encryption


class Vault:
  """Opens files that are sealed with one master key."""

  def __init__(self, key: encryption.MasterKey):
    self._key = key
    self._kind = type('SealedPath', (_SealedPath, type(pathlib.Path())),
                      {'vault': self})

  def __reduce__(self):
    return Vault, (self._key,)  # For a process of our own.

  def path(self, name: str | os.PathLike) -> pathlib.Path:
    """A path whose open(), and that of all paths made from it, is sealed."""
    return self._kind(name)

  def open(self, path: str | os.PathLike, mode: str = 'rb') -> io.RawIOBase:
    """Opens a file: 'rb', 'wb', or 'r+b' to change one that is there.

    Raises:
      types.BadInput: it is not sealed, cut off, or changed.
      WrongKeyError: it is sealed with another key.
    """
    return encryption.open_sealed(os.fspath(path), mode, self._key)


class _SealedPath:
  """The methods of a path that open a file."""

  vault = None  # Each vault has a class of its own: see Vault.

  def open(self, mode='r', buffering=-1, encoding=None, errors=None,
           newline=None):
    del buffering
    raw = self.vault.open(self, mode.replace('t', '').replace('b', '') + 'b')
    if 'b' in mode:
      return raw
    return io.TextIOWrapper(
        io.BufferedReader(raw) if mode in ('r', 'rt') else
        io.BufferedWriter(raw), encoding or 'utf-8', errors, newline)

  def read_bytes(self):
    with self.open('rb') as file:
      return file.read()

  def write_bytes(self, data):
    with self.open('wb') as file:
      return file.write(data)

  def read_text(self, encoding=None, errors=None, newline=None):
    with self.open('r', -1, encoding, errors, newline) as file:
      return file.read()

  def write_text(self, data, encoding=None, errors=None, newline=None):
    with self.open('w', -1, encoding, errors, newline) as file:
      return file.write(data)

  def __reduce__(self):
    return _again, (self.vault, str(self))


def _again(vault, name):
  return vault.path(name)
