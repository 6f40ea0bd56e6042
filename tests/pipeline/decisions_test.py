"""Tests of pipeline/decisions.py: what a person decided, shot by shot."""

import dataclasses
import json
import pathlib
import re

from absl.testing import absltest, parameterized

from revive_jax import types
from revive_jax.ops import windows
from revive_jax.pipeline import choose, decisions, measure


def _shot(start, stop):
  """A shot with noise and dust."""
  return measure.Shot(
      start=start, stop=stop, key_frame=start, noise=0.03, flicker=0.0,
      spots=1e-3, scratches=0.0, cracks=0.0, edge_width=1.0, low=0.0, high=1.0,
      grey=False, comparisons=None)


def _make(**settings):
  return choose.choose(
      _shot(0, 10), mode='full', output=dict(bits=8, grain=0.0),
      fill='temporal_median', inpaint='telea', denoiser='auto', seed=0,
      marked=False, **settings)


_STRENGTH = dict.fromkeys(choose.KINDS, 1.0)


class DecisionsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'decisions.json'

  def _read(self, *rows, **more):
    self.path.write_text(json.dumps({'schema': 1, 'shots': rows, **more}))
    return decisions.read(self.path)

  def test_what_is_read(self):
    found = self._read(
        {'shot': 1, 'start': 10, 'sample': 2, 'strength': {'dust': 0.5},
         'stages': {'optimise': False}, 'note': 'a bird'}, {'shot': 2},
        all={'strength': {'noise': 0, 'dust': 1}})
    self.assertEqual(found.of(0).strength, {'noise': 0, 'dust': 1})
    self.assertEqual(found.of(1).strength, {'noise': 0, 'dust': 0.5})
    self.assertEqual(found.of(2), found.all)
    self.assertEqual(found.of(1).sample, 2)
    shots = [_shot(0, 10), _shot(10, 30), _shot(30, 40)]
    decisions.check(found, shots, 3)
    self.assertEqual(found.rows(shots)[1], {
        'shot': 1, 'start': 10, 'end': 30, 'sample': 2,
        'strength': {'noise': 0, 'dust': 0.5}, 'stages': {'optimise': False},
        'note': 'a bird'})
    self.assertNotIn('note', found.of(1).what())  # Words change no picture.
    self.assertEqual(decisions.read('').rows(shots), [])

  @parameterized.parameters(
      ({'start': 3}, 'row 0 of "shots" names no shot'),
      ({'shot': -1}, 'names no shot'), ({'shot': True}, 'names no shot'),
      ({'shot': 0, 'sampel': 1}, "shot 0.*'sampel' is not known"),
      ({'shot': 0, 'sample': -1}, 'shot 0.*sample=-1 is less than 0'),
      ({'shot': 0, 'sample': '1'}, 'shot 0.*sample must be of type int'),
      ({'shot': 4, 'strength': {'dust': 1.5}},
       'shot 4.*strength.dust=1.5 is not between 0 and 1'),
      ({'shot': 4, 'strength': {'rust': 0.5}}, "shot 4.*'rust' is not known"),
      ({'shot': 4, 'strength': 0.5}, 'strength must be of type dict'),
      ({'shot': 4, 'stages': {'output': False}}, "'output' cannot be turned"),
      ({'shot': 4, 'stages': {'detect': 1}}, 'neither true nor false'),
      (7, 'names no shot'))
  def test_bad_rows_are_named(self, row, words):
    with self.assertRaisesRegex(types.BadInput, words):
      self._read(row)

  def test_bad_files(self):
    for text, words in (
        ('{', 'no JSON'), ('[]', '"schema": 1'), ('{"schema": 2}', '"schema"'),
        ('{"schema": 1, "shot": []}', "'shot' is not known"),
        ('{"schema": 1, "shots": {}}', 'must be a list'),
        ('{"schema": 1, "all": {"strength": {"dust": 2}}}', '"all".*dust=2')):
      self.path.write_text(text)
      with self.assertRaisesRegex(types.BadInput, words):
        decisions.read(self.path)
    with self.assertRaisesRegex(types.BadInput, 'cannot be read'):
      decisions.read(self.path.with_name('none.json'))
    with self.assertRaisesRegex(types.BadInput, 'what another row did'):
      self._read({'shot': 1}, {'shot': 1})

  def test_the_documented_example(self):
    text = (pathlib.Path(__file__).parents[2] / 'docs/trust.md').read_text()
    self.path.write_text(
        re.search(r'```json decisions\n(.*?)```', text, re.S).group(1))
    found = decisions.read(self.path)
    self.assertEqual(found.of(0).sample, 2)
    self.assertEqual(found.of(3).strength, {'noise': 0.5, 'dust': 0.0})
    self.assertEqual(found.of(7), found.all)
    for name in decisions.STAGES:  # All that there is to be said is.
      self.assertIn(f'`{name}`', text)

  @parameterized.parameters(
      ({'shot': 2}, 1, 'no shot 2; the film has 2'),
      ({'shot': 1, 'start': 9}, 1, 'shot 1 begins at frame 10, not 9'),
      ({'shot': 1, 'sample': 1}, 1, 'no sample 1'),
      ({'shot': 1, 'sample': 4}, 4, 'no sample 4.*from 0 to 3'))
  def test_of_another_film(self, row, num_samples, words):
    with self.assertRaisesRegex(types.BadInput, words):
      decisions.check(
          self._read(row), [_shot(0, 10), _shot(10, 30)], num_samples)

  def test_plans(self):
    def names(**row):
      plan = decisions.plan(
          self._read({'shot': 0, **row}), 0, _make, _STRENGTH, ('auto',))
      return [s.name for s in plan.stages], plan

    usual, _ = names()
    self.assertEqual(usual, [s.name for s in _make(
        strength=_STRENGTH, stages=('auto',)).stages])
    self.assertIn('detect', usual)
    self.assertNotIn('preprocess', usual)
    self.assertNotIn('detect', names(stages={'detect': False})[0])
    found, plan = names(stages={'preprocess': True})
    self.assertEqual(found, ['preprocess', *usual])
    self.assertGreater(plan.flicker, 0)
    self.assertEqual(plan.stages[0].why, 'decided by a person')
    found, plan = names(strength={'dust': 0.25})
    weights, = [s.options['strength'] for s in plan.stages
                if s.name == 'composite']
    self.assertEqual(weights['dust'], 0.25)
    self.assertEqual(names(strength=dict.fromkeys(choose.KINDS, 0))[0],
                     ['composite', 'output'])
    with self.assertRaisesRegex(types.BadInput, 'shot 0: the stage preprocess'):
      names(stages={'preprocess': True}, strength={'flicker': 0, 'tone': 0})

  @parameterized.parameters(
      ({}, 0.5), ({'restore': False}, 0), ({'optimise': False}, 0),
      ({'restore': False, 'classical': True}, 0), ({'detect': False}, 0.5))
  def test_detail_is_what_a_network_left(self, stages, wanted):
    grainy = dataclasses.replace(_shot(0, 10), noise=8 / 255)
    make = lambda **settings: choose.choose(
        grainy, mode='full', output=dict(bits=8, grain=0.0), fill='',
        inpaint='', denoiser='auto', seed=0, marked=False, learned=True,
        **settings)
    plan = decisions.plan(
        self._read({'shot': 0, 'stages': stages}), 0, make,
        _STRENGTH | {'noise': 1.0, 'blur': 0.5}, ('auto',))
    options, = (s.options for s in plan.stages if s.name == 'composite')
    self.assertEqual(options['detail'], wanted)

  def test_another_answer_of_the_network(self):
    make = lambda **settings: _make(learned=True, **settings)
    plan = decisions.plan(self._read({'shot': 0, 'sample': 3}), 0, make,
                          _STRENGTH, ('auto',))
    options = {s.name: s.options for s in plan.stages}
    self.assertEqual(options['restore'], {'sample': 3})
    # Without the network what is classical can be asked for.
    plan = decisions.plan(
        self._read({'shot': 0, 'stages': {
            'restore': False, 'detect': True, 'classical': True}}), 0, make,
        _STRENGTH, ('auto',))
    names = [s.name for s in plan.stages]
    self.assertEqual(names[:3], ['match', 'detect', 'classical'])
    self.assertNotIn('restore', names)

  def test_what_is_to_do(self):
    shots = [(0, 10), (10, 70), (70, 80)]
    found = windows.cut_segments(shots, window=10, context=2)
    starts = [a for a, _ in shots]
    groups = decisions.grouped(found, starts, by_shot=True)
    self.assertEqual([(g[0].core_start, g[-1].core_stop) for g in groups],
                     [(0, 10), (10, 60), (60, 70), (70, 80)])
    self.assertLess(
        len(decisions.grouped(found, starts, by_shot=False)), len(groups))
    none, one = {'decision': {}}, {'decision': {'sample': 1}}
    to_do = lambda notes, decided: decisions.to_do(
        notes, groups, starts, decided)
    nothing = decisions.Decisions()
    self.assertEqual(to_do([], nothing), [0, 1, 2, 3])
    self.assertEqual(to_do([none] * 2, nothing), [2, 3])
    self.assertEqual(to_do([none] * 4, nothing), [])
    middle = self._read({'shot': 1, 'sample': 1})
    self.assertEqual(to_do([none] * 4, middle), [1, 2])
    self.assertEqual(to_do([none, one, one, none], middle), [])
    self.assertEqual(to_do([none, one, none, none], middle), [1, 2])
    # Broken off in shot 1, and shot 0 is decided anew: both from their start.
    first = self._read({'shot': 0, 'strength': {'dust': 0}})
    self.assertEqual(to_do([none, none], first), [0, 1, 2, 3])
    self.assertEqual(decisions.windows_of([1, 3], groups), [1, 2, 3, 4, 5, 7])


if __name__ == '__main__':
  absltest.main()
