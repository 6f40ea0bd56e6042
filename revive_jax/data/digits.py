"""Pictures of handwritten digits: MNIST, or an embedded set for offline use."""

from collections.abc import Sequence
import gzip
import hashlib
import http.client
import os
import pathlib
import urllib.request
import zlib

import cv2
import numpy as np
import tensorflow_datasets as tfds

from revive_jax import types

SIDE = 28
_TEST_EVERY = 6  # One of so many embedded digits is kept for tests.
_URL = 'https://storage.googleapis.com/cvdf-datasets/mnist/'
_FILES = {split: [f'{name}-{kind}-ubyte.gz'
                  for kind in ('images-idx3', 'labels-idx1')]
          for split, name in (('train', 'train'), ('test', 't10k'))}


def embedded(split: str = 'train') -> list[dict[str, np.ndarray]]:
  """The 1797 digits that ship with scikit-learn, laid out as MNIST is.

  Of 8 x 8 px and 17 greys (Alpaydin and Kaynak 1998, doi:10.24432/C50P49);
  enlarged to 20 x 20, within 28 x 28. No network is needed.

  Args:
    split: 'train', or 'test': every sixth.

  Returns:
    [{'image': [28, 28, 1] uint8, 'label': [] int64}].
  """
  from sklearn import datasets  # A second to import, and only for this.
  found = datasets.load_digits()
  chosen = np.arange(len(found.target)) % _TEST_EVERY == 0
  if split == 'train':
    chosen = ~chosen
  return [{'image': _enlarged(image), 'label': np.int64(label)}
          for image, label in zip(found.images[chosen], found.target[chosen],
                                  strict=True)]


def _enlarged(image: np.ndarray) -> np.ndarray:
  """[8, 8] in [0, 16] to [28, 28, 1] uint8."""
  large = cv2.resize(
      image.astype(np.float32) * (255 / 16), (20, 20),
      interpolation=cv2.INTER_CUBIC)
  codes = np.round(np.clip(large, 0, 255)).astype(np.uint8)
  return np.pad(codes, 4)[..., None]


class DigitRecords(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """MNIST (LeCun et al. 1998) as array_record, without TensorFlow."""

  VERSION = tfds.core.Version('1.0.0')

  def __init__(self, *, root: str = '', **kwargs):
    """root: the folder of the four files; '': they are fetched."""
    self._root = root
    super().__init__(file_format='array_record', **kwargs)

  def _info(self) -> tfds.core.DatasetInfo:
    return self.dataset_info_from_configs(
        description='Handwritten digits.',
        features=tfds.features.FeaturesDict({
            'image': tfds.features.Tensor(
                shape=(SIDE, SIDE, 1), dtype=np.uint8, encoding='zlib'),
            'label': np.int64}),
        supervised_keys=('image', 'label'))

  def _split_generators(self, dl_manager):
    if self._root:
      paths = _paths(self._root)
    else:
      paths = dl_manager.download(
          {split: [_URL + n for n in pair] for split, pair in _FILES.items()})
    return {split: self._generate_examples(*pair)
            for split, pair in paths.items()}

  def _generate_examples(self, images, labels):
    pictures, numbers = read_idx(images), read_idx(labels)
    if (pictures.shape[1:] != (SIDE, SIDE)
        or numbers.shape != pictures.shape[:1]):
      raise types.BadInput(
          f'{images}: pictures {pictures.shape} and labels {numbers.shape} are '
          'not those of MNIST.')
    for i, (image, label) in enumerate(zip(pictures, numbers, strict=True)):
      yield i, {'image': image[..., None], 'label': np.int64(label)}


def mnist(
    split: str = 'train', *, root: str = '', prepared: str = ''
) -> Sequence[dict[str, np.ndarray]]:
  """MNIST by index, as embedded(); prepared once, then read.

  Args:
    split: 'train' or 'test'.
    root: the folder of its four files, `train-images-idx3-ubyte.gz` and so on;
      '': they are fetched.
    prepared: where the records are, or go; '': TFDS's own folder. Those of
      other files are kept apart.

  Raises:
    types.BadInput: the files are not there, or are not MNIST's.
  """
  place = pathlib.Path(prepared or tfds.core.constants.DATA_DIR)
  builder = DigitRecords(
      root=root, data_dir=place / (_fingerprint(root) if root else 'fetched'))
  if not root and not builder.is_prepared():
    _check_network()
  try:
    builder.download_and_prepare()
  except types.BadInput:
    raise
  except (OSError, ValueError) as error:
    raise types.BadInput(
        f'MNIST cannot be prepared in {place} ({error}); choose another folder '
        'with --config.data.prepared.') from error
  return builder.as_data_source(split)


def _paths(root: str) -> dict[str, list[pathlib.Path]]:
  """The files in a folder, by split."""
  paths = {split: [pathlib.Path(root) / n for n in pair]
           for split, pair in _FILES.items()}
  missing = [p for pair in paths.values() for p in pair if not p.is_file()]
  if missing:
    raise types.BadInput(
        f'{missing[0]}: there is no such file; name the folder of the four .gz '
        'files of MNIST with --config.data.root.')
  return paths


def _fingerprint(root: str) -> str:
  """A name for the files in a folder, by their contents."""
  digest = hashlib.sha256()
  for pair in _paths(root).values():
    for path in pair:
      digest.update(path.read_bytes())
  return digest.hexdigest()[:12]


def _check_network() -> None:
  """Refuses at once where nothing can be fetched: TFDS tries for minutes."""
  try:
    with urllib.request.urlopen(_URL + _FILES['test'][1], timeout=10):
      pass
  except (OSError, http.client.HTTPException) as error:
    raise types.BadInput(
        f'MNIST cannot be fetched ({error}); name the folder of its four .gz '
        'files with --config.data.root, or use --config.data.name=embedded.'
    ) from error


def read_idx(path: str | os.PathLike) -> np.ndarray:
  """The array of a gzipped idx file of bytes.

  The format: http://yann.lecun.com/exdb/mnist, two zeros, the type (8: uint8),
  the number of axes, the size of each (big-endian int32), then the data.

  Raises:
    types.BadInput: it is no such file, or it ends early.
  """
  try:
    data = gzip.decompress(pathlib.Path(path).read_bytes())
  except (OSError, EOFError, zlib.error) as error:
    raise types.BadInput(
        f'{path}: no gzip file, or damaged ({error}).') from error
  axes = data[3] if len(data) > 3 else 0
  if data[:3] != b'\0\0\x08' or len(data) < 4 + 4 * axes:
    raise types.BadInput(f'{path}: no idx file of bytes.')
  shape = np.frombuffer(data, '>u4', axes, 4)
  values = np.frombuffer(data, np.uint8, offset=4 + 4 * axes)
  if values.size != shape.prod(dtype=np.float64):
    raise types.BadInput(
        f'{path}: {values.size} bytes of data instead of '
        f'{shape.prod(dtype=np.float64):.0f}; it ends early, fetch it again.')
  return values.reshape(shape)
