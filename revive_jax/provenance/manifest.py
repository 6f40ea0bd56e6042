"""C2PA: a signed statement of what was done to a film, in it or beside it.

MP4, MOV, PNG and JPEG carry it; what cannot (Matroska, TIFF, DICOM) has it in
a file beside it, <name>.c2pa; so has a folder, whose list of SHA-256 sums
(<name>.sha256, as sha256sum writes it) stands for its pictures.
"""

from collections.abc import Mapping, Sequence
import contextlib
import datetime
import hashlib
import io
import json
import os
import pathlib
from typing import Any

from revive_jax import files, types
from revive_jax.provenance import credential as credential_lib
from revive_jax.provenance import hashed
from revive_jax.video import images

LABEL = 'org.revive.restoration'
GENERATOR = 'revive_jax'
_EMBEDDED = {'.mp4': 'video/mp4', '.mov': 'video/quicktime',
             '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg'}
_BESIDE = {'.mkv': 'video/x-matroska', '.tif': 'image/tiff',
           '.tiff': 'image/tiff'}
_ANY = 'application/octet-stream'
_KINDS = 'http://cv.iptc.org/newscodes/digitalsourcetype/'
# What the stages with networks may do, and what the others do.
_LEARNED = _KINDS + 'compositeWithTrainedAlgorithmicMedia'
_COMPUTED = _KINDS + 'algorithmicallyEnhanced'
_NETWORKS = ('restore', 'upscale')
_SOURCE = 'source'  # What the manifest calls the ingredient.
_OFFLINE = {'remote_manifest_fetch': False, 'ocsp_fetch': False}


def is_embedded(path: str | os.PathLike) -> bool:
  """Whether a file of this name carries its manifest in itself."""
  return files.suffix(path) in _EMBEDDED and not (
      os.path.isdir(path) or files.is_sealed(path))


def format_of(path: str | os.PathLike) -> str:
  """The MIME type that C2PA is told of a file (or of a folder's list)."""
  if os.path.isdir(path):
    return _ANY
  return (_EMBEDDED | _BESIDE).get(files.suffix(path), _ANY)


def sidecar(path: str | os.PathLike) -> pathlib.Path:
  """Where the manifest of a file lies that cannot carry it."""
  return files.beside(path, '.c2pa')


def listing_path(folder: str | os.PathLike) -> pathlib.Path:
  """Where the list of a folder's sums lies."""
  return files.beside(folder, '.sha256')


def hash_file(path: str | os.PathLike) -> str:
  """SHA-256 of a whole file, read piece by piece; of a folder, of its list."""
  if os.path.isdir(path):
    return hashlib.sha256(listing(path)).hexdigest()
  with files.path(path).open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def listing(folder: str | os.PathLike) -> bytes:
  """A line for each picture of a folder: its SHA-256 and its name."""
  lines = [f'{hash_file(p)}  {files.opened_name(p).name}\n'
           for p in images.list_pictures(folder)]
  return ''.join(lines).encode()


def definition(facts: Mapping[str, Any]) -> dict[str, Any]:
  """The manifest that says facts, for C2PA's Builder.

  facts: in JSON's types; 'version' and 'stages' (see stages()) become actions,
  all of it is the assertion org.revive.restoration.
  """
  agent = {'name': GENERATOR, 'version': facts['version']}
  actions = [{'action': 'c2pa.opened',
              'parameters': {'ingredientIds': [_SOURCE]}}]
  for stage in facts['stages']:
    actions.append({
        'action': 'c2pa.edited', 'softwareAgent': agent,
        'description': f'{stage["name"]}: {stage["why"]}',
        'digitalSourceType': (
            _LEARNED if stage['name'] in _NETWORKS else _COMPUTED),
        'parameters': {f'{LABEL}.{key}': value
                       for key, value in stage.items() if key != 'why'}})
  return {
      'claim_generator_info': [agent], 'title': 'Restored film',
      'assertions': [
          {'label': 'c2pa.actions.v2', 'data': {'actions': actions}},
          {'label': LABEL, 'data': dict(facts)}]}


def check(credential: credential_lib.Credential) -> None:
  """Signs nothing much, so that a useless credential is known before the work.

  Raises:
    types.BadInput: C2PA does not accept the credential.
  """
  facts = {'version': '0', 'stages': [], 'source': {'sha256': '0' * 64}}
  _sign(facts, credential, None, _beside_it(hashlib.sha256(b'trial').digest()))


