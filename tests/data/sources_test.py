"""Tests of the sources of clips."""

import io
import json
import os
import pathlib
import pickle
import sys
from unittest import mock

from absl.testing import absltest
import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

from revive_jax import types
from revive_jax.data import sources
from revive_jax.video import probe, reader
from tests.data import clips
from tests.video import clips as video_clips


class VideoFolderTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.root = self.create_tempdir().full_path
    self.paths = {}
    for i, name in enumerate(('a.mp4', 'b.h264')):
      frames, _ = clips.shots([11, 9], seed=i)
      self.paths[name] = video_clips.write(
          os.path.join(self.root, name), frames, options={'g': '7'})
    clips.write_pictures(os.path.join(self.root, 'frames'), 1)
    for k in range(7):
      picture = np.roll(clips.write_pictures(self.root + '/x', 1)[0], k, 1)
      PIL.Image.fromarray(picture).save(f'{self.root}/frames/p{k:03d}.png')
    os.remove(f'{self.root}/x/p000.png')

  def test_clips(self):
    source = sources.VideoFolder(self.root, num_frames=4)
    self.assertEqual(source.names, ['a.mp4', 'b.h264', 'frames'])
    # Shots of 11, 9 (twice) and 7 frames: 2 + 2, 2 + 2 and 1.
    self.assertLen(source, 9)
    for name, first in (('a.mp4', 0), ('b.h264', 4)):
      whole = [f.rgb for f in reader.read_frames(probe.probe(self.paths[name]))]
      for k, start in enumerate((0, 4, 11, 15)):
        np.testing.assert_array_equal(
            source[first + k]['clip'], whole[start:start + 4])
    self.assertEqual(source[8]['clip'].shape, (4, 60, 80, 3))

  def test_as_many_frames_as_the_shot_has(self):
    source = sources.VideoFolder(
        self.root, num_frames=4, longest=8, include=['a.mp4'])
    whole = [f.rgb for f in reader.read_frames(
        probe.probe(self.paths['a.mp4']))]
    # Of 11 frames 8, and 3 are too few; of 9 frames 8, and one.
    self.assertLen(source, 2)
    np.testing.assert_array_equal(source[0]['clip'], whole[:8])
    np.testing.assert_array_equal(source[1]['clip'], whole[11:19])

  def test_stride(self):
    source = sources.VideoFolder(
        self.root, num_frames=3, stride=3, include=['a.mp4'])
    whole = [f.rgb for f in reader.read_frames(
        probe.probe(self.paths['a.mp4']))]
    self.assertLen(source, 2)  # A span of 7 frames, once in 11 and in 9.
    np.testing.assert_array_equal(source[1]['clip'], whole[11:18:3])

  def test_a_held_out_name_never_appears(self):
    source = sources.VideoFolder(self.root, num_frames=4, exclude=['b.h264'])
    self.assertEqual(source.names, ['a.mp4', 'frames'])
    self.assertLen(source, 5)
    used = {source._videos[v].name for v, _ in source._clips}
    self.assertNotIn('b.h264', used)

  def test_pickled(self):
    source = sources.VideoFolder(self.root, num_frames=4)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(source[5]['clip'], again[5]['clip'])

  def test_refusals(self):
    with self.assertRaisesRegex(types.BadInput, 'holds no video'):
      sources.VideoFolder(self.create_tempdir().full_path, num_frames=4)
    with self.assertRaisesRegex(types.BadInput, 'no such folder'):
      sources.VideoFolder(self.root + '/none', num_frames=4)
    with self.assertRaisesRegex(types.BadInput, 'no shot has 12 frames'):
      sources.VideoFolder(self.root, num_frames=12)
    with self.assertRaisesRegex(types.BadInput, 'z.mp4 is to be included'):
      sources.VideoFolder(self.root, num_frames=4, include=['z.mp4'])
    with self.assertRaisesRegex(types.BadInput, 'are excluded'):
      sources.VideoFolder(self.root, num_frames=4, include=['a.mp4'],
                          exclude=['a.mp4'])


class PicturesTest(absltest.TestCase):

  def test_pictures(self):
    root = self.create_tempdir().full_path
    pictures = clips.write_pictures(root, 12)
    source = sources.Pictures(root, exclude=['p002.png'])
    self.assertLen(source, 11)
    self.assertNotIn('p002.png', source.names)
    np.testing.assert_array_equal(source[2]['clip'], pictures[3][None])
    self.assertLen(pickle.loads(pickle.dumps(source)), 11)

  def test_refusals(self):
    root = self.create_tempdir().full_path
    with self.assertRaisesRegex(types.BadInput, 'holds no picture'):
      sources.Pictures(root)
    with self.assertRaisesRegex(types.BadInput, 'no such folder'):
      sources.Pictures(root + '/none')


