"""Tests of the report in a real browser (Chromium, headless).

It is looked for as $CHROMIUM, chromium, chromium-browser or google-chrome.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
from typing import Any, NamedTuple

from absl.testing import absltest
import cv2
import numpy as np
import pytest

from revive_jax.explain import report
from tests.explain import records

pytestmark = pytest.mark.slow
_NAMES = ('chromium', 'chromium-browser', 'google-chrome')


def browser_path():
  """The browser; fails, with a sentence, where there is none."""
  found = os.environ.get('CHROMIUM') or next(
      (p for p in map(shutil.which, _NAMES) if p), None)
  if not found:
    raise AssertionError(
        'No browser was found to look at the report with; install Chromium '
        '(Debian: apt-get install chromium), or name one in CHROMIUM.')
  return found


class Page(NamedTuple):
  """A page in the browser."""

  tab: Any
  asked: list[str]  # Addresses that it asked for.
  said: list[str]  # Errors and messages; none are expected.


@contextlib.contextmanager
def opened(path, *, width=1280, height=900, **options):
  """The page at path; fails if it has said anything at the end."""
  from playwright import sync_api

  with sync_api.sync_playwright() as play:
    browser = play.chromium.launch(
        executable_path=browser_path(), args=['--no-sandbox'])
    tab = browser.new_context(
        viewport={'width': width, 'height': height}, **options).new_page()
    page = Page(tab, [], [])
    tab.on('request', lambda request: page.asked.append(request.url))
    tab.on('console', lambda message: page.said.append(message.text))
    tab.on('pageerror', lambda error: page.said.append(str(error)))
    tab.goto(pathlib.Path(path).as_uri())
    try:
      yield page
    finally:
      browser.close()
  if page.said:
    raise AssertionError(f'The page said {page.said}.')


def _at(tab):
  """Where the line of the first picture is, of its width."""
  bar = tab.locator('.compare .bar').first.bounding_box()
  box = tab.locator('.compare').first.bounding_box()
  return (bar['x'] + bar['width'] / 2 - box['x']) / box['width']


def _colors(tab, share):
  """Mean red and blue of a strip of the first picture, at this place."""
  box = tab.locator('.compare').first.bounding_box()
  data = tab.screenshot(clip={
      'x': box['x'] + share * box['width'] - 4, 'y': box['y'] + 60,
      'width': 8, 'height': 60})
  picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
  return picture[..., 2].mean(), picture[..., 0].mean()


class BrowserTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = tempfile.TemporaryDirectory()
    cls.path = pathlib.Path(cls.folder.name) / 'report.html'
    pictures, data = records.pictures()
    report.write(cls.path, records.record(), pictures, read=data.get)

  @classmethod
  def tearDownClass(cls):
    cls.folder.cleanup()
    super().tearDownClass()

  def test_the_slider_moves_by_mouse(self):
    """The film before is red, the one after blue, in these pictures."""
    with opened(self.path) as (tab, *_):
      compare = tab.locator('.compare').first
      compare.scroll_into_view_if_needed()
      box = compare.bounding_box()
      at = lambda share: (box['x'] + share * box['width'],
                          box['y'] + box['height'] / 2)
      red, blue = _colors(tab, 0.7)
      self.assertGreater(blue, red)  # It begins in the middle.
      tab.mouse.move(*at(0.5))
      tab.mouse.down()
      tab.mouse.move(*at(0.8), steps=8)
      tab.mouse.up()
      self.assertAlmostEqual(_at(tab), 0.8, delta=0.02)
      red, blue = _colors(tab, 0.7)
      self.assertGreater(red, blue)
      tab.mouse.click(*at(0.2))
      self.assertAlmostEqual(_at(tab), 0.2, delta=0.02)

  def test_the_slider_moves_by_keys_and_says_so(self):
    with opened(self.path) as (tab, *_):
      for _ in range(30):  # Tab until it has the focus.
        tab.keyboard.press('Tab')
        if tab.evaluate('document.activeElement.type') == 'range':
          break
      tab.keyboard.press('ArrowRight')
      self.assertAlmostEqual(_at(tab), 0.51, delta=0.005)
      tab.keyboard.press('End')
      self.assertAlmostEqual(_at(tab), 1.0, delta=0.005)
      tab.keyboard.press('Home')
      self.assertAlmostEqual(_at(tab), 0.0, delta=0.005)
      slider = tab.locator('input[type=range]').first
      self.assertIn('0 %', slider.get_attribute('aria-valuetext'))
      self.assertIn('Shot 1', slider.get_attribute('aria-label'))

  def test_nothing_is_asked_of_anybody(self):
    with opened(self.path) as (tab, asked, said):
      tab.mouse.wheel(0, 20_000)
      tab.wait_for_timeout(300)
      outside = [url for url in asked if not url.startswith('data:')]
      self.assertEqual(outside, [self.path.as_uri()])
      # Nor could it be: the page forbids itself.
      refused = tab.evaluate(
          "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
      self.assertEqual(refused, 'refused')
      self.assertIn('Content Security Policy', said.pop(0))
      said.clear()
      broken = tab.evaluate('[...document.images].filter('
                            'i => !i.complete || !i.naturalWidth).length')
      self.assertEqual(broken, 0)

  def test_nothing_is_wider_than_a_phone(self):
    for width in (320, 390, 1280):
      with self.subTest(width), opened(self.path, width=width) as (tab, *_):
        self.assertLessEqual(
            tab.evaluate('document.documentElement.scrollWidth'), width)

  def test_without_a_script_both_pictures_show(self):
    with opened(self.path, java_script_enabled=False) as (tab, *_):
      boxes = [tab.locator(f'.compare .{kind}').first.bounding_box()
               for kind in ('before', 'after')]
      self.assertGreater(abs(boxes[0]['x'] - boxes[1]['x']), 100)
      self.assertFalse(tab.locator('input[type=range]').first.is_visible())

  def test_on_paper_and_in_the_dark(self):
    with opened(self.path) as (tab, *_):
      tab.emulate_media(media='print')
      self.assertFalse(tab.locator('input[type=range]').first.is_visible())
      self.assertGreater(len(tab.pdf()), 10_000)
      tab.emulate_media(media='screen', color_scheme='dark')
      color = tab.evaluate('getComputedStyle(document.body).backgroundColor')
      self.assertEqual(color, 'rgb(22, 23, 26)')


if __name__ == '__main__':
  absltest.main()
