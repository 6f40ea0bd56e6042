"""Tests of messages between processes."""

import fractions
import io
import json
import pathlib
import struct

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.video import extras, formats, messages, reader


def _sent(*pieces):
  """What received() reads from these bytes."""
  stream = io.BytesIO(b''.join(bytes(p) for p in pieces))

  def read(view):
    data = stream.read(len(view))
    if len(data) < len(view):
      raise EOFError
    view[:] = data

  found = messages.received(read)
  assert not stream.read()
  return found


def _raw(header, *rest):
  text = json.dumps(header).encode()
  return struct.pack('<I', len(text)) + text, *rest


class MessagesTest(parameterized.TestCase):

  def test_values(self):
    value = {
        'none': None, 'flag': True, 1: -2.5, 'text': 'Gr\u00fc\u00dfe "\n',
        'rate': fractions.Fraction(30000, 1001), 'data': b'\0\xff', 'no': b'',
        'nested': [(1, [2, ()]), {'a': (3,)}], 'infinite': float('inf')}
    found = _sent(*messages.packed(value))
    self.assertEqual(found, value)
    self.assertIsInstance(found['nested'][0], tuple)
    self.assertIs(found['flag'], True)

  @parameterized.parameters('uint8', 'uint16', 'float32', 'bool', 'int64')
  def test_arrays(self, dtype):
    value = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for array in (value, value[:, ::2].transpose(2, 0, 1), value[:0]):
      found = _sent(*messages.packed([array]))[0]
      np.testing.assert_array_equal(found, array)
      self.assertEqual((found.dtype, found.shape), (array.dtype, array.shape))

  def test_records(self):
    layout = formats.layout('yuv420p10le', 1, 0, 480, 1)
    frame = reader.SourceFrame(
        3, 40, None, (np.ones((2, 3), np.uint16),), layout, 'damaged', True)
    found = _sent(*messages.packed(frame))
    self.assertEqual(found.layout, layout)
    self.assertEqual((found.index, found.pts, found.concealed), (3, 40,
                                                                'damaged'))
    held = extras.Extras(metadata={'title': 'x'}, chapters=({'id': 1},))
    self.assertEqual(_sent(*messages.packed(held)), held)
    self.assertEqual(_sent(*messages.packed(pathlib.Path('a/b'))), 'a/b')

  @parameterized.parameters(
      ({'record': ['Popen', {'args': 'true'}]},),
      ({'record': ['Layout', {'surprise': 1}]},),
      ({'array': ['object', [1]]},), ({'array': ['uint8', [-1]]},),
      ({'array': ['uint8', [1 << 40]]},), ({'array': ['uint8', 'xx']},),
      ({'fraction': [1, 0]},), ({'tuple': 3},),
      ({'map': [[{'list': []}, 1]]},), ({'unknown': []},), ({},),
      ({'list': [], 'tuple': []},), ([1, 2],))
  def test_what_is_no_message(self, header):
    with self.assertRaises(messages.BrokenError):
      _sent(*_raw(header))

  def test_bytes_that_are_none(self):
    for data in (b'\xff\xff\xff\xff', b'\2\0\0\0{]', b'\1\0\0\0\xff'):
      with self.assertRaises(messages.BrokenError):
        _sent(data)
    deep = b'{"list":[' * 3000
    with self.assertRaises(messages.BrokenError):
      _sent(struct.pack('<I', len(deep)), deep)


if __name__ == '__main__':
  absltest.main()
