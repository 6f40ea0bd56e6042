"""The credential that manifests are signed with: the user's, or a local one.

A local one is made once and proves nothing but that no one has changed a file
since: nobody vouches for it, and manifests and `verify` say so.
"""

import datetime
import importlib.util
import os
import pathlib
import shutil
import tempfile
from typing import NamedTuple

from revive_jax import files, types

TEST_NAME = 'revive_jax local test credential (untrusted)'
_CHAIN, _KEY, _ANCHOR = 'chain.pem', 'key.pem', 'anchor.pem'
_YEARS = 20
_CURVES = {'secp256r1': 'es256', 'secp384r1': 'es384', 'secp521r1': 'es512'}


class Credential(NamedTuple):
  """A key, and the certificates that say whose it is."""

  chain: bytes  # PEM, the signer's own first.
  key: bytes  # PEM.
  algorithm: str  # C2PA's name of it, as 'es256'.
  is_test: bool  # Made here, not the user's.

  def __repr__(self) -> str:  # Keys do not belong into logs.
    return f'Credential(algorithm={self.algorithm!r}, is_test={self.is_test})'


def is_installed() -> bool:
  """Whether the libraries of the extra [provenance] are there."""
  return all(importlib.util.find_spec(name) for name in
             ('c2pa', 'cryptography'))


def check_installed(what: str) -> None:
  """Raises BadInput, unless there are the libraries that `what` needs."""
  if not is_installed():
    raise types.BadInput(
        f'{what} needs more libraries; install them with pip install '
        '"revive-jax[provenance]".')


def find(key: str, certificate: str, fallback: str | os.PathLike) -> Credential:
  """The user's credential, or a local one where none is named.

  Args:
    key: a PEM file with a private key, or ''.
    certificate: a PEM file with the certificate of it and those it rests on,
      or ''.
    fallback: folder for a local one, if the user's folder of settings cannot
      be written.

  Raises:
    types.BadInput: only one of both is named, others can read the key, or they
      cannot be used.
  """
  check_pair(key, certificate)
  return of_user(key, certificate) if key else local(fallback)


def check_pair(key: str, certificate: str) -> None:
  """Raises BadInput where only one of both is named."""
  if bool(key) != bool(certificate):
    raise types.BadInput(
        'A key and its certificate belong together; name both '
        '--config.provenance.key and --config.provenance.certificate, or '
        'neither.')


def of_user(key: str, certificate: str) -> Credential:
  """Reads a key and its certificates, and makes sure they fit; see find."""
  _check_private(key)
  return _loaded(key, certificate)


def _check_private(key: str) -> None:
  """Refuses a key that others can read: they could sign as its owner."""
  try:
    with open(key, 'rb') as file:
      is_private = files.is_private(file)
  except OSError:
    return  # That is told where it is read.
  if not is_private:
    raise types.BadInput(
        f'{key}: others can read this key; run: chmod 600 {key}')


def _loaded(key: str, certificate: str) -> Credential:
  check_installed('Signing')
  from cryptography import x509
  from cryptography.hazmat.primitives import serialization

  secret, chain = _read(key), _read(certificate)
  try:
    private = serialization.load_pem_private_key(secret, None)
  except TypeError as error:
    raise types.BadInput(
        f'{key}: this key is locked with a passphrase; name an unlocked one '
        'that only you can read.') from error
  except Exception as error:
    raise types.BadInput(
        f'{key}: this is no private key in PEM.') from error
  try:
    own = x509.load_pem_x509_certificates(chain)[0]
  except Exception as error:
    raise types.BadInput(
        f'{certificate}: this is no certificate in PEM.') from error
  if own.public_key() != private.public_key():
    raise types.BadInput(
        f'{certificate}: the first certificate there is not that of the key '
        f'{key}.')
  _check_days(own, certificate)
  return Credential(chain, secret, _algorithm(private, key), False)


def local(fallback: str | os.PathLike) -> Credential:
  """A credential of this account, made where there is none yet."""
  folder = _home()
  for place in (folder, pathlib.Path(fallback)):
    try:
      return _kept(place / 'credential')
    except OSError as error:
      failed = error
  raise types.BadInput(
      f'{fallback}: no credential can be kept there ({failed.strerror}); '
      'choose another --workdir, or --config.provenance.sign=False.')


