"""Tests of files that are sent in parts."""

import re
import urllib.parse

from absl.testing import absltest, parameterized

from revive_jax.desk.page import ranges


class RangesTest(parameterized.TestCase):

  @parameterized.parameters(  # As RFC 9110, section 14.1.2 has it.
      ('bytes=0-499', (0, 500)), ('bytes=500-999', (500, 1000)),
      ('bytes=-500', (9500, 10000)), ('bytes=9500-', (9500, 10000)),
      ('bytes=0-0', (0, 1)), ('bytes=9000-20000', (9000, 10000)),
      ('bytes=-20000', (0, 10000)), (None, (0, 10000)), ('', (0, 10000)),
      ('bytes=-', (0, 10000)), ('lines=1-2', (0, 10000)),
      ('bytes=0-1,5-6', (0, 10000)), ('bytes=10000-', None),
      ('bytes=7-3', None), ('bytes=-0', None))
  def test_parts(self, asked, wanted):
    self.assertEqual(ranges.part(asked, 10_000), wanted)

  def test_headers(self):
    status, told, part = ranges.headers('bytes=10-19', 100, None)
    self.assertEqual((status, part), (206, (10, 20)))
    self.assertEqual(told['content-range'], 'bytes 10-19/100')
    self.assertEqual(told['content-length'], '10')
    self.assertEqual(told['cache-control'], 'no-store')
    status, told, part = ranges.headers(None, 100, 'a.mkv')
    self.assertEqual((status, part), (200, (0, 100)))
    self.assertNotIn('content-range', told)
    status, told, _ = ranges.headers('bytes=200-', 100, None)
    self.assertEqual((status, told['content-range']), (416, 'bytes */100'))

  @parameterized.parameters('film.mkv', 'Ömas Film.mkv', '老电影 1.mp4',
                            'a"; evil=".mkv', 'line\r\nx: y.mkv')
  def test_names_come_through_whole(self, name):
    """As the header codes it, it is found again."""
    header = ranges.named(name)
    self.assertTrue(header.isascii())
    self.assertNotRegex(header, '[\r\n]')
    # RFC 8187: those that know filename* prefer it.
    plain, coded = re.fullmatch(
        'attachment; filename="([^"]*)"; '
        r"filename\*=UTF-8''([\w.%-]+)", header).groups()
    self.assertEqual(urllib.parse.unquote(coded), name)
    self.assertLen(plain, len(name))


if __name__ == '__main__':
  absltest.main()
