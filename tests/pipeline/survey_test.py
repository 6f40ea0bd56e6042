"""Tests of pipeline/survey.py."""

import json

from absl.testing import absltest
import numpy as np

from revive_jax import types
from revive_jax.pipeline import survey
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
