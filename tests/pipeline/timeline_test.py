"""Tests of pipeline/timeline.py."""

from types import SimpleNamespace

from absl.testing import absltest, parameterized
import cv2
import numpy as np

from revive_jax import types
from revive_jax.pipeline import repeats, timeline
from revive_jax.pipeline.repeats import Event, Kind
from revive_jax.video import reader, writer
from tests.pipeline import clips

# 20 frames of 40 ticks; one is missing before frame 10, two before frame 15.
_STAMPS = [40 * (t + (t >= 10) + 2 * (t >= 15)) for t in range(20)]


def _shots(*cuts):
  """Shots [0, a), [a, b), ... that nothing was measured of."""
  return [SimpleNamespace(start=a, stop=b, changes=np.zeros((0, 3)))
          for a, b in zip((0, *cuts[:-1]), cuts, strict=True)]


def _moving(film):
  """One shot, and what its motion says."""
  watch = repeats.Watcher()
  changes = np.array([watch(f.mean(-1)) for f in film])
  return [SimpleNamespace(start=0, stop=len(film), changes=changes)]


def _finished(film, stamps):
  return [writer.OutputFrame(reader.SourceFrame(t, s, f, ()), f)
          for t, (s, f) in enumerate(zip(stamps, film, strict=True))]


def _shown(planned, film, stamps, *, cut=None):
  """(stamps, frames, counts, notes) of a film; cut: stopped before this one."""
  counts = dict.fromkeys(('pixels', 'changed', 'invented'), 0)
  timing, shown, notes = timeline.Timing(planned), [], []
  frames = _finished(film, stamps)
  for part in (frames[:cut], frames[cut:]) if cut else (frames,):
    window = SimpleNamespace(
        clip=SimpleNamespace(origin=None), frames=[f.source for f in part])
    shown += timing.frames(window, part, counts)
    notes.append(timing.notes())
    if cut:  # Another process goes on.
      kept = timing.kept(cut)
      timing = timeline.Timing(planned, kept.get(timeline.KEPT))
  return [f.source.pts for f in shown], [f.rgb for f in shown], counts, notes


def _codes(film):
  return np.round(255 * film).astype(np.uint8)


class PlanTest(parameterized.TestCase):

  def test_gaps_are_found_whatever_moves(self):
    planned = timeline.plan(_shots(20), _STAMPS, 'insert')
    self.assertEqual(planned.events, (
        Event(Kind.LOST, 10, 10, 1), Event(Kind.LOST, 15, 15, 2)))
    self.assertEqual(planned.why, ('', ''))
    self.assertEqual(planned.shown[10], ((400, 9.5), (440, 10.0)))
    self.assertEqual([s for s, _ in planned.shown[15]], [640, 680, 720])

  def test_left_unless_asked(self):
    planned = timeline.plan(_shots(20), _STAMPS, 'leave')
    self.assertEqual(planned.shown, {})
    self.assertEqual(planned.left_out, 0)
    self.assertEqual([d.done for d in timeline.done(planned, [])],
                     ['left', 'left'])
    self.assertEqual(timeline.num_frames(planned, []), 20)

  def test_what_cannot_be_made_says_why(self):
    for options, word in (
        (dict(shots=_shots(10, 20)), 'a cut'),
        (dict(by_field=lambda t: t == 9), 'field'),
        (dict(stamps=[s + 400 * (s > 360) for s in _STAMPS]), 'in a row')):
      arguments = dict(shots=_shots(20), stamps=_STAMPS, mode='all') | options
      planned = timeline.plan(**arguments)
      self.assertIn(word, planned.why[0])
      self.assertNotIn(10, planned.shown)

  def test_copies_for_what_could_not_be_decoded_are_lost_frames(self):
    concealed = [dict(frame=t, how='repeated') for t in (5, 6, 12)] + [
        dict(frame=8, how='damaged')]
    planned = timeline.plan(
        _shots(12, 20), range(20), 'all', concealed=concealed)
    self.assertEqual(planned.events, (
        Event(Kind.REPLACED, 5, 7, 2), Event(Kind.REPLACED, 12, 13, 1)))
    self.assertEqual(planned.why, ('', 'a cut is beside it'))
    np.testing.assert_array_equal(np.flatnonzero(planned.replaced), [5, 6])

  def test_repeats_stay_where_pictures_have_no_times(self):
    film = np.insert(clips.panning(20, speed=2.0), 10, 0, axis=0)
    film[10] = film[9]
    shots = _moving(film)
    planned = timeline.plan(shots, range(21), 'collapse')
    self.assertEqual(planned.left_out, 1)
    self.assertEqual(planned.shown, {10: ()})
    self.assertEqual(timeline.warnings(planned), [])
    planned = timeline.plan(shots, range(21), 'collapse', timed=False)
    self.assertEqual(planned.shown, {})
    self.assertRegex(timeline.warnings(planned)[0], '^1 frames .*no times')

  @parameterized.parameters(7, 9.3, 12.1)
  def test_where_a_shake_turns_nothing_is_left_out(self, period):
    """Frames that hardly move are frames; a copy among them is none."""
    picture, t = clips.texture(96, 200), np.arange(60)
    film = np.stack([cv2.warpAffine(
        picture, np.float32([[1, 0, 12 * x - 30], [0, 1, 0]]), (128, 96),
        flags=cv2.INTER_CUBIC) for x in np.sin(2 * np.pi * t / period)])
    self.assertEqual(
        timeline.plan(_moving(film), range(60), 'collapse').left_out, 0)
    film[31] = film[30]
    planned = timeline.plan(_moving(film), range(60), 'collapse')
    self.assertContainsSubset(planned.shown, {31: ()})

  def test_a_copy_that_was_coded_anew_is_told_and_left(self):
    film = np.insert(clips.panning(20, speed=2.0), 10, 0, axis=0)
    film[10] = film[9]
    film += 0.004 * np.random.default_rng(0).standard_normal(film.shape)
    planned = timeline.plan(_moving(film), range(21), 'collapse')
    self.assertEqual(planned.events, (Event(Kind.REPEAT, 10, 11, 1),))
    self.assertIn('differs a little', planned.why[0])
    self.assertEqual(planned.left_out, 0)

  def test_no_frames(self):
    self.assertEqual(timeline.plan([], [], 'all').events, ())

  def test_windows_see_enough_to_replace(self):
    self.assertEqual(timeline.context('leave', 0), 0)
    self.assertEqual(timeline.context('all', 0), repeats.LONGEST)
    self.assertEqual(timeline.context('replace', 10), 10)