def embed(
    path: pathlib.Path, facts: Mapping[str, Any],
    credential: credential_lib.Credential, *, source: str = '',
) -> None:
  """Puts a manifest into the file at path, which is replaced.

  source: the file that was restored, whose own manifest goes along, whole; '':
    it is named by its hash (in facts) alone.

  Raises:
    OSError: the disk is full, or cannot be written.
    types.BadInput: C2PA does not accept the credential.
  """
  signed = path.with_name(f'{path.name}.signed')
  try:
    with open(path, 'rb') as file, open(signed, 'w+b') as copy:
      streams = _Noted(file), _Noted(copy)
      try:
        with _temporary_in(path.parent):
          _sign(facts, credential, source, lambda builder, signer: builder.sign(
              signer, format_of(path), *streams))
      except types.BadInput:
        for stream in streams:
          if stream.error is not None:
            raise stream.error from None
        raise
    os.replace(signed, path)
  finally:
    signed.unlink(missing_ok=True)


def put_beside(
    path: str | os.PathLike, facts: Mapping[str, Any],
    credential: credential_lib.Credential, *, source: str = '',
) -> list[pathlib.Path]:
  """Writes the manifest of a file, or of a folder, beside it; see embed.

  Returns what was written. Other files stay as they are.
  """
  path, written = files.path(path), []
  if path.is_dir():
    sums = listing(path)
    _write(listing_path(path), sums)
    written.append(listing_path(path))
    digest = hashlib.sha256(sums).digest()
  else:
    digest = bytes.fromhex(hash_file(path))
  _write(sidecar(path), _sign(facts, credential, source, _beside_it(digest)))
  return [*written, sidecar(path)]


def _beside_it(digest):
  """Signs, of (builder, signer), a file that is told by its hash."""
  return lambda builder, signer: hashed.sign(builder, signer, digest)


@contextlib.contextmanager
def _temporary_in(folder):
  """C2PA's copies of a film lie beside it: /tmp may be small, or memory."""
  before = os.environ.get('TMPDIR')
  os.environ['TMPDIR'] = str(folder)
  try:
    yield
  finally:
    if before is None:
      del os.environ['TMPDIR']
    else:
      os.environ['TMPDIR'] = before


class _Noted:
  """A stream whose errors are kept: C2PA says no more than that there was one.
  """

  def __init__(self, stream):
    self.error = None
    for name in ('read', 'write', 'seek', 'tell', 'flush'):
      setattr(self, name, self._noting(getattr(stream, name, None)))

  def _noting(self, function):
    def call(*arguments):
      try:
        return function(*arguments)
      except OSError as error:
        self.error = error
        raise
    return call


def _sign(facts, credential, source, work) -> bytes:
  """What work makes of a builder and a signer: the manifest that says facts."""
  credential_lib.check_installed('Signing')
  import c2pa

  info = c2pa.C2paSignerInfo(
      alg=credential.algorithm.encode(), sign_cert=credential.chain,
      private_key=credential.key, ta_url=None)
  settings = {'builder': {'thumbnail': {'enabled': False}},
              'verify': _OFFLINE}
  try:
    with c2pa.Context(c2pa.Settings.from_dict(settings)) as context, (
        c2pa.Builder(definition(facts), context=context)) as builder, (
            c2pa.Signer.from_info(info)) as signer:
      _add_source(builder, facts, source)
      return work(builder, signer)
  except c2pa.C2paError as error:
    raise types.BadInput(
        'The statement of what was done cannot be signed '
        f'({" ".join(str(error).split())}); set --config.provenance.key and '
        'certificate to ones that C2PA accepts (docs/trust.md), or '
        '--config.provenance.sign=False.') from error


def _add_source(builder, facts, source) -> None:
  """The source as the parent: by its hash, with its own manifest if it has one.
  """
  import c2pa

  ingredient = {
      'title': 'Source', 'relationship': 'parentOf', 'label': _SOURCE,
      'instance_id': f'sha256:{facts["source"]["sha256"]}'}
  form = _EMBEDDED.get(pathlib.Path(source or '').suffix.lower())
  if form and os.path.isfile(source):
    with contextlib.suppress(c2pa.C2paError), open(source, 'rb') as file:
      builder.add_ingredient(ingredient, form, file)
      return
  builder.add_ingredient(ingredient, _ANY, io.BytesIO(b''))


