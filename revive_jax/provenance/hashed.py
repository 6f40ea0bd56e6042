"""A C2PA manifest for a file that is told by its hash alone.

c2pa's Builder.sign keeps a copy of what it signs, in memory up to 512 MB and in
a temporary file beyond (measured with 0.38), also where nothing is to be put
into it. Its C interface takes the hash of the file instead ("data-hashed
embeddable"), which the Python one does not offer; what comes out is the same
manifest.
"""

import ctypes
import json
from typing import Any

_FORMAT = b'application/c2pa'  # As it is: not made to fit into anything.
_BYTES = ctypes.POINTER(ctypes.c_ubyte)
_NAMES = ('c2pa_builder_data_hashed_placeholder',
          'c2pa_builder_sign_data_hashed_embeddable')


def _library() -> Any:
  """c2pa's C interface, with the types of what is called."""
  from c2pa import c2pa

  library = c2pa._lib
  place, sign = (getattr(library, name) for name in _NAMES)
  place.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p,
                    ctypes.POINTER(_BYTES)]
  sign.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p,
                   ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(_BYTES)]
  place.restype = sign.restype = ctypes.c_int64
  return library


def sign(builder: Any, signer: Any, sha256: bytes) -> bytes:
  """The manifest of the file of a hash.

  Args:
    builder: c2pa.Builder.
    signer: c2pa.Signer.
    sha256: the digest, 32 bytes.

  Raises:
    c2pa.C2paError: C2PA does not accept the credential.
  """
  library = _library()
  # That there is to be a hash; what it would take in a file matters to nobody.
  _called(library, library.c2pa_builder_data_hashed_placeholder,
          builder._handle, signer.reserve_size(), _FORMAT)
  told = {'exclusions': [], 'name': 'jumbf manifest', 'alg': 'sha256',
          'hash': list(sha256), 'pad': []}
  return _called(library, library.c2pa_builder_sign_data_hashed_embeddable,
                 builder._handle, signer._handle, json.dumps(told).encode(),
                 _FORMAT, None)


def _called(library, function, *arguments) -> bytes:
  """What a function gives back, which is freed."""
  import c2pa

  given = _BYTES()
  length = function(*arguments, ctypes.byref(given))
  if length < 0:
    error = library.c2pa_error()
    text = ctypes.string_at(error).decode(errors='replace') if error else ''
    if error:
      library.c2pa_free(error)
    raise c2pa.C2paError(text or 'unknown')
  try:
    return ctypes.string_at(given, length)
  finally:
    library.c2pa_free(given)