class _Moving(tfds.core.GeneratorBasedBuilder):
  """Four clips and their middle frames, as PNG."""

  VERSION = tfds.core.Version('1.0.0')
  KIND = 'video'

  def _info(self):
    feature = (
        tfds.features.Tensor(shape=(None, 16, 24, 3), dtype=np.uint8)
        if self.KIND == 'video' else tfds.features.Image(shape=(16, 24, 1)))
    return tfds.core.DatasetInfo(builder=self, features=(
        tfds.features.FeaturesDict({self.KIND: feature})))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    for i in range(4):
      if self.KIND == 'video':
        yield i, {'video': np.full((5 + i, 16, 24, 3), 9 * i, np.uint8)}
      else:
        data = io.BytesIO()
        PIL.Image.fromarray(np.full((16, 24), 9 * i, np.uint8)).save(
            data, 'PNG')
        data.seek(0)
        yield i, {'image': data}


class Films(_Moving):
  """Has a feature video."""


class Stills(_Moving):
  """Has a feature image."""

  KIND = 'image'


class Sounds(_Moving):
  """Has neither."""

  KIND = 'sound'

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=(
        tfds.features.FeaturesDict({'sound': np.float32})))

  def _generate_examples(self):
    yield 0, {'sound': 1.0}


class TfdsSourceTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    tfds.disable_progress_bar()
    self.data_dir = self.create_tempdir().full_path

  def _prepare(self, builder):
    builder(data_dir=self.data_dir,
            file_format='array_record').download_and_prepare()

  def test_video(self):
    self._prepare(Films)
    source = sources.TfdsSource('films', self.data_dir, 'train')
    # Any order; a clip of 5 + i frames is of 9 i.
    self.assertEqual(
        sorted((len(c), int(c.max())) for c in
               (source[i]['clip'] for i in range(4))),
        [(5, 0), (6, 9), (7, 18), (8, 27)])
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(source[2]['clip'], again[2]['clip'])
    self.assertLen(sources.TfdsSource('films', self.data_dir, 'train[:50%]'), 2)

  def test_image(self):
    self._prepare(Stills)
    source = sources.TfdsSource('stills:1.0.0', self.data_dir, 'train')
    self.assertEqual(source[0]['clip'].shape, (1, 16, 24, 3))
    self.assertEqual(
        sorted(int(source[i]['clip'].max()) for i in range(4)), [0, 9, 18, 27])

  def test_refusals(self):
    with self.assertRaisesRegex(
        types.BadInput, r"'ucf101'.*revive-jax\[tensorflow\]"):
      sources.TfdsSource('ucf101', self.data_dir, 'train')
    self._prepare(Sounds)
    with self.assertRaisesRegex(types.BadInput, 'no feature .*but sound'):
      sources.TfdsSource('sounds', self.data_dir, 'train')
    self._prepare(Films)
    with self.assertRaisesRegex(types.BadInput, "'films'.*test"):
      sources.TfdsSource('films', self.data_dir, 'test')

  def test_what_needs_tensorflow_says_so(self):
    # As prepared elsewhere: first in TFRECORD, then with a feature whose
    # decoder is TensorFlow's.
    self._prepare(Films)
    folder = pathlib.Path(self.data_dir, 'films', '1.0.0')
    info = folder / 'dataset_info.json'
    as_records = info.read_text()
    info.write_text(as_records.replace('array_record', 'tfrecord'))
    with self.assertRaisesRegex(
        types.BadInput, r'by index.*revive-jax\[tensorflow\]'):
      sources.TfdsSource('films', self.data_dir, 'train')
    info.write_text(as_records)
    features = json.loads((folder / 'features.json').read_text())
    tensor = features['featuresDict']['features']['video']
    features['featuresDict']['features']['video'] = {
        'pythonClassName': tensor['pythonClassName'].replace(
            'tensor_feature.Tensor', 'video_feature.Video'),
        'video': {'shape': tensor['tensor']['shape'],
                  'dtype': tensor['tensor']['dtype']}}
    (folder / 'features.json').write_text(json.dumps(features))
    with mock.patch.dict(sys.modules, tensorflow=None):
      with self.assertRaisesRegex(
          types.BadInput, r'needs TensorFlow.*revive-jax\[tensorflow\]'):
        sources.TfdsSource('films', self.data_dir, 'train')


if __name__ == '__main__':
  absltest.main()
