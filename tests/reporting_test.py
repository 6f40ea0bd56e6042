"""Tests of reporting.py: a restore ends with a page, however it went."""

import json
import pathlib
import re
from unittest import mock

from absl.testing import absltest, parameterized
import cv2
import jsonschema
import numpy as np
import pytest

from configs import restore as config
from revive_jax import networks, reporting, restore
from revive_jax.models import weights
from revive_jax.pipeline import choose, measure, segments, tally
from revive_jax.video import deinterlace, writer
from tests.faces import people
from tests.pipeline import motion_test, run_test

_DOCS = pathlib.Path(__file__).parents[1] / 'docs/formats.md'
_SEEN = {
    'type': 'object',
    'required': ['mean_change_of_255', 'share_by_origin', 'doubt', 'matches'],
    'properties': {
        'mean_change_of_255': {'type': 'number', 'minimum': 0},
        'share_by_origin': {
            'type': 'object', 'minProperties': 4,
            'additionalProperties': {
                'type': 'number', 'minimum': 0, 'maximum': 1}}}}


class ReportingTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _restore(self, film, work='work', **settings):
    path = self.dir / 'film.mkv'
    if not path.exists():
      writer.write_rgb(path, film, frame_rate=24)
    c = config.get_config('tiny')
    c.report, c.window, c.lookahead, c.progress = True, 8, 2, 'none'
    for key, value in settings.items():
      c[key] = value
    return restore.restore(
        c, str(self.dir / work), str(path), str(self.dir / f'{work}.mkv'))

  def test_a_page_with_pictures_that_is_named_in_the_record(self):
    report = self._restore(run_test._film(10, 48, 64))
    path = self.dir / 'work/report.html'
    self.assertEqual(report['outputs'][-1], {
        'path': str(path), 'kind': 'report'})
    self.assertEqual(
        json.loads((self.dir / 'work/report.json').read_text())['outputs'][-1],
        report['outputs'][-1])
    text = path.read_text()
    self.assertGreater(text.count('src="data:image/jpeg'), 8)
    self.assertLess(len(text), 8e6)
    formats = _DOCS.read_text()
    jsonschema.validate(
        json.loads((self.dir / 'work/report.json').read_text()),
        json.loads(re.search(r'```json\n(.*?)```', formats, re.S).group(1)))
    shot, = report['shots']
    jsonschema.validate(shot['seen'], _SEEN)
    self.assertAlmostEqual(sum(shot['seen']['share_by_origin'].values()), 1)
    before, after = report['measured'][0], report['measured_after'][0]
    self.assertLess(after['noise_sigma_of_255'], before['noise_sigma_of_255'])
    self.assertLess(after['flicker_percent'], before['flicker_percent'])
    self.assertCountEqual(
        [x['repair'] for x in report['choice']['shots'][0]],
        ['flicker', 'noise', 'dust', 'scratch', 'blur'])
    self.assertIn('noise ≤ 0.8 of 255 -&gt; no noise', text)

  @parameterized.parameters(
      ((), 1, []), ((('optimise', {'sharpen': 0.0}),), 1, []),
      ((('optimise', {'sharpen': 0.5}), ('output', {'grain': 0.0})), 1,
       ['sharpening and evening out']),
      ((('output', {'bits': 8, 'grain': 1.0}), ('stabilise', {})), 2,
       ['grain', 'moving whole frames', 'enlarging']),
      ((('interpolate', {}),), 1, ['frames that were made anew']))
  def test_what_is_done_to_faces_after_they_were_judged(
      self, later, upscale, words):
    # What is before the stage faces is judged by it.
    stages = [('optimise', {'sharpen': 1.0}), ('faces', {}), *later]
    plans = [choose.Plan(tuple(choose.Choice(
        name, '', 1.0, options) for name, options in some), 0, 0)
             for some in (stages, [('stabilise', {}), ('interpolate', {})])]
    self.assertEqual(reporting.after_faces(plans, upscale), words)

  def test_the_report_says_where_faces_were_judged(self):
    report = self._restore(people.film(3, side=160))
    self.assertIn(report['faces']['judged'], (
        self.dir / 'work/report.html').read_text())
    for upscale, warned in ((1, 0), (2, 1)):
      told = {'settings': {'output': {'upscale': upscale}}, 'warnings': [],
              'faces': {'policy': 'protect', 'tracks': [{}]}}
      reporting._judge(told, [])
      self.assertLen(told['warnings'], warned)
      self.assertEqual(told['faces']['judged'], (
          'before enlarging: what that did to faces was not compared' if warned
          else 'as they are written, but for coding'))

  def test_what_is_not_changed_measures_the_same(self):
    report = self._restore(
        run_test._film(6, 48, 64),
        strength=dict.fromkeys(choose.KINDS, 0.0))
    for a, b in zip(report['measured'], report['measured_after'], strict=True):
      for name in ('noise_sigma_of_255', 'flicker_percent', 'levels',
                   'dust_per_10000_pixels', 'scratches_per_10000_pixels'):
        self.assertEqual(a[name], b[name], name)
    self.assertEqual(report['shots'][0]['seen']['mean_change_of_255'], 0)

  def test_a_run_that_was_stopped_lacks_nothing(self):
    film = run_test._film(16, 32, 48)
    with mock.patch.object(tally, 'SEGMENT', 8):
      whole = self._restore(film)
      text = (self.dir / 'work/report.html').read_text()
      seal, calls = segments.Segments.seal, []

      def stopping(self, *args):
        seal(self, *args)
        calls.append(1)
        raise KeyboardInterrupt

      with mock.patch.object(segments.Segments, 'seal', stopping):
        with self.assertRaises(KeyboardInterrupt):
          self._restore(film, 'other')
      kept = list((self.dir / 'other/segments').glob('*.jpg'))
      self.assertNotEmpty(kept)
      again = self._restore(film, 'other')
    self.assertEqual(again['shots'], whole['shots'])
    pictures = lambda x: [line.split('"')[0] for line in x.split('src="')[1:]]
    self.assertEqual(
        pictures((self.dir / 'other/report.html').read_text()), pictures(text))

  @pytest.mark.slow
  def test_a_picture_that_was_damaged_is_made_again(self):
    film = run_test._film(16, 32, 48)
    with mock.patch.object(tally, 'SEGMENT', 8), mock.patch.object(
        segments.Segments, 'keep_joined', side_effect=KeyboardInterrupt):
      with self.assertRaises(KeyboardInterrupt):
        self._restore(film)
    kept = sorted((self.dir / 'work/segments').glob('*.jpg'))
    kept[-1].write_bytes(b'')
    with mock.patch.object(tally, 'SEGMENT', 8):
      self._restore(film)
    self.assertNotIn('base64,"', (self.dir / 'work/report.html').read_text())

  def test_an_enlarged_film_is_measured_in_pixels_of_its_source(self):
    """OpenCV enlarges a woven film of a checked cloth."""
    _, moves = motion_test._woven(24)
    cloth = np.kron(np.indices((9, 12)).sum(0) % 2, np.ones((20, 20)))
    cloth = np.repeat(40 + 170 * cloth[..., None], 3, -1).astype(np.uint8)
    cloth = cv2.GaussianBlur(cloth, (0, 0), 1)
    film = np.stack([cloth[8 + y:136 + y, 8 + x:184 + x] for y, x in moves])
    large = [cv2.resize(x, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
             for x in film]
    shots, _ = measure.measure(iter(film), frame_rate=24.0, motion=True)
    self.assertLen(shots, 1)
    found = []
    for factor, frames in ((1, film), (2, large)):
      path = str(self.dir / f'{factor}.mkv')
      writer.write_rgb(path, frames, frame_rate=24)
      found += reporting.again(
          path, shots, {'input': {'frame_rate': 24}, 'settings': {
              'output': {'upscale': factor}}}, deinterlace.decide((), 'off'))
    for name in ('edge_width_pixels', 'jitter_pixels'):
      self.assertGreater(found[0][name], 0.8)
      self.assertAlmostEqual(
          found[1][name], found[0][name], delta=0.2 * found[0][name])

  def test_no_report_where_none_is_asked_for(self):
    report = self._restore(run_test._film(4, 32, 48), report=False)
    self.assertFalse((self.dir / 'work/report.html').exists())
    self.assertNotIn('measured_after', report)
    self.assertLen(report['outputs'], 1)

  def test_calibration_is_of_these_weights_only(self):
    sha = next(iter(json.loads(reporting._CALIBRATION.read_text())))
    self.assertIn('everywhere', reporting.calibration(
        f'restorer, 8119 steps, sha256 {sha}')['places'])
    self.assertIsNone(reporting.calibration('x, sha256 0123'))
    fills = networks.described(weights.read_weights('restorer'), 'vae')
    self.assertContainsSubset(
        ('everywhere', 'in what was found damaged, of how the fills differ'),
        reporting.calibration(fills)['places'])
    self.assertIsNone(reporting.calibration(None))

  def test_one_picture(self):
    path = self.dir / 'one.png'
    writer.write_rgb(self.dir / 'folder', run_test._film(1, 32, 48),
                     frame_rate=24)
    next((self.dir / 'folder').iterdir()).rename(path)
    c = config.get_config('tiny')
    c.report = True
    report = restore.restore(c, str(self.dir / 'work'), str(path),
                             str(self.dir / 'out.png'))
    self.assertLen(report['measured_after'], 1)
    self.assertIn('A picture of 48 by 32', (
        self.dir / 'work/report.html').read_text())


if __name__ == '__main__':
  absltest.main()
