"""Tests of attributed.py: one frame, by the network that ships."""

import json
import pathlib
from unittest import mock

from absl.testing import absltest
import cv2
import numpy as np
import pytest

from configs import restore as config
from revive_jax import (
    attributed,
    explain_frame,
    main,
    networks,
    sealing,
    types,
    workdir,
)
from revive_jax.models import weights as weights_lib
from revive_jax.privacy import keys
from revive_jax.video import deinterlace, interlace, probe, writer
from tests.pipeline import clips
from tests.video import clips as clips_of_video
from tests.video import woven


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
        self.c, self.dir, str(self.path), seconds=2 / 24, steps=4)
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
    self.drawn = drawn
    return drawn.call_args.args[1:]

  def _restored(self, place, film, weights='restorer', **settings):
    writer.write_rgb(self.dir / 'out.mkv', np.zeros((4, 48, 64, 3), np.uint8),
                     frame_rate=24)
    told = networks.described(weights_lib.read_weights(weights))
    workdir.write_json(place / 'report.json', {
        'input': {'path': str(film)}, 'weights': told,
        'settings': {'weights': weights, **settings},
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
    self.assertEqual(self.drawn.call_args.kwargs, dict(
        seconds=0.083, decision=None))  # MKV counts in milliseconds.
    with self.assertRaisesRegex(types.BadInput, 'no report.json of .*film.mkv'):
      self._explained(self.path, self.dir)

  def test_the_network_is_that_of_the_film(self):
    self.c.attribution, self.c.weights = True, 'restorer'
    self._restored(self.dir, self.path, 'gan', frame_rate=30.0)
    self._explained(self.dir / 'out.mkv', self.dir)
    c = self.drawn.call_args.args[0]
    self.assertEqual((c.weights, c.frame_rate), ('gan', 30.0))
    for told, words in (
        (None, 'no network restored this film'),
        ('gan, 1 steps, sha256 ' + 64 * '0', 'other weights by now')):
      report = json.loads((self.dir / 'report.json').read_text())
      workdir.write_json(
          self.dir / 'report.json', report | {'weights': told})
      with self.assertRaisesRegex(types.BadInput, words):
        self._explained(self.dir / 'out.mkv', self.dir)

  def test_the_frame_is_the_one_that_is_drawn(self):
    """By time: rates are no whole numbers, and fields become frames."""
    path = self.dir / 'thirty.mkv'
    film = np.stack([np.full((48, 64, 3), 10 * t, np.uint8) for t in range(9)])
    writer.write_rgb(path, film, frame_rate=30)
    info = probe.probe(str(path))
    for time, number in (('0.033', 1), ('0.0665', 2), ('#8', 8), ('0', 0)):
      clip, t, first = attributed._frames(
          info, explain_frame.moment(str(path), time), None)
      self.assertEqual(first + t, number)
      self.assertAlmostEqual(255 * clip[t].mean(), 10 * number, delta=1)
      self.assertLen(clip, 2 if number in (0, 8) else 3)

  def test_fields_are_counted_as_they_were_restored(self):
    path = clips_of_video.write(
        self.dir / 'fields.mkv', woven.frames(woven.interlaced(6)),
        codec='ffv1', pix_fmt='gray', rate=woven.RATE)
    info, found = probe.probe(path), {}
    for mode in ('double', 'keep'):
      found[mode] = deinterlace.decide([interlace.Segment(
          0, 6, interlace.BOTTOM_FIRST, False)], mode)
      told = json.loads(json.dumps(deinterlace.report(found[mode])))
      self.assertEqual(deinterlace.reported(told), found[mode])
    _, t, first = attributed._frames(info, 0.051, found['double'])
    self.assertEqual(first + t, 3)  # Of 60 a second.
    with self.assertRaisesRegex(types.BadInput, 'field by field'):
      attributed._frames(info, 0.051, found['keep'])

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
    self._restored(self.dir, self.path)
    with self.assertRaisesRegex(types.BadInput, 'no frame 99'):
      attributed.explain(
          self.c, self.dir, str(self.dir / 'out.mkv'), time='#99')


if __name__ == '__main__':
  absltest.main()
