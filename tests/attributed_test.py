"""Tests of attributed.py: one frame, by the network that ships."""

import json
import pathlib

from absl.testing import absltest
import cv2
import numpy as np
import pytest

from configs import restore as config
from revive_jax import attributed, types
from revive_jax.video import writer
from tests.pipeline import clips


class AttributedTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    film = clips.panning(4, 48, 64)
    film[2, 20:26, 30:36] = 0.98
    self.path = self.dir / 'film.mkv'
    writer.write_rgb(self.path, np.uint8(255 * film), frame_rate=24)
    self.c = config.get_config()

  @pytest.mark.slow
  def test_a_spot_is_where_it_is(self):
    told = attributed.attribute(
        self.c, self.dir, str(self.path), time='#2', steps=4)
    self.assertIn('frame 2', told[0])
    record = json.loads(
        (self.dir / 'outputs/film_attribution_000002.json').read_text())
    self.assertGreater(record['damage']['value'], 0.5)
    shares = record['damage']['share_by_frame_occlusion']
    self.assertEqual(max(shares, key=shares.get), '2')
    self.assertCountEqual(shares, ('1', '2', '3'))
    drawn = cv2.imread(
        str(self.dir / 'outputs/film_attribution_000002_damage.png'))
    self.assertEqual(drawn.shape, (2 * 48, 3 * 66, 3))

  def test_refusals(self):
    self.c.weights = ''
    with self.assertRaisesRegex(types.BadInput, 'Without a network'):
      attributed.attribute(self.c, self.dir, str(self.path))
    with self.assertRaisesRegex(types.BadInput, 'no report.json'):
      attributed.explain(self.c, self.dir, str(self.path))
    (self.dir / 'report.json').write_text(json.dumps({
        'input': {'path': str(self.path)},
        'settings': {'redact': {'faces': 'blur', 'keep': []}}}))
    with self.assertRaisesRegex(types.BadInput, 'faces are hidden'):
      attributed.explain(self.c, self.dir, str(self.path))
    self.c.weights = 'restorer'
    with self.assertRaisesRegex(types.BadInput, 'no frame 99'):
      attributed.attribute(self.c, self.dir, str(self.path), time='#99')


if __name__ == '__main__':
  absltest.main()
