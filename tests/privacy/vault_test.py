"""Paths of a vault: what is opened through them is sealed."""

import pathlib
import pickle

from absl.testing import absltest
import numpy as np

from revive_jax import files
from revive_jax.privacy import encryption, vault


class VaultTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.vault = vault.Vault(encryption.MasterKey(bytes(32)))
    self.path = self.vault.path(self.folder / 'film.mkv.sealed')

  def test_paths_made_from_it_are_sealed_too(self):
    folder = self.vault.path(self.folder)
    for path in (folder / 'a', folder.with_name('b'), folder.parent, self.path,
                 files.path(folder), pickle.loads(pickle.dumps(folder / 'a'))):
      self.assertTrue(files.is_sealed(path), path)
    self.assertFalse(files.is_sealed(self.folder))
    (folder / 'a').write_text('ä\n')
    self.assertEqual((folder / 'a').read_text(), 'ä\n')
    self.assertNotIn('ä'.encode(), (self.folder / 'a').read_bytes())
    again = pickle.loads(pickle.dumps(folder / 'a'))
    self.assertEqual(again.read_text(), 'ä\n')
    with folder.joinpath('c').open('wb') as file:
      np.savez(file, x=np.arange(5))
    with (folder / 'c').open('rb') as file:
      np.testing.assert_array_equal(np.load(file)['x'], range(5))
    self.assertEqual(files.suffix('a/film.MKV.sealed'), '.mkv')

  def test_a_mode_that_would_go_past_the_chunks(self):
    with self.assertRaises(ValueError):
      self.path.open('ab')


if __name__ == '__main__':
  absltest.main()
