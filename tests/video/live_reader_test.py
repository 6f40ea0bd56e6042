"""Tests of video/live_reader.py."""

import itertools
import os
import pathlib
import threading

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax import types
from revive_jax.video import color, formats, live_reader
from tests.video import clips, woven


class LiveReaderTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _through_a_pipe(self, data, form):
    """The frames of bytes that come through a pipe, and what was found."""
    pipe = self.dir / 'pipe'
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(data))
    feeder.start()
    with live_reader.opened(str(pipe), form) as container:
      found = live_reader.Frames(container)
      frames = list(found)
    feeder.join()
    pipe.unlink()
    return frames, found

  def test_wrong_bytes_in_the_middle(self):
    pictures = clips.pictures(12)
    data = pathlib.Path(clips.write(
        self.dir / 'camera.mjpeg', pictures, codec='mjpeg',
        pix_fmt='yuvj420p')).read_bytes()
    whole, found = self._through_a_pipe(data, 'mjpeg')
    self.assertEqual((len(whole), found.damaged), (12, 0))
    starts = [i for i in range(len(data)) if data[i:i + 3] == b'\xff\xd8\xff']
    self.assertLen(starts, 12)
    wrong = bytearray(data)
    head = data.index(b'\xff\xc0', starts[5])  # Of the sixth frame: its size.
    wrong[head:head + 9] = bytes(9)
    with self.assertLogs(level='WARNING') as logs:
      rest, found = self._through_a_pipe(bytes(wrong), 'mjpeg')
    self.assertLen(logs.output, 1)
    self.assertEqual((len(rest), found.damaged, found.taken), (11, 1, 11))
    for a, b in zip(rest, whole[:5] + whole[6:], strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)
    for a, b in itertools.pairwise(rest):
      self.assertLess(a.pts, b.pts)

  def test_a_source_that_breaks_off_ends(self):
    data = pathlib.Path(clips.write(
        self.dir / 'film.mkv', clips.pictures(12), codec='ffv1',
        pix_fmt='bgr0')).read_bytes()
    frames, _ = self._through_a_pipe(data[:len(data) // 2], 'matroska')
    self.assertBetween(len(frames), 2, 9)

  @parameterized.parameters(
      (1, 1, 32, 1), (5, 1, 32, 5), (6, 2, 32, 6), (9, 1, 32, 9),
      (2, 1, 32, 6), (2, 1, 720, 1))
  def test_colours_by_the_tags_or_the_lines(self, told, span, height, matrix):
    frame = clips.yuv_frame(120, 90, 170, pix_fmt='yuv444p', size=(height, 32))
    path = clips.write(
        self.dir / 'film.mkv', [frame], codec='ffv1', pix_fmt='yuv444p',
        tags=dict(colorspace=told, color_range=span))
    with live_reader.opened(path) as container:
      found = live_reader.Frames(container)
      got, = found
    self.assertEqual(found.colours.matrix, matrix)
    layout = formats.layout('yuv444p', told, span, height)
    wanted = color.to_rgb(tuple(
        np.full((1, 1), x, np.uint8) for x in (120, 90, 170)), layout)
    self.assertLessEqual(
        np.abs(got.rgb[9, 9].astype(int) - wanted[0, 0]).max(), 2)

  @parameterized.parameters((True, 16, 0), (False, 0, 16))
  def test_interlace_is_measured_and_flags_are_counted(
      self, flagged, says_so, is_so):
    """A film that is flagged and is not, and one that is and is not flagged."""
    pictures = woven.scenes(16) if flagged else woven.interlaced(16)
    path = clips.write(
        self.dir / 'film.mpg', [np.stack([p] * 3, -1) for p in pictures],
        codec='mpeg2video', options=dict(
            {'flags': '+ildct+ilme'} if flagged else {}, b='9M'))
    with live_reader.opened(path) as container:
      found = live_reader.Frames(container)
      frames = list(found)
    self.assertEqual(
        (len(frames), found.flagged, found.fields.interlaced),
        (16, says_so, is_so))
    self.assertEqual(sorted(f.pts for f in frames), [f.pts for f in frames])

  def test_more_bits_are_told(self):
    path = clips.write(self.dir / 'film.mkv', clips.pictures(2), codec='ffv1',
                       pix_fmt='yuv420p10le')
    with live_reader.opened(path) as container:
      found = live_reader.Frames(container)
      with self.assertLogs(level='WARNING') as logs:
        self.assertLen(list(found), 2)
    self.assertEqual(found.bits, 10)
    self.assertIn('10 bits', ''.join(logs.output))

  def test_refuses(self):
    (self.dir / 'text').write_text('no film')
    for path in ('/nowhere', str(self.dir / 'text')):
      with self.assertRaisesRegex(types.BadInput, 'nothing to see comes from'):
        live_reader.opened(path)


if __name__ == '__main__':
  absltest.main()
