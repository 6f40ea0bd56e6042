"""Tests of the reader: colours, damage, windows."""

import fractions
import os

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import color, formats, probe, reader
from tests.video import clips

# (matrix, range): [(Y, U, V), (R, G, B)], by hand from ITU-R BT.709 and 601.
_COLORS = {
    (1, 1): [((235, 128, 128), (255, 255, 255)), ((16, 128, 128), (0, 0, 0)),
             ((63, 102, 240), (255, 1, 0)), ((126, 128, 128), (128, 128, 128))],
    (6, 1): [((235, 128, 128), (255, 255, 255)), ((16, 128, 128), (0, 0, 0)),
             ((81, 90, 240), (254, 0, 0)), ((41, 240, 110), (0, 0, 255))],
    (6, 2): [((255, 128, 128), (255, 255, 255)), ((0, 128, 128), (0, 0, 0)),
             ((76, 85, 255), (254, 0, 0)), ((100, 128, 128), (100, 100, 100))],
}


class ColorTest(parameterized.TestCase):

  @parameterized.product(
      tags=sorted(_COLORS), codec=('ffv1', 'libx264'), odd=(False, True))
  def test_hand_values(self, tags, codec, odd):
    pix_fmt = 'yuv444p' if odd else 'yuv420p'
    size = (15, 17) if odd else (16, 16)
    path = os.path.join(self.create_tempdir().full_path, 'a.mkv')
    for yuv, rgb in _COLORS[tags]:
      clips.write(
          path, [clips.yuv_frame(*yuv, pix_fmt=pix_fmt, size=size)],
          codec=codec, pix_fmt=pix_fmt, options={'qp': '0'} if
          codec == 'libx264' else {},
          tags=dict(colorspace=tags[0], color_range=tags[1]))
      frame, = reader.read_frames(probe.probe(path))
      self.assertEqual(frame.rgb.shape, (*size, 3))
      np.testing.assert_array_equal(frame.rgb.reshape(-1, 3).min(0), rgb)
      np.testing.assert_array_equal(frame.rgb.reshape(-1, 3).max(0), rgb)

  @parameterized.parameters((480, 6), (719, 6), (720, 1), (1080, 1))
  def test_untagged(self, height, matrix):
    layout = formats.layout('yuv420p', 2, 0, height)
    self.assertEqual((layout.matrix, layout.full), (matrix, False))

  @parameterized.product(
      matrix=(1, 4, 6, 7, 9), full=(False, True),
      pix_fmt=('yuv444p', 'yuv444p10le', 'yuv444p16le'))
  def test_against_the_formulas(self, matrix, full, pix_fmt):
    layout = formats.layout(pix_fmt, matrix, 2 if full else 1, 100)
    peak, top = color.rgb_peak(layout), 2**layout.bits - 1
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, peak + 1, (40, 50, 3)).astype(layout.dtype)
    kr, kb = {1: (.2126, .0722), 4: (.3, .11), 6: (.299, .114),
              7: (.212, .087), 9: (.2627, .0593)}[matrix]
    red, green, blue = np.moveaxis(rgb / peak, -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    step = 2 ** (layout.bits - 8)
    span, black = (top, 0) if full else (219 * step, 16 * step)
    chroma = top if full else 224 * step
    expected = [
        luma * span + black,
        (blue - luma) / (2 * (1 - kb)) * chroma + 128 * step,
        (red - luma) / (2 * (1 - kr)) * chroma + 128 * step]
    planes = color.to_planes(rgb, layout)
    for got, want in zip(planes, expected, strict=True):
      np.testing.assert_allclose(got, want.clip(0, top), atol=0.51)
    back = color.to_rgb(planes, layout).astype(int)
    self.assertLessEqual(
        np.abs(back - rgb.astype(int)).max(), 2 * peak / top + 1)

  @parameterized.parameters('gray', 'gray10le', 'gray16le', 'gbrp10le', 'rgb24')
  def test_grey_and_rgb_and_back(self, pix_fmt):
    layout = formats.layout(pix_fmt, 2, 0, 100)
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 2**layout.bits, layout.plane_shapes(9, 11)[0])
    plane = plane.astype(layout.dtype)
    rgb = color.to_rgb((plane,), layout)
    self.assertEqual(rgb.dtype, layout.dtype)
    np.testing.assert_array_equal(color.to_planes(rgb, layout)[0], plane)

  def test_chroma_does_not_shift(self):
    # A coloured square, converted and back, stays where it is.
    layout = formats.layout('yuv420p', 6, 1, 100)
    rgb = np.full((20, 20, 3), 128, np.uint8)
    rgb[8:12, 8:12] = 200, 100, 100
    back = color.to_rgb(color.to_planes(rgb, layout), layout)
    np.testing.assert_allclose(back, back[::-1], atol=1)
    np.testing.assert_allclose(back, back[:, ::-1], atol=1)

  @parameterized.parameters(
      ('nv12', 'yuv420p'), ('yuyv422', 'yuv422p'), ('yuva420p', 'yuv420p'),
      ('yuv420p10be', 'yuv420p10le'), ('p010le', 'yuv420p10le'),
      ('bgr24', 'rgb24'), ('rgba', 'rgb24'), ('gbrp', 'rgb24'),
      ('pal8', 'rgb24'), ('ya8', 'gray'), ('monow', 'gray'),
      ('rgb48be', 'rgb48le'), ('yuvj422p', 'yuvj422p'), ('xyz12le', 'rgb48le'))
  def test_planar_format(self, pix_fmt, expected):
    self.assertEqual(formats.planar_format(pix_fmt), expected)

  @parameterized.product(
      pix_fmt=('nv12', 'bgr24', 'bgr0', 'gbrp', 'yuyv422'),
      size=((16, 16), (13, 17)))
  def test_rearranged_samples_are_exact(self, pix_fmt, size):
    frame = clips.noise_frame(pix_fmt, *size)
    planes = formats.read_planes(frame, formats.layout(pix_fmt, 6, 1, size[0]))
    view = np.frombuffer(frame.planes[0], np.uint8).reshape(
        -1, frame.planes[0].line_size)[:size[0]]
    if pix_fmt == 'nv12':
      np.testing.assert_array_equal(planes[0], view[:, :size[1]])
      chroma = np.frombuffer(frame.planes[1], np.uint8).reshape(
          -1, frame.planes[1].line_size)
      height, width = planes[1].shape
      np.testing.assert_array_equal(planes[1], chroma[:height, :2 * width:2])
    elif pix_fmt == 'yuyv422':
      np.testing.assert_array_equal(planes[0], view[:, :2 * size[1]:2])
    elif pix_fmt == 'gbrp':
      np.testing.assert_array_equal(planes[0][..., 1], view[:, :size[1]])
    else:
      step = 3 if pix_fmt == 'bgr24' else 4
      np.testing.assert_array_equal(
          planes[0][..., 2], view[:, :step * size[1]:step])


class ReaderTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)

  def test_same_twice_and_planes_as_written(self):
    written = [clips.noise_frame('yuv420p', 21, 33, seed) for seed in range(4)]
    path = clips.write(self.path('a.mkv'), written, codec='ffv1')
    info = probe.probe(path)
    first, second = (list(reader.read_frames(info)) for _ in range(2))
    self.assertLen(first, 4)
    for a, b, frame in zip(first, second, written, strict=True):
      self.assertEqual((a.index, a.pts), (b.index, b.pts))
      np.testing.assert_array_equal(a.rgb, b.rgb)
      self.assertEqual([p.shape for p in a.planes],
                       [(21, 33), (11, 17), (11, 17)])
      np.testing.assert_array_equal(
          a.planes[0],
          np.frombuffer(frame.planes[0], np.uint8).reshape(21, -1)[:, :33])

  def test_stop(self):
    path = clips.write(self.path('a.mp4'), clips.pictures(8))
    info = probe.probe(path)
    warnings = []
    frames = list(reader.read_frames(info, stop=3, warn=warnings.append))
    self.assertEqual([f.index for f in frames], [0, 1, 2])
    self.assertEmpty(warnings)

  def test_truncated(self):
    path = clips.write(self.path('a.mkv'), clips.pictures(40), codec='ffv1')
    with open(path, 'rb') as f:
      data = f.read()
    with open(self.path('cut.mkv'), 'wb') as f:
      f.write(data[:len(data) // 2])
    info = probe.probe(self.path('cut.mkv'))
    frames = list(reader.read_frames(info))
    self.assertBetween(len(frames), 10, 30)

  def test_truncated_with_the_index_in_front(self):
    path = clips.write(
        self.path('a.mp4'), clips.pictures(40, 64, 96),
        options={'g': '5', 'bf': '0'})
    front = self.path('front.mp4')
    self._remux(path, front, {'movflags': 'faststart'})
    with open(front, 'rb') as f:
      data = f.read()
    with open(front, 'wb') as f:
      f.write(data[:len(data) * 2 // 3])
    warnings = []
    frames = list(reader.read_frames(probe.probe(front), warn=warnings.append))
    self.assertBetween(len(frames), 5, 39)
    self.assertIn(f'promises 40 frames, {len(frames)} could', warnings[-1])

  def _remux(self, path, output, options):
    with av.open(path) as a, av.open(output, 'w', options=options) as b:
      stream = b.add_stream_from_template(a.streams.video[0])
      for packet in a.demux(a.streams.video[0]):
        if packet.size:
          packet.stream = stream
          b.mux(packet)

  def test_damaged_in_the_middle(self):
    path = clips.write(self.path('a.mkv'), clips.pictures(30, 64, 96),
                       codec='ffv1', options={'level': '3', 'slicecrc': '1'})
    with open(path, 'r+b') as f:
      f.seek(os.path.getsize(path) // 2)
      f.write(bytes(2000))
    frames = list(reader.read_frames(probe.probe(path)))
    self.assertGreater(len(frames), 20)
    stamps = [f.pts for f in frames]
    self.assertEqual(stamps, sorted(set(stamps)))

  def test_no_timestamps(self):
    path = clips.write(self.path('a.h264'), clips.pictures(6))
    warnings = []
    info = probe.probe(path)
    frames = list(reader.read_frames(info, warn=warnings.append))
    self.assertLen(frames, 6)
    steps = {b.pts - a.pts for a, b in zip(frames, frames[1:], strict=False)}
    self.assertEqual({s * info.time_base * info.frame_rate for s in steps}, {1})
    self.assertIn('no timestamp', ' '.join(warnings))

  def test_timestamps_that_do_not_increase(self):
    path = clips.write(
        self.path('a.mkv'), clips.pictures(5), codec='ffv1',
        time_base=fractions.Fraction(1, 1000), pts=[0, 40, 40, 41, 160])
    warnings = []
    frames = list(reader.read_frames(probe.probe(path), warn=warnings.append))
    self.assertEqual([f.pts for f in frames], [0, 40, 41, 42, 160])
    self.assertIn('2 timestamps did not increase', warnings[0])

  def test_size_changes(self):
    data = b''
    for size in ((32, 48), (48, 64)):
      path = clips.write(self.path('part.h264'), clips.pictures(4, *size))
      with open(path, 'rb') as f:
        data += f.read()
    with open(self.path('a.h264'), 'wb') as f:
      f.write(data)
    with self.assertRaisesRegex(types.BadInput, 'change size'):
      list(reader.read_frames(probe.probe(self.path('a.h264'))))

  def test_alpha_is_left_out_with_a_word(self):
    cv2.imwrite(self.path('a.png'), np.full((4, 5, 4), 77, np.uint8))
    warnings = []
    frame, = reader.read_frames(
        probe.probe(self.path('a.png')), warn=warnings.append)
    self.assertEqual(frame.rgb.shape, (4, 5, 3))
    self.assertIn('alpha', warnings[0])

  def test_folder(self):
    names = ['f1.png', 'f2.jpg', 'f10.tif', 'f11.bmp']
    for value, name in enumerate(names):
      cv2.imwrite(self.path(name), np.full((4, 5, 3), 50 * value, np.uint8))
    frames = list(reader.read_frames(probe.probe(self.dir)))
    self.assertEqual([f.pts for f in frames], [0, 1, 2, 3])
    self.assertEqual([f.rgb[0, 0, 0] for f in frames], [0, 50, 100, 150])

  def test_grey_and_deep_pictures(self):
    grey = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000
    cv2.imwrite(self.path('a.png'), grey)
    info = probe.probe(self.path('a.png'))
    self.assertEqual((info.pix_fmt, info.bit_depth), ('gray16le', 16))
    frame, = reader.read_frames(info)
    np.testing.assert_array_equal(frame.planes[0], grey)
    np.testing.assert_array_equal(frame.rgb, np.stack([grey] * 3, -1))

  def test_bad_folders(self):
    cv2.imwrite(self.path('a.png'), np.zeros((4, 5, 3), np.uint8))
    cv2.imwrite(self.path('b.png'), np.zeros((4, 6, 3), np.uint8))
    with self.assertRaisesRegex(types.BadInput, 'b.png.*6x4.*5x4'):
      list(reader.read_frames(probe.probe(self.dir)))
    with open(self.path('b.png'), 'wb') as f:
      f.write(b'not a picture')
    with self.assertRaisesRegex(types.BadInput, 'b.png.*cannot be read'):
      list(reader.read_frames(probe.probe(self.dir)))
    cv2.imwrite(self.path('b.png'), np.zeros((4, 5, 3), np.uint16))
    with self.assertRaisesRegex(types.BadInput, 'b.png.*mixed'):
      list(reader.read_frames(probe.probe(self.dir)))


class WindowsTest(absltest.TestCase):

  def test_overlaps_and_bound(self):
    alive, most = set(), 0

    class Item:

      def __init__(self, number):
        nonlocal most
        self.number = number
        alive.add(number)
        most = max(most, len(alive))

      def __del__(self):
        alive.discard(self.number)

    segments = [(0, 5, 0, 4), (3, 8, 4, 7), (6, 7, 6, 7), (7, 8, 7, 8),
                (12, 15, 12, 15)]
    seen = []
    for segment, items in reader.windows(
        (Item(i) for i in range(20)), segments):
      seen.append((segment, [i.number for i in items]))
      del items
    self.assertEqual(seen, [(s, list(range(s[0], s[1]))) for s in segments])
    self.assertLessEqual(most, 5 + 1)  # The longest, and the one that comes.

  def test_frames_end_early(self):
    segments = [(0, 3, 0, 3), (3, 6, 3, 6), (9, 12, 9, 12)]
    seen = list(reader.windows(range(5), segments))
    self.assertEqual(
        seen, [(segments[0], [0, 1, 2]), (segments[1], [3, 4])])

  def test_unsorted(self):
    for segments in ([(3, 5, 3, 5), (0, 2, 0, 2)], [(2, 2, 2, 2)]):
      with self.assertRaisesRegex(ValueError, 'sorted'):
        list(reader.windows(range(9), segments))


if __name__ == '__main__':
  absltest.main()
