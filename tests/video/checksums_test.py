"""Tests of video/checksums.py."""

import hashlib
import os
import pathlib

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import checksums, probe, reader, writer
from tests.video import clips


def lines(path, stream=0):
  """Returns (timestamp, size, hash) of the lines of one stream."""
  rows = [r.split(',') for r in pathlib.Path(path).read_text().splitlines()
          if not r.startswith('#')]
  return [(int(r[2]), int(r[4]), r[5].strip()) for r in rows
          if int(r[0]) == stream]


def copy(source, output, **options):
  info = probe.probe(source)
  return writer.write_video(output, (
      writer.OutputFrame(f, f.rgb) for f in reader.read_frames(info)), info,
                            **options)


class ChecksumsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)

  def test_film(self):
    frames = [clips.noise_frame('yuv420p', 21, 33, seed) for seed in range(4)]
    source = clips.write(self.path('in.mkv'), frames, codec='ffv1',
                         sounds=['aac'])
    copy(source, self.path('out.mkv'), checksums=True)
    found = lines(self.path('out.mkv.framemd5'))
    wanted = []
    for index, frame in enumerate(frames):
      planes = [np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, :p.width]
                for p in frame.planes]
      data = b''.join(p.tobytes() for p in planes)
      wanted.append((40 * index, len(data), hashlib.md5(data).hexdigest()))
    self.assertEqual(found, wanted)
    sound = clips.packets(self.path('out.mkv'), 'audio')[0]
    self.assertEqual(
        [h for _, _, h in lines(self.path('out.mkv.framemd5'), 1)],
        [hashlib.md5(data).hexdigest() for data, _ in sound])

  def test_head_is_ffmpegs(self):
    source = clips.write(self.path('in.mp4'), clips.pictures(2))
    checksums.write(source, clips.RATE)
    with av.open(self.path('b'), 'w', format='framemd5') as output:
      stream = output.add_stream('rawvideo', rate=25)
      stream.width, stream.height = 48, 32
      with av.open(source) as film:
        stream.codec_context.time_base = film.streams.video[0].time_base
        for frame in film.decode(video=0):
          output.mux(stream.encode(frame))
      output.mux(stream.encode(None))
    ours, theirs = (pathlib.Path(self.path(n)).read_text().splitlines()
                    for n in ('in.mp4.framemd5', 'b'))
    self.assertEqual(ours[:2], ['#format: frame checksums', '#version: 2'])
    self.assertEqual([r for r in ours if not r.startswith('#sar')],
                     [r for r in theirs if not r.startswith('#sar')])

  def test_one_changed_sample_shows(self):
    frames = [clips.noise_frame('gray', 16, 16, seed) for seed in range(3)]
    first = clips.write(self.path('a.mkv'), frames, codec='ffv1',
                        pix_fmt='gray')
    np.frombuffer(frames[1].planes[0], np.uint8)[5] ^= 1
    second = clips.write(self.path('b.mkv'), frames, codec='ffv1',
                         pix_fmt='gray')
    a, b = (lines(checksums.write(p, clips.RATE)) for p in (first, second))
    self.assertEqual([x == y for x, y in zip(a, b, strict=True)],
                     [True, False, True])

  @parameterized.parameters('png', 'tiff')
  def test_folder(self, codec):
    source = clips.write(self.path('in.mp4'), clips.pictures(3))
    written = copy(source, self.path('out'), codec=codec, checksums=True)
    found = lines(self.path('out.framemd5'))
    wanted = [hashlib.md5(cv2.imread(
        os.path.join(written.path, name))[..., ::-1].tobytes()).hexdigest()
              for name in sorted(os.listdir(written.path))]
    self.assertEqual([h for _, _, h in found], wanted)
    self.assertEqual([t for t, _, _ in found], [0, 1, 2])

  def test_no_place(self):
    source = clips.write(self.path('in.mp4'), clips.pictures(2))
    os.mkdir(self.path('in.mp4.framemd5'))
    pathlib.Path(self.path('in.mp4.framemd5/x')).touch()
    with self.assertRaisesRegex(types.BadInput, 'framemd5'):
      checksums.write(source, clips.RATE)


if __name__ == '__main__':
  absltest.main()
