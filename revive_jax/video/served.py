"""A sealed film, read through a socket: the key stays with who has it.

The process that decodes asks for bytes at an offset; the one that holds the
vault opens them.
"""

import dataclasses
import io
import os
import pathlib
import socket
import struct
from typing import Any

_ASKED = struct.Struct('<QQ')  # Offset and number of bytes; 0: how many.
_GIVEN = struct.Struct('<Q')
_MOST = 1 << 22  # Bytes at once.


class LostError(Exception):
  """The other end is closed."""


class _Path(type(pathlib.Path())):
  """A path whose files are opened through a socket, for reading."""

  vault = True  # See files.is_sealed.
  connection = None

  def open(self, mode='r', *unused, **unused_too):
    del mode, unused, unused_too
    return _File(self.connection)

  def read_bytes(self):
    return self.open().read()


class _File(io.RawIOBase):
  """One file, from its beginning on."""

  def __init__(self, connection):
    super().__init__()
    self._connection, self._place = connection, 0
    self._size = self._ask(0, 0)

  def _ask(self, offset, count):
    self._connection.sendall(_ASKED.pack(offset, count))
    number, = _GIVEN.unpack(_exactly(self._connection, _GIVEN.size))
    return number if not count else _exactly(self._connection, number)

  def readable(self):
    return True

  def seekable(self):
    return True

  def tell(self):
    return self._place

  def seek(self, offset, whence=os.SEEK_SET):
    start = (0, self._place, self._size)[whence]
    self._place = max(0, start + offset)
    return self._place

  def read(self, size=-1):
    left = max(0, self._size - self._place)
    size = left if size is None or size < 0 else min(size, left)
    pieces = []
    while size:
      piece = self._ask(self._place, min(size, _MOST))
      if not piece:
        break
      pieces.append(piece)
      self._place += len(piece)
      size -= len(piece)
    return b''.join(pieces)

  def readinto(self, buffer):
    data = self.read(len(buffer))
    buffer[:len(data)] = data
    return len(data)


def _exactly(connection, count) -> bytes:
  data = bytearray(count)
  view = memoryview(data)
  while view:
    got = connection.recv_into(view)
    if not got:
      raise LostError
    view = view[got:]
  return bytes(data)


def replaced(arguments: Any, path: str, connection: socket.socket) -> Any:
  """The arguments, with what opens through the socket in place of path."""
  place = type('_Served', (_Path,), {'connection': connection})(path)

  def one(value):
    if value == path:
      return place
    if dataclasses.is_dataclass(value) and getattr(value, 'path', '') == path:
      return dataclasses.replace(value, path=place)
    return value

  return tuple(one(a) for a in arguments)


def serve(
    path: Any, connection: socket.socket, failures: list[Exception]
) -> None:
  """Answers until the other end is closed.

  Args:
    path: of a vault.
    connection: is closed at the end.
    failures: gets what kept the file from being opened.
  """
  with connection:
    try:
      with path.open('rb') as file:
        _give(file, connection)
    except (LostError, ConnectionError):  # It is not wanted any more.
      return
    except Exception as error:  # Of the vault; told where frames are used.
      failures.append(error)


def _give(file, connection):
  size = file.seek(0, os.SEEK_END)
  while True:
    offset, count = _ASKED.unpack(_exactly(connection, _ASKED.size))
    if not count:
      connection.sendall(_GIVEN.pack(size))
      continue
    file.seek(offset)
    data = file.read(min(count, _MOST)) or b''
    connection.sendall(_GIVEN.pack(len(data)) + data)
