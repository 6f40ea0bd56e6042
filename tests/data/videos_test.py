"""Tests of frames by number, against decoding from the beginning."""

import os

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.data import videos
from revive_jax.video import probe, reader
from tests.data import clips
from tests.video import clips as video_clips

# File name, options of the encoder. Few key frames, open groups, B frames.
_FILES = {
    'a.mp4': dict(options={'g': '12', 'bf': '2', 'crf': '12'}),
    'b.mkv': dict(options={'g': '10', 'bf': '3', 'crf': '12',
                           'x264-params': 'open-gop=1:scenecut=0'}),
    'c.mpg': dict(codec='mpeg2video', options={'g': '12', 'b:v': '2M'}),
    'd.h264': dict(options={'g': '12', 'bf': '0', 'crf': '12'}),
    'e.avi': dict(codec='mpeg4', options={'g': '9', 'b:v': '2M'}),
}


class ReadTest(parameterized.TestCase):

  @parameterized.parameters(*_FILES)
  def test_equals_reading_from_the_beginning(self, name):
    path = os.path.join(self.create_tempdir().full_path, name)
    video_clips.write(path, clips.numbered(60), **_FILES[name])
    video = videos.scan(path)
    self.assertEqual((video.num_frames, video.shots), (60, ((0, 60),)))
    whole = [f.rgb for f in reader.read_frames(probe.probe(path))]
    self.assertEqual([clips.number_of(f) for f in whole], [*range(60)])
    for numbers in (range(0, 4), range(11, 14), range(25, 46, 5),
                    range(58, 60), range(36, 37)):
      np.testing.assert_array_equal(
          videos.read(video, numbers), [whole[n] for n in numbers])

  def test_raw_streams_are_read_from_the_beginning(self):
    path = os.path.join(self.create_tempdir().full_path, 'd.h264')
    video_clips.write(path, clips.numbered(20), **_FILES['d.h264'])
    self.assertEmpty(videos.scan(path).keys)

  def test_shots(self):
    frames, firsts = clips.shots([11, 8, 13])
    path = os.path.join(self.create_tempdir().full_path, 'a.mp4')
    video_clips.write(path, frames)
    self.assertEqual([a for a, _ in videos.scan(path).shots], firsts)
    self.assertEqual(videos.scan(path).shots[-1][1], 32)

  def test_pictures(self):
    folder = self.create_tempdir().full_path
    pictures = clips.write_pictures(folder, 5)
    video = videos.scan(folder)
    self.assertEqual(video.num_frames, 5)
    np.testing.assert_array_equal(
        videos.read(video, range(1, 4)), pictures[1:4])

  def test_sixteen_bits_and_grey(self):
    grey = np.array([[0, 65535, 257, 128, 129]], np.uint16)
    rgb = videos.to_uint8(grey)
    # 128 / 257 rounds to 0, 129 / 257 to 1.
    self.assertEqual(rgb[0, :, 0].tolist(), [0, 255, 1, 0, 1])
    self.assertEqual(rgb.shape, (1, 5, 3))

  def test_turned_upright(self):
    path = os.path.join(self.create_tempdir().full_path, 'a.mp4')
    frames = clips.numbered(6)
    video_clips.write(path, frames, rotation=90, options={'crf': '1'})
    read = videos.read(videos.scan(path), range(2, 3))[0]
    self.assertEqual(read.shape, (128, 96, 3))
    # FFmpeg's rotation is counter-clockwise, as numpy's is.
    np.testing.assert_allclose(np.int16(read), np.rot90(frames[2]), atol=90)
    error = np.abs(np.int16(read) - np.rot90(frames[2])).mean()
    self.assertLess(error, 4)

  def test_refusals(self):
    folder = self.create_tempdir().full_path
    with self.assertRaisesRegex(types.BadInput, 'holds no video'):
      videos.find(folder)
    with self.assertRaisesRegex(types.BadInput, 'no such folder'):
      videos.find(os.path.join(folder, 'nowhere'))
    path = os.path.join(folder, 'a.mp4')
    video_clips.write(path, clips.numbered(9))
    video = videos.scan(path)
    video_clips.write(path, clips.numbered(4))
    with self.assertRaisesRegex(types.BadInput, 'scan it again'):
      videos.read(video, range(5, 8))
    clips.write_pictures(os.path.join(folder, 'seq'), 2)
    cv2.imwrite(os.path.join(folder, 'seq', 'p001.png'),
                np.zeros((9, 9, 3), np.uint8))
    with self.assertRaisesRegex(types.BadInput, 'differ in size'):
      videos.read(videos.scan(os.path.join(folder, 'seq')), range(2))


if __name__ == '__main__':
  absltest.main()
