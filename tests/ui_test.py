"""Tests of the desk in real browsers (Chromium, headless; slow).

The browser is looked for as tests/explain/browser_test.py does. They need the
extra ui: pip install -e '.[test,ui]'. See tests/ui_brush_test.py and
tests/ui_shell_test.py, too.
"""

import base64

from absl.testing import absltest, parameterized
import numpy as np
import pytest

from revive_jax.video import probe, reader
from tests.desk.page import browsing

_REFUSED = '400 (Bad Request)'  # What a browser says of what is refused.


@pytest.mark.slow
class DeskTest(browsing.DeskTestCase):

  def test_the_whole_way(self):
    """Upload, look, decide, restore, compare, download."""
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      visitor.open(self.film)
      text = tab.inner_text('body')
      for part in ('tape.mkv', '12 frames of 64 by 48 pixels', '2 shots',
                   'Noise:', 'What the program proposes, and why', 'treated'):
        self.assertIn(part, text)
      self.assertEqual(tab.locator('.shots label').count(), 2)
      self.assertTrue(_loaded(tab, '.shots img'))
      self._decides(visitor)
      self._restores(visitor)
      self._compares(tab)
      self._takes_home(tab)
      # It would have been found if it were (see the sealed desk below).
      self.assertNotEmpty(browsing.lying_open(
          browsing.secret(self.film), self.folder / 'desk'))

  def _decides(self, visitor):
    """The second shot gets a strength of its own, which the command names."""
    tab = visitor.tab
    tab.click('.shots label >> nth=1')
    tab.wait_for_function(
        "document.querySelector('desk-view').data.shot === 1")
    visitor.wait_for_film()
    before = visitor.after()
    tab.fill('#desk-noise input[type=number]', '0.25')
    tab.press('#desk-noise input[type=number]', 'Tab')
    tab.wait_for_function(
        "old => document.querySelector('desk-view .after').src !== old",
        arg=f'{self.address[:-1]}{before}')
    visitor.wait_for_preview()
    tab.click('.shots label >> nth=0')
    tab.wait_for_function(
        "document.querySelector('desk-view').data.shot === 0")
    visitor.wait_for_film()
    value = lambda: tab.input_value('#desk-noise input[type=number]')
    self.assertEqual(value(), '0.8')
    tab.click('.shots label >> nth=1')
    tab.wait_for_function(
        "document.querySelector('#desk-noise input').value === '0.25'")
    tab.click('text=The same by the command line')
    tab.wait_for_selector('#desk-command .cm-content')
    command = tab.inner_text('#desk-command .cm-content')
    for part in ('revive_jax.main', '--input=tape.mkv',
                 '--config.decisions=decisions.json'):
      self.assertIn(part, command)

  def _restores(self, visitor):
    visitor.tab.click('desk-job .primary')
    visitor.wait_for_job('running')
    self.assertTrue(visitor.tab.is_visible('desk-job progress'))
    self.assertIn('restored', visitor.wait_for_job('done'))

  def _compares(self, tab):
    """Both films stand at the same frame, also when one steps."""
    tab.wait_for_selector('desk-result video.before')
    tab.wait_for_function(
        "[...document.querySelectorAll('desk-result video')].every("
        'v => v.readyState >= 2)')
    times = lambda: tab.evaluate(
        "[...document.querySelectorAll('desk-result video')].map("
        'v => Math.floor(24 * v.currentTime + 0.01))')
    for _ in range(3):
      tab.click('desk-result button[aria-label="One frame on"]')
      tab.wait_for_timeout(150)
    self.assertEqual(times(), [3, 3])
    tab.click('desk-result button[aria-label="One frame back"]')
    tab.wait_for_timeout(150)
    self.assertEqual(times(), [2, 2])
    tab.click('desk-result .play')
    tab.wait_for_function(
        "[...document.querySelectorAll('desk-result video')].every("
        'v => v.ended)')
    self.assertEqual(times()[0], times()[1])
    zoom = tab.locator('desk-result input[type=range]').last
    zoom.focus()
    zoom.press('ArrowRight')
    wide = lambda part: tab.locator(
        f'desk-result .{part}').bounding_box()['width']
    self.assertAlmostEqual(wide('stage') / wide('scroller'), 2, delta=0.01)

  def _takes_home(self, tab):
    """Every frame of the film; the original, bit for bit; the report."""
    found = {}
    for text in ('The restored film', 'The report', 'The original'):
      with tab.expect_download() as loaded:
        tab.click(f'desk-result a:has-text("{text}")')
      path = self.folder / loaded.value.suggested_filename
      loaded.value.save_as(self.folder / f'taken_{path.name}')
      found[text] = self.folder / f'taken_{path.name}'
    self.assertEqual(found['The original'].read_bytes(), self.film.read_bytes())
    info = probe.probe(str(found['The restored film']))
    self.assertEqual((info.width, info.height),
                     (browsing.WIDTH, browsing.HEIGHT))
    self.assertLen([*reader.read_frames(info)], sum(browsing.LENGTHS))
    self.assertIn('<html', found['The report'].read_text())

  def test_dropped(self):
    data = base64.b64encode(self.film.read_bytes()).decode()
    with browsing.visiting(self.address) as visitor:
      visitor.tab.wait_for_selector('.drop')
      visitor.tab.evaluate("""data => {
        const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
        const held = new DataTransfer();
        held.items.add(new File([bytes], 'dropped.mkv'));
        for (const name of ['dragenter', 'dragover', 'drop']) {
          document.querySelector('.drop').dispatchEvent(new DragEvent(
              name, {bubbles: true, cancelable: true, dataTransfer: held}));
        }}""", data)
      visitor.wait_for_film()
      self.assertIn('dropped.mkv', visitor.tab.inner_text('h2 >> nth=1'))

  @parameterized.parameters(
      ('letter.txt', b'Dear Anna', 'no kind of film'),
      ('letter.mp4', b'Dear Anna', 'letter.mp4'), ('empty.mkv', b'', 'empty'))
  def test_a_wrong_file(self, name, data, sentence):
    path = self.folder / name
    path.write_bytes(data)
    with browsing.visiting(self.address, expected=[_REFUSED]) as visitor:
      visitor.tab.set_input_files('#desk-file', path)
      said = visitor.tab.locator('desk-open .said.bad')
      said.wait_for()
      self.assertIn(sentence, said.inner_text())
      self.assertFalse(visitor.tab.is_visible('desk-view'))
      visitor.open(self.film)  # The page is as it was.

  def test_layers_over_the_frame(self):
    with browsing.visiting(self.address) as visitor:
      visitor.open(self.film)
      self.assertFalse(visitor.tab.is_visible('desk-view .over'))
      for text, kind in (('damage', 'damage'), ('doubt', 'uncertainty'),
                         ('what was done', 'origin')):
        visitor.tab.click(f'desk-view .choice >> nth=0 >> text="{text}"')
        visitor.tab.wait_for_function(
            "kind => document.querySelector('desk-view .over').src.includes("
            "kind) && document.querySelector('desk-view .over').naturalWidth",
            arg=f'/layer/{kind}/')
        self.assertTrue(visitor.tab.inner_text('desk-view .legend'))

  def test_several_answers(self):
    """They are shown beside each other, and one is chosen for a shot."""
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      tab.set_default_timeout(300_000)  # Networks are compiled.
      visitor.open(self.film)
      tab.click('text=For the whole film')
      tab.fill('#desk-answers input[type=number]', '2')
      tab.press('#desk-answers input[type=number]', 'Tab')
      tab.wait_for_selector('#desk-sample')
      visitor.wait_for_film()
      tab.click('text=Show all answers on this frame')
      tab.wait_for_selector('.answer-row img >> nth=1')
      self.assertTrue(_loaded(tab, '.answer-row img'))
      one, two = (visitor.pixels(tab.get_attribute(
          f'.answer-row img >> nth={n}', 'src')) for n in range(2))
      self.assertGreater(abs(one - two).max(), 0)
      old = visitor.after()
      tab.click('#desk-sample label >> nth=1')
      tab.wait_for_function(
          "old => document.querySelector('desk-view .after').getAttribute("
          "'src') !== old", arg=old)
      np.testing.assert_array_equal(visitor.pixels(visitor.after()), two)

  def test_the_slider(self):
    with browsing.visiting(self.address) as visitor:
      visitor.open(self.film)
      slider = visitor.tab.locator('desk-view .split')
      slider.focus()
      slider.press('End')
      self.assertIn('100 %', slider.get_attribute('aria-valuetext'))
      self.assertIn('100%', visitor.tab.get_attribute(
          'desk-view .stage', 'style'))

  def test_consent(self):
    """A whole form is kept, named in the command, and there after a reload."""
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      visitor.open(self.film)
      tab.click('text=Who is in it, and did they agree?')
      field = lambda name: f'#desk-consent-{name} textarea'
      tab.fill(field('shown'), 'Anna\nBerta')
      tab.fill(field('agreed'), 'Anna')
      tab.click('#desk-consent-keep')
      tab.wait_for_selector('text=needs a line in all three')
      for name, text in (('agreed', 'Anna\nAnna'), ('relation', 'self\nchild'),
                         ('purpose', 'At home'), ('places', 'home')):
        tab.fill(field(name), text)
      tab.click('#desk-consent-keep')
      tab.wait_for_selector('text=The record is kept')
      tab.reload()
      visitor.wait_for_film()
      tab.click('text=Who is in it, and did they agree?')
      self.assertEqual(tab.input_value(field('shown')), 'Anna\nBerta')
      tab.click('text=The same by the command line')
      self.assertIn('--config.consent.file=consent.json',
                    tab.inner_text('#desk-command .cm-content'))

  def test_cancel_and_go_on_after_a_reload(self):
    # So long that it is not done before it is cancelled.
    film = browsing.film(self.folder, 'long.mkv', lengths=(90, 90))
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      visitor.open(film)
      tab.click('desk-job .primary')
      visitor.wait_for_job('running')
      tab.reload()
      visitor.wait_for_job('running', 'done')
      tab.click('desk-job button:has-text("Cancel")')
      self.assertIn('what is finished is kept',
                    visitor.wait_for_job('cancelled'))
      tab.reload()
      visitor.wait_for_job('cancelled')
      tab.click('desk-job button:has-text("Go on")')
      visitor.wait_for_job('done')
      # What is finished is there to be taken home after another job, too.
      film = tab.evaluate("document.querySelector('desk-view').data.film")
      note, = self.folder.glob(f'desk/visitors/*/films/{film}/job.json')
      note.write_text(note.read_text().replace('"restore"', '"measure"'))
      tab.reload()
      visitor.wait_for_job('none')
      tab.wait_for_selector('desk-result a:has-text("The restored film")')
      self.assertIn('as it was restored before', tab.inner_text('desk-job'))

  def test_two_visitors_at_once(self):
    """Each has films of their own, and restores them at the same time."""
    with browsing.visiting(self.address) as one:
      browser = one.tab.context.browser
      other = browsing.newcomer(browser.new_context(locale='zh-CN'),
                                self.address)
      one.open(self.film)
      other.open(browsing.film(self.folder, 'other.mkv'))
      for visitor in (one, other):
        visitor.tab.click('desk-job .primary')
      for visitor in (one, other):
        visitor.wait_for_job('done')
      film = one.tab.evaluate("document.querySelector('desk-view').data.film")
      for path in ('frame/0', 'thumbnail/0', 'file/film', 'job', 'mask/frame/0',
                   'after/0', 'play'):
        url = f'/desk/{film}/{path}'
        status = "url => fetch(url).then(answer => answer.status)"
        self.assertIn(one.tab.evaluate(status, url), (200, 204), path)
        self.assertEqual(other.tab.evaluate(status, url), 400, path)
      self.assertNotIn('tape.mkv', other.tab.inner_text('body'))
      browsing.check(other, self.address, expected=[_REFUSED])

  def test_delete(self):
    with browsing.visiting(self.address) as visitor:
      visitor.open(browsing.film(self.folder, 'unwanted.mkv'))
      asked = []

      def stay(dialog):
        asked.append(dialog.message)
        dialog.dismiss()

      visitor.tab.once('dialog', stay)
      visitor.tab.click('#desk-delete')
      self.assertIn('all that was made of it?', asked[0])
      visitor.tab.wait_for_timeout(500)
      self.assertTrue(visitor.tab.is_visible('desk-view'))
      visitor.tab.once('dialog', lambda d: d.accept())
      visitor.tab.click('#desk-delete')
      visitor.tab.wait_for_selector('text=Everything of it is deleted')
      self.assertNotIn('unwanted.mkv', visitor.tab.inner_text('body'))
      self.assertNotIn('film=', visitor.tab.url)
      self.assertFalse(visitor.tab.is_visible('desk-view'))

  def test_what_cannot_be_is_said_and_not_shown_as_if_it_were(self):
    """A choice that is refused, and the address of a film that is gone."""
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      visitor.open(self.film)
      tab.click('text=For the whole film')
      tab.click('#desk-composite label >> nth=1')  # Only damage...
      tab.wait_for_timeout(500)
      tab.click('#desk-hide_faces label >> nth=1')  # ...and faces blurred.
      tab.wait_for_selector('text=faces cannot be hidden')
      tab.wait_for_function("document.querySelector("
                            "'#desk-hide_faces input').checked")
      tab.goto(f'{self.address}en/?film={16 * "a"}')
      tab.wait_for_selector('text=There is no such film of yours here')

  def test_an_earlier_film_is_gone_on_with(self):
    with browsing.visiting(self.address) as visitor:
      visitor.open(self.film)
      visitor.tab.goto(self.address)
      visitor.tab.click('text=tape.mkv')
      visitor.wait_for_film()
      self.assertIn('film=', visitor.tab.url)

  def test_by_keyboard(self):
    """Every step of the way without a mouse."""
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      tab.wait_for_selector('desk-open')
      _tab_to(tab, 'desk-file')
      tab.set_input_files('#desk-file', self.film)  # A dialog of the system.
      visitor.wait_for_film()
      tab.focus('.shots input >> nth=0')
      tab.keyboard.press('ArrowRight')
      tab.wait_for_function(
          "document.querySelector('desk-view').data.shot === 1")
      visitor.wait_for_film()
      self.assertEqual(tab.evaluate('document.activeElement.name'), 'desk-shot')
      tab.focus('desk-view input[value=look]')
      tab.keyboard.press('ArrowRight')
      visitor.wait_for_preview()
      tab.focus('desk-view canvas')
      old = visitor.after()
      tab.keyboard.press('ArrowLeft')
      tab.keyboard.press('Space')
      tab.wait_for_function(
          "old => document.querySelector('desk-view .after').getAttribute("
          "'src') !== old", arg=old)
      self.assertGreater(tab.evaluate(browsing.ALPHA), 0)
      tab.focus('desk-job .primary')
      tab.keyboard.press('Enter')
      visitor.wait_for_job('done')

  @parameterized.parameters(320, 390)
  def test_readable_at_the_width_of_a_phone(self, width):
    with browsing.visiting(self.address, width=width, has_touch=True
                           ) as visitor:
      visitor.open(self.film)
      for text in ('For the whole film', 'Who is in it', 'The same by'):
        visitor.tab.click(f'text={text}')
      visitor.tab.wait_for_timeout(500)
      self.assertLessEqual(
          visitor.tab.evaluate('document.documentElement.scrollWidth'), width)
      small = visitor.tab.evaluate(
          "[...document.querySelectorAll('.desk p, .desk li, .desk label')]"
          ".filter(e => e.offsetParent && parseFloat(getComputedStyle(e)"
          '.fontSize) < 13).length')
      self.assertEqual(small, 0)

  def test_chinese(self):
    """The browser's language decides, and the link changes it."""
    with browsing.visiting(self.address, locale='zh-CN') as visitor:
      visitor.open(self.film)
      self.assertTrue(visitor.tab.url.startswith(f'{self.address}zh/'))
      self.assertEqual(visitor.tab.evaluate('document.documentElement.lang'),
                       'zh')
      for part in ('影片共 12 帧', '噪点', '处理', '修复影片', '用时'):
        self.assertIn(part, visitor.tab.inner_text('body'))
      visitor.tab.click('text=English')
      visitor.tab.wait_for_selector('text=Drop a film here')

  def test_the_demo_clip_by_one_click(self):
    with browsing.visiting(self.address) as visitor:
      visitor.tab.set_default_timeout(300_000)  # It is larger than the others.
      visitor.tab.click('text=Take the demo clip')
      visitor.wait_for_film()
      self.assertEqual(visitor.tab.locator('.shots label').count(), 3)
      self.assertIn('3 shots', visitor.tab.inner_text('body'))


def _loaded(tab, selector) -> bool:
  return tab.evaluate(
      'async selector => { const all = [...document.querySelectorAll(selector)'
      ']; for (const one of all) { one.loading = "eager"; await one.decode(); }'
      ' return all.every(one => one.naturalWidth > 0); }', selector)


def _tab_to(tab, name):
  """Tab until something has the focus."""
  for _ in range(30):
    tab.keyboard.press('Tab')
    if tab.evaluate('document.activeElement.id') == name:
      return
  raise AssertionError(f'Tab does not lead to {name}.')


if __name__ == '__main__':
  absltest.main()
