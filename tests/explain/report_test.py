"""Tests of explain/report.py and of the parts of its page."""

import pathlib
import re

from absl.testing import absltest
import numpy as np

from revive_jax.explain import page, report, sentences
from revive_jax.video import sheet
from tests.explain import records


def _text(found):
  """What a reader sees of a page."""
  found = re.sub(r'<(style|script)>.*?</\1>', '', found, flags=re.S)
  return re.sub(r'\s+', ' ', re.sub(r'<[^>]*>', ' ', found))


class ReportTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    pictures, data = records.pictures()
    self.page = report.page(records.record(), pictures, read=data.get)
    self.text = _text(self.page)

  def test_it_says_what_was_done_with_units(self):
    for sentence in (
        '20 frames of 64 by 48 pixels: 1 second at 20 frames a second',
        'Every frame is in the restored film',
        '2 % of all pixels were found damaged',
        '1.5 % of all pixels were filled with what a neighbouring frame shows',
        'on average by 4.5 of 255 steps of brightness',
        '5.1 of 255 steps of brightness 1.25 of 255 steps of brightness less',
        '131 of 140 points', 'noise of 5.1 &gt; 2 of 255 → repair',
        '00:00:00.350', 'repeated', '1 frame shown again; left',
        'restorer, 8119 steps.', 'sha256 abc',
        'is not known for these weights', 'A packet was lost.',
        'frames 10 to 19, 00:00:00.500 to 00:00:01.000',
        'Width of edges', '7.5 seconds', '900 MB'):
      with self.subTest(sentence):
        if sentence == 'Width of edges':  # It was not measured.
          self.assertNotIn(sentence, self.text)
        else:
          self.assertIn(sentence, self.text)

  def test_names_of_films_are_text(self):
    self.assertNotIn('<i>', self.page)
    self.assertIn('&lt;i&gt;grandma.mkv', self.page)

  def test_pictures_are_in_it_and_all_are_named(self):
    images = re.findall(r'<img [^>]*>', self.page)
    self.assertLen(images, 14)
    for image in images:
      self.assertIn('src="data:image/jpeg;base64,', image)
      self.assertRegex(image, r' alt="\w')
    self.assertLen(re.findall(r'<input type="range"', self.page), 2)

  def test_what_is_not_there_is_left_out(self):
    small = records.record(1)
    for name in ('measured_after', 'choice', 'calibration', 'events', 'sound',
                 'interlace', 'concealed', 'faces'):
      small.pop(name)
    small['shots'][0].pop('seen')
    text = _text(report.page(small))
    self.assertIn('Report of a restoration', text)
    self.assertIn('not measured', text)
    for title in ('Events', 'Faces', 'Consent', 'the rules', 'All shots'):
      self.assertNotIn(title, text)

  def test_what_others_report_is_shown(self):
    more = records.record(1) | {
        'faces': [{'track': 1, 'similarity': 0.93, 'done': 'kept'}],
        'consent': {'who': 'A. <b>', 'scope': ['repair']},
        'sound': [{'track': 0, 'state': 'repaired', 'codec': 'flac'}]}
    path = pathlib.Path(self.create_tempdir().full_path) / 'sound.png'
    sheet.write_png(path, np.zeros((8, 8, 3), np.uint8))
    found = report.page(more, sounds={0: path.read_bytes()})
    text = _text(found)
    for part in ('similarity', '0.93', 'A. &lt;b&gt;', 'Track 1: repaired'):
      self.assertIn(part, text)
    self.assertIn('src="data:image/png;base64,', found)

  def test_faces_sound_and_consent_have_words_and_units(self):
    more = records.record(1) | {
        'faces': {'policy': 'protect', 'threshold': 0.75, 'embedder': 'face',
                  'judged': 'as they are written, but for coding', 'tracks': [{
                      'track': 1, 'start': 0, 'end': 10, 'frame_of_box': 4,
                      'box_share': [0.1, 0.2, 0.3, 0.4], 'found_in_frames': 3,
                      'similarity_before': {'mean': 0.61, 'lowest': 0.52},
                      'similarity_after': {'mean': 0.93, 'lowest': 0.84},
                      'structure': 0.95, 'change_of_255': 3.9,
                      'invented_share': 0.015, 'redacted': 'none', 'done': [
                          {'start': 0, 'end': 1, 'what': 'half strength'},
                          {'start': 1, 'end': 10, 'what': 'restored'}]}]},
        'sound': [{'track': 0, 'state': 'repaired', 'codec': 'flac',
                   'measured': {'clicks_per_minute': 42.0, 'hum_hz': 50.0,
                                'hum_dbfs': None, 'channels': 2},
                   'done': {'hum': {'strength': 0.5, 'why': 'a hum'}},
                   'gain_db': 1.5}],
        'provenance': {'manifest': 'sidecar', 'files': ['/out/a.mkv.c2pa'],
                       'consent': {'sha256': 'abc', 'scope': ['full', 'repair'],
                                   'until': '2030-01-02'},
                       'marks': {'visible': True, 'invisible': '00ab'},
                       'signer': 'named by the user',
                       'share': {'changed': 0.25}, 'source': None},
        'hashes': {'source': 'f' * 64, 'weights': None}}
    text = _text(report.page(more))
    for words in (
        'a likeness of 1 is the same', 'The limit was 0.75 of 1',
        'frames 0 to 9', '0.61 of 1; lowest 0.52 of 1', '0.95 of 1',
        '3.9 of 255 steps', '1.5 % of its pixels', 'frame 0: half strength',
        'frames 1 to 9: restored', '42 clicks a minute', '50 Hz',
        'hum not measured', '2 channels', 'hum, taken out 0.5 of 1 a hum',
        'made louder by 1.5 dB', 'agree to: full, repair; until 2030-01-02',
        'lies beside the film', 'Signed by: named by the user',
        'number is 00ab', 'changed 25 % of all pixels',
        'SHA-256 of the source ' + 64 * 'f'):
      with self.subTest(words):
        self.assertIn(words, text)
    self.assertNotIn('SHA-256 of the weights', text)
    more['provenance']['consent'] = 'not stated'
    self.assertIn('It is not stated that those who are shown agree',
                  _text(report.page(more)))

  def test_calibration_is_told_as_it_was_measured(self):
    told = ' '.join(sentences.calibration({
        'places': {'everywhere': {'gained': 0.406, 'temperature': 0.52}},
        'measured_on': 'four clips'}))
    self.assertIn('too large: errors were 0.52 times as large', told)
    self.assertIn('avoids 41 % of what knowing the true errors', told)
    self.assertIn('four clips', told)

  def test_doubt_that_tells_nothing_is_said_to(self):
    for gained in (-0.03, 0.02):
      told = ' '.join(sentences.calibration({
          'places': {'in what was found damaged': {'gained': gained}},
          'measured_on': 'two clips'}))
      self.assertIn('no more about where the errors are than chance', told)
      self.assertNotIn('%', told)

  def test_quality_is_added_to_a_page_that_is_there(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'report.html'
    report.write(path, records.record())
    self.assertNotIn('33.3 dB', path.read_text())
    later = records.record() | {'quality': {'restored': {
        'psnr_db': 33.3, 'ssim': 0.95, 'flicker_percent': 0.7}}}
    report.add_quality(path, later)
    self.assertIn('33.3 dB', path.read_text())
    report.add_quality(path.with_name('none.html'), later)  # No page, no word.

  def test_a_photograph_is_no_film(self):
    photo = records.record(1)
    photo['input'] |= {'kind': 'image', 'frames': 1}
    photo['shots'][0]['end'] = 1
    text = _text(report.page(photo))
    self.assertIn('A picture of 64 by 48 pixels.', text)
    self.assertNotIn('seconds at', text)

  def test_where_faces_are_hidden_there_is_no_slider(self):
    pictures, data = records.pictures(1)
    pictures = [p | {'both': False} for p in pictures if p['kind'] != 'before']
    found = report.page(records.record(1), pictures, read=data.get)
    self.assertNotIn('type="range"', found)
    self.assertIn('because faces were hidden', _text(found))
    self.assertNotIn('Each frame before', _text(found))

  def test_better_and_worse(self):
    self.assertEqual(sentences.verdict('x', 5.0, 1.0), 'less')
    self.assertEqual(sentences.verdict('x', 5.0, 5.1), 'as before')
    self.assertEqual(sentences.verdict('x', 5.0, None), '')
    self.assertEqual(page.number(None, 'px'), 'not measured')


if __name__ == '__main__':
  absltest.main()
