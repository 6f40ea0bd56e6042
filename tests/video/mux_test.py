"""Tests of video/mux.py."""

import pathlib
from unittest import mock

from absl.testing import absltest
import cv2

from revive_jax.video import mux, probe, reader, writer
from tests.video import clips


class MuxTest(absltest.TestCase):

  def _copies(self, size, count):
    """The bytes of so many H.264 copies of one film."""
    folder = pathlib.Path(self.create_tempdir().full_path)
    path = clips.write(
        str(folder / 'in.mkv'), clips.pictures(12, *size), codec='ffv1')
    info = probe.probe(path)
    for _ in range(count):
      written = writer.write_video(
          str(folder / 'out.mp4'),
          (writer.OutputFrame(f, f.rgb) for f in reader.read_frames(info)),
          info)
      yield pathlib.Path(written.path).read_bytes()

  def test_same_frames_same_file(self):
    # With AVX-512 some of x264 reads beyond pictures of these sizes.
    for size in ((32, 48), (136, 240)):
      self.assertLen(set(self._copies(size, 8)), 1)

  def test_avx_512_is_left_out_where_there_is_one(self):
    for has in (True, False):
      with mock.patch.object(
          cv2, 'checkHardwareSupport', lambda _, has=has: has):
        options = mux.encoder_options('h264', None, crf=16, preset='medium')
      self.assertEqual(
          options.get('x264-params'), 'asm=AVX2' if has else None)
      self.assertEqual(options['crf'], '16')


if __name__ == '__main__':
  absltest.main()
