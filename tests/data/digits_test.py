"""Tests of data/digits.py."""

import gzip
import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
from sklearn import datasets

from revive_jax import types
from revive_jax.data import digits


def _idx(values):
  """An idx file of bytes, by the description of its format."""
  head = bytes([0, 0, 8, values.ndim])
  sizes = b''.join(int(n).to_bytes(4, 'big') for n in values.shape)
  return gzip.compress(head + sizes + values.astype(np.uint8).tobytes())


def _write(folder, name, values):
  (pathlib.Path(folder) / f'{name}-ubyte.gz').write_bytes(_idx(values))


def write_all(folder, train=5, test=3):
  """A folder like MNIST's, of random pictures; returns them, by split."""
  rng = np.random.default_rng(0)
  result = {}
  for split, name, count in (
      ('train', 'train', train), ('test', 't10k', test)):
    images = rng.integers(0, 256, (count, 28, 28))
    labels = rng.integers(0, 10, count)
    _write(folder, f'{name}-images-idx3', images)
    _write(folder, f'{name}-labels-idx1', labels)
    result[split] = images, labels
  return result


class EmbeddedTest(absltest.TestCase):

  def test_all_of_them_once(self):
    train, test = digits.embedded('train'), digits.embedded('test')
    self.assertEqual((len(train), len(test)), (1497, 300))
    labels = [int(x['label']) for x in train + test]
    np.testing.assert_array_equal(
        np.bincount(labels), np.bincount(datasets.load_digits().target))

  def test_laid_out_as_mnist(self):
    image = digits.embedded('test')[0]['image']
    self.assertEqual((image.shape, image.dtype), ((28, 28, 1), np.uint8))
    self.assertGreater(image.max(), 240)
    self.assertFalse(image[:4].any() or image[:, -4:].any())
    # Shrunk again, it is the digit that it was.
    original = datasets.load_digits().images[0]
    small = image[4:24, 4:24, 0].reshape(4, 5, 4, 5).mean((1, 3))
    coarse = original.reshape(4, 2, 4, 2).mean((1, 3)) * 255 / 16
    self.assertGreater(np.corrcoef(small.ravel(), coarse.ravel())[0, 1], 0.98)


class MnistTest(parameterized.TestCase):

  def test_from_a_folder(self):
    folder = self.create_tempdir().full_path
    expected = write_all(folder)
    for _ in range(2):  # Written, then read as it is.
      for split, (images, labels) in expected.items():
        found = digits.mnist(split, root=folder, prepared=f'{folder}/records')
        found = [found[i] for i in range(len(found))]
        # TFDS shuffles the examples.
        key = lambda x: x.tobytes()
        self.assertEqual(
            sorted((key(x['image'][..., 0]), int(x['label'])) for x in found),
            sorted((key(x.astype(np.uint8)), int(y))
                   for x, y in zip(images, labels, strict=True)))

  def test_without_tensorflow(self):
    folder = self.create_tempdir().full_path
    write_all(folder)
    code = ('import sys; from revive_jax.data import digits; '
            f'print(len(digits.mnist("test", root={folder!r}, '
            f'prepared={folder + "/records"!r})), "tensorflow" in sys.modules)')
    run = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True,
        check=True)
    self.assertEqual(run.stdout.split()[-2:], ['3', 'False'])

  def test_refuses_a_folder_without_it(self):
    folder = self.create_tempdir().full_path
    with self.assertRaisesRegex(
        types.BadInput,
        '^[^ ]*train-images.*: there is no such file; [^;]*data.root.$'):
      digits.mnist(root=folder, prepared=f'{folder}/records')

  def test_other_files_have_other_records(self):
    first, second = (self.create_tempdir().full_path for _ in range(2))
    write_all(first)
    write_all(second, test=4)
    records = f'{first}/records'
    self.assertLen(digits.mnist('test', root=first, prepared=records), 3)
    self.assertLen(digits.mnist('test', root=second, prepared=records), 4)

  def test_refuses_other_pictures(self):
    folder = self.create_tempdir().full_path
    write_all(folder)
    _write(folder, 'train-images-idx3', np.zeros((5, 32, 32)))
    with self.assertRaisesRegex(types.BadInput, 'not those of MNIST'):
      digits.mnist(root=folder, prepared=f'{folder}/records')

  def test_refuses_at_once_without_a_network(self):
    folder = self.create_tempdir().full_path
    with mock.patch('urllib.request.urlopen', side_effect=OSError('no route')):
      with self.assertRaisesRegex(types.BadInput, 'no route.*embedded'):
        digits.mnist(prepared=f'{folder}/records')

  @parameterized.parameters(
      (b'not gzip', 'no gzip'),
      (_idx(np.zeros((3, 4)))[:12] + b'\xff\xff' + _idx(np.zeros(9))[14:],
       'damaged'),
      (gzip.compress(b'\0\0\x08\x05abcd'), 'no idx'),
      (gzip.compress(b'abcdef'), 'no idx'),
      (_idx(np.zeros((3, 4)))[:20], 'no gzip'),
      (gzip.compress(gzip.decompress(_idx(np.zeros((3, 4))))[:-1]),
       '11 bytes of data instead of 12'))
  def test_refuses_damaged_files(self, data, words):
    path = pathlib.Path(self.create_tempdir().full_path) / 'x.gz'
    path.write_bytes(data)
    with self.assertRaisesRegex(types.BadInput, words):
      digits.read_idx(path)


if __name__ == '__main__':
  absltest.main()
