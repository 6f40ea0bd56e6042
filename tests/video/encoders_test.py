"""Tests of the outputs: encoders.py, target.py, hdr.py, matroska.py."""

import dataclasses
import fractions
import os
from unittest import mock

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import color, extras, hdr, probe, reader, writer
from tests.video import clips, films


def copy(info, path, *, change=None, **options):
  """Writes info's frames to path; change: a function of an RGB frame."""
  return writer.write_video(path, (
      writer.OutputFrame(f, f.rgb if change is None else change(f.rgb))
      for f in reader.read_frames(info)), info, **options)


def frames_of(path):
  return list(reader.read_frames(probe.probe(path)))


class _TestCase(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)

  def noise(self, pix_fmt, size=(48, 64), count=3, name='in.mkv', **kw):
    return probe.probe(clips.write(
        self.path(name), [clips.noise_frame(pix_fmt, *size, i)
                          for i in range(count)],
        codec='ffv1', pix_fmt=pix_fmt, **kw))


class CodecsTest(_TestCase):

  @parameterized.parameters(
      ('h265', '.mp4', 'hevc'), ('h265', '.mkv', 'hevc'),
      ('h265', '.mov', 'hevc'), ('av1', '.mp4', 'av1'), ('av1', '.mkv', 'av1'),
      ('prores', '.mov', 'prores'), ('prores', '.mkv', 'prores'),
      ('auto', '.mov', 'prores'), ('h264', '.mov', 'h264'))
  def test_by_name(self, codec, suffix, wanted):
    path = clips.write(
        self.path('in.mkv'), clips.pictures(5, 64, 80), codec='ffv1',
        pix_fmt='yuv420p', tags=dict(colorspace=1, color_primaries=1,
                                     color_trc=1, color_range=1),
        sounds=['aac'])
    info = probe.probe(path)
    written = copy(info, self.path(f'out{suffix}'), codec=codec, crf=8)
    again = probe.probe(written.path)
    self.assertEqual((again.codec, written.audio_tracks), (wanted, 1))
    for name in ('colorspace', 'color_primaries', 'color_trc', 'frame_rate'):
      self.assertEqual(getattr(again, name), getattr(info, name), name)
    for a, b in zip(frames_of(path), frames_of(written.path), strict=True):
      scale = 1 if b.rgb.dtype == np.uint8 else 257
      self.assertLess(np.abs(a.rgb.astype(float) - b.rgb / scale).mean(), 4)

  @parameterized.product(
      codec=('h265', 'av1', 'prores'), size=((65, 67), (71, 64), (66, 101)))
  def test_sizes_and_uneven_times(self, codec, size):
    path = clips.write(
        self.path('in.mkv'), clips.pictures(4, *size), codec='ffv1',
        time_base=fractions.Fraction(1, 1000),
        pts=[0, 40, 55, 200])
    suffix = '.mov' if codec == 'prores' else '.mp4'
    written = copy(probe.probe(path), self.path(f'out{suffix}'), codec=codec)
    self.assertEqual(written.max_timestamp_error, 0)
    found = frames_of(written.path)
    self.assertLen(found, 4)
    self.assertEqual(found[0].rgb.shape, (*size, 3))

  @parameterized.parameters(1, 2, 3, 4)
  def test_short_films_in_h265(self, count):
    # x265 alone gives them random times of decoding, which MP4 refuses.
    path = clips.write(self.path('in.mkv'), clips.pictures(count, 128, 256),
                       codec='ffv1')
    for _ in range(4):
      written = copy(probe.probe(path), self.path('out.mp4'), codec='h265')
      self.assertEqual(written.num_frames, count)
      with av.open(written.path) as film:
        packets = [p for p in film.demux(video=0) if p.size]
      self.assertTrue(all(p.dts <= p.pts for p in packets))

  @parameterized.parameters(
      ('yuv422p10le', 'yuv422p10le'), ('yuv444p10le', 'yuv444p10le'),
      ('yuv420p', 'yuv422p10le'), ('bgr0', 'yuv444p10le'),
      ('gray', 'yuv422p10le'))
  def test_prores_formats(self, pix_fmt, wanted):
    info = self.noise(pix_fmt)
    self.assertEqual(
        copy(info, self.path('out.mov')).pix_fmt, wanted)

  def test_less_colour_is_said(self):
    info = self.noise('yuv444p')
    self.assertIn('less colour', copy(
        info, self.path('out.mp4'), codec='av1').warnings[0])

  def test_refusals(self):
    info = self.noise('yuv420p', (8, 8))
    for name, pattern, options in (
        # x265 writes beyond its memory where pictures are this narrow.
        ('out.mp4', r'H\.265 cannot hold 8x8.*\.mkv', dict(codec='h265')),
        ('out.mp4', r'AV1 cannot hold 8x8.*\.mkv', dict(codec='av1')),
        ('out.mov', 'prores, not ffv1', dict(codec='ffv1')),
        ('out.mp4', 'H.264 is written with 8 or 10 bits, not 16',
         dict(bits=16)),
        ('out.mov', 'with 10 bits, not 8', dict(bits=8)),
        ('out', 'png or tiff, not h264', dict(codec='h264')),
        ('out', 'with 8 or 16 bits, not 10', dict(bits=10))):
      with self.assertRaisesRegex(types.BadInput, pattern):
        writer.check_output(self.path(name), info, **options)
    with self.assertRaisesRegex(types.BadInput, 'no yuv411p10le'):
      writer.check_output(self.path('out.mkv'), self.noise('yuv411p'), bits=10)


