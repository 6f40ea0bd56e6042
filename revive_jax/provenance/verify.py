"""Verify: what a file is, whether it was changed since, and who says so."""

from collections.abc import Mapping, Sequence
import os
import pathlib
from typing import Any, NamedTuple

from revive_jax import types
from revive_jax.provenance import credential, manifest

_CHANGED = 'the picture or the sound was changed after it was signed'
# What the codes of C2PA that end like this mean.
_MEANING = {
    'dataHash.mismatch': _CHANGED, 'bmffHash.mismatch': _CHANGED,
    'bmffHash.malformed': _CHANGED, 'boxesHash.mismatch': _CHANGED,
    'claimSignature.mismatch': 'the signature does not fit',
    'hashedURI.mismatch': 'the statement was changed after it was signed',
    'signingCredential.invalid': 'the certificate cannot be used for this'}
# What says nothing of whether a file was changed.
_UNTRUSTED = 'signingCredential.untrusted'
_EXPIRED = ('signingCredential.expired', 'claimSignature.outsideValidity')
# What must hold for an intact file: the signature, and the hash of the file.
_SIGNED = 'claimSignature.validated'
_HASHED = ('dataHash.match', 'bmffHash.match')
_LONGEST = 80  # Characters of what others state.


class Verdict(NamedTuple):
  """What verify() found."""

  path: str
  where: str  # The manifest: 'embedded', 'sidecar' or 'none'.
  is_intact: bool  # Signature and hashes hold.
  is_trusted: bool  # The signer rests on one of the anchors.
  asked: bool  # Whether there were anchors to rest on.
  has_expired: bool  # The certificate; so nobody vouches for it any more.
  signer: str  # As the certificate says.
  reasons: tuple[str, ...]  # Why it is not intact.
  restoration: dict[str, Any] | None  # What this program stated.
  generator: str  # What made the statement.

  @property
  def is_valid(self) -> bool:
    """Whether the file is what its manifest says, by whom we were to trust."""
    return self.is_intact and (self.is_trusted or not self.asked)


def read_anchors(path: str) -> bytes:
  """The certificates of a PEM file; '': none.

  Raises:
    types.BadInput: there are none in it.
  """
  if not path:
    return b''
  from cryptography import x509
  from cryptography.hazmat.primitives import serialization

  try:
    data = pathlib.Path(path).read_bytes()
  except OSError as error:
    raise types.BadInput(
        f'{path}: cannot be read ({error.strerror}).') from error
  try:
    found = x509.load_pem_x509_certificates(data)
  except ValueError as error:
    raise types.BadInput(
        f'{path}: there is no certificate in PEM in it.') from error
  # Without what else such files may hold.
  return b''.join(
      c.public_bytes(serialization.Encoding.PEM) for c in found)


def verify(path: str | os.PathLike, *, anchors: bytes = b'') -> Verdict:
  """Checks signature, hashes and trust of a file or a folder of pictures.

  anchors: see manifest.read.

  Raises:
    types.BadInput: there is no such file, or it cannot be read.
  """
  credential.check_installed('Verifying')
  if not os.path.exists(path):
    raise types.BadInput(f'{path}: there is no such file.')
  try:
    found = manifest.read(path, anchors=anchors)
  except OSError as error:
    raise types.BadInput(
        f'{path}: cannot be read ({error.strerror}).') from error
  if found is None:
    return Verdict(str(path), 'none', False, False, bool(anchors), False, '',
                   (), None, '')
  where, report = found
  active = report.get('manifests', {}).get(report.get('active_manifest'), {})
  signature = active.get('signature_info') or {}
  reasons = _reasons(report)
  if os.path.isdir(path) and reasons:
    reasons = [*reasons, *_pictures(path)]
  failures, _ = _codes(report)
  return Verdict(
      str(path), where, not reasons,
      report.get('validation_state') == 'Trusted' and not reasons,
      bool(anchors), any(c in _EXPIRED for c in failures),
      signature.get('issuer') or 'nobody named', tuple(reasons),
      manifest.restoration(report), manifest.generator(active))


