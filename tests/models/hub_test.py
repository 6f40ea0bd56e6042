"""Tests of models/hub.py: weights on the Hugging Face hub."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import types as python_types
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax import networks, types
from revive_jax.models import card, hub, weights

_COMMIT = '0123456789abcdef0123456789abcdef01234567'


class RepositoryNotFoundError(Exception):
  """As the hub's library calls them."""


class GatedRepoError(RepositoryNotFoundError):
  pass


class RevisionNotFoundError(Exception):
  pass


class LocalEntryNotFoundError(Exception):
  pass


def _save(folder):
  weights.save_weights(
      folder, {'a': {'b': np.arange(4.0, dtype=np.float32)}}, model='restorer',
      settings={}, steps=7, card=card.front('restorer') + '# net\n')


class HubTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.asked = []
    # As the cache of the hub's library is laid.
    self.folder = self.dir / 'models--user--net' / 'snapshots' / _COMMIT
    self.enter_context(mock.patch.dict(os.environ))
    os.environ.pop('HF_HUB_OFFLINE', None)

  def hub(self, error=None):
    def download(repo_id, *, allow_patterns, **options):
      self.asked.append((repo_id, options))
      self.assertEqual(allow_patterns, [
          'config.json', 'model.safetensors', 'README.md', 'SHA256SUMS'])
      if error is not None:
        raise error
      return os.fspath(self.folder)

    module = python_types.ModuleType('huggingface_hub')
    module.snapshot_download = download
    return mock.patch.dict(sys.modules, {'huggingface_hub': module})

  @parameterized.parameters(
      ('user/net', ('user/net', None)),
      ('hf://user/net', ('user/net', None)),
      ('hf://user/net.v1@main', ('user/net.v1', 'main')),
      ('user/net@refs/pr/3', ('user/net', 'refs/pr/3')),
      (f'hf://a_b/c-d@{_COMMIT}', ('a_b/c-d', _COMMIT)),
      ('net', None), ('a/b/c', None), ('/a/b', None), ('../b', None),
      ('a/b@', None), ('s3://a/b', None), ('a/b@../c', None),
      ('a/b@c/../../d', None), ('a/b..c', None))
  def test_names(self, where, wanted):
    self.assertEqual(hub.parse(where), wanted)

  @parameterized.parameters(
      'hf://net', 'hf://', 'hf://a/b/c', 'hf://a/b@', 'hf://a/../b')
  def test_refuses_what_is_no_name(self, where):
    with self.assertRaisesRegex(types.BadInput, 'hf://user/name@revision'):
      weights.read_weights(where)

  @parameterized.parameters('', 'v1.0')
  def test_the_commit_is_in_the_report(self, revision):
    _save(self.folder)
    with self.hub():
      found = weights.read_weights(
          'hf://user/net' + (f'@{revision}' if revision else ''))
    self.assertEqual(
        self.asked, [('user/net', {'revision': revision} if revision else {})])
    self.assertEqual(found.name, f'user/net@{_COMMIT}')
    self.assertIn(f'user/net@{_COMMIT}, 7 steps, sha256 ',
                  networks.described(found))
    np.testing.assert_array_equal(found.params['a']['b'], [0, 1, 2, 3])

  def test_what_was_downloaded_is_checked(self):
    _save(self.folder)
    config = self.folder / 'config.json'
    config.write_text(config.read_text().replace('"steps": 7', '"steps": 8'))
    with self.hub(), self.assertRaisesRegex(types.BadInput, 'is damaged'):
      weights.read_weights('user/net')
    (self.folder / 'SHA256SUMS').unlink()
    tensors = self.folder / 'model.safetensors'
    tensors.write_bytes(tensors.read_bytes()[:-1] + b'\0')
    with self.hub(), self.assertRaisesRegex(types.BadInput, 'is damaged'):
      weights.read_weights('user/net')
    tensors.unlink()
    with self.hub(), self.assertRaisesRegex(types.BadInput, 'cannot be read'):
      weights.read_weights('user/net')

  def test_a_folder_of_that_name_is_not_asked_for(self):
    _save(self.dir / 'user' / 'net')
    with self.hub(), contextlib.chdir(self.dir):
      found = weights.read_weights('user/net')
    self.assertEqual((found.name, self.asked), ('net', []))

  @parameterized.parameters(
      (RepositoryNotFoundError('404'), 'none of this name, or it is private'),
      (GatedRepoError('403'), 'consent to terms'),
      (RevisionNotFoundError('404'), 'no such revision'),
      (LocalEntryNotFoundError('A long. Story.'), 'cannot be reached, nor has'),
      (ConnectionError('Nobody. Please look'), r': Nobody\); check'),
      (ConnectionError('no route\nto host.'),
       r'\(ConnectionError: no route to host\); check the name'))
  def test_refusals(self, error, words):
    with self.hub(error), self.assertRaisesRegex(
        types.BadInput, words) as caught:
      weights.read_weights('hf://user/net@v9')
    self.assertIn('user/net@v9', str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))
    self.assertEqual(str(caught.exception).count('. '), 0)  # One sentence.

  @parameterized.parameters(
      "Illegal header value b'Bearer hf_Secret123'",
      'no proxy at http://me:Secret123@proxy:80/',
      'of https://cdn/x?X-Amz-Signature=Secret123&a=b')
  def test_secrets_are_not_told(self, text):
    with self.hub(OSError(text)), self.assertRaises(types.BadInput) as caught:
      weights.read_weights('user/net')
    self.assertNotIn('Secret123', str(caught.exception))
    self.assertIn(text.split(' ')[0], str(caught.exception))

  @parameterized.parameters('1', 'true', 'YES')
  def test_offline(self, value):
    os.environ['HF_HUB_OFFLINE'] = value
    with self.hub(LocalEntryNotFoundError('long\nstory')):
      with self.assertRaisesRegex(
          types.BadInput, r'is not asked \(HF_HUB_OFFLINE is set\), nor has'):
        weights.read_weights('user/net')
    _save(self.folder)
    with self.hub():  # What is in the cache is there offline, too.
      weights.read_weights('user/net')

  def test_not_installed(self):
    with mock.patch.dict(sys.modules, {'huggingface_hub': None}):
      with self.assertRaisesRegex(types.BadInput, r'revive-jax\[hub\]'):
        weights.read_weights('hf://user/net')


