"""Messages between processes: plain values, never code.

A message is a JSON header, which names what a value is made of, and the bytes
of its arrays. What comes from a process that may have been taken over is
checked: only the records that are listed here are made, arrays only of known
types, and of as many bytes as they say.
"""

from collections.abc import Callable
import dataclasses
import fractions
import functools
import importlib
import json
import math
import os
import struct
from typing import Any

import numpy as np

_HEAD = struct.Struct('<I')
_LONGEST = 1 << 24  # Bytes of a header.
_LARGEST = 1 << 32  # Bytes of arrays in one message.
_DTYPES = ('bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'int64',
           'float32', 'float64')
_RECORDS = {
    'VideoInfo': 'probe', 'AudioInfo': 'probe', 'Layout': 'formats',
    'Decision': 'deinterlace', 'Segment': 'interlace', 'Extras': 'extras',
    'Static': 'hdr', 'SourceFrame': 'reader'}


class BrokenError(Exception):
  """What came is no message."""


@functools.cache
def _record(name: str) -> type:
  # Late: those files read films through this one.
  return getattr(
      importlib.import_module(f'revive_jax.video.{_RECORDS[name]}'), name)


def packed(value: Any) -> list[Any]:
  """The pieces of a message, to be sent one after the other.

  value: numbers, text, bytes, fractions, lists, tuples and mappings, arrays,
  and the records of this package; of these, what is not data is left out.
  """
  arrays = []
  header = json.dumps(_plain(value, arrays)).encode()
  return [_HEAD.pack(len(header)) + header,
          *(memoryview(a).cast('B') for a in arrays if a.nbytes)]


def received(read: Callable[[memoryview], None]) -> Any:
  """The next message.

  Args:
    read: fills a buffer, whatever it takes.

  Raises:
    BrokenError: it is none.
  """
  head = bytearray(_HEAD.size)
  read(memoryview(head))
  length, = _HEAD.unpack(head)
  if length > _LONGEST:
    raise BrokenError(f'a header of {length} bytes')
  header = bytearray(length)
  read(memoryview(header))
  try:
    return _value(json.loads(header), read)
  except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError,
          ValueError) as error:
    raise BrokenError(f'{type(error).__name__}: {error}') from error


def _plain(value, arrays):
  if value is None or isinstance(value, (bool, int, float, str)):
    return value
  if isinstance(value, os.PathLike):  # Of a vault, too: its key stays here.
    return os.fspath(value)
  if isinstance(value, (list, tuple)):
    return {'tuple' if isinstance(value, tuple) else 'list': [
        _plain(v, arrays) for v in value]}
  if isinstance(value, fractions.Fraction):
    return {'fraction': [value.numerator, value.denominator]}
  if isinstance(value, bytes):
    return {'bytes': _plain(np.frombuffer(value, np.uint8), arrays)}
  if isinstance(value, np.generic):
    return value.item()
  if isinstance(value, np.ndarray):
    arrays.append(np.ascontiguousarray(value))
    return {'array': [value.dtype.name, list(value.shape)]}
  if dataclasses.is_dataclass(value):
    return {'record': [type(value).__name__, {
        f.name: _plain(part, arrays) for f in dataclasses.fields(value)
        if not callable(part := getattr(value, f.name))}]}
  return {'map': [[_plain(k, arrays), _plain(v, arrays)]
                  for k, v in value.items()]}


def _value(plain, read):
  if not isinstance(plain, dict):
    if isinstance(plain, list):
      raise TypeError('a bare list')
    return plain
  (kind, inner), = plain.items()
  if kind in ('tuple', 'list'):
    return (tuple if kind == 'tuple' else list)(
        [_value(v, read) for v in inner])
  if kind == 'fraction':
    return fractions.Fraction(*inner)
  if kind == 'bytes':
    return _value(inner, read).tobytes()
  if kind == 'array':
    return _array(*inner, read)
  if kind == 'map':
    return {_value(k, read): _value(v, read) for k, v in inner}
  name, fields = inner
  return _record(name)(**{k: _value(v, read) for k, v in fields.items()})


def _array(dtype, shape, read):
  if dtype not in _DTYPES or any(
      not isinstance(n, int) or n < 0 for n in shape):
    raise ValueError(f'an array of {dtype} {shape}')
  if math.prod(shape) * np.dtype(dtype).itemsize > _LARGEST:
    raise ValueError(f'an array of {shape}')
  array = np.empty(shape, dtype)
  if array.nbytes:
    read(memoryview(array).cast('B'))
  return array
