"""Tests of video/original.py and duplicate.py: the source can be had back."""

import errno
import fractions
import hashlib
import pathlib
from unittest import mock
import zipfile

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np

from revive_jax import types
from revive_jax.video import (
  duplicate,
  extras,
  original,
  parts,
  probe,
  reader,
  target,
  writer,
)
from tests.video import clips

_COUNT = 9
# Uneven, and not from zero: 90 kHz, of which MKV keeps milliseconds.
_STAMPS = np.cumsum(
    [9000, 3600, 3003, 7200, 101, 3600, 3600, 12000, 3600]).tolist()


def _video(path):
  """(samples of each frame, its time) by PyAV alone."""
  with av.open(str(path)) as container:
    stream = container.streams.video[0]
    return [([bytes(p) for p in f.planes],
             None if f.pts is None else f.pts * stream.time_base)
            for f in container.decode(stream)]


class OriginalTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _restored(
      self, source, name='out.mkv', keep_original=True, **settings):
    """Joins a film of inverted frames; all is done but restoring."""
    info = probe.probe(str(source))
    goal = target.choose(self.dir / name, info, 'auto')
    found = extras.read(info.path if info.kind == 'video' else '')
    part = self.dir / parts.name(0, goal)
    made = parts.write(
        part, (writer.OutputFrame(f, 255 - f.rgb)
               for f in reader.read_frames(info)), info, goal, found)
    files = [self.dir / n for n in parts.files(self.dir, part.name)]
    return parts.join(self.dir / name, files, [made], info, goal, found,
                      keep_original=keep_original, **settings)

  @parameterized.parameters(
      ('film.mp4', 'libx264', 'yuv420p', ('aac',)),
      ('film.mov', 'libx264', 'yuv422p10le', ('pcm_s16le',)),
      ('film.mkv', 'ffv1', 'yuv420p', ('flac', 'aac')),
      ('film.mkv', 'libx265', 'yuv420p10le', ()),
      ('film.nut', 'mjpeg', 'yuvj420p', ()))
  def test_packets_frames_and_times_come_back(
      self, name, codec, pix_fmt, sounds):
    exact = not name.endswith('.mkv')
    source = clips.write(
        self.dir / name, clips.pictures(_COUNT, 64, 96), codec=codec,
        pix_fmt=pix_fmt, sounds=sounds, seconds=0.5,
        time_base=fractions.Fraction(1, 90000 if exact else 1000),
        pts=_STAMPS if exact else [s // 90 for s in _STAMPS])
    self._restored(source)
    self.assertEqual(original.suffix(self.dir / 'out.mkv'), source[-4:])
    said = original.write_back(
        self.dir / 'out.mkv', self.dir / f'back{source[-4:]}')
    self.assertEqual(said, [])
    back = self.dir / f'back{source[-4:]}'
    self.assertEqual(_video(back), _video(source))
    for kind in ('video', 'audio'):
      self.assertEqual(clips.packets(back, kind), clips.packets(source, kind))

  @parameterized.parameters(
      ('film.ts', 'libx264', ()), ('film.avi', 'mpeg4', ('mp2',)),
      ('film.mpg', 'mpeg2video', ('mp2',)), ('film.264', 'libx264', ()))
  def test_frames_of_old_containers(self, name, codec, sounds):
    """They pack what is coded in ways of their own; frames are what counts."""
    source = clips.write(
        self.dir / name, clips.pictures(_COUNT, 64, 96), codec=codec,
        sounds=sounds, seconds=0.3)
    self._restored(source)
    original.write_back(self.dir / 'out.mkv', self.dir / 'back.nut')
    was, now = _video(source), _video(self.dir / 'back.nut')
    self.assertEqual([f for f, _ in was], [f for f, _ in now])

  def test_sound_that_was_repaired(self):
    source = clips.write(
        self.dir / 'film.mp4', clips.pictures(_COUNT), sounds=('aac', 'aac'))
    clips.write(self.dir / 'other.mp4', clips.pictures(3), sounds=('ac3',))
    self._restored(source, sound={1: str(self.dir / 'other.mp4')})
    with av.open(str(self.dir / 'out.mkv')) as film:
      codecs = [s.codec_context.name for s in film.streams.audio]
    self.assertEqual(codecs, ['aac', 'ac3', 'aac'])
    original.write_back(self.dir / 'out.mkv', self.dir / 'back.mp4')
    self.assertEqual(clips.packets(self.dir / 'back.mp4', 'audio'),
                     clips.packets(source, 'audio'))

  def test_the_film_is_what_players_show(self):
    source = clips.write(self.dir / 'film.mp4', clips.pictures(_COUNT))
    self._restored(source)
    info = probe.probe(str(self.dir / 'out.mkv'))
    self.assertEqual(info.codec, 'ffv1')
    with av.open(str(self.dir / 'out.mkv')) as film:
      first, kept = film.streams.video
      self.assertEqual(first.index, 0)
      self.assertEqual(kept.metadata['title'], 'Original')
      self.assertFalse(kept.disposition)
    for a, b in zip(reader.read_frames(info), reader.read_frames(
        probe.probe(str(source))), strict=True):
      self.assertLess(np.abs(a.rgb - (255.0 - b.rgb)).mean(), 4)

  def test_a_flipped_byte_is_noticed(self):
    source = clips.write(self.dir / 'film.mp4', clips.pictures(_COUNT))
    self._restored(source)
    data = bytearray((self.dir / 'out.mkv').read_bytes())
    packet = clips.packets(source, 'video')[0][4][0]
    place = data.find(packet)
    self.assertGreater(place, 0)  # It lies in the film as it was.
    data[place + len(packet) // 2] ^= 1
    (self.dir / 'out.mkv').write_bytes(data)
    with self.assertRaisesRegex(types.BadInput, 'not what it was'):
      original.write_back(self.dir / 'out.mkv', self.dir / 'back.mp4')
    self.assertFalse((self.dir / 'back.mp4').exists())

  def test_a_flipped_byte_of_sound_is_noticed(self):
    for name, sound in (('film.mp4', 'aac'), ('film.ts', 'aac'),
                        ('film.avi', 'mp2')):
      source = clips.write(self.dir / name, clips.pictures(_COUNT),
                           sounds=(sound,), seconds=0.4)
      self._restored(source)
      self.assertFalse((self.dir / f'out.mkv.original{name[4:]}').exists())
      back = self.dir / 'back.mkv'
      original.write_back(self.dir / 'out.mkv', back)
      back.unlink()
      data = bytearray((self.dir / 'out.mkv').read_bytes())
      packet = clips.packets(self.dir / 'out.mkv', 'audio')[0][3][0]
      place = data.find(packet)
      self.assertGreater(place, 0)
      data[place + len(packet) // 2] ^= 4
      (self.dir / 'out.mkv').write_bytes(data)
      with self.assertRaisesRegex(types.BadInput, 'sound track 0 .*not what'):
        original.write_back(self.dir / 'out.mkv', back)
      self.assertFalse(back.exists())

  def test_lost_packets_are_noticed(self):
    source = clips.write(self.dir / 'film.mp4', clips.pictures(_COUNT),
                         sounds=('aac',))
    self._restored(source)
    whole = original._kept
    def of_more(*arguments):
      table, streams = whole(*arguments)
      for column in table['streams']['pictures'].values():
        if isinstance(column, list):
          column.append(column[-1])
      return table, streams
    with mock.patch.object(original, '_kept', of_more):
      with self.assertRaisesRegex(types.BadInput, 'fewer packets'):
        original.write_back(self.dir / 'out.mkv', self.dir / 'back.mp4')
    self.assertFalse((self.dir / 'back.mp4').exists())

  def test_what_packs_sound_anew(self):
    """Another number of packets is no error; their times have no match."""
    columns = {'pts': [0, 1, 2], 'time_base': '1/25'}
    self.assertEqual(original._latest(columns, columns | {'pts': [0]}), 0)
    source = clips.write(
        self.dir / 'film.mp4', clips.pictures(_COUNT), sounds=('aac',))
    self._restored(source)
    said = original.write_back(self.dir / 'out.mkv', self.dir / 'back.ts')
    self.assertRegex(said[0], 'packets of sound track 0')

  def test_refusals(self):
    source = clips.write(self.dir / 'film.mp4', clips.pictures(3))
    with self.assertRaisesRegex(types.BadInput, 'keep_original'):
      original.suffix(source)
    self._restored(source)
    with self.assertRaisesRegex(types.BadInput, r'cannot hold.*\.nut'):
      original.write_back(self.dir / 'out.mkv', self.dir / 'back.wav')
    self.assertFalse((self.dir / 'back.wav').exists())


class DuplicateTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  _restored = OriginalTest._restored

  def test_the_bytes_beside_a_film(self):
    source = clips.write(self.dir / 'film.avi', clips.pictures(4),
                         codec='mjpeg', pix_fmt='yuvj420p')
    self._restored(source, 'out.mp4')
    kept = self.dir / 'out.mp4.original.avi'
    self.assertEqual(duplicate.find(self.dir / 'out.mp4'), kept)
    duplicate.give_back(kept, self.dir / 'back.avi')
    self.assertEqual((self.dir / 'back.avi').read_bytes(),
                     pathlib.Path(source).read_bytes())
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(data)
    with self.assertRaisesRegex(types.BadInput, 'SHA-256'):
      duplicate.give_back(kept, self.dir / 'again.avi')
    self.assertFalse((self.dir / 'again.avi').exists())

  def test_it_is_of_one_film(self):
    """Of this very film: a name may be that of another one by now."""
    source = clips.write(self.dir / 'film.avi', clips.pictures(4),
                         codec='mjpeg', pix_fmt='yuvj420p')
    self._restored(source, 'out.mp4')
    film, kept = self.dir / 'out.mp4', self.dir / 'out.mp4.original.avi'
    sums = self.dir / 'out.mp4.original.avi.sha256'
    own, other = sums.read_text().splitlines()
    self.assertEqual(
        own, f'{hashlib.sha256(kept.read_bytes()).hexdigest()}  {kept.name}')
    self.assertEqual(
        other, f'# film {hashlib.sha256(film.read_bytes()).hexdigest()}')
    film.rename(self.dir / 'b.mp4')  # All of it may get another name.
    kept.rename(self.dir / 'b.mp4.original.avi')
    sums.rename(self.dir / 'b.mp4.original.avi.sha256')
    self.assertEqual(duplicate.find(self.dir / 'b.mp4'),
                     self.dir / 'b.mp4.original.avi')
    self._restored(source, 'b.mp4', keep_original=False)
    (self.dir / 'b.mp4').write_bytes(
        (self.dir / 'b.mp4').read_bytes() + b'\0\0\0\x08free')
    self.assertIsNone(duplicate.find(self.dir / 'b.mp4'))
    self.assertLen(duplicate.beside(self.dir / 'b.mp4'), 1)

  def test_a_full_disk_leaves_the_older_film_with_what_is_of_it(self):
    source = clips.write(self.dir / 'film.avi', clips.pictures(4),
                         codec='mjpeg', pix_fmt='yuvj420p')
    self._restored(source, 'out.mp4')
    names = ('out.mp4', 'out.mp4.original.avi', 'out.mp4.original.avi.sha256')
    read = lambda: {p.name: p.read_bytes() for p in self.dir.iterdir()
                    if 'out.mp4' in p.name}
    before = read()
    self.assertCountEqual(before, names)
    other = clips.write(self.dir / 'other.avi', clips.pictures(3),
                        codec='mjpeg', pix_fmt='yuvj420p')
    full = OSError(errno.ENOSPC, 'No space left on device')
    with self.assertRaisesRegex(types.BadInput, 'no space'):
      self._restored(other, 'out.mp4', finish=mock.Mock(side_effect=full))
    self.assertEqual(read(), before)
    with self.assertRaisesRegex(types.BadInput, 'no space'), mock.patch.object(
        duplicate.shutil, 'copyfileobj', side_effect=full):
      self._restored(other, 'out.mp4')
    self.assertEqual(read(), before)

  @parameterized.parameters('out', 'out.mkv')
  def test_a_folder_of_pictures(self, name):
    (self.dir / 'in').mkdir()
    for i, picture in enumerate(clips.pictures(3)):
      cv2.imwrite(str(self.dir / 'in' / f'{i}.png'), picture)
    (self.dir / 'in' / 'notes.txt').write_text('no picture')
    self._restored(self.dir / 'in', name)
    kept = self.dir / f'{name}.original.zip'
    with zipfile.ZipFile(kept) as archive:  # Any other program can open it.
      self.assertEqual(archive.namelist(), ['0.png', '1.png', '2.png'])
    duplicate.give_back(kept, self.dir / 'back')
    for i in range(3):
      self.assertEqual((self.dir / 'back' / f'{i}.png').read_bytes(),
                       (self.dir / 'in' / f'{i}.png').read_bytes())


if __name__ == '__main__':
  absltest.main()
