"""Tests of provenance/manifest.py and provenance/verify.py on whole files."""

import errno
import hashlib
import io
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import time
from unittest import mock

from absl.testing import absltest, parameterized
import av
import c2pa
import numpy as np
import pytest

from revive_jax import types
from revive_jax.provenance import credential, manifest, verify
from tests.provenance import films
from tests.video import clips


def _box(path, kind):
  """Where a box of the highest level begins and ends, by the format's rules."""
  data, at = path.read_bytes(), 0
  while at < len(data):
    size, name = struct.unpack('>I4s', data[at:at + 8])
    if name == kind:
      return at + 8, at + size
    at += size
  raise AssertionError(kind)


class FilmTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _signed(self, name):
    path = films.write(self.dir / name)
    if manifest.is_embedded(path):
      manifest.embed(path, films.FACTS, films.signer())
    else:
      manifest.put_beside(path, films.FACTS, films.signer())
    return path

  def _flipped(self, path, offset, bit=0):
    """Whether the file is still valid with one bit of it flipped."""
    with open(path, 'r+b') as file:
      file.seek(offset)
      before = file.read(1)[0]
      file.seek(offset)
      file.write(bytes([before ^ 1 << bit]))
      file.flush()
      valid = verify.verify(path).is_valid
      file.seek(offset)
      file.write(bytes([before]))
    return valid

  @parameterized.parameters('film.mp4', 'film.mov', 'film.mkv')
  def test_what_was_stated_is_read(self, name):
    found = verify.verify(self._signed(name))
    self.assertTrue(found.is_valid)
    self.assertFalse(found.is_trusted)
    self.assertEqual(found.where, 'sidecar' if 'mkv' in name else 'embedded')
    self.assertEqual(found.restoration, films.FACTS)
    self.assertEqual(
        verify.sentence(found),
        f'{name}: restored by AI (full; 3.1 % of the pixels invented), consent '
        'not stated; unchanged since; signed by a local test credential, '
        'untrusted.')

  def test_another_reader_finds_the_same(self):
    """The library's own, with its own settings."""
    path = self._signed('film.mp4')
    with c2pa.Reader(str(path)) as reader:
      active = reader.get_active_manifest()
    actions, = [a['data']['actions'] for a in active['assertions']
                if a['label'] == 'c2pa.actions.v2']
    self.assertEqual([a['action'] for a in actions],
                     ['c2pa.opened', 'c2pa.edited'])
    self.assertIn('compositeWithTrainedAlgorithmicMedia',
                  actions[1]['digitalSourceType'])
    self.assertEqual(actions[1]['parameters'][f'{manifest.LABEL}.strength'],
                     {'least': 0.5, 'greatest': 0.8})
    source, = active['ingredients']
    self.assertEqual(source['relationship'], 'parentOf')
    self.assertEqual(source['instance_id'], f'sha256:{"b" * 64}')
    self.assertNotIn('thumbnail', active)

  @parameterized.parameters('.mp4', '.mov')
  def test_every_packet_stays(self, suffix):
    plain = films.write(self.dir / f'plain{suffix}')
    signed = self._signed(f'signed{suffix}')
    self.assertLess(signed.stat().st_size - plain.stat().st_size, 20_000)
    for kind in ('video', 'audio'):
      self.assertEqual(clips.packets(plain, kind), clips.packets(signed, kind))
    self.assertEqual({p.name for p in self.dir.iterdir()},
                     {plain.name, signed.name})

  @parameterized.parameters('film.mp4', 'film.mov')
  def test_a_flipped_byte_of_picture_or_sound(self, name):
    path = self._signed(name)
    start, stop = _box(path, b'mdat')
    rng = np.random.default_rng(0)
    for offset in (start, stop - 1, *rng.integers(start, stop, 60)):
      self.assertFalse(self._flipped(path, int(offset), rng.integers(8)))
    start, stop = _box(path, b'moov')  # And of what says how to show them.
    for offset in rng.integers(start, stop, 20):
      self.assertFalse(self._flipped(path, int(offset)))
    self.assertTrue(verify.verify(path).is_valid)

  @pytest.mark.slow
  def test_every_byte_of_picture_and_sound(self):
    path = self._signed('film.mp4')
    for offset in range(*_box(path, b'mdat')):
      self.assertFalse(self._flipped(path, offset), offset)

  def test_a_flipped_byte_beside_a_sidecar(self):
    path = self._signed('film.mkv')
    size, rng = path.stat().st_size, np.random.default_rng(0)
    for offset in (0, size - 1, *rng.integers(0, size, 60)):
      self.assertFalse(self._flipped(path, int(offset), rng.integers(8)))
    self.assertTrue(verify.verify(path).is_valid)
    with open(path, 'ab') as file:
      file.write(b'\0')
    found = verify.verify(path)
    self.assertFalse(found.is_valid)
    self.assertIn('NOT VALID: the picture or the sound was changed',
                  verify.sentence(found))

  def test_a_flipped_byte_of_the_statement(self):
    path = self._signed('film.mkv')
    beside, rng = manifest.sidecar(path), np.random.default_rng(0)
    whole = beside.read_bytes()
    at = whole.index(b'invented') + 12  # In the number after it.
    for offset in (at, *rng.integers(200, len(whole), 30)):
      changed = bytearray(whole)
      changed[offset] ^= 1
      beside.write_bytes(changed)
      found = verify.verify(path)
      # Padding of the signature is no part of what was said.
      if found.is_valid:
        self.assertEqual(found.restoration, films.FACTS)
    beside.write_bytes(whole[:at] + b'?' + whole[at + 1:])
    self.assertFalse(verify.verify(path).is_valid)
    beside.write_bytes(whole[:300])
    self.assertIn('manifest is damaged', verify.sentence(verify.verify(path)))

  def test_a_stripped_manifest(self):
    path = self._signed('film.mp4')
    bare = self.dir / 'bare.mp4'
    with av.open(str(path)) as source, av.open(str(bare), 'w') as copy:
      streams = {s.index: copy.add_stream_from_template(s)
                 for s in source.streams}
      for packet in source.demux():
        if packet.size:
          packet.stream = streams[packet.stream.index]
          copy.mux(packet)
    found = verify.verify(bare)
    self.assertFalse(found.is_valid)
    self.assertStartsWith(verify.sentence(found), 'bare.mp4: no manifest')

  def test_of_another_film(self):
    path, other = self._signed('film.mkv'), films.write(self.dir / 'other.mkv')
    with open(other, 'ab') as file:
      file.write(b'more')
    shutil.copy(manifest.sidecar(path), manifest.sidecar(other))
    self.assertFalse(verify.verify(other).is_valid)

  def test_trust(self):
    path = self._signed('film.mp4')
    found = verify.verify(path, anchors=films.anchor())
    self.assertTrue(found.is_valid)
    self.assertTrue(found.is_trusted)
    self.assertEndsWith(verify.sentence(found), 'among the trusted anchors.')
    self.assertEndsWith(verify.sentence(found._replace(signer='An archive')),
                        'signed by An archive, trusted.')
    films.signer.cache_clear(), films.anchor.cache_clear()
    other = films.anchor()
    found = verify.verify(path, anchors=other)
    self.assertTrue(found.is_intact)
    self.assertFalse(found.is_valid)

  def test_a_certificate_that_has_expired_since(self):
    """As C2PA told of one (test_a_real_certificate_expires)."""
    path = self._signed('film.mp4')
    where, report = manifest.read(path)
    report['validation_state'] = 'Invalid'
    report['validation_results']['activeManifest']['failure'].append(
        {'code': 'signingCredential.expired'})
    with mock.patch.object(manifest, 'read', lambda *_, **__: (where, report)):
      found = verify.verify(path)
      self.assertTrue(found.is_valid)  # Nothing was changed...
      self.assertIn('has expired: untrusted', verify.sentence(found))
      found = verify.verify(path, anchors=films.anchor())
      self.assertTrue(found.is_intact)
      self.assertFalse(found.is_valid)  # ...but who vouches for that?

  @pytest.mark.slow
  def test_a_real_certificate_expires(self):
    with mock.patch.object(credential, '_YEARS', 20 / 86400 / 365):
      chain, key, _ = credential._made()
    path = films.write(self.dir / 'film.mp4')
    manifest.embed(path, films.FACTS, credential.Credential(
        chain, key, 'es256', False))
    for _ in range(120):
      if (found := verify.verify(path)).has_expired:
        break
      time.sleep(0.5)
    self.assertTrue(found.has_expired)
    self.assertTrue(found.is_intact)
    start, _ = _box(path, b'mdat')
    self.assertFalse(self._flipped(path, start + 100))

  def test_of_another_program(self):
    path = films.write(self.dir / 'film.mp4')
    signer = films.signer()
    with c2pa.Builder({
        'claim_generator_info': [{'name': 'a camera'}],
        'assertions': [{'label': 'c2pa.actions.v2', 'data': {'actions': [
            {'action': 'c2pa.created', 'digitalSourceType':
             manifest._KINDS + 'digitalCapture'}]}}]}) as builder:
      builder.sign_file(
          path, self.dir / 'out.mp4', c2pa.Signer.from_info(c2pa.C2paSignerInfo(
              b'es256', signer.chain, signer.key, None)))
    found = verify.verify(self.dir / 'out.mp4')
    self.assertTrue(found.is_valid)
    self.assertStartsWith(
        verify.sentence(found), 'out.mp4: made by a camera; unchanged since')

  def _stated(self, data, name=manifest.GENERATOR):
    """The verdict on a film about which somebody signed any assertion."""
    path = films.write(self.dir / 'film.mkv')
    made = manifest.definition(films.FACTS)
    made['claim_generator_info'][0]['name'] = name
    made['assertions'][1]['data'] = data
    with mock.patch.object(manifest, 'definition', lambda _: made):
      manifest.put_beside(path, films.FACTS, films.signer())
    return verify.verify(path)

  _FORGED = ('full; 0 % of the pixels invented), consent not stated; unchanged '
             'since; signed by National Archive, trusted.\n\x1b[8m(')

  @parameterized.parameters(
      dict(mode=_FORGED), dict(mode=None), dict(share=None), dict(share={}),
      dict(share={'invented': 'none'}), dict(share={'invented': True}),
      dict(share={'invented': 1.5}), dict(share={'invented': -0.1}),
      dict(consent=None), dict(consent=_FORGED), dict(consent={}),
      dict(consent={'until': _FORGED}), dict(consent={'until': '20300101'}))
  def test_statements_without_the_form_are_not_repeated(self, **changes):
    found = self._stated(films.FACTS | changes)
    self.assertTrue(found.is_intact)
    self.assertIsNone(found.restoration)
    self.assertEqual(
        verify.sentence(found), 'film.mkv: made by revive_jax, whose statement '
        'has not its form; unchanged since; signed by a local test credential, '
        'untrusted.')

  def test_a_text_and_an_empty_statement(self):
    for data in ('restored', ['full'], {}):
      self.assertIsNone(self._stated(data).restoration)

  def test_another_program_does_not_speak_for_this_one(self):
    found = self._stated(films.FACTS, self._FORGED)
    self.assertIsNone(found.restoration)
    said = verify.sentence(found)
    self.assertStartsWith(said, 'film.mkv: made by "full; 0 % of the pixels')
    self.assertEndsWith(said, 'signed by a local test credential, untrusted.')
    self.assertTrue(said.isprintable())

  def test_words_of_others_are_short_and_printable(self):
    found = self._stated(films.FACTS | {
        'faces_hidden': 'blur\x1b[8m), consent given', 'marks': 'none'})
    found = found._replace(signer='An Archive, trusted.\r\u202e"' + 'x' * 200)
    said = verify.sentence(found)
    self.assertTrue(said.isprintable())
    self.assertIn('faces hidden ("blur [8m), consent given")', said)
    self.assertRegex(
        said, """; signed by "An Archive, trusted. 'x{58}", untrusted: no """)

  def test_a_source_with_a_manifest_brings_it_along(self):
    source = self._signed('source.mp4')
    path = films.write(self.dir / 'film.mp4')
    manifest.embed(path, films.FACTS, films.signer(), source=str(source))
    _, report = manifest.read(path)
    self.assertLen(report['manifests'], 2)
    self.assertTrue(verify.verify(path).is_valid)

  def test_a_source_that_was_changed_is_told_of_and_no_more(self):
    source = self._signed('source.mp4')
    start, _ = _box(source, b'mdat')
    data = bytearray(source.read_bytes())
    data[start + 100] ^= 1
    source.write_bytes(data)
    path = films.write(self.dir / 'film.mp4')
    manifest.embed(path, films.FACTS, films.signer(), source=str(source))
    self.assertTrue(verify.verify(path).is_valid)
    self.assertIn('bmffHash.mismatch', str(manifest.read(path)[1]['manifests']))

  def test_a_full_disk(self):
    path = films.write(self.dir / 'film.mp4')
    before = path.read_bytes()
    class Full(io.FileIO):
      def write(self, data):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with mock.patch('builtins.open', lambda name, mode: (
        Full(name, 'w+') if 'w' in mode else io.FileIO(name))):
      with self.assertRaises(OSError) as caught:
        manifest.embed(path, films.FACTS, films.signer())
    self.assertEqual(caught.exception.errno, errno.ENOSPC)
    self.assertEqual(path.read_bytes(), before)
    self.assertEqual(os.listdir(self.dir), ['film.mp4'])

  def test_a_large_film_is_not_copied_into_memory(self):
    """Of the process, whatever library takes it; nor into temporary files."""
    path = films.write(self.dir / 'film.mkv')
    os.truncate(path, 1 << 28)
    manifest.check(films.signer())  # What is loaded once.
    pathlib.Path('/proc/self/clear_refs').write_text('5')  # Peak: now.
    before = self._memory('VmRSS')
    with mock.patch.object(tempfile, 'tempdir', '/nowhere'), mock.patch.dict(
        os.environ, TMPDIR='/nowhere'):
      manifest.put_beside(path, films.FACTS, films.signer())
    self.assertLess(self._memory('VmHWM') - before, 1 << 26)
    self.assertTrue(verify.verify(path).is_valid)

  def _memory(self, name):
    """Bytes, by the kernel."""
    status = pathlib.Path('/proc/self/status').read_text()
    return 1024 * int(re.search(rf'{name}:\s+(\d+)', status).group(1))

  def test_copies_of_a_film_that_carries_it_lie_beside_it(self):
    sign, seen = c2pa.Builder.sign, []

    def noted(*arguments):
      seen.append(os.environ['TMPDIR'])
      return sign(*arguments)

    with mock.patch.object(c2pa.Builder, 'sign', noted), mock.patch.dict(
        os.environ, TMPDIR='/elsewhere'):
      path = self._signed('film.mp4')
      self.assertEqual(os.environ['TMPDIR'], '/elsewhere')
    self.assertEqual(seen, [str(path.parent)])
    self.assertEqual(os.listdir(path.parent), [path.name])

  def test_its_own_counts_more_than_one_beside_it(self):
    path = self._signed('film.mp4')
    manifest.sidecar(path).write_bytes(b'nonsense')
    found = verify.verify(path)
    self.assertEqual((found.where, found.is_valid), ('embedded', True))
    films.write(path)  # Stripped.
    self.assertFalse(verify.verify(path).is_valid)
    manifest.put_beside(path, films.FACTS, films.signer())
    found = verify.verify(path)
    self.assertEqual((found.where, found.is_valid), ('sidecar', True))

  def test_no_file_and_no_anchors(self):
    (self.dir / 'b.pem').write_bytes('Größe: 1\n'.encode() + films.anchor())
    self.assertEqual(verify.read_anchors(str(self.dir / 'b.pem')).strip(),
                     films.anchor().strip())
    with self.assertRaisesRegex(types.BadInput, 'no such file'):
      verify.verify('none.mp4')
    (self.dir / 'a.pem').write_text('none')
    for path, words in (('no.pem', 'cannot be read'),
                        (self.dir / 'a.pem', 'no certificate')):
      with self.assertRaisesRegex(types.BadInput, words):
        verify.read_anchors(str(path))


