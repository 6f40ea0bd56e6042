"""Tests that the documentation names what is there."""

import pathlib
import re

from absl.testing import absltest

_ROOT = pathlib.Path(__file__).parents[1]


def _rows():
  """(property, names of files, names of tests) of the table of properties."""
  text = (_ROOT / 'docs/formats.md').read_text()
  start = text.index('## What happens to each property')
  for line in text[start:text.index('\n## ', start + 4)].splitlines():
    cells = [cell.strip() for cell in line.split('|')][1:-1]
    if len(cells) == 3 and cells[0] not in ('property', '---') and cells[2]:
      yield (cells[0], re.findall('`([^`]+)`', cells[2]),
             re.findall(r'\b(test_\w+|[A-Z]\w+Test)\b', cells[2]))


def _promises(page):
  """The same of the tables of promises in a page."""
  inside = False
  for line in (_ROOT / f'docs/{page}.md').read_text().splitlines():
    inside = bool(re.fullmatch(
        r'\| (promise|property \| what happens) \| test \|', line)) or (
            inside and line.startswith('|'))
    cells = [cell.strip() for cell in line.split('|')][1:-1]
    if inside and cells[0] not in ('promise', 'property', '---'):
      yield (cells[0], re.findall('`([^`]+)`', cells[-1]),
             re.findall(r'\b(test_\w+|[A-Z]\w+Test)\b', cells[-1]))


class DocsTest(absltest.TestCase):

  def test_each_property_names_a_test_that_is_there(self):
    rows = list(_rows())
    self.assertGreater(len(rows), 40)
    self._check(rows)

  def test_each_promise_names_a_test_that_is_there(self):
    for page, least in (('trust', 40), ('desk', 20)):
      rows = list(_promises(page))
      self.assertGreater(len(rows), least)
      self._check(rows)

  def _check(self, rows):
    for name, files, tests in rows:
      with self.subTest(name):
        paths = [_ROOT / f if f.endswith('.py') else
                 _ROOT / 'tests' / f'{f}_test.py' for f in files]
        paths = [p for p in paths if '.md' not in p.name]
        self.assertTrue(paths)
        self.assertTrue(all(p.is_file() for p in paths), paths)
        text = ''.join(p.read_text() for p in paths)
        for test in tests:
          self.assertIn(test, text)


if __name__ == '__main__':
  absltest.main()
