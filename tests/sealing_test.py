"""Sealed runs: nothing plain touches the disk, and all of it can be opened."""

import logging
import os
import pathlib
import shutil
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest, parameterized
import av
import cv2
import numpy as np
import pydicom
import pytest

from configs import restore as config
from configs.presets import medical
from revive_jax import (
    explain_frame,
    films,
    original,
    restore,
    sealing,
    types,
)
from revive_jax.privacy import encryption, keys
from revive_jax.video import probe, reader, writer
from tests.pipeline import run_test
from tests.video import clips, dicom_test

_ROOT = pathlib.Path(__file__).parents[1]
# In every run: names in notes, and the marks of files.
_WORDS = (b'"stamps"', b'"tallies"', b'"frame_rate"', b'"measured"',
          b'"settings"', b'A secret title', b'matroska', b'nut/multimedia',
          b'\x89PNG\r\n\x1a\n', b"'fortran_order'", b'ftypisom', b'<html')


def _config(key='', **settings):
  c = config.get_config('tiny')
  c.progress, c.window, c.lookahead, c.denoiser = 'none', 8, 4, 'none'
  c.encrypt.key = key
  c.update(settings)
  return c


def _files(*folders):
  return [p for folder in folders for p in sorted(folder.rglob('*'))
          if p.is_file() and p.stat().st_size]


def _content(path):
  """What is in a file, but for what muxers draw by chance."""
  if path.suffix == '.sha256':  # Of a film that tells when it was signed.
    return [x for x in path.read_text().splitlines() if x[:7] != '# film ']
  if path.suffix not in ('.mkv', '.mp4', '.mov'):
    return path.read_bytes()
  with av.open(str(path)) as container:
    return [(p.stream_index, p.pts, bytes(p)) for p in container.demux()]


