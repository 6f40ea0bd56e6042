"""Sealed files: encrypted on the disk, and nothing in them changes unseen.

A header, the chunks of 1 MiB, and an index:

  header  magic, version, how the master key is made (scrypt: salt and cost),
          which one it is, the file's number, and the key of the file, which is
          wrapped by the master key; the wrapping authenticates all of it
  chunks  AES-256-GCM of 1 MiB each (the last may be shorter), one after the
          other; authenticated with the file's number, the chunk's, and whether
          it is the last
  index   AES-GCM of the length and of each chunk's nonce; then the length

Every file has a key of its own. A chunk may be written again (muxers go back to
their headers), each time with a fresh random nonce: 2^32 of them are safe under
one key. Since the index names the nonces, an older version of a chunk is not
taken for the newest one either. A file that was not closed has no index, and is
refused.
"""

from collections.abc import Iterator
import contextlib
import functools
import io
import os
import struct
from typing import NamedTuple

from cryptography import exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import hkdf, scrypt

from revive_jax import files, types

CHUNK = 1 << 20  # Bytes.
MAGIC = b'RJSEALED'
# Version, kind of key, log2 N, r and p of scrypt; salt, which master key, file.
_HEADER = struct.Struct('>8sBBBBB3x16s8s16s')
_NONCE, _TAG, _WRAPPED = 12, 16, 48
_START = _HEADER.size + _NONCE + _WRAPPED  # Where the first chunk lies.
_LENGTH = struct.Struct('>Q')
_PLACE = struct.Struct('>16sQB')
_KEY, _PASSPHRASE = 0, 1
_KEPT = 4  # Chunks that a reader holds.
# A header must not make us spend more than 1 GiB and some seconds.
_LOG2_N, _R, _P = (10, 20), (1, 8), (1, 4)
_CHANGED = ('was changed since it was sealed, or is damaged; nothing of it is '
            'used, so take another copy of it')


class WrongKeyError(types.BadInput):
  """A file is sealed with another key than the one at hand."""


class CutOffError(types.BadInput):
  """A sealed file that was never finished, or lost its end."""


class _Cost(NamedTuple):
  """Of scrypt: 128 r 2^log2_n bytes of memory."""

  log2_n: int = 17
  r: int = 8
  p: int = 1


class MasterKey:
  """What wraps the keys of files: 32 bytes, or a passphrase."""

  def __init__(self, secret: bytes, *, is_passphrase: bool = False,
               log2_n: int = 17):
    """log2_n: cost of guessing a passphrase, see scrypt."""
    if not is_passphrase and len(secret) != 32:
      raise ValueError(f'A key of {len(secret)} bytes, not of 32.')
    self.is_passphrase = is_passphrase
    self._secret = secret
    self._cost = _Cost(log2_n if is_passphrase else 0)
    self._salt = os.urandom(16) if is_passphrase else bytes(16)
    self._derived = {}  # By salt and cost: each takes half a second.

  def _bytes(self, salt, cost) -> bytes:
    if not self.is_passphrase:
      return self._secret
    if (salt, cost) not in self._derived:
      self._derived[salt, cost] = scrypt.Scrypt(
          salt, 32, 2**cost.log2_n, cost.r, cost.p).derive(self._secret)
    return self._derived[salt, cost]

  def header(self, key: bytes, number: bytes) -> bytes:
    """The header of a new file: its key, wrapped, and its number."""
    master = self._bytes(self._salt, self._cost)
    start = _HEADER.pack(
        MAGIC, 1, _PASSPHRASE if self.is_passphrase else _KEY, *self._cost,
        self._salt, _name(master), number)
    nonce = os.urandom(_NONCE)
    return start + nonce + aead.AESGCM(master).encrypt(
        nonce, key, start + nonce)

  def unwrap(self, header: bytes, path) -> tuple[bytes, bytes]:
    """The key and the number of a file, by its header.

    Raises:
      types.BadInput: it was changed, or is no header.
      WrongKeyError: it is of another key.
    """
    if header[:len(MAGIC)] != MAGIC:
      kind = CutOffError if MAGIC.startswith(header) else types.BadInput
      raise kind(f'{path}: this file is not sealed.')
    if len(header) < _START:
      raise CutOffError(f'{path}: {_cut(len(header))}')
    _, version, kind, *cost, salt, name, number = _HEADER.unpack_from(header)
    cost = _Cost(*cost)
    if version != 1:
      raise types.BadInput(
          f'{path}: sealed by another version of this program ({version}); '
          'open it with a newer one.')
    self._check(kind, cost, path)
    master = self._bytes(salt, cost)
    if name != _name(master):
      raise WrongKeyError(
          f'{path}: sealed with another key; give the one that it was sealed '
          'with by --config.encrypt.')
    sealed = header[-_WRAPPED:]
    nonce = header[-_WRAPPED - _NONCE:-_WRAPPED]
    with _refused(path):
      return aead.AESGCM(master).decrypt(
          nonce, sealed, header[:-_WRAPPED]), number

  def _check(self, kind, cost, path) -> None:
    if kind != (_PASSPHRASE if self.is_passphrase else _KEY):
      raise WrongKeyError(
          f'{path}: sealed with a passphrase; set '
          '--config.encrypt.key=passphrase.' if kind else
          f'{path}: sealed with a key, not with a passphrase; name it with '
          '--config.encrypt.key=keyring or file:PATH.')
    if self.is_passphrase and not all(
        low <= value <= high for value, (low, high) in
        zip(cost, (_LOG2_N, _R, _P), strict=True)):
      raise types.BadInput(f'{path}: {_CHANGED}.')


