"""Tests of the pieces of the page."""

import html.parser
import json
import re

from absl.testing import absltest

from revive_jax.desk import film as film_lib
from revive_jax.desk.page import pieces, strings

_EVIL = '<script>alert(1)</script>"\' ${x} {{y}}.mkv'


def _film(**changed):
  shot = film_lib.Shot(
      0, 0, 12, 5, '', {}, [{'name': 'noise', 'value': 3.25, 'unit': 'pixels',
                             'title': 'Noise', 'meaning': 'pixels'}],
      [{'stage': 'classical', 'title': 'x', 'strength': 0.8, 'reasons': [
          'noise of 3.3 of 255: treated', 'edges are nan px wide: left']}])
  return film_lib.Film(**{
      'info': {'width': 64, 'height': 48, 'frames': 24}, 'sentences': [_EVIL],
      'shots': [shot, shot._replace(number=1, start=12, stop=24)], 'faces': [],
      'warnings': [_EVIL], 'interlace': '', 'hides': False} | changed)


class _Tags(html.parser.HTMLParser):
  """Collects the names of elements, and their attributes."""

  def __init__(self, text):
    super().__init__()
    self.found = []
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))


class PiecesTest(absltest.TestCase):

  def test_what_others_wrote_is_text(self):
    film = _film()
    for text in (pieces.found('en', _EVIL, film),
                 pieces.earlier('en', [{'id': '0', 'name': _EVIL}]),
                 pieces.status(_EVIL)):
      self.assertNotIn('<script', text)
      self.assertNotIn('script', [tag for tag, _ in _Tags(text).found])
      self.assertIn('alert(1)', text)

  def test_the_head_is_no_way_out(self):
    texts = {'texts': {'a': '</script><script>evil()'}}
    head = pieces.head('en', texts)
    self.assertEqual(head.count('</script>'), 2)
    data = re.search(r'window.DESK = (.*?);</script>', head)[1]
    self.assertEqual(json.loads(data)['texts'], texts['texts'])
    self.assertNotRegex(head, 'https?:')

  def test_shots(self):
    """One radio button for each, one of them chosen, counted from 1."""
    text = pieces.shots('en', 'f00', _film(), 1)
    inputs = [a for tag, a in _Tags(text).found if tag == 'input']
    self.assertEqual([a['value'] for a in inputs], ['0', '1'])
    self.assertEqual(['checked' in a for a in inputs], [False, True])
    self.assertIn('Shot 2', text)
    self.assertIn('frames 12 to 23', text)
    images = [a['src'] for tag, a in _Tags(text).found if tag == 'img']
    self.assertEqual(images, ['/desk/f00/thumbnail/0', '/desk/f00/thumbnail/1'])

  def test_the_view_is_told_of_its_shot(self):
    text = pieces.view('f00', _film(), 1, 3)
    told, = (json.loads(a['data-of']) for tag, a in _Tags(text).found
             if tag == 'desk-view')
    self.assertEqual(told, {
        'film': 'f00', 'shot': 1, 'hides': False, 'width': 64, 'height': 48,
        'start': 12, 'stop': 24, 'frame': 5, 'answers': 3})

  def test_reasons_are_those_to_do_something(self):
    for language in strings.LANGUAGES:
      text = pieces.reasoned(language, _film().shots[0])
      self.assertNotIn('nan', text)
      self.assertIn('3.3', text)
      self.assertIn('80 %', text)

  def test_limits_are_told(self):
    text = pieces.opening('en', gigabytes=4.0, minutes=30.0, hours=24.0,
                          is_sealed=True)
    for part in ('4 GB', '30 minutes', '24 hours', 'encrypted'):
      self.assertIn(part, text)


if __name__ == '__main__':
  absltest.main()
