"""Tests of data/mixture.py: which sources, and their shares."""

from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import mixture, motion, sources
from tests.data import clips


class _Clips:
  """A data set of clips [T, 24, 32, 3]."""

  def __init__(self, num_frames):
    self._clip = np.zeros((num_frames, 24, 32, 3), np.uint8)

  def __len__(self):
    return 3

  def __getitem__(self, index):
    return {'clip': self._clip}


class MixtureTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.root = self.create_tempdir().full_path
    clips.write_pictures(f'{self.root}/photos', 12)
    clips.write_pictures(f'{self.root}/faces', 3)

  def _mixture(self, **values):
    settings = dict(
        root='', tfds='', tfds_dir='', tfds_split='train', photos=(),
        photo_share=0.4, look_alike_share=0.0, held_out=(), num_frames=3,
        size=16, seed=0) | values
    return mixture.mixture(**settings)

  def test_shares(self):
    photos = [f'{self.root}/photos', f'{self.root}/faces']
    found, shares = self._mixture(photos=photos)
    self.assertEqual(shares, [0.5, 0.5])
    # Every tenth picture is held out; a clip is larger than what is cropped.
    self.assertLen(found[0], 11 * 1000)
    self.assertEqual(found[0][0]['clip'].shape, (3, 32, 32, 3))
    with mock.patch.object(sources, 'TfdsSource', lambda *_: _Clips(5)):
      found, shares = self._mixture(photos=photos, tfds='films')
      np.testing.assert_allclose(shares, [0.6, 0.2, 0.2])
      self.assertEqual(self._mixture(tfds='films')[1], [1])

  def test_of_several_folders_each_is_drawn_from_by_its_size(self):
    with mock.patch.object(
        sources, 'VideoFolder',
        lambda root, **_: [root] * (3 if root.name == 'a' else 9)):
      found, shares = self._mixture(
          root=f'{self.root}/a,{self.root}/b', photos=[f'{self.root}/faces'])
    self.assertEqual([len(source) for source in found[:2]], [3, 9])
    np.testing.assert_allclose(shares, [0.15, 0.45, 0.4])

  def test_images_of_a_data_set_are_set_in_motion(self):
    for length, kind in ((1, motion.Photographs), (5, _Clips)):
      with mock.patch.object(sources, 'TfdsSource', lambda *_: _Clips(length)):  # noqa: B023
        (found,), _ = self._mixture(tfds='films')
      self.assertIsInstance(found, kind)

  def test_names_to_be_held_out(self):
    folder = f'{self.root}/videos'
    for name in ('a', 'b'):
      picture, = clips.write_pictures(f'{folder}/{name}', 1)
      for k in range(1, 9):  # A camera that pans: one shot of nine frames.
        cv2.imwrite(f'{folder}/{name}/p{k:03d}.png',
                    np.roll(picture[..., ::-1], k, 1))
    source = self._mixture(root=folder, held_out=['b'])[0][0]
    self.assertEqual(source.names, ['a'])
    pictures = [f'{self.root}/photos']
    self.assertEqual(
        mixture.names(root=folder, photos=(), held_out=['b']), ['a'])
    self.assertLen(mixture.names(root='', photos=pictures, held_out=()), 11)
    # Three frames at the longest stride, three: seven.
    self.assertEqual(source[0]['clip'].shape[0], 7)
    with self.assertRaisesRegex(types.BadInput, 'c is to be held out'):
      self._mixture(root=folder, held_out=['b', 'c'])
    with self.assertLogs(level='WARNING'):
      both = self._mixture(root=folder, held_out=['x', 'y'])[0][0]
    self.assertEqual(both.names, ['a', 'b'])


if __name__ == '__main__':
  absltest.main()
