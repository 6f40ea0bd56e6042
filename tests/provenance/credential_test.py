"""Tests of provenance/credential.py."""

import os
import pathlib
import stat
from unittest import mock

from absl.testing import absltest, parameterized
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from revive_jax import types
from revive_jax.provenance import credential, manifest
from tests.provenance import films


def _pem(key, password=None):
  how = (serialization.BestAvailableEncryption(password) if password
         else serialization.NoEncryption())
  return key.private_bytes(serialization.Encoding.PEM,
                           serialization.PrivateFormat.PKCS8, how)


class CredentialTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.enter_context(mock.patch.dict(
        os.environ, {'XDG_CONFIG_HOME': str(self.dir / 'home')}))

  def _files(self, key=None, chain=None):
    (self.dir / 'key.pem').write_bytes(key or films.signer().key)
    (self.dir / 'key.pem').chmod(0o600)
    (self.dir / 'chain.pem').write_bytes(chain or films.signer().chain)
    return str(self.dir / 'key.pem'), str(self.dir / 'chain.pem')

  def test_a_local_one_is_made_once_and_only_its_owner_reads_it(self):
    first = credential.find('', '', self.dir)
    self.assertTrue(first.is_test)
    self.assertEqual(first, credential.find('', '', self.dir / 'other'))
    key = self.dir / 'home/revive_jax/credential/key.pem'
    self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
    self.assertEqual(stat.S_IMODE(key.parent.stat().st_mode), 0o700)
    self.assertTrue(credential.anchor_path().is_file())
    self.assertNotIn('PRIVATE', repr(first))

  def test_the_anchor_vouches_for_the_signer(self):
    """By the library that checks chains, not by ours."""
    leaf, anchor = x509.load_pem_x509_certificates(films.signer().chain)
    leaf.verify_directly_issued_by(anchor)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    self.assertTrue(usage.digital_signature)
    self.assertFalse(usage.key_cert_sign)

  def test_without_a_home_it_lies_in_the_workdir(self):
    (self.dir / 'home').write_text('a file')
    credential.find('', '', self.dir / 'work')
    self.assertTrue((self.dir / 'work/credential/key.pem').is_file())

  def test_the_users_own(self):
    found = credential.find(*self._files(), self.dir)
    self.assertEqual((found.is_test, found.algorithm), (False, 'es256'))
    manifest.check(found)

  @parameterized.parameters(
      (ec.generate_private_key(ec.SECP384R1()), 'es384'),
      (ed25519.Ed25519PrivateKey.generate(), 'ed25519'),
      (rsa.generate_private_key(65537, 2048), 'ps256'))
  def test_kinds_of_keys(self, key, algorithm):
    above = ec.generate_private_key(ec.SECP256R1())
    leaf = credential._certificate(
        'signer', key.public_key(), above, is_anchor=False)
    found = credential.find(*self._files(_pem(key), leaf.public_bytes(
        serialization.Encoding.PEM)), self.dir)
    self.assertEqual(found.algorithm, algorithm)
    manifest.check(found)

  @parameterized.parameters(
      (b'nonsense', None, 'no private key'),
      (None, b'nonsense', 'no certificate'),
      (_pem(ec.generate_private_key(ec.SECP256R1())), None, 'not that of'),
      (_pem(ed25519.Ed25519PrivateKey.generate(), b'secret'), None,
       'passphrase'))
  def test_what_cannot_be_used(self, key, chain, words):
    with self.assertRaisesRegex(types.BadInput, words):
      credential.find(*self._files(key, chain), self.dir)

  @parameterized.parameters(0o640, 0o604, 0o644, 0o620)
  def test_a_key_that_others_can_read(self, mode):
    files = self._files()
    (self.dir / 'key.pem').chmod(mode)
    with self.assertRaisesRegex(
        types.BadInput, r'key.pem: others can read this key; run: chmod 600'):
      credential.find(*files, self.dir)

  def test_a_local_one_on_a_disk_without_owners(self):
    credential.find('', '', self.dir)
    (self.dir / 'home/revive_jax/credential/key.pem').chmod(0o777)
    self.assertTrue(credential.find('', '', self.dir).is_test)

  def test_one_without_the_other_and_no_file(self):
    with self.assertRaisesRegex(types.BadInput, 'belong together'):
      credential.find('key.pem', '', self.dir)
    with self.assertRaisesRegex(types.BadInput, 'cannot be read'):
      credential.find('no.pem', 'no.pem', self.dir)

  def test_an_expired_one(self):
    with mock.patch.object(credential, '_YEARS', -1):
      with self.assertRaisesRegex(ValueError, 'after'):
        credential._made()
    class Expired:
      not_valid_before_utc = credential.datetime.datetime(
          2001, 1, 1, tzinfo=credential.datetime.UTC)
      not_valid_after_utc = credential.datetime.datetime(
          2002, 1, 1, tzinfo=credential.datetime.UTC)
    with self.assertRaisesRegex(types.BadInput, '2001-01-01 to 2002-01-01'):
      credential._check_days(Expired, 'old.pem')

  def test_a_kind_of_key_that_c2pa_has_not(self):
    with self.assertRaisesRegex(types.BadInput, 'ECDSA'):
      credential._algorithm(dsa.generate_private_key(1024), 'key.pem')

  def test_a_certificate_that_c2pa_does_not_accept(self):
    """The anchor may sign certificates, and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    anchor = credential._certificate(
        'anchor', key.public_key(), key, is_anchor=True)
    bad = credential.Credential(
        anchor.public_bytes(serialization.Encoding.PEM), _pem(key), 'es256',
        False)
    with self.assertRaisesRegex(types.BadInput, 'cannot be signed'):
      manifest.check(bad)

  def test_without_the_libraries(self):
    with mock.patch.object(credential, 'is_installed', lambda: False):
      with self.assertRaisesRegex(types.BadInput, r'revive-jax\[provenance\]'):
        credential.find(*self._files(), self.dir)


if __name__ == '__main__':
  absltest.main()
