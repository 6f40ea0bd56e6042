"""Tests of desk/jobs.py, worker.py and measuring.py."""

import json
import os
import pathlib
import signal
import sys
import time
from unittest import mock

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax import types
from revive_jax.desk import desk as desk_lib
from revive_jax.desk import film, jobs, places, settings, visitors
from revive_jax.video import probe, reader
from tests.desk import desks

_SAY = '''
import json, sys, time
def say(label, done):
  sys.stderr.write(json.dumps(dict(label=label, done=done, total=8,
      frames_per_second=2.0, seconds_left=(8 - done) / 2)) + '\\n')
  sys.stderr.flush()
'''
_LONG = _SAY + '''
try:
  say('Restoring', 2)
  time.sleep(60)
except KeyboardInterrupt:
  sys.exit(130)
'''
_DONE = _SAY + "say('Restoring', 8)"


class JobsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.place = desks.measured(self.dir / 'desk', 3, desk=dict(
        clock=time.time, limits=desk_lib.Limits(jobs=2)))
    self.data = pathlib.Path(self.place.source).read_bytes()
    self.addCleanup(self._end)

  def _film(self, visitor=None, **options):
    desk = desks.opened(self.dir / 'desk', clock=time.time, **options)
    place = desks.put(desk, self.data, visitor=visitor)
    film.measure(place)
    return place

  def _end(self):
    for visitor, one in jobs.listed(self.place.desk):
      note = json.loads((self.place.desk.root / 'visitors' / visitor / 'films'
                         / one / 'job.json').read_text())
      os.killpg(note['group'], signal.SIGKILL)

  def _start(self, script, place=None):
    with mock.patch.object(
        settings, 'arguments', lambda _: [sys.executable, '-Sc', script]):
      return jobs.start(place or self.place)

  def _until(self, wanted, place=None):
    end = time.monotonic() + 60
    while not wanted(state := jobs.state(place or self.place)):
      self.assertLess(time.monotonic(), end, state)
      time.sleep(0.02)
    return state

  def test_there_was_none(self):
    self.assertEqual(jobs.state(self.place), jobs.State('none'))
    self.assertEqual(jobs.cancel(self.place).name, 'none')

  def test_done(self):
    self.assertEqual(self._start(_DONE).kind, 'restore')
    state = self._until(lambda s: s.name != 'running')
    self.assertEqual((state.name, state.done, state.total, state.fraction),
                     ('done', 8, 8, 1.0))
    self.assertFalse(state.can_go_on)

  def test_how_far_it_is_and_how_long_it_takes(self):
    self._start(_LONG)
    state = self._until(lambda s: s.label)
    self.assertEqual(
        (state.name, state.label, state.done, state.total, state.seconds_left,
         state.fraction), ('running', 'Restoring', 2, 8, 3.0, 0.25))

  def test_cancel_and_go_on(self):
    self._start(_LONG)
    self._until(lambda s: s.label)
    self.assertEqual(jobs.cancel(self.place).name in ('running', 'cancelled'),
                     True)
    state = self._until(lambda s: s.name != 'running')
    self.assertEqual(state.name, 'cancelled')
    self.assertTrue(state.can_go_on)
    self.assertIn('goes on from there', state.sentence)
    self._start(_DONE)
    self.assertEqual(self._until(lambda s: s.name != 'running').name, 'done')

  def test_cancel_works_where_the_desk_itself_cannot_be_interrupted(self):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # As under nohup &.
    try:
      self._start(_LONG)
    finally:
      signal.signal(signal.SIGINT, before)
    self._until(lambda s: s.label)
    jobs.cancel(self.place)
    self.assertEqual(
        self._until(lambda s: s.name != 'running').name, 'cancelled')

  @parameterized.parameters(True, False)
  def test_a_crash_is_told_and_gone_on_with(self, everything):
    self._start(_LONG)
    self._until(lambda s: s.label)
    group = json.loads((self.place.folder / 'job.json').read_text())['group']
    if everything:  # What watches it, too.
      os.killpg(group, signal.SIGKILL)
    else:
      for child in pathlib.Path(
          f'/proc/{group}/task/{group}/children').read_text().split():
        os.kill(int(child), signal.SIGKILL)
    state = self._until(lambda s: s.name != 'running')
    self.assertEqual((state.name, state.done), ('crashed', 2))
    self.assertIn('ended without a word', state.sentence)
    self.assertTrue(state.can_go_on)
    self._start(_DONE)
    self.assertEqual(self._until(lambda s: s.name != 'running').name, 'done')

  def test_a_desk_that_is_started_anew_finds_it(self):
    self._start(_LONG)
    self._until(lambda s: s.label)
    jobs._ours.clear()  # Another process knows of none.
    anew = desks.opened(self.dir / 'desk', clock=time.time)
    place = places.find(anew, self.place.visitor, self.place.id)
    self.assertEqual(jobs.state(place).done, 2)
    self.assertEqual(jobs.listed(anew), [(place.visitor, place.id)])
    jobs.cancel(place)
    self.assertEqual(
        self._until(lambda s: s.name != 'running', place).name, 'cancelled')

  def test_what_is_refused_is_said_with_the_names_that_people_know(self):
    self._start(_SAY + f'''
sys.stderr.write('revive_jax: {self.place.source}: this is no film.\\n')
sys.exit(2)''')
    state = self._until(lambda s: s.name != 'running')
    self.assertEqual((state.name, state.sentence),
                     ('refused', 'tape.mkv: this is no film.'))

  def test_a_bug_is_called_one(self):
    self._start('raise RuntimeError')
    state = self._until(lambda s: s.name != 'running')
    self.assertEqual(state.name, 'failed')
    self.assertIn('fault of the program', state.sentence)

  def test_too_many(self):
    self._start(_LONG)
    with self.assertRaisesRegex(types.BadInput, 'This film is being worked on'):
      self._start(_DONE)
    mine = self._film(self.place.visitor, limits=desk_lib.Limits(jobs=2))
    with self.assertRaisesRegex(types.BadInput, 'a film of yours'):
      self._start(_DONE, mine)
    other = self._film(limits=desk_lib.Limits(jobs=1))
    with self.assertRaisesRegex(types.BadInput, 'This desk is working on a'):
      self._start(_DONE, other)
    self.assertEqual(jobs.state(other).name, 'none')
    allowed = other._replace(desk=self.place.desk)
    self._start(_DONE, allowed)

  def test_what_would_be_refused_does_not_begin(self):
    desk = desks.opened(self.dir / 'strict', clock=time.time,
                        consent={'file': '', 'required': True})
    place = desks.put(desk, self.data)
    with self.assertRaisesRegex(types.BadInput, 'Consent is required'):
      jobs.start(place)
    place = desks.put(self.place.desk, self.data)
    with self.assertRaisesRegex(types.BadInput, 'not looked through yet'):
      jobs.start(place)

  def test_visitors_are_not_deleted_while_it_runs_nor_soon_after(self):
    self._start(_LONG)
    self._until(lambda s: s.label)
    late, later = (self.place.desk._replace(
        clock=lambda ahead=ahead: time.time() + ahead) for ahead in (1e6, 2e6))
    self.assertEqual(visitors.sweep(late), [])
    self._end()
    self._until(lambda s: s.name != 'running')
    self.assertEqual(visitors.sweep(late), [])  # Nobody could fetch it yet.
    self.assertEqual(visitors.sweep(later), [self.place.visitor])

  def test_cancel_while_all_is_made_ready(self):
    """Nothing is spawned then, and no process of the last job is stopped."""
    self._start(_DONE)
    self._until(lambda s: s.name == 'done')
    killed, handed = [], jobs.known.hand_over

    def stopped(*args):
      handed(*args)
      self.assertEqual(jobs.state(self.place).name, 'running')
      jobs.cancel(self.place)

    with mock.patch.object(os, 'killpg', lambda *x: killed.append(x)):
      with mock.patch.object(jobs.known, 'hand_over', stopped):
        self.assertEqual(self._start(_LONG).name, 'cancelled')
    self.assertEqual(killed, [])
    self.assertFalse((self.place.folder / 'job.log').exists())
    self._start(_DONE)
    self.assertEqual(self._until(lambda s: s.name != 'running').name, 'done')

  def test_cancel_just_while_it_is_spawned(self):
    """It did not know of a group yet; whoever spawns stops it then."""
    popen = jobs.subprocess.Popen

    def spawned(*args, **options):
      process = popen(*args, **options)
      jobs.cancel(self.place)
      return process

    # Python might lose a signal while it starts.
    with mock.patch.object(jobs.subprocess, 'Popen', spawned), (
        mock.patch.object(settings, 'arguments', lambda _: ['sleep', '60'])):
      jobs.start(self.place)
    self.assertEqual(
        self._until(lambda s: s.name != 'running').name, 'cancelled')

  @pytest.mark.slow
  def test_what_swallows_a_signal_is_asked_again(self):
    self._start(_SAY + """
try:
  say('Restoring', 2)
  time.sleep(60)
except KeyboardInterrupt:
  say('Restoring', 3)
time.sleep(60)
""")
    self._until(lambda s: s.done == 2)
    jobs.cancel(self.place)
    self._until(lambda s: s.done == 3)
    self.assertEqual(
        self._until(lambda s: s.name != 'running').name, 'cancelled')

  def test_what_cannot_be_made_ready_leaves_no_job(self):
    with mock.patch.object(
        jobs.known, 'hand_over', side_effect=types.BadInput('It cannot be.')):
      with self.assertRaisesRegex(types.BadInput, 'It cannot be'):
        jobs.start(self.place)
    self.assertEqual(jobs.state(self.place), jobs.State('none'))

  @parameterized.parameters(False, True)
  @pytest.mark.slow
  def test_a_restore_that_is_killed_goes_on_to_the_same_film(self, sealed):
    """From the upload on, by the processes that a visitor starts."""
    frames = desks.clip(60, 60, height=96, width=128)
    desk = desks.opened(self.dir / 'own', sealed=sealed, clock=time.time)
    data = desks.film_bytes(self.dir, frames)
    films = []
    for kills in (False, True):
      place = desks.put(desk, data)
      jobs.start(place, 'measure')
      state = self._until(lambda s: s.name != 'running', place)
      self.assertEqual((state.name, state.kind), ('done', 'measure'))
      settings.change(place, format='mkv')
      jobs.start(place)
      if kills:
        first = place.folder / 'work/segments/000000.json'
        while not first.exists():
          time.sleep(0.02)
        note = json.loads((place.folder / 'job.json').read_text())
        os.killpg(note['group'], signal.SIGKILL)
        self.assertEqual(self._until(
            lambda s: s.name != 'running', place).name, 'crashed')
        jobs.start(place)
      self.assertEqual(self._until(
          lambda s: s.name != 'running', place).name, 'done')
      log = (place.folder / 'job.log').read_text()
      self.assertNotIn('"Measuring"', log)
      self.assertEqual('Going on after' in log, kills)
      films.append([f.rgb for f in reader.read_frames(
          probe.probe(settings.output(place)))])
    self.assertLen(films[0], 120)
    np.testing.assert_array_equal(*films)


if __name__ == '__main__':
  absltest.main()
