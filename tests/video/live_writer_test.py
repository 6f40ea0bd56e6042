"""Tests of video/live_writer.py."""

import fractions
import io
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax import types
from revive_jax.video import color, formats, live_reader, live_writer, y4m
from tests.video import clips


class LiveWriterTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _source(self, *size, ratio=None, **tags):
    path = clips.write(
        self.dir / 'source.mkv', clips.pictures(2, *size),
        codec='libx264' if ratio else 'ffv1',  # The one in FFV1 is not told.
        pix_fmt='yuv444p', tags=tags, sample_aspect_ratio=ratio)
    container = self.enter_context(live_reader.opened(path))
    frames = live_reader.Frames(container)
    return frames, next(iter(frames))

  @parameterized.parameters((1, 1, 1), (6, 6, 6), (5, 5, 4))
  def test_colours_come_back_by_the_outputs_own_tags(
      self, matrix, primaries, transfer):
    frames, first = self._source(
        colorspace=matrix, color_range=1, color_primaries=primaries,
        color_trc=transfer)
    colours = np.array([(200, 40, 30), (30, 180, 60), (40, 50, 210),
                        (128, 128, 128)], np.uint8)
    rgb = np.repeat(np.repeat(colours[None], 32, 0), 16, 1)
    path = str(self.dir / 'out.mkv')
    writer = live_writer.Writer(
        path, frames.stream, rgb.shape[1::-1], 1, frames.colours)
    writer.write(rgb, first.pts)
    writer.close()
    with av.open(path) as container:
      stream = container.streams.video[0]
      context = stream.codec_context
      self.assertEqual((int(context.colorspace), int(context.color_range)),
                       (matrix, 1))
      self.assertEqual((int(context.color_primaries), int(context.color_trc)),
                       (primaries, transfer))
      frame = next(container.decode(stream))
      layout = formats.layout(
          frame.format.name, int(frame.colorspace), int(frame.color_range), 32)
      back = color.to_rgb(formats.read_planes(frame, layout), layout)
    middle = back[16, 8::16].astype(int)
    self.assertLessEqual(np.abs(middle - colours).max(), 4, middle)

  def test_untagged_colours_are_tagged(self):
    frames, first = self._source()
    path = str(self.dir / 'out.mp4')
    writer = live_writer.Writer(
        path, frames.stream, first.rgb.shape[1::-1], 16, frames.colours)
    writer.write(first.rgb, first.pts)
    writer.close()
    with av.open(path) as container:
      self.assertEqual(
          int(container.streams.video[0].codec_context.colorspace), 6)

  @parameterized.parameters(
      (y4m.FORM, b'YUV4MPEG2 W48 H32 F25:1 Ip A16:15 ', b'FRAME\n', 1),
      ('matroska', b'\x1aE\xdf\xa3', b'\x1fC\xb6u', 2))
  def test_frames_are_in_the_pipe_when_they_were_written(
      self, form, begin, mark, late):
    """A cluster of Matroska is written when the next one begins."""
    frames, first = self._source(32, 48, ratio=fractions.Fraction(16, 15))
    self.assertEqual(frames.stream.time_base.denominator, 1000)
    source, sink = os.pipe()
    os.set_blocking(source, False)
    got = b''
    with open(source, 'rb', buffering=0) as file, open(sink, 'wb') as out:
      with mock.patch('sys.stdout', mock.Mock(buffer=out)):
        writer = live_writer.Writer('-', frames.stream, (48, 32), 16,
                                    frames.colours, form=form)
        for t in range(3):
          writer.write(first.rgb, 41 * t)
          got += file.read(65536) or b''
          self.assertEqual(got.count(mark), t + 2 - late)
        writer.close()
      out.flush()
      got += file.read(65536) or b''
    self.assertTrue(got.startswith(begin), got[:60])
    with av.open(io.BytesIO(got)) as container:
      stream = container.streams.video[0]
      self.assertEqual(stream.sample_aspect_ratio, fractions.Fraction(16, 15))
      self.assertLen(list(container.decode(stream)), 3)

  def test_a_file_without_a_frame_is_taken_away(self):
    frames, first = self._source()
    path = self.dir / 'out.mkv'
    writer = live_writer.Writer(
        str(path), frames.stream, first.rgb.shape[1::-1], 16, frames.colours)
    self.assertTrue(path.exists())
    writer.close()
    self.assertFalse(path.exists())

  def test_refuses(self):
    frames, first = self._source()
    with self.assertRaisesRegex(types.BadInput, 'cannot be written to'):
      live_writer.Writer('/nowhere/out.mkv', frames.stream,
                         first.rgb.shape[1::-1], 16, frames.colours)
    with mock.patch('sys.stdout', None), self.assertRaisesRegex(
        types.BadInput, '-: standard output is closed'):
      live_writer.Writer('-', frames.stream, (48, 32), 16, frames.colours)


if __name__ == '__main__':
  absltest.main()
