"""Tests of benchmarks/quality_clips.py: nothing that was trained on is read."""

import pathlib
import shutil
from unittest import mock

from absl.testing import absltest, parameterized
import cv2
import numpy as np
import quality_clips
from revive_jax.configs import restorer

from revive_jax import types
from revive_jax.data import splits
from revive_jax.video import writer

# printf abc | sha256sum
_ABC = 'ba7816bf8f01cfea'


def _frames(count=6, height=80, width=160):
  rng = np.random.default_rng(0)
  ground = cv2.resize(rng.integers(0, 256, (5, 12, 3), np.uint8),
                      (width + 2 * count, height))
  return [ground[:, 2 * t:2 * t + width] for t in range(count)]


class QualityClipsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.root = self.dir / 'clips'
    self.root.mkdir()
    writer.write_rgb(self.root / 'a.mkv', _frames(), frame_rate=24)
    writer.write_rgb(self.root / 'b', _frames(), frame_rate=24)  # PNG.

  def _read(self, size=(64, 48), **more):
    return quality_clips.read(
        str(self.root), photos='', photo_clips=0, num_frames=4, size=size,
        seed=0, **{'clips': (), 'trained': {}} | more)

  def test_lists_contents_as_others_do(self):
    (self.dir / 'x').mkdir()
    for name in ('abc.txt', '0001.png'):
      (self.dir / 'x' / name).write_bytes(b'abc')
    self.assertEqual(quality_clips.listed([self.dir / 'x']),
                     {'abc.txt': _ABC, 'x/0001.png': _ABC})

  def test_reduces_and_cuts_to_one_size(self):
    for clip in self._read():
      self.assertEqual(clip.frames.shape, (4, 48, 64, 3))
    for clip in self._read(size=(480, 272)):  # Smaller ones stay.
      self.assertEqual(clip.frames.shape, (4, 80, 160, 3))

  @parameterized.parameters('a.mkv', 'b', 'b/00001.png')
  def test_refuses_names(self, name):
    with self.assertRaisesRegex(types.BadInput, 'of this name was trained on'):
      self._read(trained={name: _ABC})

  def test_refuses_names_that_weights_hold(self):
    with self.assertRaisesRegex(types.BadInput, r'a\.mkv.*trained on.*--clips'):
      self._read(names=['a.mkv'])

  def test_refuses_what_weights_keep_a_mark_of(self):
    found = mock.Mock(config={'trained_on': splits.marks(['clips/a.mkv'])})
    with mock.patch.object(
        quality_clips.weights, 'read_weights', lambda name: found):
      names = quality_clips.names_of_weights(['own'])
    with self.assertRaisesRegex(types.BadInput, r'a\.mkv.*trained on.*--clips'):
      self._read(names=names)
    self.assertLen(self._read(names=names, clips=['b']), 1)

  def test_refuses_contents_of_another_name(self):
    trained = quality_clips.listed([self.root])
    shutil.move(self.root / 'a.mkv', self.root / 'new.mkv')
    with self.assertRaisesRegex(types.BadInput, r'new\.mkv.*that of a\.mkv'):
      self._read(trained=trained, clips=['new.mkv'])
    shutil.move(self.root / 'b', self.root / 'c')  # A picture of a sequence.
    with self.assertRaisesRegex(types.BadInput, 'content is that of'):
      self._read(trained=trained, clips=['c'])

  def test_refuses_photographs(self):
    trained = quality_clips.listed([self.root / 'b'])
    (self.root / 'a.mkv').unlink()  # Those of the clips must not be in the way.
    (self.dir / 'photos').mkdir()
    shutil.move(next((self.root / 'b').iterdir()), self.dir / 'photos/one.png')
    shutil.rmtree(self.root / 'b')
    writer.write_rgb(self.root / 'c.mkv', _frames(), frame_rate=24)
    with self.assertRaisesRegex(types.BadInput, r'one\.png: its content'):
      quality_clips.read(
          str(self.root), clips=(), photos=str(self.dir / 'photos'),
          photo_clips=1, num_frames=4, size=(64, 48), seed=0, trained=trained)

  def test_refuses_to_measure_on_nothing(self):
    with self.assertRaisesRegex(types.BadInput, 'nothing to measure.*--root'):
      quality_clips.read('', clips=(), photos='', photo_clips=0, num_frames=4,
                         size=(64, 48), seed=0, trained={})
    with self.assertRaisesRegex(types.BadInput, 'has no c.mkv; it has a.mkv'):
      self._read(clips=['c.mkv'])

  def test_leaves_out_shapes_that_were_trained_on(self):
    folder = self.dir / 'textures'
    folder.mkdir()
    for i, name in enumerate(('a.png', 'b.png')):
      cv2.imwrite(str(folder / name), np.full((8, 8), 100 + i, np.uint8))
    read = lambda trained: quality_clips.read_textures(str(folder), trained)
    self.assertLen(read({}), 2)
    seen = {'renamed.png': quality_clips.digest(folder / 'a.png')}
    np.testing.assert_array_equal(read(seen), read({})[1:])
    self.assertIsNone(quality_clips.read_textures('', {}))
    with self.assertRaisesRegex(types.BadInput, '--textures: No PNG'):
      read(quality_clips.listed([folder]))

  def test_knows_what_ships_was_trained_on(self):
    known = {*quality_clips.trained(),
             *quality_clips.names_of_weights(['niqe'])}
    self.assertContainsSubset(restorer.get_config().data.held_out, known)
    self.assertIn('sam2_01_dog.mp4', known)


if __name__ == '__main__':
  absltest.main()