class BitsTest(_TestCase):

  @parameterized.product(
      pix_fmt=('yuv420p10le', 'yuv422p10le', 'yuv444p12le', 'yuv420p16le',
               'gray10le'), tags=(dict(color_range=1), dict(color_range=2)))
  def test_lossless_round_trip_is_bit_exact(self, pix_fmt, tags):
    info = self.noise(pix_fmt, (21, 33), tags=tags)
    written = copy(info, self.path('out.mkv'))
    self.assertEqual((written.kept_fraction, written.pix_fmt), (1, pix_fmt))
    for a, b in zip(frames_of(info.path), frames_of(written.path), strict=True):
      for p, q in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(p, q)

  @parameterized.product(bits=(10, 12, 16), pix_fmt=('yuv420p', 'gray'))
  def test_more_bits_lose_nothing(self, bits, pix_fmt):
    info = self.noise(pix_fmt, tags=dict(color_range=1))
    written = copy(info, self.path('out.mkv'), bits=bits)
    self.assertEqual(written.pix_fmt, f'{pix_fmt}{bits}le')
    self.assertEqual(written.kept_fraction, 1)
    for a, b in zip(frames_of(info.path), frames_of(written.path), strict=True):
      for p, q in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(p.astype(int) << bits - 8, q)

  def test_fewer_bits_are_dithered_the_same_each_time(self):
    frame = av.VideoFrame(64, 48, 'yuv420p10le')
    for plane, value in zip(frame.planes, (401, 500, 512), strict=True):
      np.frombuffer(plane, np.uint16)[:] = value
    info = probe.probe(clips.write(
        self.path('in.mkv'), [frame] * 3, codec='ffv1', pix_fmt='yuv420p10le'))
    runs = [[f.planes for f in frames_of(copy(
        info, self.path(f'{i}.mkv'), bits=8, seed=seed).path)]
            for i, seed in enumerate((0, 0, 1))]
    luma = np.stack([planes[0] for planes in runs[0]])
    self.assertAlmostEqual(luma.mean(), 401 / 4, delta=0.03)
    self.assertGreater(luma.std(), 0.5)
    self.assertTrue((luma[0] != luma[1]).any())
    np.testing.assert_array_equal(runs[0][1][0], runs[1][1][0])
    self.assertTrue((runs[0][1][0] != runs[2][1][0]).any())

  def test_deep_output_of_a_shallow_film(self):
    # What a network found between two steps of eight bits, sixteen keep.
    info = self.noise('bgr0')

    def change(rgb):
      deep = rgb.astype(np.uint16) * 257
      deep[5:9, 5:9] = 30001
      return deep

    written = copy(info, self.path('out.mkv'), change=change, bits=16)
    self.assertAlmostEqual(written.kept_fraction, 0)  # Other samples, all.
    for a, b in zip(frames_of(info.path), frames_of(written.path), strict=True):
      np.testing.assert_array_equal(b.rgb, change(a.rgb))
    written = copy(info, self.path('same.mkv'), change=change)
    self.assertAlmostEqual(written.kept_fraction, 1 - 16 / (48 * 64))
    after = frames_of(written.path)[0].rgb[5:9, 5:9]
    np.testing.assert_allclose(after, 30001 / 257, atol=1.5)
    self.assertGreater(len(np.unique(after)), 1)  # Dithered.

  @parameterized.product(codec=('png', 'tiff'), bits=(8, 16, 'auto'))
  def test_pictures(self, codec, bits):
    info = self.noise('yuv420p10le')
    written = copy(info, self.path('out'), codec=codec, bits=bits)
    names = sorted(os.listdir(written.path))
    self.assertEqual(names[0], '000000.png' if codec == 'png' else '000000.tif')
    picture = cv2.imread(os.path.join(written.path, names[0]),
                         cv2.IMREAD_UNCHANGED)[..., ::-1]
    want = frames_of(info.path)[0].rgb
    if bits == 8:
      self.assertEqual(picture.dtype, np.uint8)
      self.assertLess(np.abs(picture - want / 257).max(), 1.51)
    else:
      np.testing.assert_array_equal(picture, want)


