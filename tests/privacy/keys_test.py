"""Master keys: made, read, and refused where others could read them."""

import base64
import os
import pathlib
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import keyring
from keyring import backend, errors
from keyring.backends import fail

from revive_jax import types
from revive_jax.privacy import encryption, keys, vault


class _Memory(backend.KeyringBackend):
  """A keyring of the library's own kind, whose secrets are in memory."""

  priority = 1

  def __init__(self, *, locked=False):
    super().__init__()
    self.held, self._locked = {}, locked

  def get_password(self, service, username):
    if self._locked:
      raise errors.KeyringLocked('locked')
    return self.held.get((service, username))

  def set_password(self, service, username, password):
    self.held[service, username] = password


class KeysTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.enter_context(mock.patch.dict(  # Guessing may be cheap here.
        encryption.MasterKey.__init__.__kwdefaults__, log2_n=10))

  def assert_same(self, one, other):
    vault.Vault(one).path(self.folder / 'x').write_bytes(b'text')
    self.assertEqual(
        vault.Vault(other).path(self.folder / 'x').read_bytes(), b'text')

  def refused(self, words, name, **options):
    with self.assertRaisesRegex(types.BadInput, words) as caught:
      keys.read(name, **options)
    self.assertNotIn('\n', str(caught.exception))

  def test_a_file(self):
    path = self.folder / 'my.key'
    keys.make(f'file:{path}')
    self.assertEqual(path.stat().st_mode & 0o777, 0o600)
    self.assertLen(base64.b64decode(path.read_text()), 32)
    self.assert_same(keys.read(f'file:{path}'), encryption.MasterKey(
        base64.b64decode(path.read_text())))
    with self.assertRaisesRegex(types.BadInput, 'a file of this name'):
      keys.make(f'file:{path}')
    for mode in (0o604, 0o640, 0o660):
      path.chmod(mode)
      self.refused('others can read', f'file:{path}')

  def test_files_that_are_no_keys(self):
    self.refused('make one with --mode=make-key', f'file:{self.folder}/none')
    path = self.folder / 'bad.key'
    for content in (b'', b'AAAA\n', b'\xff\xfe', b'not base 64', bytes(40)):
      path.write_bytes(content)
      path.chmod(0o600)
      self.refused('this is no key', f'file:{path}')
    with self.assertRaisesRegex(types.BadInput, 'cannot be written'):
      keys.make(f'file:{self.folder}/no/such/folder')

  def test_the_keyring(self):
    before = keyring.get_keyring()
    self.addCleanup(keyring.set_keyring, before)
    memory = _Memory()
    with self.subTest('there is one'):
      keyring.set_keyring(memory)
      self.refused('holds no key', 'keyring')
      keys.make('keyring')
      self.assert_same(keys.read('keyring'), keys.read('keyring'))
      with self.assertRaisesRegex(types.BadInput, 'holds a key'):
        keys.make('keyring')
      memory.held['revive_jax', 'master key'] = 'spoilt'
      self.refused('this is no key', 'keyring')
    for broken in (_Memory(locked=True), fail.Keyring()):
      keyring.set_keyring(broken)
      self.refused('cannot be used', 'keyring')
    with mock.patch.dict(sys.modules, {'keyring': None}):
      self.refused(r'pip install revive-jax\[keyring\]', 'keyring')

  def test_a_passphrase_is_asked_for(self):
    one = encryption.MasterKey(
        b'eight or more', is_passphrase=True)
    with mock.patch.object(sys, 'stdin') as stdin, mock.patch(
        'getpass.getpass') as asked, mock.patch.dict(os.environ):
      os.environ.pop(keys.VARIABLE, None)
      stdin.isatty.return_value = True
      asked.return_value = 'eight or more'
      self.assert_same(one, keys.read('passphrase', confirm=True))
      self.assertEqual(asked.call_count, 2)
      asked.side_effect = ['eight or more', 'eight or mere']
      self.refused('differ', 'passphrase', confirm=True)
      stdin.isatty.return_value = False
      self.refused(keys.VARIABLE, 'passphrase')

  def test_a_passphrase_from_elsewhere(self):
    path = self.folder / 'words'
    path.write_text('from a file\nand more\n')
    self.refused('others can read', 'passphrase', passphrase_file=str(path))
    path.chmod(0o600)
    self.assert_same(
        encryption.MasterKey(b'from a file', is_passphrase=True),
        keys.read('passphrase', passphrase_file=str(path)))
    with mock.patch.dict(os.environ, {keys.VARIABLE: 'short'}):
      self.refused('fewer than 8', 'passphrase')
    self.refused('no passphrase', 'passphrase', passphrase_file='/no/such')
    with self.assertRaisesRegex(types.BadInput, 'needs no key'):
      keys.make('passphrase')

  @parameterized.parameters('key', 'file:', 'Keyring', '/a/path')
  def test_kinds_that_are_not_known(self, name):
    self.refused('choose keyring', name)


if __name__ == '__main__':
  absltest.main()