class _Hub(http.server.BaseHTTPRequestHandler):
  """A hub of one repository: what snapshot_download asks of it."""

  folder = None

  def log_message(self, *_):
    pass

  def do_HEAD(self):  # noqa: N802
    self.do_GET()

  def do_GET(self):  # noqa: N802
    parts = self.path.split('?')[0].strip('/').split('/')
    if parts[:5] == ['api', 'models', 'user', 'net', 'revision']:
      if parts[5] not in ('main', 'v1', _COMMIT):
        self.answer(404, b'{}', {'X-Error-Code': 'RevisionNotFound'})
        return
      self.answer(200, json.dumps({
          'id': 'user/net', 'sha': _COMMIT, 'private': False, 'siblings': [
              {'rfilename': p.name} for p in self.folder.iterdir()]}).encode())
    elif parts[:5] == ['api', 'models', 'user', 'net', 'tree']:
      self.answer(200, json.dumps([
          {'type': 'file', 'path': p.name, 'size': p.stat().st_size,
           'oid': '0' * 40} for p in self.folder.iterdir()]).encode())
    elif parts[:3] == ['user', 'net', 'resolve']:
      data = (self.folder / parts[4]).read_bytes()
      self.answer(200, data, {
          'ETag': f'"{parts[4]}"', 'X-Repo-Commit': _COMMIT})
    else:
      self.answer(404, b'{}', {'X-Error-Code': 'RepoNotFound'})

  def answer(self, code, data, headers=()):
    self.send_response(code)
    for name, value in dict(headers).items():
      self.send_header(name, value)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(data)))
    self.end_headers()
    if self.command != 'HEAD':
      self.wfile.write(data)


@pytest.mark.slow
class RealLibraryTest(absltest.TestCase):
  """huggingface_hub itself (extra hub), against a hub on this machine."""

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    _Hub.folder = self.dir / 'net'
    _save(_Hub.folder)
    (_Hub.folder / 'photo.jpg').write_bytes(b'not wanted')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Hub)
    threading.Thread(target=server.serve_forever).start()
    self.addCleanup(server.server_close)
    self.addCleanup(server.shutdown)
    self.place = f'http://127.0.0.1:{server.server_port}'

  def read(self, where, **environment):
    code = ('import sys; from revive_jax import types\n'
            'from revive_jax.models import weights\n'
            'try: print(weights.read_weights(sys.argv[1]).name)\n'
            'except types.BadInput as error: print(error)')
    return subprocess.run(
        [sys.executable, '-c', code, where], capture_output=True, text=True,
        check=True, env=os.environ | {
            'HF_ENDPOINT': self.place, 'HF_HOME': str(self.dir / 'home'),
            'HF_HUB_DISABLE_XET': '1', **environment}).stdout.strip()

  def test_download_and_offline(self):
    offline = dict(HF_HUB_OFFLINE='1', HF_ENDPOINT='http://127.0.0.1:9')
    self.assertIn('is not asked (HF_HUB_OFFLINE is set)',
                  self.read('user/net', **offline))
    self.assertEqual(self.read('hf://user/net@v1'), f'user/net@{_COMMIT}')
    cached = [p.name for p in (self.dir / 'home').rglob('snapshots/*/*')]
    self.assertCountEqual(cached, weights._NAMES)
    self.assertEqual(
        self.read('hf://user/net@v1', **offline), f'user/net@{_COMMIT}')
    self.assertIn('has no such revision', self.read('user/net@v2'))
    self.assertIn('none of this name', self.read('user/other'))
    shutil.rmtree(self.dir / 'home')
    self.assertIn('cannot be reached, nor has its cache', self.read(
        'user/net', HF_ENDPOINT='http://127.0.0.1:9'))


if __name__ == '__main__':
  absltest.main()