def _packets(path):
  """Some bytes out of the middle of each coded picture of a film."""
  with av.open(str(path)) as container:
    found = [bytes(p) for p in container.demux() if p.size > 200]
  return [p[len(p) // 2:len(p) // 2 + 40] for p in found]


def _found(paths, wanted):
  """Which of wanted are in one of the files."""
  data = b''.join(p.read_bytes() for p in paths)
  return [w for w in wanted if w in data]


class SealingTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.key = f'file:{self.dir / "my.key"}'
    keys.make(self.key)
    self.vault = sealing.vault(_config(self.key))

  def _film(self, count=20, **options):
    """A film that flickers, so that there is something to restore."""
    pictures = [np.uint8(f * (1 - 0.15 * (t % 3 == 0)))
                for t, f in enumerate(clips.pictures(count, 48, 64))]
    clips.write(self.dir / 'clip.mkv', pictures, codec='ffv1',
                pix_fmt='yuv420p', **options)
    path = self.dir / 'film.mkv'
    with av.open(str(self.dir / 'clip.mkv')) as clip, av.open(
        str(path), 'w') as film:
      film.metadata['title'] = 'A secret title'
      made = [film.add_stream_from_template(s) for s in clip.streams]
      for packet in clip.demux():
        if packet.size:
          packet.stream = made[packet.stream_index]
          film.mux(packet)
    return path

  def _restore(self, source, place, key='', work='work', **settings):
    return restore.restore(
        _config(key, **settings), str(self.dir / work), str(source),
        str(self.dir / place) if place else None)

  def _unseal(self, source, output):
    sealing.unseal(
        _config(self.key), str(self.dir / source), str(self.dir / output))
    return self.dir / output

  @parameterized.parameters(
      ('out.mkv', 'flac', {}),
      ('out.mp4', 'aac', {'layers': 'files', 'checksums': True}),
      ('out.mov', 'pcm_s16le', {'keep_original': True}), ('frames', 'flac', {}))
  def test_a_sealed_run_gives_the_same_film(self, name, sound, settings):
    source = self._film(10, sounds=(sound,), seconds=0.4)
    with _config().unlocked() as c:
      output = c.output.to_dict() | settings
    options = dict(output=output, audio=dict(level=1.0),
                   report=name == 'out.mkv')
    self._restore(source, f'plain/{name}', work='plain', **options)
    outside = []
    opened = av.open

    def noting(file, mode='r', *rest, **more):
      if mode == 'w' and isinstance(file, str):
        outside.append(file)
      return opened(file, mode, *rest, **more)

    with mock.patch.object(av, 'open', noting):
      report = self._restore(source, f'sealed/{name}', self.key, 'work',
                             **options)
    self.assertEmpty(outside)
    found = _files(self.dir / 'work', self.dir / 'sealed')
    if name != 'frames':
      self.assertEqual(report['sound'][0]['state'], 'repaired')
      self.assertIn(self.dir / 'work/sound_0.png', found)
    for path in found:
      self.assertTrue(encryption.is_sealed(path), path)
    self.assertEmpty(_found(found, _WORDS))
    # Opened again, the film and what lies beside it are those of a plain run.
    self._unseal('sealed', 'opened')
    plain = {p.relative_to(self.dir / 'plain'): p for p in _files(
        self.dir / 'plain') if p.relative_to(self.dir / 'plain').parts[0]
             .startswith(name)}
    self.assertNotEmpty(plain)
    for place, path in plain.items():
      other = self.dir / 'opened' / place
      self.assertTrue(other.is_file(), other)
      if '.c2pa' not in path.name:  # A signature tells its time.
        self.assertEqual(_content(other), _content(path), place)
    notes = self._unseal('work', 'notes')
    self.assertTrue((notes / 'report.json').read_text().startswith('{'))
    self.assertEqual((notes / 'report.html').is_file(), name == 'out.mkv')

  @pytest.mark.slow
  def test_killed_nothing_plain_is_on_the_disk_and_it_goes_on(self):
    source = self._film(80)
    self._restore(source, 'plain.mkv', work='plain')
    temporary, work = self.dir / 'tmp', self.dir / 'work'
    temporary.mkdir()
    run = subprocess.Popen(
        [sys.executable, '-m', 'revive_jax.main', '--config=restore:tiny',
         f'--input={source}', f'--output={self.dir / "out.mkv"}',
         f'--workdir={work}', f'--config.encrypt.key={self.key}',
         '--config.window=8', '--config.lookahead=4',
         '--config.progress=none', '--config.denoiser=none'], cwd=_ROOT,
        env=os.environ | {
            'TMPDIR': str(temporary), 'JAX_NUM_CPU_DEVICES': '1'},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while run.poll() is None and not (work / 'segments/000000.json').exists():
      time.sleep(0.01)
    run.kill()
    said = run.communicate()[0]
    self.assertEqual(run.returncode, -9, said)
    left = _files(work, temporary)
    self.assertGreater(len(left), 5, left)
    # Packets of the source and of the film; rows of decoded and of written
    # planes; and the words. All of it is found where a run is not sealed.
    frames = [*reader.read_frames(probe.probe(str(source)), stop=16),
              *reader.read_frames(probe.probe(str(self.dir / 'plain.mkv')),
                                  stop=16)]
    wanted = [*_WORDS, *_packets(source), *_packets(self.dir / 'plain.mkv'),
              *(row.tobytes() for f in frames for p in (*f.planes, f.rgb)
                for row in p[::8])]
    self.assertEmpty(_found(left, wanted))
    self.assertGreater(len(_found(
        [self.dir / 'plain.mkv', *_files(self.dir / 'plain')], wanted)), 100)
    notes = self._unseal('work', 'left') / 'segments/000000.json'
    self.assertTrue(notes.read_text().startswith('{'))
    self._resumed(source)

  def _resumed(self, source):
    """Another key or none is refused, and changes nothing; this one goes on."""
    before = {p: p.read_bytes() for p in _files(self.dir / 'work')}
    keys.make(f'file:{self.dir / "other.key"}')
    with self.assertRaisesRegex(types.BadInput, 'another key'):
      self._restore(source, 'out.mkv', f'file:{self.dir / "other.key"}')
    with self.assertRaisesRegex(types.BadInput, 'with --config.encrypt'):
      self._restore(source, 'out.mkv')
    self.assertEqual(before, {
        p: p.read_bytes() for p in _files(self.dir / 'work')})
    self.assertFalse((self.dir / 'out.mkv.sealed').exists())
    with self.assertLogs(level='WARNING') as logs:
      self._restore(source, 'out.mkv', self.key)
    self.assertIn('Going on after', ''.join(logs.output))
    self.assertEqual(_content(self._unseal('out.mkv.sealed', 'open.mkv')),
                     _content(self.dir / 'plain.mkv'))

  def test_a_plain_run_does_not_go_on_sealed(self):
    source = self._film(20)
    with mock.patch.object(restore.Film, 'sound', side_effect=KeyError):
      with self.assertRaises(KeyError):
        self._restore(source, 'out.mkv')
    with self.assertRaisesRegex(types.BadInput, 'without --config.encrypt'):
      self._restore(source, 'out.mkv', self.key)

  def test_sealed_films_are_read_from_the_stream(self):
    source = self._film(10, sounds=('flac',), seconds=0.4)
    shutil.copy(source, self.dir / 'copy.mkv')
    os.utime(self.dir / 'copy.mkv', ns=(0, 0))
    sealed = self.dir / 'film.mkv.sealed'
    self.vault.path(sealed).write_bytes(source.read_bytes())
    with self.assertRaisesRegex(types.BadInput, 'is sealed; name the key'):
      self._restore(sealed, 'x.mkv')
    self._restore(source, 'plain.mkv', work='plain')
    self._restore(sealed, None, self.key)
    place = self.dir / 'work/outputs/film_restored.mkv.sealed'
    self.assertEqual(_content(self._unseal(place, 'open.mkv')),
                     _content(self.dir / 'plain.mkv'))
    self.assertEmpty(_found(_files(self.dir / 'work'), _WORDS))

  def test_modes_open_what_is_sealed(self):
    source = self._film(6)
    with _config().unlocked() as c:
      output = c.output.to_dict() | {'keep_original': True}
    self._restore(source, 'out.mkv', self.key, output=output)
    places = lambda place: sealing.places(
        _config(self.key), str(self.dir / 'work'),
        str(self.dir / 'out.mkv.sealed'), place)
    explain_frame.explain(*places(None), time='#2')
    drawn = self.dir / 'work/outputs/out_explained_000002.png.sealed'
    self.assertEqual(self.vault.path(drawn).read_bytes()[:4], b'\x89PNG')
    original.give_back(*places(str(self.dir / 'back.mkv')))
    self.assertFalse((self.dir / 'back.mkv').exists())
    self.assertEqual(_content(self._unseal('back.mkv.sealed', 'back.mkv')),
                     _content(source))

  def test_a_passphrase_is_in_no_file(self):
    words = 'nobody guesses these'
    source, c = self._film(4), _config('passphrase')
    self.enter_context(mock.patch.dict(  # Guessing may be cheap here.
        encryption.MasterKey.__init__.__kwdefaults__, log2_n=10))
    with mock.patch.dict(os.environ, {keys.VARIABLE: words}), self.assertLogs(
        level='DEBUG') as logs:
      logging.info('At least one line.')
      self._restore(source, 'out.mkv', 'passphrase')
      sealing.unseal(c, str(self.dir / 'work'), str(self.dir / 'notes'))
      sealing.unseal(c, str(self.dir / 'out.mkv.sealed'),
                     str(self.dir / 'open.mkv'))
    self.assertEmpty(_found(_files(self.dir), [words.encode()]))
    self.assertNotIn(words, ''.join(logs.output))
    self.assertIn('passphrase', (self.dir / 'notes/config.json').read_text())
    with mock.patch.dict(os.environ, {keys.VARIABLE: 'somebody else'}):
      with self.assertRaisesRegex(types.BadInput, 'another key'):
        sealing.unseal(c, str(self.dir / 'out.mkv.sealed'),
                       str(self.dir / 'again.mkv'))

  def test_a_changed_film_is_refused_and_nothing_is_written(self):
    data = self._film(30).read_bytes()
    sealed = self.dir / 'film.mkv.sealed'
    self.vault.path(sealed).write_bytes(data + bytes(2 * encryption.CHUNK))
    whole = bytearray(sealed.read_bytes())
    whole[len(whole) // 2] ^= 1
    sealed.write_bytes(whole)
    for call in (lambda: self._restore(sealed, 'out.mkv', self.key),
                 lambda: self._unseal(sealed, 'out.mkv')):
      with self.assertRaisesRegex(types.BadInput, 'was changed'):
        call()
      self.assertEmpty([p for p in self.dir.iterdir() if 'out' in p.name])

  def test_what_a_killed_run_was_writing_is_left_out(self):
    work = self.vault.path(self.dir / 'work')
    (work / 'segments/.000001.part').mkdir(parents=True)
    names = ('report.json', '.config.json.part', 'segments/000000.nut',
             'segments/.000001.part.nut', 'segments/.000001.part/0.png',
             'segments/memory_000000.npz')
    for name in names:
      (work / name).write_bytes(name.encode())
    for name in (*names[3:], names[1]):  # None of them was closed.
      path = self.dir / 'work' / name
      path.write_bytes(path.read_bytes()[:-20])
    with self.assertLogs(level='WARNING') as logs:
      opened = self._unseal('work', 'opened')
    self.assertEqual({str(p.relative_to(opened)) for p in _files(opened)},
                     {names[0], names[2]})
    self.assertEqual((opened / names[2]).read_bytes(), names[2].encode())
    self.assertLen(logs.output, 1)
    self.assertRegex(logs.output[0], 'lost their ends: segments/memory_000000')
    # What was changed is refused as before, and so is what is cut off alone.
    path = self.dir / 'work/report.json'
    data = bytearray(path.read_bytes())
    data[encryption._START] ^= 1
    path.write_bytes(data)
    with self.assertRaisesRegex(types.BadInput, 'was changed'):
      self._unseal('work', 'again')
    # What no run would make again is refused where it was cut off, too.
    path.write_bytes(path.read_bytes()[:-20])
    with self.assertRaises(encryption.CutOffError):
      self._unseal('work', 'again')
    path.unlink()
    (self.dir / 'work' / names[2]).unlink()
    with self.assertRaises(encryption.CutOffError):
      self._unseal('work', 'again')
    self.assertFalse((self.dir / 'again').exists())

  def test_pictures(self):
    frames = clips.pictures(6)
    writer.write_rgb(self.dir / 'frames', frames, frame_rate=24)
    folder = self.vault.path(self.dir / 'hidden')
    folder.mkdir()
    for path in (self.dir / 'frames').iterdir():
      (folder / f'{path.name}.sealed').write_bytes(path.read_bytes())
    strength = dict.fromkeys(_config().strength, 0.0)
    self._restore(self.dir / 'hidden', 'out', self.key, strength=strength)
    self.assertTrue((self.dir / 'out/000005.png.sealed').is_file())
    opened = self._unseal('out', 'open')
    for frame, wanted in zip(reader.read_frames(probe.probe(str(opened))),
                             frames, strict=True):
      np.testing.assert_array_equal(frame.rgb, wanted)
    self._restore(self.dir / 'hidden/000003.png.sealed', 'one.png', self.key,
                  'one', strength=strength)
    one = self._unseal('one.png.sealed', 'one.png')
    np.testing.assert_array_equal(
        next(reader.read_frames(probe.probe(str(one)))).rgb, frames[3])

  @parameterized.parameters(None, 'RLELossless')
  def test_medical_pictures(self, syntax):
    path, mask = self.dir / 'film.dcm', np.zeros((40, 48), np.uint8)
    words = dicom_test.words_of(shape=(3, 40, 48))
    dicom_test.write(path, words)
    if syntax:
      data = pydicom.dcmread(path)
      data.compress(getattr(pydicom.uid, syntax))
      data.save_as(path)
    mask[10:14, 20:25] = 255
    cv2.imwrite(str(self.dir / 'mask.png'), mask)
    for name in ('film.dcm', 'mask.png'):
      self.vault.path(self.dir / f'{name}.sealed').write_bytes(
          (self.dir / name).read_bytes())
    for key, end in (('', ''), (self.key, '.sealed')):
      c = medical.get_config('tiny')
      c.progress, c.encrypt.key = 'none', key
      c.mask = str(self.dir / f'mask.png{end}')
      restore.restore(c, str(self.dir / f'work{end}'), f'{path}{end}',
                      str(self.dir / 'out.dcm'))
    found = _files(self.dir / 'work.sealed')
    self.assertEmpty(_found(
        [*found, self.dir / 'out.dcm.sealed'],
        [row.tobytes() for frame in words for row in frame[:, :12]]))
    opened = self._unseal('out.dcm.sealed', 'open.dcm')
    self.assertEqual(opened.read_bytes(), (self.dir / 'out.dcm').read_bytes())

  def test_a_folder_of_films(self):
    (self.dir / 'in').mkdir()
    film = run_test._film(4)[:, :48, :64]
    writer.write_rgb(self.dir / 'in/a.mkv', film, frame_rate=24)
    self.vault.path(self.dir / 'in/b.mkv.sealed').write_bytes(
        (self.dir / 'in/a.mkv').read_bytes())
    self.assertTrue(films.is_many(str(self.dir / 'in')))
    for state in ('restored', 'done before'):
      rows = films.restore_all(
          _config(self.key), str(self.dir / 'work'), str(self.dir / 'in'))
      self.assertEqual([row.state for row in rows], [state] * 2, rows)
    found = _files(self.dir / 'work')
    self.assertEqual({p.name for p in found if p.parent.name == 'outputs'} - {
        p.name for p in found if '.c2pa' in p.name},
                     {'a.mkv.sealed', 'b.mkv.sealed'})
    for path in found:
      self.assertTrue(encryption.is_sealed(path), path)

  def test_what_cannot_be_unsealed(self):
    self.vault.path(self.dir / 'a.sealed').write_bytes(b'text')
    for source, output, words in (
        ('', 'b', '--input'), ('a.sealed', '', '--output'),
        ('none', 'b', 'no such file'), ('my.key', 'b', 'not sealed'),
        ('a.sealed', 'my.key', 'there already')):
      with self.assertRaisesRegex(types.BadInput, words):
        sealing.unseal(_config(self.key), str(self.dir / source) * bool(source),
                       str(self.dir / output) * bool(output))
    with self.assertRaisesRegex(types.BadInput, 'Name the key'):
      sealing.unseal(_config(), str(self.dir / 'a.sealed'), 'b')
    (self.dir / 'empty').mkdir()
    with self.assertRaisesRegex(types.BadInput, 'nothing is sealed'):
      self._unseal('empty', 'b')
    with self.assertRaisesRegex(types.BadInput, 'A camera cannot be sealed'):
      sealing.refuse(_config(self.key), 'A camera')
    sealing.refuse(_config(), 'A camera')
    with self.assertRaisesRegex(types.BadInput, 'choose keyring'):
      self._restore('film.mkv', 'out.mkv', 'my.key')


if __name__ == '__main__':
  absltest.main()
