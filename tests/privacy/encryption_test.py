"""Sealed files: what is refused, and that what is written is read."""

import io
import os
import pathlib
import random
import struct

from absl.testing import absltest, parameterized
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import scrypt
import numpy as np

from revive_jax import types
from revive_jax.privacy import encryption, vault

_CHUNK = encryption.CHUNK
_SECRET = bytes(range(32))


def _vault(secret=_SECRET, **options):
  return vault.Vault(encryption.MasterKey(secret, **options))


def _bytes(count, seed=0):
  return np.random.default_rng(seed).bytes(count)


class SealedTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.vault = _vault()
    self.path = self.vault.path(self.folder / 'film.mkv.sealed')

  def assert_refused(self, path, words, vault_=None):
    """Read to the end, it is refused in one sentence."""
    with self.assertRaisesRegex(types.BadInput, words) as caught:
      (vault_ or self.vault).path(path).read_bytes()
    self.assertNotIn('\n', str(caught.exception))
    self.assertIn(str(path), str(caught.exception))

  @parameterized.parameters(
      0, 1, 100, _CHUNK - 1, _CHUNK, _CHUNK + 1, 3 * _CHUNK + 7)
  def test_what_is_written_is_read(self, size):
    data = _bytes(size)
    self.path.write_bytes(data)
    self.assertEqual(self.path.read_bytes(), data)
    disk = (self.folder / 'film.mkv.sealed').read_bytes()
    if size >= 100:  # Fewer bytes may be there by chance.
      self.assertNotIn(data[:16], disk)
    # A header of 116 bytes, a tag for each chunk, and the index.
    chunks = -(-size // _CHUNK)
    self.assertLen(disk, 116 + size + 16 * chunks + 44 + 12 * chunks)

  def test_decrypted_by_hand(self):
    data = _bytes(_CHUNK + 5)
    self.path.write_bytes(data)
    disk = (self.folder / 'film.mkv.sealed').read_bytes()
    key = aead.AESGCM(_SECRET).decrypt(disk[56:68], disk[68:116], disk[:68])
    number, cipher = disk[40:56], aead.AESGCM(key)
    index = cipher.decrypt(disk[-68:-56], disk[-56:-8], b'index' + number)
    self.assertEqual(index[:8], struct.pack('>Q', len(data)))
    self.assertEqual(disk[-8:], index[:8])
    start, last = 116, 116 + _CHUNK + 16
    self.assertEqual(data, cipher.decrypt(
        index[8:20], disk[start:last], number + struct.pack('>QB', 0, 0)
    ) + cipher.decrypt(
        index[20:32], disk[last:last + 21], number + struct.pack('>QB', 1, 1)))

  def test_passphrase_by_hand(self):
    other = _vault('grüne Bäume'.encode(), is_passphrase=True, log2_n=10)
    other.path(self.folder / 'a').write_bytes(b'seen')
    disk = (self.folder / 'a').read_bytes()
    log2_n, r, p = disk[10:13]
    self.assertEqual((log2_n, r, p), (10, 8, 1))
    master = scrypt.Scrypt(disk[16:32], 32, 2**log2_n, r, p).derive(
        'grüne Bäume'.encode())
    key = aead.AESGCM(master).decrypt(disk[56:68], disk[68:116], disk[:68])
    self.assertLen(key, 32)
    # Another process has another salt, and reads it all the same.
    again = _vault('grüne Bäume'.encode(), is_passphrase=True, log2_n=10)
    self.assertEqual(again.path(self.folder / 'a').read_bytes(), b'seen')
    self.assert_refused(
        self.folder / 'a', 'another key',
        _vault('grüne Baume'.encode(), is_passphrase=True, log2_n=10))

  def test_as_a_plain_file_through_random_reads_and_writes(self):
    rng, model = random.Random(0), io.BytesIO()
    with self.path.open('wb') as file:
      for step in range(150):
        at = rng.randrange(0, 3 * _CHUNK + 1)
        if rng.random() < 0.3:
          at = len(model.getvalue())
        data = _bytes(rng.choice((1, 1000, 70_000, _CHUNK + 3)), step)
        for out in (model, file):
          out.seek(at)
          out.write(data)
          self.assertEqual(out.tell(), at + len(data))
        if step % 10 == 0:
          at = rng.randrange(0, len(model.getvalue()))
          model.seek(at)
          file.seek(at)
          self.assertEqual(file.read(5000), model.read(5000))
    whole = model.getvalue()
    self.assertEqual(self.path.read_bytes(), whole)
    with self.path.open('rb') as file:
      self.assertEqual(file.seek(-10, os.SEEK_END), len(whole) - 10)
      self.assertEqual(file.read(), whole[-10:])
      for _ in range(50):
        at = rng.randrange(0, len(whole))
        file.seek(at)
        self.assertEqual(file.read(40_000), whole[at:at + 40_000])

  @parameterized.parameters(10, _CHUNK, _CHUNK + 10)
  def test_changed_again_and_made_longer(self, size):
    data = bytearray(_bytes(size))
    self.path.write_bytes(data)
    with self.path.open('r+b') as file:
      self.assertEqual(file.read(5), data[:5])
      file.seek(3)
      file.write(b'new')
      file.seek(0, os.SEEK_END)
      file.write(bytes(_CHUNK))
    data[3:6] = b'new'
    self.assertEqual(self.path.read_bytes(), bytes(data) + bytes(_CHUNK))

  def test_no_nonce_and_no_key_twice(self):
    self.path.write_bytes(bytes(100))
    before = (self.folder / 'film.mkv.sealed').read_bytes()
    with self.path.open('r+b') as file:
      file.write(b'\0')
    after = (self.folder / 'film.mkv.sealed').read_bytes()
    self.assertEqual(before[:116], after[:116])
    self.assertNotEqual(before[116:232], after[116:232])
    self.path.write_bytes(bytes(100))
    other = (self.folder / 'film.mkv.sealed').read_bytes()
    self.assertNotEqual(before[40:116], other[40:116])

  def test_a_flipped_bit_anywhere(self):
    path = self.folder / 'film.mkv.sealed'
    self.path.write_bytes(_bytes(_CHUNK + 20))
    whole = path.read_bytes()
    places = [*range(117), 5000, 116 + _CHUNK + 15,
              *range(116 + _CHUNK + 16, len(whole))]
    with open(path, 'r+b', buffering=0) as file:
      for place in places:
        for value in (whole[place] ^ 4, whole[place]):
          if value == whole[place]:
            with self.subTest(place):
              self.assert_refused(path, 'sealed')
          file.seek(place)
          file.write(bytes([value]))
    self.assertEqual(path.read_bytes(), whole)

  def test_cut_off_or_longer(self):
    path = self.folder / 'film.mkv.sealed'
    self.path.write_bytes(_bytes(3 * _CHUNK))
    whole, chunk = path.read_bytes(), _CHUNK + 16
    for size in (0, 7, 50, 115, 116, 116 + chunk, 116 + 2 * chunk,
                 len(whole) - 8, len(whole) - 1):
      path.write_bytes(whole[:size])
      with self.subTest(size):
        self.assert_refused(path, 'not sealed' if size < 8 else 'cut off')
    path.write_bytes(whole + b'\0')
    self.assert_refused(path, 'cut off')
    # A chunk is taken out, and the index and the length say so.
    path.write_bytes(whole[:116 + 2 * chunk] + whole[-80:-8]
                     + struct.pack('>Q', 2 * _CHUNK))
    self.assert_refused(path, 'cut off|was changed')

  def test_reordered_or_swapped_or_older(self):
    path, chunk = self.folder / 'film.mkv.sealed', _CHUNK + 16
    self.path.write_bytes(_bytes(2 * _CHUNK))
    one = path.read_bytes()
    with self.path.open('r+b') as file:
      file.write(b'newer')
    newer = path.read_bytes()
    other = self.vault.path(self.folder / 'other')
    other.write_bytes(_bytes(2 * _CHUNK, 1))
    two = (self.folder / 'other').read_bytes()
    first, second = slice(116, 116 + chunk), slice(116 + chunk, 116 + 2 * chunk)
    for name, changed in {
        'reordered': one[:116] + one[second] + one[first] + one[second.stop:],
        'of another file': one[:116] + two[first] + one[second.start:],
        'header of another file': two[:116] + one[116:],
        'older chunk': newer[:116] + one[first] + newer[second.start:],
        'older index': newer[:second.stop] + one[second.stop:]}.items():
      path.write_bytes(changed)
      with self.subTest(name):
        self.assert_refused(path, 'was changed')

  def test_another_key(self):
    self.path.write_bytes(b'secret')
    self.assert_refused(
        self.path, 'another key', _vault(bytes(32)))
    self.assert_refused(
        self.path, 'not with a passphrase',
        _vault(b'some words', is_passphrase=True))
    (self.folder / 'plain').write_bytes(bytes(500))
    self.assert_refused(self.folder / 'plain', 'not sealed')

  def test_costs_that_would_stop_the_machine(self):
    other = _vault(b'some words', is_passphrase=True, log2_n=10)
    other.path(self.path).write_bytes(b'secret')
    disk = bytearray(pathlib.Path(self.path).read_bytes())
    disk[10] = 40  # 2^40 * 8 * 128 bytes.
    pathlib.Path(self.path).write_bytes(disk)
    self.assert_refused(self.path, 'was changed', other)

  def test_not_closed_is_not_finished(self):
    file = self.path.open('wb')
    file.write(bytes(2 * _CHUNK))
    file.flush()
    file._chunks.file.flush()
    self.assert_refused(self.path, 'never finished')
    file.close()
    self.assertLen(self.path.read_bytes(), 2 * _CHUNK)


if __name__ == '__main__':
  absltest.main()
