"""Tests of desk/decided.py."""

import json
import pathlib

from absl.testing import absltest, parameterized

from revive_jax import types
from revive_jax.desk import decided, film, settings
from tests.desk import desks


class DecidedTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.place = desks.measured(self.dir / 'desk', 6, 6)

  def _file(self):
    return self.place.folder / 'decisions.json'

  def test_the_file_is_what_a_restore_takes(self):
    decided.change(self.place, None, strength={'noise': 0.5})
    decided.change(self.place, 1, stages={'classical': False}, note='hers')
    self.assertEqual(json.loads(self._file().read_text()), {
        'schema': 1, 'all': {'strength': {'noise': 0.5}},
        'shots': [{'shot': 1, 'start': 6, 'stages': {'classical': False},
                   'note': 'hers'}]})
    self.assertEqual(decided.of(self.place, 1), {
        'sample': 0, 'strength': {}, 'stages': {'classical': False},
        'note': 'hers'})
    report = desks.restored(self.place)
    self.assertEqual(report['decisions'][1]['note'], 'hers')

  def test_other_decisions_keep_what_is_finished_of_other_shots(self):
    settings.change(self.place, format='mkv')
    desks.restored(self.place)
    part = [self.place.folder / f'work/segments/00000{n}.json' for n in (0, 1)]
    before = [p.stat().st_mtime_ns for p in part]
    decided.change(self.place, 1, strength={'dust': 0.0})
    desks.restored(self.place)
    after = [p.stat().st_mtime_ns for p in part]
    self.assertEqual(before[0], after[0])
    self.assertNotEqual(before[1], after[1])

  def test_some_is_taken_back_and_then_all(self):
    decided.change(self.place, 0, strength={'noise': 0.5, 'dust': 0.25})
    decided.change(self.place, 0, strength={'noise': None})
    self.assertEqual(decided.of(self.place, 0)['strength'], {'dust': 0.25})
    decided.clear(self.place, 0)
    self.assertEqual(decided.of(self.place, 0)['strength'], {})
    self.assertFalse(self._file().exists())

  def test_of_several_answers_the_first_is_decided_for(self):
    decided.settle(self.place)
    self.assertFalse(self._file().exists())
    settings.change(self.place, answers=2)
    decided.settle(self.place)
    self.assertEqual(json.loads(self._file().read_text()), {
        'schema': 1, 'all': {}, 'shots': []})
    self.assertIn(f'--config.decisions={self._file()}',
                  settings.arguments(self.place))

  @parameterized.parameters(
      (0, dict(strength={'noise': 2}), 'between 0 and 1'),
      (0, dict(strength={'rust': 1.0}), 'rust'),
      (0, dict(stages={'composite': False}), 'composite'),
      (0, dict(sample=1), 'no sample 1'),
      (2, dict(note='x'), 'no shot 2'), (-1, dict(note='x'), 'no shot -1'),
      (0, dict(stages={'restore': True}), 'cannot be turned on'))
  def test_what_cannot_be_is_refused(self, shot, what, words):
    decided.change(self.place, 1, strength={'noise': 0.5})
    before = self._file().read_bytes()
    with self.assertRaisesRegex(types.BadInput, words) as caught:
      decided.change(self.place, shot, **what)
    self.assertNotIn(str(self.dir), str(caught.exception))
    self.assertEqual(self._file().read_bytes(), before)
    film.opened(self.place)


if __name__ == '__main__':
  absltest.main()
