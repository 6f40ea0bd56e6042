"""Tests of making fields whole as they come."""

import fractions

from absl.testing import absltest, parameterized
import numpy as np

from revive_jax.video import live_fields
from tests.video import woven


def _frames(pictures, pix_fmt='gray'):
  """Frames at 25 a second, from one second on."""
  found = list(woven.frames(pictures, pix_fmt))
  for t, frame in enumerate(found):
    frame.pts, frame.time_base = 1000 + 40 * t, fractions.Fraction(1, 1000)
  return found


def _through(pictures, mode='auto', pix_fmt='gray'):
  """What came out, and how many frames were made whole."""
  fields = live_fields.Fields(mode)
  return list(fields(iter(_frames(pictures, pix_fmt)))), fields.interlaced


def _luma(frame):
  return frame.to_ndarray(format='gray').astype(np.int16)


class LiveFieldsTest(parameterized.TestCase):

  @parameterized.parameters(True, False)
  def test_interlaced_frames_are_made_whole_of_their_earlier_field(self, top):
    pictures = woven.interlaced(30, top_first=top)
    with self.assertLogs(level='WARNING') as logs:
      found, count = _through(pictures)
    self.assertLen(logs.output, 1)
    self.assertLen(found, 30)
    # The first of them were held until it was known.
    self.assertEqual(count, 30)
    sources = _frames(pictures)
    for frame, source in zip(found, sources, strict=True):
      self.assertEqual((frame.pts, frame.time_base),
                       (source.pts, source.time_base))
      own = slice(0 if top else 1, None, 2)
      np.testing.assert_array_equal(_luma(frame)[own], _luma(source)[own])
    combs = lambda f: np.abs(np.diff(_luma(f), 2, axis=0)).mean()
    self.assertLess(combs(found[9]), 0.5 * combs(sources[9]))

  @parameterized.parameters('auto', 'same', 'off')
  def test_progressive_frames_are_the_objects_that_came(self, mode):
    frames = _frames(woven.scenes(20))
    fields = live_fields.Fields(mode)
    for a, b in zip(fields(iter(frames)), frames, strict=True):
      self.assertIs(a, b)
    self.assertEqual(fields.interlaced, 0)

  def test_nothing_is_done_where_it_is_not_wanted(self):
    frames = _frames(woven.interlaced(14))
    for a, b in zip(
        live_fields.Fields('off')(iter(frames)), frames, strict=True):
      self.assertIs(a, b)

  def test_what_changes_on_the_way(self):
    pictures = woven.scenes(20) + woven.interlaced(20, kind=2) + woven.scenes(
        20, kind=3)
    found, count = _through(pictures)
    self.assertEqual([f.pts for f in found], [
        1000 + 40 * t for t in range(60)])
    self.assertBetween(count, 12, 26)
    sources = _frames(pictures)
    for t in (*range(20), *range(48, 60)):
      np.testing.assert_array_equal(_luma(found[t]), _luma(sources[t]))

  def test_another_size_and_few_frames(self):
    pictures = woven.interlaced(20)
    small = [p[:, :96] for p in woven.interlaced(20)]
    found, _ = _through(pictures + small)
    self.assertEqual([f.width for f in found], [
        f.width for f in _frames(pictures + small)])
    for count in (1, 3):
      self.assertLen(_through(pictures[:count])[0], count)

  @parameterized.parameters('yuv420p', 'yuv422p10le', 'rgb24', 'nv12')
  def test_formats(self, pix_fmt):
    found, count = _through(woven.interlaced(16), pix_fmt=pix_fmt)
    self.assertEqual((len(found), count), (16, 16))

  def test_no_timestamps(self):
    frames = _frames(woven.interlaced(16))
    for frame in frames:
      frame.pts = None
    found = list(live_fields.Fields('auto')(iter(frames)))
    self.assertEqual([f.pts for f in found], [None] * 16)

  def test_a_frame_waits_for_one(self):
    """After the first, which are held until it is known."""
    given = []

    def source():
      for frame in _frames(woven.interlaced(30)):
        given.append(frame)
        yield frame

    for count, _ in enumerate(live_fields.Fields('auto')(source())):
      if 12 < count < 29:
        self.assertLessEqual(len(given), count + 2)


if __name__ == '__main__':
  absltest.main()
