"""Tests of attributed.py: one frame, by the network that ships."""

import json
import pathlib
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np
import pytest

from configs import restore as config
from revive_jax import attributed, explain_frame, main, sealing, types, workdir
from revive_jax.privacy import keys
from revive_jax.video import writer
from tests.pipeline import clips


class AttributedTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    film = clips.panning(4, 48, 64)
    film[2, 18:30, 26:38] = 0.98  # More than the box that is looked at.
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

  def _explained(self, film, place):
    """What main hands on to be drawn: the workdir and the source."""
    self.enter_context(mock.patch.object(
        explain_frame, 'explain', lambda *_, **__: ''))
    with mock.patch.object(
        main, '_INPUT', mock.Mock(value=str(film))), mock.patch.object(
            main, '_OUTPUT', mock.Mock(value=None)), mock.patch.object(
                main, '_TIME', mock.Mock(value='#2')), mock.patch.object(
                    attributed, 'attribute', return_value=['']) as drawn:
      main._explain(self.c, str(place))
    return drawn.call_args.args[1:]

  def _restored(self, place, film):
    (self.dir / 'out.mkv').write_bytes(b'restored')
    workdir.write_json(place / 'report.json', {
        'input': {'path': str(film)},
        'outputs': [{'path': str(self.dir / 'out.mkv')}]})

  def test_of_a_sealed_run_nothing_is_read_as_it_lies(self):
    self.c.encrypt.key, self.c.attribution = f'file:{self.dir / "key"}', True
    keys.make(self.c.encrypt.key)
    held = sealing.vault(self.c)
    sealed = held.path(self.dir / 'film.mkv.sealed')
    sealed.write_bytes(self.path.read_bytes())
    self._restored(held.path(self.dir), sealed)
    place, source = self._explained(self.dir / 'out.mkv', self.dir)
    self.assertEqual(source.read_bytes(), self.path.read_bytes())
    (place / 'drawn').write_bytes(b'a picture')
    self.assertNotIn(b'picture', (self.dir / 'drawn').read_bytes())
    # Nobody knows what a report hid that was changed.
    report = self.dir / 'report.json'
    data = bytearray(report.read_bytes())
    data[-20] ^= 1
    report.write_bytes(data)
    with self.assertRaisesRegex(types.BadInput, 'report.json'):
      self._explained(self.dir / 'out.mkv', self.dir)

  def test_the_report_is_of_this_film(self):
    self.c.attribution = True
    self._restored(self.dir, self.path)
    _, source = self._explained(self.dir / 'out.mkv', self.dir)
    self.assertEqual(source, str(self.path))
    with self.assertRaisesRegex(types.BadInput, 'no report.json of .*film.mkv'):
      self._explained(self.path, self.dir)

  def test_refusals(self):
    self.c.weights = ''
    with self.assertRaisesRegex(types.BadInput, 'Without a network'):
      attributed.attribute(self.c, self.dir, str(self.path))
    with self.assertRaisesRegex(types.BadInput, 'no report.json'):
      attributed.explain(self.c, self.dir, str(self.path))
    (self.dir / 'report.json').write_text(json.dumps({
        'input': {'path': str(self.path)},
        'outputs': [{'path': str(self.path)}],
        'settings': {'redact': {'faces': 'blur', 'keep': []}}}))
    with self.assertRaisesRegex(types.BadInput, 'faces are hidden'):
      attributed.explain(self.c, self.dir, str(self.path))
    self.c.weights = 'restorer'
    with self.assertRaisesRegex(types.BadInput, 'no frame 99'):
      attributed.attribute(self.c, self.dir, str(self.path), time='#99')


if __name__ == '__main__':
  absltest.main()
