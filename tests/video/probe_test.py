"""Tests of probe, and of everything that cannot be opened."""

import fractions
import os

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import probe
from tests.video import clips

Fraction = fractions.Fraction


class ProbeTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)

  def test_video_with_tags_and_sound(self):
    path = clips.write(
        self.path('a.mp4'), clips.pictures(6), rate=Fraction(24000, 1001),
        sounds=['aac'], sample_aspect_ratio=Fraction(16, 15), rotation=90,
        tags=dict(colorspace=1, color_range=2, color_primaries=9,
                  color_trc=13))
    info = probe.probe(path)
    self.assertEqual((info.kind, info.width, info.height), ('video', 48, 32))
    self.assertEqual(info.frame_rate, Fraction(24000, 1001))
    self.assertEqual(info.frame_count, 6)
    self.assertAlmostEqual(info.duration, 6 * 1001 / 24000, places=3)
    self.assertEqual((info.codec, info.bit_depth), ('h264', 8))
    self.assertEqual((info.colorspace, info.color_range), (1, 2))
    self.assertEqual((info.color_primaries, info.color_trc), (9, 13))
    self.assertEqual(info.sample_aspect_ratio, Fraction(16, 15))
    self.assertEqual((info.rotation, info.interlaced), (90, False))
    self.assertEqual(info.audio, (probe.AudioInfo('aac', 44100, 1),))

  def test_deep_video(self):
    path = clips.write(self.path('a.mkv'), [
        clips.noise_frame('yuv420p10le', 16, 16)], codec='ffv1',
        pix_fmt='yuv420p10le')
    info = probe.probe(path)
    self.assertEqual((info.pix_fmt, info.bit_depth), ('yuv420p10le', 10))
    self.assertIsNone(info.frame_count)

  def test_pictures(self):
    for name in ('f2.png', 'f10.png', 'f1.png'):
      cv2.imwrite(self.path(name), np.zeros((7, 9, 3), np.uint8))
    info = probe.probe(self.dir, frame_rate=Fraction(30000, 1001))
    self.assertEqual((info.kind, info.width, info.height), ('images', 9, 7))
    self.assertEqual(info.frame_count, 3)
    self.assertEqual(info.time_base, Fraction(1001, 30000))
    info = probe.probe(self.path('f1.png'))
    self.assertEqual((info.kind, info.frame_count), ('image', 1))

  @parameterized.parameters(
      ('empty.mp4', b'', 'empty'),
      ('empty.png', b'', 'empty'),
      ('text.mp4', b'These are words, not a film.\n' * 40, 'not a video'),
      ('text.txt', b'These are words, not a film.\n' * 40, 'text'),
      ('list.m3u8', b'#EXTM3U\n#EXTINF:9,\na.ts\n#EXT-X-ENDLIST\n', ''),
      ('text.png', b'These are words, not a picture.', 'cannot be read'),
  )
  def test_no_media(self, name, data, expected):
    with open(self.path(name), 'wb') as f:
      f.write(data)
    with self.assertRaisesRegex(types.BadInput, expected) as caught:
      probe.probe(self.path(name))
    self.assertIn(name, str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  def test_missing(self):
    with self.assertRaisesRegex(types.BadInput, 'no such file'):
      probe.probe(self.path('none.mp4'))

  def test_folder_without_frames(self):
    with open(self.path('notes.txt'), 'w') as f:
      f.write('no frames here')
    with self.assertRaisesRegex(types.BadInput, 'holds no frames'):
      probe.probe(self.dir)

  def test_sound_only(self):
    path = clips.write(self.path('a.mkv'), clips.pictures(2), sounds=['aac'])
    with av.open(path) as source, av.open(self.path('s.m4a'), 'w') as output:
      track = output.add_stream_from_template(source.streams.audio[0])
      for packet in source.demux(source.streams.audio[0]):
        if packet.size:
          packet.stream = track
          output.mux(packet)
    with self.assertRaisesRegex(types.BadInput, 'sound but no picture'):
      probe.probe(self.path('s.m4a'))

  def test_index_missing(self):
    path = clips.write(self.path('a.mp4'), clips.pictures(20))
    with open(path, 'rb') as f:
      data = f.read()
    with open(self.path('cut.mp4'), 'wb') as f:
      f.write(data[:len(data) // 2])  # The index is at the end.
    with self.assertRaisesRegex(types.BadInput, 'index is missing'):
      probe.probe(self.path('cut.mp4'))

  def test_bad_rate(self):
    with self.assertRaisesRegex(types.BadInput, 'not positive'):
      probe.probe(self.dir, frame_rate=0)


if __name__ == '__main__':
  absltest.main()