def _name(master: bytes) -> bytes:
  """Tells one master key from another, and nothing about it."""
  return hkdf.HKDFExpand(hashes.SHA256(), 8, b'revive_jax: name').derive(
      master)


def _cut(size: int) -> str:
  return (f'the sealed file is cut off, or was never finished ({size} bytes); '
          'take another copy of it.')


@contextlib.contextmanager
def _refused(path) -> Iterator[None]:
  try:
    yield
  except exceptions.InvalidTag:
    raise types.BadInput(f'{path}: {_CHANGED}.') from None


def is_sealed(path: str | os.PathLike) -> bool:
  """Whether a file begins as sealed ones do."""
  try:
    with open(path, 'rb') as file:
      return file.read(len(MAGIC)) == MAGIC
  except OSError:
    return False


class _Chunks:
  """The chunks of an open file, each where it belongs."""

  def __init__(self, file, path, key: bytes, number: bytes):
    self.file, self.path = file, path
    self._cipher, self._number = aead.AESGCM(key), number
    self.nonces, self.length = [], 0

  def get(self, number: int, *, last: bool) -> bytes:
    """The content of a chunk; BadInput if it is not what was sealed."""
    size = min(CHUNK, self.length - number * CHUNK)
    self.file.seek(_START + number * (CHUNK + _TAG))
    with _refused(self.path):
      return self._cipher.decrypt(
          self.nonces[number], self.file.read(size + _TAG),
          _PLACE.pack(self._number, number, last))

  def put(self, number: int, content, *, last: bool) -> None:
    """Writes a chunk, under a nonce that was never used."""
    nonce = os.urandom(_NONCE)
    self.file.seek(_START + number * (CHUNK + _TAG))
    self.file.write(self._cipher.encrypt(
        nonce, content, _PLACE.pack(self._number, number, last)))
    self.nonces[number:number + 1] = [nonce]

  def put_index(self) -> None:
    """Ends the file."""
    length, nonce = _LENGTH.pack(self.length), os.urandom(_NONCE)
    self.file.seek(_START + self.length + _TAG * len(self.nonces))
    self.file.write(nonce + self._cipher.encrypt(
        nonce, b''.join((length, *self.nonces)), b'index' + self._number))
    self.file.write(length)
    self.file.truncate()

  def get_index(self) -> None:
    """Reads which chunks there are."""
    size = self.file.seek(0, os.SEEK_END)
    self.file.seek(max(_START, size - _LENGTH.size))
    end = self.file.read()
    self.length = (_LENGTH.unpack(end)[0] if len(end) == _LENGTH.size else 0)
    count = -(-self.length // CHUNK)
    start = _START + self.length + _TAG * count
    sealed = _NONCE + _LENGTH.size + _NONCE * count + _TAG
    if size != start + sealed + _LENGTH.size:
      raise CutOffError(f'{self.path}: {_cut(size)}')
    self.file.seek(start)
    index = self.file.read(sealed)
    with _refused(self.path):
      index = self._cipher.decrypt(
          index[:_NONCE], index[_NONCE:], b'index' + self._number)
    if index[:_LENGTH.size] != end:
      raise types.BadInput(f'{self.path}: {_CHANGED}.')
    self.nonces = [index[i:i + _NONCE] for i in
                   range(_LENGTH.size, len(index), _NONCE)]


class _Sealed(io.RawIOBase):
  """What reading and writing have in common; reads are never short."""

  def __init__(self, chunks, name):
    self._chunks, self._at = chunks, 0
    self.name = name  # By which FFmpeg guesses the format.

  def seekable(self):
    return True

  def readable(self):
    return True

  def fileno(self):
    return self._chunks.file.fileno()

  def tell(self):
    return self._at

  def seek(self, offset, whence=os.SEEK_SET):
    at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at,
                   os.SEEK_END: self._chunks.length}[whence]
    if at < 0:
      raise ValueError(f'Cannot seek to {at}.')
    self._at = at
    return at

  def readinto(self, buffer):
    view, done = memoryview(buffer).cast('B'), 0
    stop = min(len(view), max(0, self._chunks.length - self._at))
    while done < stop:
      number, first = divmod(self._at, CHUNK)
      piece = memoryview(self._content(number))[
          first:first + stop - done]
      view[done:done + len(piece)] = piece
      done += len(piece)
      self._at += len(piece)
    return done

  def close(self):
    if not self.closed:
      try:
        super().close()
      finally:
        self._chunks.file.close()


