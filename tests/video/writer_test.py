"""Tests of the writer: exactness, timing, sound, refusals, full disks."""

import dataclasses
import fractions
import os
import pathlib
import resource

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import probe, reader, writer
from tests.video import clips

Fraction = fractions.Fraction


def copy(info, path, *, change=None, **options):
  """Writes info's frames to path; change: a function of (index, rgb)."""
  def frames():
    for frame in reader.read_frames(info):
      rgb = frame.rgb if change is None else change(frame.index, frame.rgb)
      yield writer.OutputFrame(frame, rgb)
  return writer.write_video(path, frames(), info, **options)


def frames_of(path):
  return list(reader.read_frames(probe.probe(path)))


class _TestCase(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = self.create_tempdir().full_path

  def path(self, name):
    return os.path.join(self.dir, name)

  def clip(self, name='in.mp4', count=5, size=(32, 48), **kw):
    return clips.write(self.path(name), clips.pictures(count, *size), **kw)

  def assert_only(self, *names):
    """Asserts that nothing else is in the folder, hidden files included."""
    self.assertCountEqual(os.listdir(self.dir), names)


class ExactnessTest(_TestCase):

  @parameterized.product(
      pix_fmt=('yuv420p', 'yuv422p', 'yuv444p', 'yuvj420p', 'yuv411p',
               'yuv410p', 'gray', 'gray16le', 'bgr0', 'gbrp10le', 'gbrp16le',
               'yuv420p10le', 'yuv422p10le', 'yuv444p12le'),
      size=((16, 16), (13, 17)))
  def test_untouched_is_bit_for_bit(self, pix_fmt, size):
    codec = 'mjpeg' if pix_fmt == 'yuvj420p' else 'ffv1'
    path = clips.write(
        self.path('in.mkv'),
        [clips.noise_frame(pix_fmt, *size, seed) for seed in range(3)],
        codec=codec, pix_fmt=pix_fmt)
    written = copy(probe.probe(path), self.path('out.mkv'), expected_frames=3)
    self.assertEqual((written.kept_fraction, written.num_frames), (1.0, 3))
    self.assertEqual(written.codec, 'ffv1')
    for a, b in zip(frames_of(path), frames_of(written.path), strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)
      for p, q in zip(a.planes, b.planes, strict=True):
        np.testing.assert_array_equal(p, q)

  @parameterized.parameters('yuv420p', 'yuv420p10le', 'bgr0', 'gray')
  def test_repair_changes_its_pixels_only(self, pix_fmt):
    path = clips.write(
        self.path('in.mkv'), [clips.noise_frame(pix_fmt, 21, 33)],
        codec='ffv1', pix_fmt=pix_fmt)

    def change(_, rgb):
      rgb = rgb.copy()
      # Not what is there, and the same grey whatever the format.
      rgb[5:8, 11:16] = (rgb[5:8, 11:16, :1] + rgb.max() // 2) % rgb.max()
      return rgb

    info = probe.probe(path)
    written = copy(info, self.path('out.mkv'), change=change)
    before, = frames_of(path)
    after, = frames_of(written.path)
    inside = np.zeros((21, 33), bool)
    inside[5:8, 11:16] = True
    wanted = change(0, before.rgb)
    np.testing.assert_array_equal(
        before.planes[0][~inside], after.planes[0][~inside])
    self.assertTrue((before.planes[0] != after.planes[0])[inside].any())
    self.assertAlmostEqual(written.kept_fraction, 1 - 15 / (21 * 33))
    if info.layout.kind == 'yuv':
      blocks = np.zeros((11, 17), bool)
      blocks[2:4, 5:8] = True
      for p, q in zip(before.planes[1:], after.planes[1:], strict=True):
        np.testing.assert_array_equal(p[~blocks], q[~blocks])
    peak = 255 if before.rgb.dtype == np.uint8 else 65535
    # The inner pixel's chroma comes from changed blocks alone.
    got, want = after.rgb[6, 13] / peak, wanted[6, 13] / peak
    np.testing.assert_allclose(got.mean(), want.mean(), atol=0.1)

  def test_converted_frames_keep_matrix_and_range(self):
    for tags in (dict(colorspace=1, color_range=1),
                 dict(colorspace=6, color_range=2)):
      path = self.clip('in.mkv', codec='ffv1', pix_fmt='yuv444p', tags=tags)
      written = copy(probe.probe(path), self.path('out.mkv'),
                     change=lambda _, rgb: 255 - rgb)
      self.assertEqual(written.kept_fraction, 0)
      for a, b in zip(frames_of(path), frames_of(written.path), strict=True):
        self.assertEqual(b.layout.matrix, tags['colorspace'])
        np.testing.assert_allclose(b.rgb, 255.0 - a.rgb, atol=3)

  @parameterized.parameters(
      ((32, 48), 'yuv420p'), ((243, 321), 'yuv444p'), ((16, 16), 'yuv420p'),
      ((1, 1), 'yuv444p'), ((2, 2), 'yuv420p'), ((1, 16), 'yuv444p'))
  def test_sizes(self, size, pix_fmt):
    path = self.clip('in.mkv', 3, size, codec='ffv1', pix_fmt='yuv420p')
    for suffix in ('.mp4', '.mkv'):
      written = copy(probe.probe(path), self.path(f'out{suffix}'))
      if suffix == '.mp4':
        self.assertEqual(written.pix_fmt, pix_fmt)
      for a, b in zip(frames_of(path), frames_of(written.path), strict=True):
        self.assertEqual(b.rgb.shape, (*size, 3))
        self.assertLess(np.abs(a.rgb - b.rgb.astype(float)).mean(), 12)

  def test_one_frame(self):
    for suffix in ('.mp4', '.mkv', ''):
      written = copy(probe.probe(self.clip(count=1)), self.path(f'o{suffix}'))
      self.assertLen(frames_of(written.path), 1)


class TimingTest(_TestCase):

  @parameterized.product(
      source=('.mp4', '.mkv'), output=('.mp4', '.mkv'),
      timing=('film', 'variable', 'late'))
  def test_timestamps(self, source, output, timing):
    kw = {
        'film': dict(rate=Fraction(24000, 1001)),
        'variable': dict(time_base=Fraction(1, 90000), pts=[
            0, 3003, 4000, 12012, 15000, 22522, 22600, 40000]),
        'late': dict(time_base=Fraction(1, 1000),
                     pts=[80 + 40 * i for i in range(8)]),
    }[timing]
    path = self.clip(f'in{source}', 8, **kw)
    info = probe.probe(path)
    written = copy(info, self.path(f'out{output}'))
    again = probe.probe(written.path)
    wanted = [f.pts * info.time_base for f in frames_of(path)]
    got = [f.pts * again.time_base for f in frames_of(written.path)]
    self.assertLen(got, 8)
    if output == '.mp4' or source == '.mkv':
      self.assertEqual(got, wanted)
      self.assertEqual(written.max_timestamp_error, 0)
    else:
      self.assertLessEqual(
          max(abs(a - b) for a, b in zip(got, wanted, strict=True)),
          Fraction(1, 2000))
      self.assertLessEqual(written.max_timestamp_error, 0.0005)
    if timing == 'film' and source == '.mp4':
      self.assertEqual(again.frame_rate, info.frame_rate)

  @parameterized.product(
      suffix=('.mp4', '.mkv'), shape=(
          Fraction(16, 15), Fraction(8, 9), Fraction(4, 3), Fraction(2)))
  def test_tags(self, suffix, shape):
    path = self.clip(
        rotation=90, sample_aspect_ratio=shape, sounds=['aac'],
        tags=dict(colorspace=1, color_range=2, color_primaries=9,
                  color_trc=13))
    info = probe.probe(path)
    again = probe.probe(copy(info, self.path(f'out{suffix}')).path)
    for name in ('colorspace', 'color_range', 'color_primaries', 'color_trc',
                 'rotation', 'frame_rate', 'sample_aspect_ratio'):
      self.assertEqual(getattr(again, name), getattr(info, name), name)


class SoundTest(_TestCase):

  @parameterized.parameters(
      (('aac',), '.mp4', '.mp4'), (('aac',), '.mp4', '.mkv'),
      (('libmp3lame',), '.mp4', '.mkv'), (('flac',), '.mkv', '.mp4'),
      (('pcm_s16le',), '.mkv', '.mkv'), (('aac', 'ac3'), '.mkv', '.mp4'),
      (('aac', 'pcm_s16le', 'flac'), '.mkv', '.mkv'))
  def test_packets_are_copied(self, sounds, source, output):
    # The sound is longer than the picture.
    path = self.clip(f'in{source}', sounds=sounds, seconds=1.5)
    written = copy(probe.probe(path), self.path(f'out{output}'))
    self.assertEqual(written.audio_tracks, len(sounds))
    before, after = (clips.packets(p, 'audio') for p in (path, written.path))
    for a, b in zip(before, after, strict=True):
      self.assertEqual([p for p, _ in a], [p for p, _ in b])
      np.testing.assert_allclose(
          [t for _, t in a], [t for _, t in b], atol=1.01e-3)
    self.assertEqual([a.codec for a in probe.probe(path).audio],
                     [a.codec for a in probe.probe(written.path).audio])

  def test_pcm_in_mp4(self):
    info = probe.probe(self.clip('in.mkv', sounds=['pcm_s16le']))
    with self.assertRaisesRegex(types.BadInput, r'pcm_s16le.*\.mkv'):
      writer.check_output(self.path('out.mp4'), info)
    writer.check_output(self.path('out.mkv'), info)

  def test_folder_has_no_sound(self):
    written = copy(probe.probe(self.clip(sounds=['aac'])), self.path('out'))
    self.assertIn('sound', written.warnings[0])


class PicturesTest(_TestCase):

  def test_folder_out_and_in(self):
    path = self.clip()
    written = copy(probe.probe(path), self.path('new/out/'), expected_frames=5)
    self.assertCountEqual(
        os.listdir(written.path), [f'{i:06d}.png' for i in range(5)])
    for a, b in zip(frames_of(path), frames_of(written.path), strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)
    again = probe.probe(written.path, frame_rate=25)
    made = copy(again, self.path('again.mkv'))
    self.assertEqual(probe.probe(made.path).frame_rate, 25)
    for a, b in zip(frames_of(path), frames_of(made.path), strict=True):
      np.testing.assert_array_equal(a.rgb, b.rgb)

  @parameterized.product(
      dtype=(np.uint8, np.uint16), channels=(1, 3), suffix=('.png', '.tif'))
  def test_one_picture(self, dtype, channels, suffix):
    rng = np.random.default_rng(0)
    shape = (5, 7, 3) if channels == 3 else (5, 7)
    picture = rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    cv2.imwrite(self.path('in.png'), picture)
    written = copy(probe.probe(self.path('in.png')), self.path(f'out{suffix}'))
    np.testing.assert_array_equal(
        cv2.imread(written.path, cv2.IMREAD_UNCHANGED), picture)
    self.assertEqual(written.kept_fraction, 1)

  @parameterized.parameters('.mkv', '.mp4', '')
  def test_made_frames(self, suffix):
    frames = clips.pictures(4)
    written = writer.write_rgb(
        self.path(f'a{suffix}'), iter(frames), frame_rate=Fraction(25))
    again = frames_of(written.path)
    for a, b in zip(frames, again, strict=True):
      np.testing.assert_allclose(a, b.rgb, atol=70 if suffix == '.mp4' else 0)
    masks = [f[..., 0] > 128 for f in frames]
    written = writer.write_grey(
        self.path(f'b{suffix}'), masks, frame_rate=25, crf=1)
    for a, b in zip(masks, frames_of(written.path), strict=True):
      np.testing.assert_array_equal(a, b.rgb[..., 0] >= 128)


class RefusalTest(_TestCase):

  def refused(self, info, path, pattern, **kw):
    with self.assertRaisesRegex(types.BadInput, pattern) as caught:
      writer.check_output(path, info, **kw)
    self.assertNotIn('\n', str(caught.exception))
    with self.assertRaisesRegex(types.BadInput, pattern):
      writer.write_video(path, iter(()), info, **kw)

  def test_output_is_input(self):
    path = self.clip('in.mp4')
    info = probe.probe(path)
    os.symlink(path, self.path('soft.mp4'))
    os.link(path, self.path('hard.mp4'))
    for name in (path, self.path('soft.mp4'), self.path('hard.mp4'),
                 os.path.relpath(path), self.path('../') + os.path.basename(
                     self.dir) + '/in.mp4'):
      self.refused(info, name, 'output is the input')

  def test_places(self):
    info = probe.probe(self.clip('in.mp4'))
    self.refused(info, self.path('out.avi'), r'\.avi.*\.mp4.*\.mkv.*folder')
    self.refused(info, self.path('out.png'), r'\.png')
    self.refused(info, self.path('out.mp4'), 'h264, not ffv1', codec='ffv1')
    self.refused(info, self.dir, 'not empty')
    os.mkdir(self.path('folder.mp4'))
    self.refused(info, self.path('folder.mp4'), 'is a folder')
    pathlib.Path(self.path('file')).touch()
    self.refused(info, self.path('file'), 'is a file')
    self.refused(info, self.path('file/out.mp4'), 'is a file, not a folder')
    # Nobody, not even root, makes files there.
    self.refused(info, '/proc/none/out.mp4', 'no file can be made')
    self.assert_only('in.mp4', 'folder.mp4', 'file')

  def test_inside_the_input(self):
    cv2.imwrite(self.path('a.png'), np.zeros((4, 5, 3), np.uint8))
    info = probe.probe(self.dir)
    for name in ('out.mp4', 'sub/out.mkv', 'sub'):
      self.refused(info, self.path(name), 'inside the input')
    self.assert_only('a.png')


class _Stop(BaseException):
  """Stands for Ctrl-C and for a generator that is closed."""


class AtomicTest(_TestCase):

  @parameterized.product(
      name=('out.mp4', 'out.mkv', 'out'), error=(_Stop, ValueError))
  def test_nothing_is_left_of_a_broken_run(self, name, error):
    path = self.clip()
    if name != 'out':
      pathlib.Path(self.path(name)).write_text('old')
    before = set(os.listdir(self.dir))

    def change(index, rgb):
      if index == 3:
        raise error
      return rgb

    with self.assertRaises(error):
      copy(probe.probe(path), self.path(name), change=change)
    self.assert_only(*before)
    if name != 'out':
      self.assertEqual(pathlib.Path(self.path(name)).read_text(), 'old')

  @parameterized.parameters('out.mp4', 'out.mkv', 'out')
  def test_disk_full(self, name):
    path = self.clip('in.mkv', 40, (96, 128), codec='ffv1', sounds=['aac'])
    data = pathlib.Path(path).read_bytes()
    info = probe.probe(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 3000, 30000):
      change = lambda index, rgb: np.random.default_rng(index).integers(
          0, 256, rgb.shape, dtype=np.uint8)
      try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        with self.assertRaisesRegex(types.BadInput, 'no space left.*free'):
          copy(info, self.path(name), change=change)
      finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
      self.assert_only('in.mkv')
    self.assertEqual(pathlib.Path(path).read_bytes(), data)

  def test_disk_full_at_the_very_end(self):
    info = probe.probe(self.clip('in.mkv', 12, codec='ffv1', sounds=['aac']))
    size = os.path.getsize(copy(info, self.path('out.mp4')).path)
    os.remove(self.path('out.mp4'))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for missing in (1, 40, 400):
      try:
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (size - missing, limits[1]))
        with self.assertRaisesRegex(types.BadInput, 'no space left'):
          copy(info, self.path('out.mp4'))
      finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
      self.assert_only('in.mkv')

  @parameterized.parameters('out.mp4', 'out.mkv', 'out')
  def test_wrong_count(self, name):
    path = self.clip()
    with self.assertRaisesRegex(RuntimeError, '5 frames.*6 expected'):
      copy(probe.probe(path), self.path(name), expected_frames=6)
    with self.assertRaisesRegex(RuntimeError, '0 frames'):
      writer.write_video(self.path(name), iter(()), probe.probe(path))
    self.assert_only('in.mp4')

  def test_replaces_and_closes(self):
    path = self.clip()
    pathlib.Path(self.path('out.mp4')).write_text('old')
    pathlib.Path(self.path('.out.part.mp4')).write_text('of a killed run')
    copy(probe.probe(path), self.path('out.mp4'))
    self.assertLen(frames_of(self.path('out.mp4')), 5)
    self.assert_only('in.mp4', 'out.mp4')

  def test_errors_of_the_frames_stay_what_they_are(self):
    info = probe.probe(self.clip())

    def change(index, rgb):
      if index:
        raise FileNotFoundError('weights')
      return rgb

    with self.assertRaisesRegex(FileNotFoundError, 'weights'):
      copy(info, self.path('out.mp4'), change=change)
    self.assert_only('in.mp4')

  def test_wrong_shape(self):
    info = probe.probe(self.clip())
    for change in (lambda _, rgb: rgb[:-1], lambda _, rgb: rgb / 255):
      with self.assertRaisesRegex(ValueError, 'must agree'):
        copy(info, self.path('out.mp4'), change=change)
    self.assert_only('in.mp4')

  def test_frames_without_layout(self):
    info = probe.probe(self.clip())
    frames = (dataclasses.replace(f, layout=None)
              for f in reader.read_frames(info))
    written = writer.write_video(self.path('out.mkv'), (
        writer.OutputFrame(f, f.rgb) for f in frames), info)
    self.assertEqual(written.kept_fraction, 1)


if __name__ == '__main__':
  absltest.main()
