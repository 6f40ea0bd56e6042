"""What the tests of provenance sign: a credential, facts, a film."""

import functools
import pathlib
import tempfile

from revive_jax.provenance import credential
from tests.video import clips

FACTS = {
    'version': '0.1.0', 'mode': 'full', 'frames': 5,
    'stages': [{'name': 'restore', 'why': 'noise', 'shots': 2,
                'strength': {'least': 0.5, 'greatest': 0.8}}],
    'share': {'changed': 0.5, 'damaged': 0.02, 'moved': 0.0, 'invented': 0.031},
    'weights': {'name': 'restorer', 'sha256': 'a' * 64},
    'consent': 'not stated', 'marks': {'visible': False, 'invisible': None},
    'source': {'sha256': 'b' * 64}, 'signer': 'a test'}


@functools.cache
def signer() -> credential.Credential:
  """A local credential, made in a folder that is gone."""
  with tempfile.TemporaryDirectory() as folder:
    return credential._kept(pathlib.Path(folder) / 'credential')


@functools.cache
def anchor() -> bytes:
  """What the credential rests on, in PEM."""
  _, above = signer().chain.split(b'-----END CERTIFICATE-----\n')[:2]
  return above + b'-----END CERTIFICATE-----\n'


def write(path: pathlib.Path) -> pathlib.Path:
  """Writes a film of 5 frames and 0.2 s of sound."""
  codec = 'ffv1' if path.suffix == '.mkv' else 'libx264'
  clips.write(path, clips.pictures(), codec=codec, sounds=['aac'])
  return path
