"""Tests of pipeline/segments.py."""

import os
import pathlib

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.pipeline import segments
from revive_jax.privacy import encryption, vault

_KEY = {'input': {'bytes': 5}, 'settings': {'crf': 16, 'a': {'b': 1}},
        'weights': 'abc'}


class SegmentsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path) / 'segments'

  def _open(self, **key):
    return segments.opened(self.dir, _KEY | key)

  def _seal(self, kept, number, memory=True, frames=3):
    name = f'{number:06d}.nut'
    kept.path(name).write_bytes(b'frames %d' % number)
    kept.seal({'part': {'stamps': [0] * frames}}, [name],
              {'x': np.full(2, number, np.float32)} if memory else None)

  def _names(self):
    return {p.name for p in self.dir.iterdir()}

  def test_what_is_sealed_is_there_and_nothing_else(self):
    kept = self._open()
    self.assertIsNone(kept.memory())
    self.assertIsNone(kept.measured())
    kept.keep_measured({'shots': [1]})
    for number in range(2):
      self._seal(kept, number)
    kept.path('000002.nut').write_bytes(b'half')
    kept.path('.x.part').write_bytes(b'')
    kept.path('000002').mkdir()
    again = self._open()
    self.assertEqual(again.frames, 6)
    self.assertEqual(again.measured(), {'shots': [1]})
    self.assertEqual([p.read_bytes() for p in again.files()],
                     [b'frames 0', b'frames 1'])
    np.testing.assert_array_equal(again.memory()['x'], [1, 1])
    self.assertEqual(self._names(), {
        'key.json', 'measured.json', '000000.json', '000000.nut',
        '000001.json', '000001.nut', 'memory_000001.npz'})
    again.keep_joined({'schema': 1})
    self.assertEqual(segments.joined(self.dir, _KEY), {'schema': 1})
    self.assertIsNone(segments.joined(self.dir, _KEY | {'weights': ''}))
    again.remove()
    self.assertEqual(list(self.dir.parent.iterdir()), [])

  def test_one_takes_the_place_of_another(self):
    kept = self._open()
    for number in range(3):
      self._seal(kept, number, memory=False)
    kept.path('000001.nut').write_bytes(b'decided anew')
    kept.path('000001.layers.nut').write_bytes(b'layers')
    kept.seal({'part': {'stamps': [0] * 3}, 'decision': {'sample': 1}},
              ['000001.nut', '000001.layers.nut'], None, number=1)
    self.assertLen(kept.notes, 3)
    again = self._open()
    self.assertEqual([n.get('decision') for n in again.notes],
                     [None, {'sample': 1}, None])
    self.assertEqual([p.read_bytes() for p in again.files()],
                     [b'frames 0', b'decided anew', b'frames 2'])
    self.assertEqual([p.name for p in again.files(layers=True)],
                     ['000001.layers.nut'])

  def test_without_a_key_nobody_knows_what_it_is_of(self):
    kept = self._open()
    self._seal(kept, 0)
    kept.path('key.json').unlink()
    self.assertEqual(self._open(weights='other').frames, 0)

  def test_a_damaged_segment_and_those_after_it_are_left_out(self):
    kept = self._open()
    for number in range(4):
      self._seal(kept, number, memory=number != 1)
    kept.path('000003.nut').write_bytes(b'other')
    # The memory of segment 2 is gone: back to one that left none.
    again = self._open()
    self.assertLen(again.notes, 2)
    self.assertIsNone(again.memory())
    self.assertNotIn('000002.nut', self._names())
    self._seal(again, 2)
    self.assertLen(self._open().notes, 3)

  def _swap(self, *names):
    first, second = (self.dir / name for name in names)
    first.rename(self.dir / 'x')
    second.rename(first)
    (self.dir / 'x').rename(second)

  def _sealed(self, count=3, **options):
    """A sealed run with some segments; all files are opened by one key."""
    self.dir = vault.Vault(encryption.MasterKey(bytes(32))).path(self.dir)
    kept = self._open()
    kept.keep_measured({'shots': [1]})
    for number in range(count):
      self._seal(kept, number, **options)
    return kept

  def test_whole_sealed_files_in_each_others_place(self):
    kept = self._sealed(memory=False)
    self.assertLen(self._open().notes, 3)
    self._swap('000001.json', '000002.json')
    with self.assertLogs(level='WARNING') as logs:
      again = self._open()
    self.assertIn('1 of 3 finished segments', ''.join(logs.output))
    self.assertEqual([p.read_bytes() for p in again.files()], [b'frames 0'])
    kept.keep_joined({'schema': 1})
    self._swap('joined.json', 'measured.json')
    self.assertIsNone(kept.measured())
    self.assertIsNone(segments.joined(self.dir, _KEY))
    self._swap('key.json', 'measured.json')
    with self.assertRaisesRegex(types.BadInput, 'began with other'):
      self._open()

  def test_notes_of_another_run_are_none_of_this_one(self):
    self._sealed(1)
    notes = (self.dir / '000000.json').read_bytes()
    self._open().remove()
    self._open(weights='other')
    (self.dir / '000000.json').write_bytes(notes)
    (self.dir / '000000.nut').write_bytes(b'frames 0')
    with self.assertLogs(level='WARNING'):
      self.assertEqual(self._open(weights='other').frames, 0)

  def test_what_is_carried_over_to_another_run(self):
    kept = self._open()
    kept.keep_measured({'shots': [1]})
    for number in range(3):
      self._seal(kept, number, memory=False)
    segments.carry_over(self.dir, _KEY | {'mask': 'b'},
                        lambda notes: notes['number'] == 1)
    again = self._open(mask='b')
    self.assertEqual([n.get('decision', {}) for n in again.notes],
                     [{}, {'stale': True}, {}])
    self.assertEqual(again.measured(), {'shots': [1]})
    self.assertEqual(again.files(), kept.files())
    with self.assertRaisesRegex(types.BadInput, 'began with another mask'):
      self._open()

  def test_another_memory(self):
    kept = self._sealed(2)
    held = self.dir / 'memory_000001.npz'
    with held.open('wb') as file:
      np.savez(file, x=np.ones(2, np.float32))
    with self.assertLogs(level='WARNING'):
      self.assertEqual(self._open().frames, 0)
    self.assertLen(kept.notes, 2)

  def test_a_changed_sealed_file_is_refused_and_all_stays(self):
    self._sealed()
    for name in ('key.json', '000001.json', 'measured.json'):
      path = pathlib.Path(self.dir / name)
      data = bytearray(open(path, 'rb').read())
      data[len(data) // 2] ^= 1
      with open(path, 'r+b') as file:
        file.write(data)
      before = self._names()
      with self.assertRaisesRegex(
          types.BadInput, f'{name}: was changed .* Or remove .*segments to'):
        self._open().measured()
      self.assertEqual(self._names(), before)
      data[len(data) // 2] ^= 1
      with open(path, 'r+b') as file:
        file.write(data)
    self.assertLen(self._open().notes, 3)

  def test_a_sealed_file_that_was_cut_off(self):
    self._sealed(2, memory=False)
    for size in (200, 40, 5, 0):
      self._seal(self._open(), 2, memory=False)
      os.truncate(self.dir / '000002.json', size)
      with self.assertLogs(level='WARNING') as logs:
        self.assertLen(self._open().notes, 2, size)
      self.assertIn('2 of 3', ''.join(logs.output))
    for size in (40, 0):
      os.truncate(self.dir / 'key.json', size)
      with self.assertLogs(level='WARNING') as logs:
        self.assertEqual(self._open().frames, 0)
      self.assertIn('its key.json is cut off', ''.join(logs.output))

  def test_other_runs_are_refused_with_what_differs(self):
    self._open()
    self._open()
    settings = {'crf': 18, 'a': {'b': 1}}
    with self.assertRaisesRegex(types.BadInput, 'other settings: crf=16;'):
      self._open(settings=settings)
    with self.assertRaisesRegex(types.BadInput, 'began with another input;'):
      self._open(input={'bytes': 6})
    with self.assertRaisesRegex(types.BadInput, 'another weights'):
      self._open(weights='')
    anew = segments.opened(self.dir, _KEY | {'weights': ''}, anew=True)
    self.assertEqual(anew.frames, 0)

  def test_identity(self):
    self.dir.mkdir()
    path = self.dir / 'film'
    path.write_bytes(bytes(3 << 20))
    first = segments.identity(path)
    self.assertEqual(first['bytes'], 3 << 20)
    path.write_bytes(bytes(2 << 20) + b'x' + bytes((1 << 20) - 1))
    self.assertNotEqual(
        segments.identity(path)['sha256_of_ends'], first['sha256_of_ends'])
    (self.dir / 'a.png').write_bytes(b'1')
    (self.dir / 'b.png').write_bytes(b'2')
    first = segments.identity(self.dir)
    self.assertEqual(list(first['files']), ['a.png', 'b.png'])
    (self.dir / 'Thumbs.db').write_bytes(b'')
    self.assertEqual(segments.identity(self.dir), first)
    (self.dir / 'b.png').write_bytes(b'3')
    self.assertNotEqual(segments.identity(self.dir), first)


if __name__ == '__main__':
  absltest.main()