def _write(path: pathlib.Path, data: bytes) -> None:
  """Writes data whole or not at all."""
  part = path.with_name(f'.{path.name}.part')
  try:
    with part.open('wb') as file:
      file.write(data)
    os.replace(part, path)
  except OSError as error:
    part.unlink(missing_ok=True)
    raise types.BadInput(
        f'{path}: cannot be written ({error.strerror}); free some space, or '
        'choose another place.') from error


def read(
    path: str | os.PathLike, *, anchors: bytes = b''
) -> tuple[str, dict[str, Any]] | None:
  """Where the manifest of a file is, and what C2PA finds in it.

  Args:
    path: a file, or a folder of pictures.
    anchors: certificates in PEM that signers must rest on to be trusted.

  Returns:
    None, if there is none; else 'embedded' or 'sidecar', and C2PA's report:
    'validation_state' is 'Trusted', 'Valid' or 'Invalid'.
  """
  if is_embedded(path):
    if (report := _report(path, None, anchors)) is not None:
      return 'embedded', report
  beside = sidecar(path)
  if not beside.is_file():
    return None
  with beside.open('rb') as file:
    report = _report(path, file.read(), anchors)
  return None if report is None else ('sidecar', report)


def _report(path, data, anchors) -> dict[str, Any] | None:
  """C2PA's report of a file with the manifest data, or with its own (None)."""
  import c2pa

  settings = {'verify': {**_OFFLINE, 'verify_trust': True}}
  if anchors:
    settings['trust'] = {'trust_anchors': anchors.decode()}
  opened = (io.BytesIO(listing(path)) if os.path.isdir(path)
            else files.path(path).open('rb'))
  try:
    with opened as file, c2pa.Context(
        c2pa.Settings.from_dict(settings)) as context, c2pa.Reader(
            format_of(path), file, data, context) as reader:
      return json.loads(reader.json())
  except c2pa.C2paError.ManifestNotFound:
    return None
  except c2pa.C2paError as error:
    return {'validation_state': 'Invalid', 'unreadable': str(error)}


def restoration(report: Mapping[str, Any]) -> dict[str, Any] | None:
  """What an earlier statement of this program says, in C2PA's report.

  None also of another program's statement, and of one that has not the form:
  anybody can sign anything.
  """
  manifest = report.get('manifests', {}).get(report.get('active_manifest'), {})
  if generator(manifest) != GENERATOR:
    return None
  for assertion in manifest.get('assertions', ()):
    if assertion['label'] == LABEL:
      return assertion['data'] if _is_stated(assertion['data']) else None
  return None


def generator(manifest: Mapping[str, Any]) -> str:
  """The name of the program that made a manifest of C2PA's report, or ''."""
  found = manifest.get('claim_generator_info')
  first = found[0] if isinstance(found, list) and found else None
  return str(first.get('name') or '') if isinstance(first, dict) else ''


def _is_stated(data) -> bool:
  """Whether an assertion says what one can go by: mode, share and consent."""
  if not isinstance(data, dict) or data.get('mode') not in ('full', 'repair'):
    return False
  share, consent = data.get('share'), data.get('consent')
  invented = share.get('invented') if isinstance(share, dict) else None
  if isinstance(invented, bool) or not isinstance(invented, (int, float)) or (
      not 0 <= invented <= 1):
    return False
  if not isinstance(consent, dict):
    return consent == 'not stated'
  return consent.get('until') == 'withdrawn' or _is_day(consent.get('until'))


def _is_day(text) -> bool:
  try:
    return str(datetime.date.fromisoformat(text)) == text
  except (TypeError, ValueError):
    return False


def stages(
    shots: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """The stages of all shots ('stages' of report.json), each once.

  With 'name', the first 'why', 'strength' ('least' and 'greatest' over the
  shots) and 'shots', how many it ran on.
  """
  found = {}
  for shot in shots:
    for stage in shot:
      entry = found.setdefault(stage['name'], {
          'name': stage['name'], 'why': stage['why'],
          'strength': {}, 'shots': 0})
      # (C2PA's library loses lists of numbers.)
      for key, choose in (('least', min), ('greatest', max)):
        entry['strength'][key] = choose(
            stage['strength'], entry['strength'].get(key, stage['strength']))
      entry['shots'] += 1
  return list(found.values())