class FolderTest(absltest.TestCase):

  def test_pictures(self):
    folder = pathlib.Path(self.create_tempdir().full_path) / 'film'
    folder.mkdir()
    for i in range(3):
      (folder / f'{i:06d}.png').write_bytes(bytes([i]) * 9)
    manifest.put_beside(folder, films.FACTS, films.signer())
    self.assertTrue(verify.verify(folder).is_valid)
    sums = folder.with_name('film.sha256')
    self.assertEqual(sums.read_text().splitlines()[1], hashlib.sha256(
        b'\1' * 9).hexdigest() + '  000001.png')
    done = subprocess.run(['sha256sum', '-c', str(sums)], cwd=folder,
                          capture_output=True, check=False)
    self.assertEqual(done.returncode, 0, done.stderr)
    (folder / '000001.png').write_bytes(b'\1' * 8 + b'\2')
    found = verify.verify(folder)
    self.assertFalse(found.is_valid)
    self.assertIn('000001.png differ', verify.sentence(found))
    (folder / '000001.png').write_bytes(b'\1' * 9)
    (folder / '000003.png').write_bytes(b'one more')
    self.assertFalse(verify.verify(folder).is_valid)

  def test_a_picture_carries_its_own(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'photo.png'
    from revive_jax.video import images

    pixels = clips.pictures(1)[0]
    images.write_picture(str(path), pixels)
    manifest.embed(path, films.FACTS, films.signer())
    self.assertTrue(verify.verify(path).is_valid)
    np.testing.assert_array_equal(images.read_picture(str(path))[0], pixels)


if __name__ == '__main__':
  absltest.main()
