"""Tests of desk/desk.py."""

import json
import os
import pathlib
import stat
from unittest import mock

from absl.testing import absltest

from revive_jax import types
from revive_jax.desk import desk
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
