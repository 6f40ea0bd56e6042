"""ONNX files made by hand, byte for byte: no library of it is needed.

The format is protobuf (github.com/onnx/onnx, onnx.proto): a field is its number
and kind, then a number, or a length and bytes.
"""

import numpy as np


def _number(n: int) -> bytes:
  found = b''
  while True:
    found += bytes([(n & 127) | (128 if n > 127 else 0)])
    n >>= 7
    if not n:
      return found


def _field(number: int, value: int | str | bytes) -> bytes:
  if isinstance(value, int):
    return _number(number << 3) + _number(value)
  value = value.encode() if isinstance(value, str) else value
  return _number(number << 3 | 2) + _number(len(value)) + value


def _tensor(name, array):
  array = np.asarray(array, np.float32)
  return b''.join(_field(1, d) for d in array.shape) + _field(2, 1) + _field(
      8, name) + _field(9, array.tobytes())


def _value(name, shape):
  sides = b''.join(_field(1, _field(1, d)) for d in shape)
  return _field(1, name) + _field(2, _field(
      1, _field(1, 1) + _field(2, sides)))


def _node(op, inputs, outputs, **numbers):
  return b''.join([
      *(_field(1, x) for x in inputs), *(_field(2, x) for x in outputs),
      _field(4, op),
      *(_field(5, _field(1, name) + b''.join(_field(8, v) for v in values)
               + _field(20, 7)) for name, values in numbers.items())])


def _model(nodes, tensors, inputs, outputs):
  graph = b''.join([
      *(_field(1, n) for n in nodes), _field(2, 'graph'),
      *(_field(5, t) for t in tensors), *(_field(11, v) for v in inputs),
      *(_field(12, v) for v in outputs)])
  return _field(1, 8) + _field(7, graph) + _field(
      8, _field(1, '') + _field(2, 11))


def means(side: int = 112, block: int = 28) -> bytes:
  """An embedding: the means of blocks of [1, 3, side, side]."""
  count = 3 * (side // block) ** 2
  return _model(
      [_node('AveragePool', ['x'], ['p'], kernel_shape=[block] * 2,
             strides=[block] * 2),
       _node('Flatten', ['p'], ['y'])],
      [], [_value('x', [1, 3, side, side])], [_value('y', [1, count])])


def bright_faces(side: int = 64, large: float = 5.0) -> bytes:
  """A detector with YuNet's twelve outputs: white blocks of 8 px are faces.

  large: side of the faces, in blocks.
  """
  nodes, tensors, outputs = [], [], []
  for step in (8, 16, 32):
    cells = (side // step) ** 2
    for name, bias in (('cls', [0.0]), ('obj', [0.0]),
                       ('bbox', [0.5, 0.5, *[np.log(large)] * 2]),
                       ('kps', [0.0] * 10)):
      out = f'{name}_{step}'
      weight = np.zeros((len(bias), 3, step, step))
      if step == 8 and name in ('cls', 'obj'):
        weight += 1 / (3 * 255 * step**2)
      tensors += [_tensor(f'{out}w', weight), _tensor(f'{out}b', bias)]
      nodes += [
          _node('Conv', ['x', f'{out}w', f'{out}b'], [f'{out}c'],
                kernel_shape=[step] * 2, strides=[step] * 2),
          _node('Transpose', [f'{out}c'], [out], perm=[0, 2, 3, 1])]
      outputs.append(_value(out, [1, cells, len(bias)]))
  return _model(nodes, tensors, [_value('x', [1, 3, side, side])], outputs)
