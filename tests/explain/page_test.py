"""Tests of explain/page.py."""

import html.parser

from absl.testing import absltest, parameterized

from revive_jax.explain import page


class PageTest(parameterized.TestCase):

  def test_text_is_escaped_and_html_is_not(self):
    self.assertEqual(
        page.tag('p', '<b>&', page.tag('b', 'x'), None, class_='a"b'),
        '<p class="a&quot;b">&lt;b&gt;&amp;<b>x</b></p>')
    self.assertEqual(
        page.tag('input', disabled=True, checked=False, aria_label='x'),
        '<input disabled aria-label="x">')

  @parameterized.parameters(
      (5.123, '5.12 of 255'), (0.0, '0 of 255'), (None, page.UNKNOWN),
      (float('nan'), page.UNKNOWN), (1234.5, '1,234 of 255'),
      (0.00001, '0.00001 of 255'))
  def test_numbers_have_units(self, value, expected):
    self.assertEqual(page.number(value, 'of 255'), expected)

  def test_a_document_is_closed_and_asks_for_nothing(self):
    text = page.document('<t>', [page.tag('p', 'x')])
    open_tags = []

    class Checker(html.parser.HTMLParser):

      def handle_starttag(self, name, attributes):
        if name not in ('img', 'input', 'meta', 'link', 'br'):
          open_tags.append(name)
        for key, value in attributes:
          if key in ('src', 'href'):
            assert value.startswith(('data:', '#')), value

      def handle_endtag(self, name):
        assert open_tags.pop() == name, name

    Checker().feed(text)
    self.assertEmpty(open_tags)
    self.assertIn('<title>&lt;t&gt;</title>', text)
    self.assertIn('default-src &#x27;none&#x27;', text)
    self.assertNotIn('http:', text.replace('http-equiv', ''))
    self.assertNotIn('https:', text)

  def test_anything_of_json(self):
    text = page.anything({'a_b': [{'x': 1}, {'x': None, 'y': True}], 'c': []})
    for part in ('<dt>a b</dt>', '<th scope="col">y</th>', '>none<', '>yes<'):
      self.assertIn(part, text)

  def test_numbers_of_others_have_the_unit_of_their_name(self):
    text = page.anything({'box_share': [0.25, 0.5], 'median_pixels': 3,
                          'share': {'changed': 0.123456}, 'kind': 'x'})
    for part in ('0.25, 0.5 of 1', '3 pixels', '0.1235 of 1', '<dd>x</dd>'):
      self.assertIn(part, text)

  def test_a_table_without_rows_is_left_out(self):
    self.assertEqual(page.table(('a',), []), '')
    self.assertEqual(page.section('t', page.table(('a',), [])), '')


if __name__ == '__main__':
  absltest.main()