def sentence(verdict: Verdict) -> str:
  """The verdict in one line."""
  name = _printable(os.path.basename(os.path.normpath(verdict.path)))
  if verdict.where == 'none':
    return (f'{name}: no manifest; nothing is known of where it comes from '
            'and what was done to it.')
  if not verdict.is_intact:
    return f'{name}: NOT VALID: {"; ".join(verdict.reasons)}.'
  return f'{name}: {_what(verdict)}; unchanged since; {_who(verdict)}.'


def as_json(verdict: Verdict) -> dict[str, Any]:
  """The verdict in JSON's types."""
  return {'schema': 1, 'sentence': sentence(verdict),
          'valid': verdict.is_valid, **verdict._asdict(),
          'reasons': list(verdict.reasons)}


def _what(verdict) -> str:
  found = verdict.restoration
  if found is None:
    by = _quoted(verdict.generator) or 'a program that is not named'
    return f'made by {by}' + (
        ', whose statement has not its form'
        if verdict.generator == manifest.GENERATOR else '')
  by = ('AI' if found.get('weights') or found.get('upscaler')
        else 'computation, without a network')
  invented = 100 * found['share']['invented']
  consent = found['consent']
  stated = (consent if isinstance(consent, str)
            else f'given until {consent["until"]}')
  return (f'restored by {by} ({found["mode"]}; {invented:.2g} % of the pixels '
          f'invented){_hidden(found)}, consent {stated}')


def _hidden(found) -> str:
  how = found.get('faces_hidden', 'none')
  return '' if how == 'none' else f', faces hidden ({_quoted(how)})'


def _printable(text) -> str:
  """What others state, without what moves a cursor or hides a line."""
  return ' '.join(''.join(
      c if c.isprintable() else ' ' for c in str(text)).split())


def _quoted(text) -> str:
  """The same, in a sentence of ours: it cannot go on with that."""
  text = _printable(text)[:_LONGEST].strip()
  if any(c in text for c in ';:,."()'):
    return '"{}"'.format(text.replace('"', "'"))
  return text


def _who(verdict) -> str:
  signer = _quoted(verdict.signer)
  if verdict.is_trusted and verdict.signer == credential.TEST_NAME:
    return 'signed by a local credential that is among the trusted anchors'
  if verdict.is_trusted:
    return f'signed by {signer}, trusted'
  if verdict.has_expired:
    return (f'signed by {signer}, whose certificate has expired: '
            'untrusted')
  if verdict.signer == credential.TEST_NAME:
    return 'signed by a local test credential, untrusted'
  why = ('not among the anchors' if verdict.asked
         else 'no anchors were named to trust')
  return f'signed by {signer}, untrusted: {why}'


def _codes(report) -> tuple[list[str], list[str]]:
  """C2PA's codes of what failed and of what holds."""
  results = report.get('validation_results', {}).get('activeManifest', {})
  return tuple([entry['code'] for entry in results.get(kind, ())]
               for kind in ('failure', 'success'))


def _reasons(report: Mapping[str, Any]) -> list[str]:
  """Why a file is not what was signed, in words, each once; none: it is."""
  if 'unreadable' in report:
    return ['the manifest is damaged']
  failures, holds = _codes(report)
  words = [next((text for end, text in _MEANING.items() if c.endswith(end)),
                _quoted(c))
           for c in failures if c not in (_UNTRUSTED, *_EXPIRED)]
  if not words and _SIGNED not in holds:
    words = ['the signature does not fit']
  if not words and not any(c.endswith(_HASHED) for c in holds):
    words = ['its manifest says nothing of the picture and the sound']
  return list(dict.fromkeys(words))


def _pictures(folder) -> Sequence[str]:
  """Which pictures differ from the list beside their folder."""
  try:
    lines = manifest.listing_path(folder).read_text().splitlines()
  except (OSError, UnicodeDecodeError):
    return ()
  split = lambda rows: {row[66:]: row[:64] for row in rows}
  before = split(lines)
  now = split(manifest.listing(folder).decode().splitlines())
  differ = sorted(n for n in {*before, *now} if before.get(n) != now.get(n))
  if not differ:
    return ()
  more = f' and {len(differ) - 1} more' if len(differ) > 1 else ''
  return (f'{_printable(differ[0])}{more} differ from the list of sums',)
