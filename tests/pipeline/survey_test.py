"""Tests of pipeline/survey.py."""

import json
import tracemalloc
from unittest import mock

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.pipeline import measure, sharpness, survey
from revive_jax.video import deinterlace, probe
from tests.video import clips


class SurveyTest(absltest.TestCase):

  def _survey(self, path):
    info = probe.probe(path)
    return survey.survey(
        info, info, deinterlace.decide((), 'off'), warn=lambda message: None,
        form='none')

  def test_times_shots_and_back_from_json(self):
    path = clips.write(
        self.create_tempfile('film.mp4').full_path, clips.pictures(7),
        pts=[0, 1, 2, 3, 5, 6, 7])
    found = self._survey(path)
    step = found.stamps[1] - found.stamps[0]
    self.assertEqual([s // step for s in found.stamps], [0, 1, 2, 3, 5, 6, 7])
    self.assertEqual([(s.start, s.stop) for s in found.shots], [(0, 7)])
    self.assertEqual(found.shots[0].changes.shape, (7, 3))
    again = survey.unpacked(json.loads(json.dumps(survey.packed(found))))
    self.assertEqual(again.stamps, found.stamps)
    self.assertEqual(again.concealed, [])
    np.testing.assert_array_equal(
        again.shots[0].changes, found.shots[0].changes)

  def _most_memory(self, count):
    """Bytes while tiny frames are measured, and packed."""
    frames = (np.full((8, 8, 3), t % 250, np.uint8) for t in range(count))
    draw = np.random.default_rng(0).random
    sample = dict(noise=0.1, spots=0.1, scratches=0.1, cracks=0.0)
    shots = [(t, t + 100) for t in range(0, count, 100)]
    with (mock.patch.object(measure, '_sample', lambda window: sample),
          mock.patch.object(measure.shots_lib, 'ranges', lambda *_: shots),
          mock.patch.object(sharpness, 'edge_width', lambda luma: 1.0),
          mock.patch.object(measure.flicker, 'compare',
                            lambda *pair: tuple(draw(3).tolist()))):
      tracemalloc.start()
      shots, _ = measure.measure(
          frames, frame_rate=24.0, motion=True, sampled=True)
      found = survey.Survey(shots, range(count), [])
      while_measured = tracemalloc.get_traced_memory()[1]
      before = tracemalloc.get_traced_memory()[0]
      tracemalloc.reset_peak()
      kept = survey.packed(found)
      while_packed = tracemalloc.get_traced_memory()[1] - before
      tracemalloc.stop()
    self.assertLen(survey.unpacked(kept).shots[-1].steps, 100)
    return np.array([while_measured, while_packed])

  def test_a_frame_takes_little_memory(self):
    """15 numbers of 4 bytes while it is measured, 11 as text of 4/3 that.

    A film of two hours has 172800: 100 MB are allowed for all that it takes.
    """
    self._most_memory(100)  # What is loaded once.
    per_frame = (self._most_memory(900) - self._most_memory(300)) / 600
    self.assertLess(per_frame[0], 120)
    self.assertLess(per_frame[1], 120)

  def test_times_beyond_32_bits_and_numbers_to_the_last_bit(self):
    shot = measure.Shot(
        0, 2, 0, *[0.1] * 5, float('nan'), 0.1, 0.9, False,
        comparisons=np.array([[0, 1, 0], [1 / 3, np.nan, -1e-40]], np.float32))
    found = survey.Survey([shot], [-(2**40), 2**40], [])
    again = survey.unpacked(json.loads(json.dumps(survey.packed(found))))
    self.assertEqual(list(again.stamps), [-(2**40), 2**40])
    np.testing.assert_array_equal(
        again.shots[0].comparisons, shot.comparisons)
    self.assertEqual(again.shots[0].steps.shape, (0, 4))

  def test_a_file_without_pictures_is_refused(self):
    path = clips.write(
        self.create_tempfile('film.mp4').full_path, clips.pictures(2))
    info = probe.probe(path)
    with absltest.mock.patch.object(
        survey.reader, 'read_frames', return_value=iter(())):
      with self.assertRaisesRegex(types.BadInput, 'no picture'):
        survey.survey(info, info, deinterlace.decide((), 'off'),
                      warn=lambda message: None, form='none')


if __name__ == '__main__':
  absltest.main()