class Reader(_Sealed):
  """A sealed file that is read; seekable."""

  def __init__(self, chunks, name):
    super().__init__(chunks, name)
    chunks.get_index()
    self._content = functools.lru_cache(_KEPT)(lambda number: chunks.get(
        number, last=number + 1 == len(chunks.nonces)))


class Writer(_Sealed):
  """A sealed file that is written; one may go back, and read what is there.

  No byte is on the disk unencrypted. Without close() the file is not finished.
  """

  def __init__(self, chunks, name, *, again: bool = False):
    """again: the file is finished, and is changed now."""
    super().__init__(chunks, name)
    self._number, self._buffer, self._dirty = 0, bytearray(), False
    if again:
      chunks.get_index()
      if chunks.nonces:  # The last one may not be the last for long.
        self._number = len(chunks.nonces) - 1
        self._buffer = bytearray(chunks.get(self._number, last=True))
        self._dirty = True

  def writable(self):
    """Whether it can be written: it can."""
    return True

  def _content(self, number):
    """The chunk of a number, which from now on is the one in memory."""
    if number != self._number:
      self._store(last=False)
      there = number < len(self._chunks.nonces)
      self._buffer = bytearray(
          self._chunks.get(number, last=False) if there else b'')
      self._number = number
    return self._buffer

  def _store(self, *, last):
    if self._dirty or last:
      self._chunks.put(self._number, self._buffer, last=last)
      self._dirty = False

  def write(self, data):
    """Writes all of data at the place where the file is; returns its length."""
    view, chunks = memoryview(data).cast('B'), self._chunks
    if self._at > chunks.length:  # What was skipped is zero.
      at, self._at = self._at, chunks.length
      while self._at < at:
        self.write(bytes(min(CHUNK, at - self._at)))
    done = 0
    while done < len(view):
      number, first = divmod(self._at, CHUNK)
      piece = view[done:done + CHUNK - first]
      buffer = self._content(number)
      buffer[first:first + len(piece)] = piece
      self._dirty = True
      done += len(piece)
      self._at += len(piece)
      chunks.length = max(chunks.length, self._at)
    return done

  def close(self):
    """Ends the file; only then is it whole."""
    if self.closed:
      return
    try:
      if self._chunks.length:
        self._content((self._chunks.length - 1) // CHUNK)
        self._store(last=True)
      self._chunks.put_index()
    finally:
      super().close()


def open_sealed(path: str, mode: str, master: MasterKey) -> _Sealed:
  """Opens a file: see vault.Vault.open."""
  if mode not in ('rb', 'wb', 'r+b'):
    raise ValueError(f'Sealed files cannot be opened with {mode!r}.')
  name = str(files.opened_name(path))
  file = open(path, 'w+b' if mode == 'wb' else mode)
  try:
    if mode == 'wb':
      secret, number = os.urandom(32), os.urandom(16)
      file.write(master.header(secret, number))
      return Writer(_Chunks(file, path, secret, number), name)
    found = _Chunks(file, path, *master.unwrap(file.read(_START), path))
    return (Reader(found, name) if mode == 'rb' else
            Writer(found, name, again=True))
  except BaseException:
    file.close()
    raise