class TimingTest(parameterized.TestCase):

  @parameterized.parameters(None, 9, 10, 11, 15)
  def test_made_frames_by_hand_wherever_a_run_was_stopped(self, cut):
    """A pan of 2 px a frame; the frames that are made are the lost ones."""
    whole = clips.panning(23, speed=2.0)
    lost = (10, 16, 17)
    film = _codes(np.delete(whole, lost, axis=0))
    planned = timeline.plan(_shots(20), _STAMPS, 'insert')
    stamps, frames, counts, notes = _shown(planned, film, _STAMPS, cut=cut)
    self.assertEqual(stamps, [40 * t for t in range(23)])
    for t in range(23):
      error = np.abs(frames[t] / 255 - whole[t])[8:-8, 12:-12].mean()
      self.assertLess(error, 0.01 if t in lost else 0.002, t)
    for t in set(range(23)) - set(lost):  # What was filmed is as it was.
      np.testing.assert_array_equal(frames[t], _codes(whole[t]))
    pixels = 3 * 96 * 128
    self.assertEqual(counts, dict(
        pixels=pixels, changed=pixels, invented=pixels))
    self.assertEqual(timeline.num_frames(planned, notes), 23)
    self.assertEqual(
        [(d.event.start, d.done, d.made, d.why)
         for d in timeline.done(planned, notes)],
        [(10, 'made', 1, ''), (15, 'made', 2, '')])
    self.assertEqual(timeline.ranges(planned, notes, _shots(12, 20)),
                     [(0, 13), (13, 23)])

  def test_frames_that_do_not_fit_make_none(self):
    film = np.random.default_rng(0).integers(
        0, 255, (20, 48, 64, 3)).astype(np.uint8)
    planned = timeline.plan(_shots(20), _STAMPS, 'insert')
    stamps, frames, _, notes = _shown(planned, film, _STAMPS)
    self.assertEqual(stamps, _STAMPS)
    np.testing.assert_array_equal(frames, film)
    self.assertEqual(timeline.num_frames(planned, notes), 20)
    self.assertEqual({(d.done, d.made, d.why)
                      for d in timeline.done(planned, notes)},
                     {('left', 0, 'the frames around it do not fit')})

  def test_a_repeat_is_left_out_and_no_other(self):
    film = clips.panning(20, speed=2.0)
    film = np.insert(film, 10, film[9], axis=0)
    planned = timeline.plan(_moving(film), range(21), 'collapse')
    stamps, frames, counts, notes = _shown(planned, _codes(film), range(21))
    self.assertEqual(stamps, [*range(10), *range(11, 21)])
    np.testing.assert_array_equal(frames, np.delete(_codes(film), 10, axis=0))
    self.assertEqual(counts['invented'], 0)
    self.assertEqual(timeline.num_frames(planned, notes), 20)
    found, = timeline.done(planned, notes)
    self.assertEqual((found.event, found.done, found.made),
                     (Event(Kind.REPEAT, 10, 11, 1), 'left out', 0))

  def test_replaced_frames_are_those_that_are_invented(self):
    planned = timeline.plan(
        _shots(8), range(8), 'replace',
        concealed=[dict(frame=t, how='repeated') for t in (2, 5)])
    origin = np.zeros((8, 4, 4, 1), np.uint8)
    origin[2] = types.Origin.INVENTED  # 5 did not fit.
    film = np.zeros((8, 4, 4, 3), np.uint8)
    frames, timing = _finished(film, range(8)), timeline.Timing(planned)
    window = SimpleNamespace(clip=SimpleNamespace(origin=origin),
                             frames=[f.source for f in frames])
    self.assertLen(list(timing.frames(window, frames, {})), 8)
    self.assertEqual([d.done for d in timeline.done(planned, [timing.notes()])],
                     ['made anew', 'left'])

  def test_a_run_that_goes_on_without_the_frame_before_is_a_bug(self):
    planned = timeline.plan(_shots(20), _STAMPS, 'insert')
    film = np.zeros((20, 4, 4, 3), np.uint8)
    window = SimpleNamespace(clip=SimpleNamespace(origin=None), frames=[])
    with self.assertRaisesRegex(RuntimeError, 'before 10'):
      list(timeline.Timing(planned).frames(
          window, _finished(film, _STAMPS)[10:], {}))


if __name__ == '__main__':
  absltest.main()
