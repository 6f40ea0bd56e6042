"""Broken and odd films through the whole program: a film, or one sentence.

The source is left as it was, and there is no half output.
"""

import fractions
import os
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from configs import restore as config
from revive_jax import restore, types
from revive_jax.video import images, probe, reader
from tests.video import clips, mutation_test

_TICK = fractions.Fraction(1, 1000)


def _remux(path, output, options):
  with av.open(str(path)) as a, av.open(str(output), 'w', options=options) as b:
    stream = b.add_stream_from_template(a.streams.video[0])
    for packet in a.demux(video=0):
      if packet.size:
        packet.stream = stream
        b.mux(packet)


class BadInputTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self._runs = 0

  def _write(self, name, frames, **settings):
    return pathlib.Path(clips.write(self.dir / name, frames, **settings))

  def _read(self, path):
    warnings = []
    frames = list(reader.read_frames(
        probe.probe(path), warn=warnings.append))
    return frames, warnings

  def _restore(self, path, output='out/film.mkv'):
    """Returns the report, or the sentence; nothing but the output is left."""
    self._runs += 1
    before = path.read_bytes() if path.is_file() else None
    names = set(self.dir.iterdir())
    workdir = pathlib.Path(self.create_tempdir().full_path)
    destination = self.dir / str(self._runs) / output
    try:
      return restore.restore(
          config.get_config('tiny'), str(workdir), str(path), str(destination))
    except types.BadInput as error:
      sentence = str(error)
      self.assertNotIn('\n', sentence)
      self.assertEqual(sentence.rstrip()[-1], '.')
      self.assertFalse(destination.exists())
      self.assertLessEqual(
          set(self.dir.iterdir()) - names, {destination.parents[1]})
      return sentence
    finally:
      if before is not None:
        self.assertEqual(path.read_bytes(), before)

  # Container, encoder, pixel format, muxer's options, where it is readable.
  @parameterized.parameters(
      ('mp4', 'libx264', 'yuv420p', {}, ()),
      ('mp4', 'libx264', 'yuv420p', {'movflags': 'faststart'}, range(6, 10)),
      ('mov', 'prores_ks', 'yuv422p10le', {'movflags': 'faststart'},
       range(2, 10)),
      ('mkv', 'ffv1', 'yuv420p', {}, range(1, 10)),
      ('webm', 'libvpx', 'yuv420p', {}, range(4, 10)),
      ('avi', 'mjpeg', 'yuvj420p', {}, range(3, 10)),
      ('ts', 'libx264', 'yuv420p', {}, range(3, 10)),
      ('mpg', 'mpeg2video', 'yuv420p', {'bf': '0'}, range(3, 10)))
  def test_cut_at_every_tenth(self, suffix, codec, pix_fmt, options, readable):
    film = self._write(f'film.{suffix}', clips.pictures(20, 64, 96),
                       codec=codec, pix_fmt=pix_fmt)
    whole = self.dir / f'whole.{suffix}'
    _remux(film, whole, options)
    data = whole.read_bytes()
    full, _ = self._read(whole)
    counts = {}
    for tenth in range(1, 10):
      cut = self.dir / f'cut{tenth}.{suffix}'
      cut.write_bytes(data[:len(data) * tenth // 10])
      try:
        frames, warnings = self._read(cut)
      except types.BadInput as error:
        self.assertIn(cut.name, str(error))
        continue
      counts[tenth] = len(frames)
      stamps = [f.pts for f in frames]
      self.assertEqual(stamps, sorted(set(stamps)))
      self.assertLessEqual(set(stamps), {f.pts for f in full})
      self.assertLess(len(frames), 20 + (suffix == 'mpg'))  # Ends in padding.
      if suffix not in ('ts', 'mpg'):  # These have no end that could be missed.
        self.assertRegex(warnings[-1], r'promises .*end at 00:00:00\.\d{3}')
    self.assertLessEqual(set(readable), set(counts))
    self.assertEqual(list(counts.values()), sorted(counts.values()))

  def test_a_cut_film_is_restored_up_to_the_cut(self):
    film = self._write('film.mkv', clips.pictures(10), codec='ffv1')
    data = film.read_bytes()
    cut = self.dir / 'cut.mkv'
    cut.write_bytes(data[:len(data) * 6 // 10])
    frames, _ = self._read(cut)
    report = self._restore(cut)
    self.assertEqual(report['outputs'][0]['frames'], len(frames))
    self.assertRegex(' '.join(report['warnings']), r'end at 00:00:00\.\d{3}')

  @parameterized.parameters('a.mp4', 'a.avi', 'a.ts', 'a.mkv')
  def test_random_bytes(self, name):
    codec, pix_fmt, options = next(
        f[1:] for f in mutation_test._FILMS if f[0] == name)
    data = self._write(name, clips.pictures(6), codec=codec, pix_fmt=pix_fmt,
                       options=options).read_bytes()
    broken = self.dir / f'broken_{name}'
    for seed in (3, 4):
      broken.write_bytes(mutation_test.mutated(data, seed))
      outcome = self._restore(broken)
      if isinstance(outcome, dict):
        self.assertEqual(outcome['outputs'][0]['frames'],
                         outcome['input']['frames'])

  @parameterized.parameters(
      ('mp4', 'libx264'), ('mkv', 'ffv1'), ('ts', 'mpeg2video'),
      ('avi', 'mpeg4'), ('webm', 'libvpx'))
  def test_no_frames(self, suffix, codec):
    path = self.dir / f'none.{suffix}'
    with av.open(str(path), 'w') as output:
      stream = output.add_stream(codec, rate=25)
      stream.width = stream.height = 32
      stream.pix_fmt = 'yuv420p'
      output.start_encoding()
    self.assertRegex(self._restore(path), 'no picture|empty|not one|missing')

  def test_sound_alone(self):
    path = self.dir / 'sound.mka'
    with av.open(str(path), 'w') as output:
      clips._encode_sound(output, clips._add_sound(output, 'flac'), 0.1)
    self.assertIn('sound but no picture', self._restore(path))

  @parameterized.parameters((16, 1), (1, 16), (15, 13), (2, 2))
  def test_small_sizes(self, height, width):
    path = self._write(
        'odd.mkv', clips.pictures(2, height, width), codec='ffv1',
        pix_fmt='yuv444p', options={'slices': '1'})
    report = self._restore(path)
    self.assertEqual((report['input']['height'], report['input']['width']),
                     (height, width))

  def test_8192_wide(self):
    path = self._write(
        'wide.mkv', clips.pictures(2, 66, 8192), codec='ffv1')
    frames, warnings = self._read(path)
    self.assertEqual([f.rgb.shape for f in frames], 2 * [(66, 8192, 3)])
    self.assertEmpty(warnings)

  def test_another_size_in_the_middle(self):
    data = b''
    for size in ((32, 48), (48, 64)):
      data += self._write('part.h264', clips.pictures(4, *size)).read_bytes()
    path = self.dir / 'both.h264'
    path.write_bytes(data)
    sentence = self._restore(path)
    self.assertIn('frame 4, at 00:00:00.160, is 64x48, the first was 48x32',
                  sentence)
    self.assertIn('cut it there', sentence)

  @parameterized.parameters(('nut', 'ffv1'), ('mkv', 'ffv1'), ('avi', 'mpeg4'))
  def test_negative_timestamps(self, suffix, codec):
    path = self._write(
        f'early.{suffix}', clips.pictures(5), codec=codec, time_base=_TICK,
        pts=[-120, -80, -40, 0, 40])
    report = self._restore(path)
    self.assertEqual(report['outputs'][0]['frames'], 5)
    info = probe.probe(path)
    frames, warnings = self._read(path)
    stamps = [f.pts * info.time_base for f in frames]
    self.assertEqual([s - stamps[0] for s in stamps],
                     [_TICK * t for t in (0, 40, 80, 120, 160)])
    self.assertEmpty(warnings)

  def test_pictures_outside_an_edit_are_no_loss(self):
    # In MP4, what lies before zero is what an edit list hides.
    path = self._write(
        'edit.mp4', clips.pictures(5), time_base=_TICK,
        pts=[-120, -80, -40, 0, 40])
    frames, warnings = self._read(path)
    self.assertLen(frames, 2)
    self.assertEmpty(warnings)

  @parameterized.parameters(('mkv', 'ffv1'), ('mp4', 'libx264'))
  def test_1000_frames_a_second(self, suffix, codec):
    path = self._write(f'fast.{suffix}', clips.pictures(6), codec=codec,
                       rate=1000)
    report = self._restore(path)
    self.assertEqual(report['input']['frame_rate'], 1000)
    self.assertEqual(report['outputs'][0]['frames'], 6)
    again = probe.probe(report['outputs'][0]['path'])
    stamps = [f.pts * again.time_base for f in reader.read_frames(again)]
    self.assertEqual(stamps, [_TICK * t for t in range(6)])

  def test_no_frame_rate(self):
    # One picture has no rate, and raw H.264 need not name one.
    for name, codec in (('one.mkv', 'ffv1'), ('one.h264', 'libx264')):
      path = self._write(name, clips.pictures(1), codec=codec)
      self.assertGreater(probe.probe(path).frame_rate, 0)
      self.assertEqual(self._restore(path)['outputs'][0]['frames'], 1)

  @parameterized.parameters(
      ('argb', 'qtrle', 'mov'), ('yuva444p10le', 'prores_ks', 'mov'),
      ('bgra', 'ffv1', 'mkv'), ('rgba', 'png', 'mov'))
  def test_alpha(self, pix_fmt, codec, suffix):
    path = self._write(f'clear.{suffix}', clips.pictures(2), codec=codec,
                       pix_fmt=pix_fmt)
    report = self._restore(path)
    self.assertIn('alpha channel is left out', ' '.join(report['warnings']))

  def test_palette_png(self):
    # Made with the format's own numbers: four colours, two bits a pixel.
    palette = np.uint8([[255, 0, 0], [0, 128, 0], [0, 0, 64], [9, 8, 7]])
    index = np.arange(64 * 48).reshape(48, 64) // 5 % 4
    path = self.dir / 'palette.png'
    path.write_bytes(_palette_png(index, palette))
    frame, = reader.read_frames(probe.probe(path))
    np.testing.assert_array_equal(frame.rgb, palette[index])
    self._restore(path, 'out.png')
    restored = cv2.imread(str(self.dir / '1/out.png'))
    self.assertEqual(restored.shape, (48, 64, 3))

  def test_no_permission(self):
    # The tests may run as root, who may read everything.
    path = self._write('film.mkv', clips.pictures(2), codec='ffv1')
    with mock.patch.object(
        probe.av, 'open', side_effect=PermissionError(13, 'Permission denied')):
      self.assertIn('film.mkv: no permission', self._restore(path))
    picture = self.dir / 'a.png'
    cv2.imwrite(str(picture), np.zeros((4, 4, 3), np.uint8))
    denied = mock.Mock(side_effect=PermissionError(13, 'Permission denied'))
    with mock.patch.object(images.np, 'fromfile', denied):
      self.assertIn('a.png', self._restore(picture, 'b.png'))
    with mock.patch.object(images.os, 'listdir', denied):
      with self.assertRaisesRegex(types.BadInput, 'read .Permission denied'):
        probe.probe(self.dir)

  def test_output_that_cannot_be_written(self):
    path = self._write('film.mkv', clips.pictures(2), codec='ffv1')
    (self.dir / 'file').write_text('')
    for output in ('/proc/out.mkv', '/sys/out', str(self.dir / 'file/a.mkv')):
      with self.assertRaisesRegex(types.BadInput, os.path.dirname(output)):
        restore.restore(config.get_config('tiny'), str(self.dir / 'work'),
                        str(path), output)


def _palette_png(index, palette) -> bytes:
  """A PNG of two bits a pixel, by the standard."""
  import struct
  import zlib

  def chunk(kind, data):
    return (struct.pack('>I', len(data)) + kind + data +
            struct.pack('>I', zlib.crc32(kind + data)))

  height, width = index.shape
  bits = index.reshape(height, width // 4, 4)
  rows = (bits << [6, 4, 2, 0]).sum(-1).astype(np.uint8)
  lines = np.pad(rows, ((0, 0), (1, 0))).tobytes()
  header = struct.pack('>IIBBBBB', width, height, 2, 3, 0, 0, 0)
  return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) +
          chunk(b'PLTE', palette.tobytes()) +
          chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))


if __name__ == '__main__':
  absltest.main()
