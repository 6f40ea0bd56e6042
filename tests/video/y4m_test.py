"""Tests of video/y4m.py."""

import dataclasses
import fractions
import io
import os
import pathlib
import threading

from absl.testing import absltest, parameterized
import av
import numpy as np

from revive_jax.video import probe, reader, y4m
from tests.video import clips


def parsed(data):
  """The header, and the bytes of each frame, by the format's description."""
  header, rest = data.split(b'\n', 1)
  frames = rest.split(b'FRAME\n')
  assert frames[0] == b''
  return header.decode().split(' '), frames[1:]


class Y4mTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def film(self, pix_fmt, count=3, height=32, width=48, **more):
    path = clips.write(
        self.dir / 'film.mkv', [clips.noise_frame(pix_fmt, height, width, i)
                                for i in range(count)],
        codec='ffv1', pix_fmt=pix_fmt, rate=25, **more)
    info = probe.probe(path)
    return info, list(reader.read_frames(info))

  @parameterized.parameters(
      ('yuv420p', 'C420jpeg'), ('yuv422p', 'C422'), ('yuv444p', 'C444'),
      ('yuv420p10le', 'C420p10'), ('yuv422p10le', 'C422p10'),
      ('gray', 'Cmono'))
  def test_samples_are_as_they_were(self, pix_fmt, space):
    info, frames = self.film(pix_fmt)
    out = io.BytesIO()
    self.assertEqual(y4m.write(out, frames, info), 3)
    header, found = parsed(out.getvalue())
    self.assertEqual(header[0], 'YUV4MPEG2')
    for word in ('W48', 'H32', 'F25:1', space):
      self.assertIn(word, header)
    for frame, data in zip(frames, found, strict=True):
      self.assertEqual(data, b''.join(p.tobytes() for p in frame.planes))

  @parameterized.parameters((1, 'LIMITED'), (2, 'FULL'))
  def test_the_range_is_said(self, number, word):
    info, frames = self.film('yuv420p', tags={'color_range': number})
    out = io.BytesIO()
    y4m.write(out, frames, info)
    self.assertIn(f'XCOLORRANGE={word}', parsed(out.getvalue())[0])

  @parameterized.parameters(
      (0, '16/15', 'Ip', 'A16:15'), (2, '1', 'It', 'A1:1'),
      (3, '0', 'Ib', 'A0:0'))
  def test_fields_and_the_shape_of_pixels_are_said(
      self, order, ratio, *words):
    info, frames = self.film('yuv420p', height=31, width=47)
    info = dataclasses.replace(
        info, field_order=order, sample_aspect_ratio=fractions.Fraction(ratio))
    out, path = io.BytesIO(), self.dir / 'film.y4m'
    self.assertEqual(y4m.write(out, frames, info), 3)
    path.write_bytes(out.getvalue())
    header, found = parsed(out.getvalue())
    self.assertContainsSubset(words, header)
    self.assertEqual([len(f) for f in found], 3 * [31 * 47 + 2 * 16 * 24])
    again = probe.probe(str(path))
    self.assertEqual(again.interlaced, order > 0)
    self.assertEqual(y4m.left_over(path, again), 0)
    for a, b in zip(frames, reader.read_frames(again), strict=True):
      for x, y in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(x, y)

  @parameterized.parameters(
      ('bgr0', 'yuv444p'), ('gbrp16le', 'yuv444p16le'),
      ('yuv410p', 'yuv444p'), ('yuv440p', 'yuv444p'))
  def test_what_it_does_not_hold_becomes_444(self, pix_fmt, wanted):
    info, frames = self.film(pix_fmt)
    self.assertEqual(y4m.layout(info).pix_fmt, wanted)
    out = io.BytesIO()
    y4m.write(out, frames, info)
    with av.open(io.BytesIO(out.getvalue())) as container:
      got = list(container.decode(video=0))
    self.assertLen(got, 3)
    # As swscale has it, where the picture is smooth: here its mean.
    luma = got[1].to_ndarray()[0] if got[1].format.name != 'gray' else 0
    with av.open(info.path) as container:
      frame = list(container.decode(video=0))[1].reformat(
          format=wanted, dst_colorspace=5, dst_color_range=1)
    np.testing.assert_allclose(
        luma.mean(), frame.to_ndarray()[0].mean(), rtol=0.01)

  def test_what_is_left_of_a_frame_that_was_broken_off(self):
    info, frames = self.film('yuv420p10le')
    out, path = io.BytesIO(), self.dir / 'film.y4m'
    y4m.write(out, frames, info)
    data = out.getvalue()
    for cut, left in ((0, 0), (1, 6 + 4608 - 1), (4608, 6), (4614, 0)):
      path.write_bytes(data[:len(data) - cut])
      self.assertEqual(y4m.left_over(path, probe.probe(str(path))), left)

  def test_a_reader_that_leaves(self):
    info, frames = self.film('yuv420p')
    source, sink = os.pipe()

    def leave():
      os.read(source, 10)
      os.close(source)

    thread = threading.Thread(target=leave)
    thread.start()
    with os.fdopen(sink, 'wb', buffering=0) as file:
      with self.assertRaises(BrokenPipeError):
        y4m.write(file, (frames[i % 3] for i in range(1000)), info)
    thread.join()


if __name__ == '__main__':
  absltest.main()
