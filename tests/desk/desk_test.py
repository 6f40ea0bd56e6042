"""Tests of desk/desk.py."""

import json
import os
import pathlib
import stat
import time
from unittest import mock

from absl.testing import absltest

from revive_jax import types
from revive_jax.desk import desk, jobs, known
from revive_jax.privacy import keys
from tests.desk import desks


class DeskTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path) / 'desk'

  def test_only_its_owner_can_read_the_folder(self):
    desks.opened(self.root)
    self.assertEqual(stat.S_IMODE(self.root.stat().st_mode), 0o700)

  def test_settings_are_kept_for_the_jobs(self):
    with_page = desks.opened(self.root, strength={'noise': 0.25})
    kept = json.loads((self.root / desk.NAME).read_text())
    self.assertEqual(kept['strength']['noise'], 0.25)
    self.assertEqual(kept, json.loads(json.dumps(with_page.c.to_dict())))
    self.assertTrue(kept['keep_segments'])

  def _in_a_folder_of_its_own(self):
    """From here on paths as they are typed are of another folder."""
    home = self.root.parent / 'home'
    home.mkdir()
    before = os.getcwd()
    os.chdir(home)
    self.addCleanup(os.chdir, before)
    return home

  def test_jobs_get_whole_paths_and_names_stay_names(self):
    home = self._in_a_folder_of_its_own()
    for name in ('runs/x/weights', 'restorer', 'upscaler', 'user/here'):
      (home / name).mkdir(parents=True)
    c = desks.opened(
        self.root, weights='runs/x/weights', fills='user/model',
        encrypt={'key': '', 'passphrase_file': 'words'},
        faces={'detector': 'yunet.onnx', 'policy': 'off'},
        provenance={'anchors': 'ca.pem'}).c
    self.assertEqual(c.weights, str(home / 'runs/x/weights'))
    self.assertEqual(c.fills, 'user/model')  # On the hub.
    self.assertEqual(c.upscaler, 'upscaler')  # What ships comes first.
    self.assertEqual(c.encrypt.passphrase_file, str(home / 'words'))
    self.assertEqual(c.faces.detector, str(home / 'yunet.onnx'))
    self.assertEqual((c.faces.embedder, c.provenance.key), ('', ''))
    self.assertEqual(c.provenance.anchors, str(home / 'ca.pem'))
    self.assertEqual(json.loads((self.root / desk.NAME).read_text()),
                     json.loads(json.dumps(c.to_dict())))
    for name, wanted in (
        ('restorer', 'restorer'), ('user/here', str(home / 'user/here')),
        ('hf://user/here@main', 'hf://user/here@main')):
      self.assertEqual(desks.opened(self.root, weights=name).c.weights, wanted)

  def test_a_job_opens_the_key_that_was_named_from_elsewhere(self):
    home = self._in_a_folder_of_its_own()
    (home / 'key').write_text(desks.KEY)
    (home / 'key').chmod(0o600)
    own = desks.opened(self.root, clock=time.time, encrypt={
        'key': 'file:key', 'passphrase_file': ''})
    self.assertEqual(own.c.encrypt.key, f'file:{home / "key"}')
    place = desks.put(own, desks.film_bytes(home, desks.clip(3)))
    jobs.start(place, 'measure')
    end = time.monotonic() + 120
    while (state := jobs.state(place)).name == 'running':
      self.assertLess(time.monotonic(), end)
      time.sleep(0.05)
    self.assertEqual((state.name, state.sentence), ('done', ''))
    self.assertTrue(known.is_there(place))

  def test_paths_are_sealed_where_there_is_a_key(self):
    sealed = desks.opened(self.root, sealed=True)
    sealed.path('a.txt').write_text('a secret of ours')
    self.assertNotIn(b'secret', (self.root / 'a.txt').read_bytes())
    self.assertEqual(sealed.path('a.txt').read_text(), 'a secret of ours')
    self.assertIsNone(desks.opened(self.root).vault)

  def test_refuses_a_passphrase_that_jobs_would_ask_for(self):
    with mock.patch.dict(os.environ):
      os.environ.pop(keys.VARIABLE, None)
      with self.assertRaisesRegex(types.BadInput, keys.VARIABLE):
        desks.opened(self.root, encrypt={'key': 'passphrase',
                                         'passphrase_file': ''})

  def test_refuses_a_folder_that_cannot_be(self):
    self.root.write_text('a file')
    with self.assertRaisesRegex(types.BadInput, 'cannot be written'):
      desks.opened(self.root)

  def test_refuses_settings_that_cannot_be(self):
    with self.assertRaisesRegex(types.BadInput, 'composite'):
      desks.opened(self.root, composite='half')

  def test_consent_may_be_asked_for_later(self):
    found = desks.opened(self.root, consent={'file': '', 'required': True})
    self.assertTrue(found.c.consent.required)


if __name__ == '__main__':
  absltest.main()
