"""Tests of the desk's brush in a real browser (slow); see tests/ui_test.py."""

from absl.testing import absltest
import numpy as np
import pytest

from tests.desk.page import browsing


@pytest.mark.slow
class BrushTest(browsing.DeskTestCase):

  def test_paint_and_erase(self):
    """What is painted is damage, what is erased is none, undo takes it back."""
    with browsing.visiting(self.address) as visitor:
      tab = self._painted(visitor)
      painted = self._damage(visitor)
      self.assertGreater(painted[13:16, 20:30].mean(), 180)
      tab.click('text=Erase damage')
      browsing.drag(tab, (0.2, 0.3), (0.6, 0.3))
      visitor.wait_for_preview()
      self.assertEqual(self._damage(visitor)[13:16, 20:30].max(), 0)
      tab.click('text=Undo')
      visitor.wait_for_preview()
      np.testing.assert_array_equal(self._damage(visitor), painted)
      # It is there again after a reload, to go on with.
      tab.reload()
      visitor.wait_for_film()
      tab.wait_for_function(browsing.ALPHA + ' > 100')
      tab.click('text=Remove all that was painted')
      visitor.wait_for_preview()
      tab.reload()
      visitor.wait_for_film()
      self.assertEqual(tab.evaluate(browsing.ALPHA), 0)

  def test_paint_on_one_frame_is_not_that_of_the_next(self):
    """Also where one paints on before the page has heard of earlier paint."""
    with browsing.visiting(self.address) as visitor:
      tab = self._painted(visitor)
      first = tab.evaluate(browsing.ALPHA)
      tab.click('desk-view button[aria-label="One frame on"]')
      self.assertLess(tab.evaluate(browsing.ALPHA), first)
      browsing.drag(tab, (0.3, 0.7), (0.35, 0.7))
      visitor.wait_for_preview()
      second = tab.evaluate(browsing.ALPHA)
      self.assertGreater(second, 0)
      self.assertLess(second, first)
      # Back, and a stroke at once: what was there stays.
      tab.evaluate("""() => {
        const view = document.querySelector('desk-view');
        view.go(view.at - 1);
        view.brush.line([5, 40], [9, 40]);
        view.brush.changed(); }""")
      visitor.wait_for_preview()
      self.assertGreater(tab.evaluate(browsing.ALPHA), first)
      tab.reload()
      visitor.wait_for_film()
      self.assertGreater(tab.evaluate(browsing.ALPHA), first)

  def test_painted_for_the_whole_shot(self):
    with browsing.visiting(self.address) as visitor:
      tab = visitor.tab
      visitor.open(self.film)
      tab.click('text=Paint damage')
      tab.click('text=the whole shot')
      browsing.drag(tab, (0.3, 0.3), (0.5, 0.3))
      visitor.wait_for_preview()
      tab.click('desk-view button[aria-label="One frame on"]')
      visitor.wait_for_film()
      self.assertGreater(self._damage(visitor)[13:16, 20:30].mean(), 180)

  def test_what_cannot_be_loaded_is_not_replaced(self):
    with browsing.visiting(self.address, expected=['500']) as visitor:
      tab, kept = self._painted(visitor), []
      before = tab.evaluate(browsing.ALPHA)
      tab.on('request', lambda request: kept.append(request.url)
             if request.method == 'PUT' else None)
      tab.route('**/mask/**', lambda route: route.fulfill(status=500))
      tab.reload()
      visitor.wait_for_film()
      tab.click('text=Paint damage')
      browsing.drag(tab, (0.3, 0.7), (0.35, 0.7))
      tab.wait_for_selector('text=has not been loaded yet')
      tab.click('text=Remove all that was painted')
      tab.click('text=Undo')
      self.assertEqual(tab.evaluate(browsing.ALPHA), 0)
      self.assertEqual(kept, [])
      tab.unroute('**/mask/**')
      browsing.drag(tab, (0.3, 0.7), (0.35, 0.7))  # It is asked for again.
      tab.wait_for_function(f'{browsing.ALPHA} === {before}')
      self.assertEqual(kept, [])
      browsing.drag(tab, (0.3, 0.7), (0.35, 0.7))
      visitor.wait_for_preview()
      self.assertGreater(tab.evaluate(browsing.ALPHA), before)
      self.assertLen(kept, 1)

  def _painted(self, visitor):
    """The page with a film and a first stroke."""
    visitor.open(self.film)
    visitor.tab.click('text=Paint damage')
    browsing.drag(visitor.tab, (0.3, 0.3), (0.5, 0.3))
    visitor.wait_for_preview()
    return visitor.tab

  def _damage(self, visitor):
    """The layer of damage that is shown, [H, W] in [0, 255]."""
    picture = visitor.pixels(
        visitor.tab.get_attribute('desk-view .over', 'src'))
    self.assertEqual(picture.shape, (browsing.HEIGHT, browsing.WIDTH, 4))
    return picture[..., 3]


if __name__ == '__main__':
  absltest.main()