class GreyTest(_TestCase):

  def _change(self, rgb):
    """A repair that brings in colour."""
    rgb = rgb.copy()
    rgb[4:12, 6:20] = np.array([200, 90, 40]) * (np.iinfo(rgb.dtype).max // 255)
    return rgb

  @parameterized.parameters('.mkv', '.mp4', '.mov', '')
  def test_no_colour_comes_in(self, suffix):
    for name in ('gray', 'yuv420p', 'bgr0'):
      frames = [clips.noise_frame('gray', 48, 64, i) for i in range(2)]
      info = probe.probe(clips.write(
          self.path(f'{name}.mkv'), [f.reformat(format=name) for f in frames],
          codec='ffv1', pix_fmt=name))
      written = copy(info, self.path(f'{name}_out{suffix}'),
                     change=self._change, crf=0)
      for frame in frames_of(written.path):
        if name == 'gray' and suffix in ('.mkv', ''):
          self.assertEqual(frame.layout.kind, 'grey')
        for plane in frame.planes[1:]:
          if suffix == '.mkv' or suffix == '.mp4':
            np.testing.assert_array_equal(plane, 128)
        spread = np.ptp(frame.rgb.astype(int), -1).max()
        self.assertLessEqual(spread, 0 if suffix != '.mov' else 3 * 257)
      if not suffix:
        self.assertEqual(cv2.imread(
            os.path.join(written.path, '000000.png'),
            cv2.IMREAD_UNCHANGED).ndim, 2 if name == 'gray' else 3)

  def test_dither_brings_none(self):
    info = self.noise('gray10le')
    for name, bits in (('out.mp4', 8), ('out.mkv', 8)):
      written = copy(info, self.path(name), bits=bits, crf=0)
      for frame in frames_of(written.path):
        self.assertEqual(np.ptp(frame.rgb.astype(int), -1).max(), 0)


class SitingTest(_TestCase):

  @parameterized.parameters('left', 'center', 'topleft')
  def test_is_kept(self, place):
    path = clips.write(
        self.path('in.mkv'), clips.pictures(2, 64, 64), codec='ffv1',
        pix_fmt='yuv420p10le', options={'chroma_sample_location': place})
    wanted = {'left': 1, 'center': 2, 'topleft': 3}[place]
    self.assertEqual(extras.read(path).siting, wanted)
    outputs = [('out.mkv', 'auto'), ('out.mp4', 'h264'), ('out265.mp4', 'h265')]
    if place != 'center':  # AV1 has no number for it.
      outputs.append(('av1.mkv', 'av1'))
    for name, codec in outputs:
      written = copy(probe.probe(path), self.path(name), codec=codec)
      self.assertEqual(extras.read(written.path).siting, wanted, name)
      self.assertEmpty(written.warnings)

  @parameterized.parameters(0, 1, 3)
  def test_repair_goes_where_the_frame_says(self, siting):
    info = self.noise('yuv420p', (20, 24), count=1)

    def sited(frame):
      layout = dataclasses.replace(frame.layout, siting=siting)
      rgb = color.to_rgb(frame.planes, layout)
      return dataclasses.replace(frame, layout=layout, rgb=rgb)

    frame, = map(sited, reader.read_frames(info))
    rgb = frame.rgb.copy()
    rgb[8:10, 8:12] = 77
    info = mock.Mock(spec=info, layout=frame.layout, **{
        f.name: getattr(info, f.name) for f in dataclasses.fields(info)})
    written = writer.write_video(
        self.path('out.mkv'), [writer.OutputFrame(frame, rgb)], info)
    after, = frames_of(written.path)
    inside = np.zeros((20, 24), bool)
    inside[8:10, 8:12] = True
    np.testing.assert_array_equal(
        after.planes[0][~inside], frame.planes[0][~inside])
    for p, q in zip(after.planes[1:], frame.planes[1:], strict=True):
      np.testing.assert_array_equal(p[~inside[::2, ::2]], q[~inside[::2, ::2]])


class HdrTest(_TestCase):

  @parameterized.parameters(
      ('out.mkv', 'auto'), ('out.mkv', 'h265'), ('out.mp4', 'h265'),
      ('out.mp4', 'h264'), ('out.mp4', 'av1'), ('out.mov', 'h265'))
  def test_is_kept(self, name, codec):
    path = films.hdr(self.path('in.mkv'))
    info = probe.probe(path)
    written = copy(info, self.path(name), codec=codec)
    self.assertEmpty(written.warnings)
    again = probe.probe(written.path)
    self.assertEqual((again.color_trc, again.color_primaries, again.colorspace,
                      again.bit_depth), (16, 9, 9, 10))
    static = extras.read(written.path).static
    np.testing.assert_allclose(static.primaries, films.HDR, atol=2e-5)
    np.testing.assert_allclose(static.luminance, (0.005, 1000), rtol=0.02)
    self.assertEqual(static.light, (1000, 400))
    if codec == 'auto':
      for a, b in zip(frames_of(path), frames_of(written.path), strict=True):
        np.testing.assert_array_equal(a.planes[0], b.planes[0])

  def test_hlg(self):
    info = probe.probe(films.hdr(
        self.path('in.mp4'), transfer=18, mastered=False))
    for name in ('out.mkv', 'out.mov', 'out.mp4'):
      self.assertEqual(
          probe.probe(copy(info, self.path(name)).path).color_trc, 18)

  @parameterized.parameters(('out.mkv', 'auto'), ('out.mp4', 'h265'))
  def test_a_matrix_we_have_no_formula_for_is_named_right(self, name, codec):
    path = clips.write(
        self.path('in.mkv'), clips.pictures(2, 64, 64), codec='ffv1',
        pix_fmt='yuv420p10le', tags=dict(
            colorspace=14, color_primaries=9, color_trc=16, color_range=1))
    written = copy(probe.probe(path), self.path(name), codec=codec)
    self.assertEqual(probe.probe(written.path).colorspace, 14)  # ICtCp.

  def test_is_never_squashed(self):
    info = probe.probe(films.hdr(self.path('in.mp4')))
    for name, pattern, options in (
        ('out.mp4', 'PQ.*8 bits are too few.*bits=10', dict(bits=8)),
        ('out', r'PQ.*pictures cannot say so.*\.mkv', {}),
        ('out.mov', r'PQ mastering data.*ProRes has no place.*\.mkv', {})):
      with self.assertRaisesRegex(types.BadInput, pattern):
        writer.check_output(self.path(name), info, **options)
      self.assertFalse(os.path.exists(self.path(name)))

  def test_parameters(self):
    data = hdr.Static(films.HDR, (0.005, 1000.0), (1000, 400))
    self.assertEqual(':'.join(hdr.x26x_parameters(data, light='max-cll')),
                     films.HDR_PARAMETERS)
    self.assertEqual(
        hdr.svt_parameters(data)[0], 'mastering-display=G(0.265,0.69)'
        'B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.005)')
    self.assertEqual(hdr.x26x_parameters(hdr.Static(), light='cll'), [])
    self.assertIsNone(hdr.name(1))


if __name__ == '__main__':
  absltest.main()
