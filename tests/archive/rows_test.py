"""Tests of rows.py and index.py: the table, the report of all, and the page."""

import csv
import html
import json
import os
import pathlib

from absl.testing import absltest

from revive_jax.archive import index, manifest, rows

_BAD = '<img src=x onerror=alert(1)>"\'&.mkv'


class RowsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)
    self.rows = [
        rows.Row('a', '/in/a.mkv', state='restored', frames=48,
                 film_seconds=2.0, work_seconds=7.5, shares=2,
                 output=str(self.dir / 'outputs/a b.mkv'),
                 report='films/a/report.html'),
        rows.Row('b', f'/in/{_BAD}', state='refused', what='=HYPERLINK("x")'),
        rows.Row('c', '/in/c.mkv')]
    rows.write(self.dir, self.rows, {'window': 24})

  def test_the_table(self):
    with open(self.dir / 'films.csv', newline='') as file:
      found = list(csv.DictReader(file))
    self.assertEqual([r['state'] for r in found],
                     ['restored', 'refused', 'waiting'])
    self.assertEqual(found[1]['file'], f'/in/{_BAD}')
    self.assertEqual(found[1]['what'], '\'=HYPERLINK("x")')  # No formula.
    self.assertEqual(found[0]['frames'], '48')

  def test_the_report_of_all(self):
    found = json.loads((self.dir / 'report.json').read_text())
    self.assertEqual(found['schema'], 1)
    self.assertEqual(found['summary']['states'],
                     {'refused': 1, 'restored': 1, 'waiting': 1})
    self.assertEqual(found['summary']['frames'], 48)
    self.assertEqual(found['films'][1]['what'], '=HYPERLINK("x")')
    self.assertEqual(found['settings'], {'window': 24})

  def test_the_page_asks_for_nothing_and_escapes(self):
    text = (self.dir / 'index.html').read_text()
    self.assertIn("content=\"default-src 'none'", html.unescape(text))
    self.assertNotRegex(text, r'https?:|//[a-z]+\.')
    self.assertNotIn('<img src=x', text)
    self.assertIn('&lt;img src=x onerror=alert(1)&gt;', text)
    self.assertIn('href="outputs/a%20b.mkv"', text)
    self.assertIn('href="films/a/report.html"', text)
    self.assertIn('1 refused, 1 restored, 1 waiting', text)

  def test_rows_are_kept_beside_films(self):
    job = manifest.Job('a', manifest.Entry('/in/a.mkv'), {},
                       str(self.dir / 'films/a'), '')
    self.assertEqual(rows.before(job), rows.waiting(job))
    rows.keep(job, self.rows[0])
    self.assertEqual(rows.before(job), self.rows[0])
    other = job._replace(entry=manifest.Entry('/in/other.mkv'))
    self.assertEqual(rows.before(other).state, 'waiting')
    (self.dir / 'films/a/row.json').write_text('{"name": ')  # Cut off.
    self.assertEqual(rows.before(job).state, 'waiting')

  def test_formulas(self):
    for text in ('=1', '+1', '-1', '@a', '\t=1', '\r=1', '＝1'):
      self.assertEqual(rows._safe(text), f"'{text}")
    for cell in ('', 'a=1', -1, 0.5):
      self.assertEqual(rows._safe(cell), cell)

  def test_names_that_are_no_utf8(self):
    name = os.fsdecode(b'/in/f\xfc.mkv')
    output = os.path.join(self.dir, os.fsdecode(b'outputs/f\xfc.mkv'))
    found = [rows.Row('a', name, state='failed', what='x', output=output)]
    rows.write(self.dir, found, {})
    self.assertIn(r'/in/f\udcfc.mkv', (self.dir / 'films.csv').read_text())
    self.assertIn('href="outputs/f%FC.mkv"',
                  (self.dir / 'index.html').read_text())
    self.assertIn(r'f\udcfc.mkv: x', rows.text(found))
    told = json.loads((self.dir / 'report.json').read_text())
    self.assertEqual(told['films'][0]['file'], name)

  def test_what_was_told_of_a_film_is_told_again(self):
    job = manifest.Job('a', manifest.Entry('/in/a.mkv'), {},
                       str(self.dir / 'films/a'), '')
    rows.keep(job, self.rows[0]._replace(warnings=2, what='dark'))
    now = rows.waiting(job)._replace(
        state='done before', output=self.rows[0].output, work_seconds=0.1)
    found = rows.again(job, now)
    self.assertEqual((found.state, found.work_seconds, found.warnings,
                      found.what), ('done before', 7.5, 2, 'dark'))
    for other in (now._replace(output='b.mkv'), now._replace(state='failed')):
      self.assertEqual(rows.again(job, other), other)

  def test_the_text(self):
    text = rows.text(self.rows)
    self.assertStartsWith(text, '1 refused, 1 restored, 1 waiting; 48 frames.')
    self.assertIn('=HYPERLINK', text)
    self.assertNotIn('/in/c.mkv', text)

  def test_clock(self):
    self.assertEqual(index.clock(3723.0), '1:02:03')
    self.assertEqual(index.clock(None), '')


if __name__ == '__main__':
  absltest.main()