def anchor_path() -> pathlib.Path:
  """Where the certificate lies that local credentials rest on."""
  return _home() / 'credential' / _ANCHOR


def _home() -> pathlib.Path:
  root = os.environ.get('XDG_CONFIG_HOME') or pathlib.Path.home() / '.config'
  return pathlib.Path(root) / 'revive_jax'


def _kept(folder: pathlib.Path) -> Credential:
  """The credential in a folder, put there whole if there is none."""
  if not (folder / _CHAIN).exists():
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))  # Ours to read.
    try:
      for name, data in zip((_CHAIN, _KEY, _ANCHOR), _made(), strict=True):
        (made / name).write_bytes(data)
        (made / name).chmod(0o600)
      made.rename(folder)
    except OSError:
      if not (folder / _CHAIN).exists():  # Else another process was quicker.
        raise
    finally:
      shutil.rmtree(made, ignore_errors=True)
  # (Some disks have no owners, and this one proves nothing about us anyway.)
  found = _loaded(str(folder / _KEY), str(folder / _CHAIN))
  return found._replace(is_test=True)


def _made() -> tuple[bytes, bytes, bytes]:
  """A chain, its key and its anchor; the anchor's own key is thrown away."""
  from cryptography.hazmat.primitives import serialization
  from cryptography.hazmat.primitives.asymmetric import ec

  above, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
  anchor = _certificate('anchor', above.public_key(), above, is_anchor=True)
  leaf = _certificate('signer', own.public_key(), above, is_anchor=False)
  pem = serialization.Encoding.PEM
  return (leaf.public_bytes(pem) + anchor.public_bytes(pem),
          own.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption()),
          anchor.public_bytes(pem))


def _certificate(name, public, issuer, *, is_anchor):
  """A certificate of a public key by the key issuer, as C2PA wants it."""
  from cryptography import x509
  from cryptography.hazmat.primitives import hashes

  named = lambda common: x509.Name([
      x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, TEST_NAME),
      x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
  now = datetime.datetime.now(datetime.UTC)
  usage = x509.KeyUsage(
      digital_signature=not is_anchor, key_cert_sign=is_anchor,
      crl_sign=is_anchor, content_commitment=False, key_encipherment=False,
      data_encipherment=False, key_agreement=False, encipher_only=False,
      decipher_only=False)
  builder = (
      x509.CertificateBuilder().subject_name(named(name))
      .issuer_name(named('anchor')).public_key(public)
      .serial_number(x509.random_serial_number())
      .not_valid_before(now - datetime.timedelta(days=1))
      .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
      .add_extension(x509.BasicConstraints(is_anchor, None), critical=True)
      .add_extension(usage, critical=True)
      .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
      .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
          issuer.public_key()), False))
  if not is_anchor:
    builder = builder.add_extension(x509.ExtendedKeyUsage(
        [x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
  return builder.sign(issuer, hashes.SHA256())


def _read(path: str) -> bytes:
  try:
    return pathlib.Path(path).read_bytes()
  except OSError as error:
    raise types.BadInput(
        f'{path}: cannot be read ({error.strerror}).') from error


def _check_days(own, path) -> None:
  now = datetime.datetime.now(datetime.UTC)
  if not own.not_valid_before_utc <= now <= own.not_valid_after_utc:
    raise types.BadInput(
        f'{path}: this certificate is valid from '
        f'{own.not_valid_before_utc.date()} to '
        f'{own.not_valid_after_utc.date()} only; name another one.')


def _algorithm(private, path) -> str:
  from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

  if isinstance(private, ec.EllipticCurvePrivateKey) and (
      private.curve.name in _CURVES):
    return _CURVES[private.curve.name]
  if isinstance(private, ed25519.Ed25519PrivateKey):
    return 'ed25519'
  if isinstance(private, rsa.RSAPrivateKey):
    return 'ps256'
  raise types.BadInput(
      f'{path}: C2PA signs with ECDSA (P-256, P-384, P-521), Ed25519 or RSA '
      'keys; name one of those.')
